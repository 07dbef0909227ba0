"""List rows, or the things and columns that a ranking or a condition is about."""

from __future__ import annotations

from collections.abc import Iterable

from ..plan import (
    Aggregate,
    Column,
    Measure,
)
from ..profile import Role, Type
from .frame import Comparison, Top
from .limits import Limits
from .resolve import display_column


class Listing(Limits):
    """Fills a plan that no word asks a number of."""

    def _list_rows(self) -> None:
        if self._entity_with_number():
            return
        if self.others:
            self.draft.details = [target.of for _, target in self.others]
        elif self.tables or self.frame.absences or self.frame.values or self.frame.comparisons or self.frame.timed_by:
            self.draft.details = list(self._columns_to_show(self.fact))

    def _entity_with_number(self) -> bool:
        """'customers with more than 15 orders' shows each customer's number, not just a list."""
        if not self.tables and not self.others:
            return False
        for comparison in self.frame.comparisons:
            measure = self._compared_number(comparison)
            if measure is not None and not _fits_none(comparison) and self._group_by_what_is_listed(measure):
                self._add_measure(measure, comparison.phrase)
                return True
        return any(self._ranked_number(top) for top in self.frame.tops)

    def _ranked_number(self, top: Top) -> bool:
        """'which country has the most customers' shows the number that it is ranked by."""
        target = (
            self._hinted(top.hint)
            if top.hint
            else self._target(top.mention, "number" if top.aggregate is not None else "any")
        )
        if target is None:
            return False
        extreme = top.aggregate in (Aggregate.MAXIMUM, Aggregate.MINIMUM)
        measure = self._measure_of(
            Aggregate.COUNT if target.kind == "table" else None if extreme else top.aggregate, target
        )
        if measure is None or not self._group_by_what_is_listed(measure):
            return False
        single = target.kind == "column" and target.table == self.draft.dimensions[0].of.table and 0 in self.entities
        self._add_measure(self._raw(target) if single else measure, top.mention.phrase if top.mention else top.hint)
        self.draft.raw = single
        return True

    def _group_by_what_is_listed(self, measure: Measure) -> bool:
        """Group by the thing or column that the question lists; not by the very rows that are counted."""
        for mention, table in self.tables:
            if table != measure.table or measure.of is not None:
                self._entity(table, mention)
                self._leave_out_unknown(table)
                return True
        for mention, target in self.others:
            self._add_dimension(self._column_dimension(target), mention.phrase)
            return True
        return False

    def _columns_to_show(self, table: str) -> Iterable[Column]:
        """Yield what tells a row: its name or key, then dates, categories and numbers; of foreign keys the name they stand for."""
        profile = self.profile.table(table)
        keys = {key.column: key for key in self.profile.foreign_keys if key.table == table}
        for column in profile.columns[:10]:
            key = keys.get(column.name)
            if key is not None:
                yield Column(table=key.to_table, column=display_column(self.profile.table(key.to_table)).name)
            elif column.role is not Role.TEXT and column.type is not Type.BINARY:
                yield Column(table=table, column=column.name)


def _fits_none(comparison: Comparison) -> bool:
    """'fewer than 3 orders' fits what has none at all: such things are listed, as there is nothing to group."""
    first = comparison.numbers[0] if comparison.numbers else 0
    return comparison.operator in ("<", "<=") or (comparison.operator == "=" and first == 0)
