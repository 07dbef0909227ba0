"""Build the plan of a frame: fact table, dimensions, measures, conditions, order, in this order."""

from __future__ import annotations

from ..plan import (
    ChartType,
    Plan,
)
from ..sql.expressions import columns_of
from ..sql.joins import is_to_one, path
from .draft import CannotPlan
from .ordering import Ordering


class Builder(Ordering):
    """Makes one plan; `resolver.ties` tells afterwards what could have meant something else."""

    def build(self) -> Plan:
        if self.frame.unsupported:
            raise CannotPlan(self.frame.unsupported)
        self._who()
        self._tops_as_asks()
        self._measures_said_as_groups()
        self.fact = self._fact()
        self._groups()
        self._values_as_series()
        self._bare()
        self._entity_of_asks()
        if not self._measures():
            self._list_rows()
        if not self.draft.measures and not self.draft.details:
            raise CannotPlan("nothing to show")
        self._conditions()
        self._time_first()
        self._tops()
        self._orders()
        return self._plan()

    def _plan(self) -> Plan:
        draft = self.draft
        table = draft.measures[0].table if draft.measures and not draft.raw else self.fact
        if draft.raw:
            table = self._raw_table()
        self._check_connected(table)
        counted = {table, *(measure.table for measure in draft.measures)}
        for filter in draft.filters:
            if filter.operator in ("none", "some") and counted & {column.table for column in columns_of(filter.of)}:
                raise CannotPlan(f"“{filter.phrase}” is not clear")
        return Plan(
            question=self.question, table=table, measures=tuple(draft.measures), dimensions=tuple(draft.dimensions),
            details=tuple(draft.details), filters=tuple(draft.filters), having=tuple(draft.having), order=tuple(draft.order),
            limit=draft.limit, chart=self._chart(),
        )  # fmt: skip

    def _raw_table(self) -> str:
        tables = [measure.table for measure in self.draft.measures] + [
            dimension.of.table for dimension in self.draft.dimensions
        ]
        return self._most_detailed(
            [self.fact, *tables] if all(is_to_one(self.profile, self.fact, table) for table in tables) else tables
        )

    def _check_connected(self, table: str) -> None:
        needed = [
            column.table for dimension in self.draft.dimensions for column in (dimension.of, dimension.key) if column
        ]
        needed += [
            column.table
            for measure in self.draft.measures
            if measure.of is not None
            for column in columns_of(measure.of)
        ]
        needed += [column.table for detail in self.draft.details for column in columns_of(detail)]
        for other in needed:
            if path(self.profile, table, other) is None:
                raise CannotPlan(f"nothing connects {table} and {other}")

    def _chart(self) -> ChartType | None:
        chart = self.frame.chart
        if chart is ChartType.HISTOGRAM and self.draft.dimensions and self.draft.dimensions[0].bins is None:
            return ChartType.STACKED_BAR if len(self.draft.dimensions) > 1 else ChartType.BAR
        return chart
