"""Choose the measures: what is asked for outright, counts, and numbers that no word aggregates."""

from __future__ import annotations

from ..plan import (
    Aggregate,
    ChartType,
    Column,
    Link,
    Measure,
)
from ..profile import ColumnProfile, Role
from ..sql.joins import is_to_one
from .columns import Columns
from .draft import COUNTS, PARTS, RAW_SHARE, CannotPlan
from .frame import Ask
from .lexicon import Target
from .names import column_words, count_label, number_label, table_words
from .resolve import is_measure, is_number


class Measuring(Columns):
    """Makes measures of what is asked for."""

    def _measures(self) -> bool:
        """Choose the measures; False where the question asks for rows instead."""
        if self.frame.asks:
            for ask in self.frame.asks:
                self._asked(ask)
            self._numbers_beside_asks()
        elif self._is_scatter():
            self._raw_pair()
        elif self.numbers:
            self._number_measures()
        elif self.frame.count_them or self.draft.dimensions:
            self._count_rows()
        else:
            return False
        if self.frame.share and self._share_is_meant():
            self.draft.measures = [_shared(measure) for measure in self.draft.measures]
        return True

    def _share_is_meant(self) -> bool:
        """A pie draws any number as shares of the whole: there the number itself is kept, unless a percentage was named."""
        words = {token.text for token in self.frame.tokens}
        if self.frame.chart is ChartType.PIE and words & {"proportion", "proportions"}:
            return False
        return bool(self.draft.dimensions)

    def _asked(self, ask: Ask) -> None:
        target = self._ask_target(ask)
        if target is None:
            if ask.mention is None and ask.hint:
                raise CannotPlan("no column for the adjective")
            self._count_rows()
            return
        measure = self._measure_of(ask.aggregate, target)
        if measure is None:
            self._count_of_column(ask, target)
        elif measure not in self.draft.measures:
            self._add_measure(measure, ask.mention.phrase if ask.mention else ask.hint)

    def _add_measure(self, measure: Measure, phrase: str) -> None:
        if len(self.draft.measures) < 4:
            self.draft.measures.append(measure)
            self.draft.links.append(Link(phrase=phrase, meaning=measure.label))

    def _measure_of(self, aggregate: Aggregate | None, target: Target) -> Measure | None:
        """Return the measure of a target, or None where a column is to be counted."""
        if target.kind == "table":
            if aggregate in (Aggregate.AVERAGE, Aggregate.MINIMUM, Aggregate.MAXIMUM):
                only = self._only_number(target.table)
                if only is None:
                    raise CannotPlan(
                        f"the {aggregate.value} of {table_words(self.profile.table(target.table))} is not clear: of which number?"
                    )
                return self._measure_of(aggregate, only)
            return Measure(label=count_label(self.profile, target.table), table=target.table, aggregate=Aggregate.COUNT)
        if target.kind == "derived" and target.derived is not None:
            derived = target.derived
            chosen = aggregate if aggregate not in (None, *COUNTS) else _usual(derived.role)
            if derived.note:
                self.draft.assumptions.append(derived.note[:1].upper() + derived.note[1:])
            return Measure(
                label=number_label(chosen, derived.name),
                table=derived.table,
                aggregate=chosen,
                of=derived.of,
                unit=derived.unit,
            )
        column = self.resolver.column(target)
        if aggregate in COUNTS:
            if aggregate is Aggregate.COUNT and is_measure(column) and not self._is_counted_thing(column):
                aggregate = _usual(column.role)
            else:
                return None
        if aggregate in (Aggregate.SUM, Aggregate.AVERAGE) and not is_number(column):
            return None
        wanted = aggregate or (_usual(column.role) if is_number(column) else None)
        if wanted is None:
            return None
        label = number_label(wanted, column_words(column))
        return Measure(label=label, table=self._stands_on(target), aggregate=wanted, of=target.of)

    def _only_number(self, table: str) -> Target | None:
        """Return the one column of a table that can be averaged: the stars of a rating."""
        numbers = [column for column in self.profile.table(table).columns if is_measure(column)]
        return Target("column", table, numbers[0].name) if len(numbers) == 1 else None

    def _is_counted_thing(self, column: ColumnProfile) -> bool:
        return column.role not in (Role.ADDITIVE,)

    def _stands_on(self, target: Target) -> str:
        if self.frame.records_of_both and is_to_one(self.profile, self.fact, target.table):
            return self.fact
        return target.table

    def _count_of_column(self, ask: Ask, target: Target) -> None:
        """Count what a column names: the rows in each group, its different values, or how often each occurs."""
        of = target.of
        column = self.resolver.column(target)
        phrase = ask.mention.phrase if ask.mention else ""
        if (
            ask.aggregate is Aggregate.COUNT_DISTINCT
            and self.draft.dimensions
            and all(d.of != of for d in self.draft.dimensions)
        ):
            self._add_distinct(column, of, phrase)
        elif self.draft.dimensions:
            table = self._counted_table(target)
            self._add_measure(
                Measure(label=count_label(self.profile, table), table=table, aggregate=Aggregate.COUNT), phrase
            )
        elif self.frame.chart in PARTS or self.frame.distribution or self.frame.versus:
            self._add_dimension(self._column_dimension(target), phrase)
            table = self._counted_table(target)
            self._add_measure(
                Measure(label=count_label(self.profile, table), table=table, aggregate=Aggregate.COUNT), phrase
            )
        else:
            self._add_distinct(column, of, phrase)

    def _counted_table(self, target: Target) -> str:
        """Rows of the column's table are counted, or of the fact the question names beside it."""
        return (
            self.tables[0][1]
            if self.tables and is_to_one(self.profile, self.tables[0][1], target.table)
            else target.table
        )

    def _add_distinct(self, column: ColumnProfile, of: Column, phrase: str) -> None:
        label = number_label(Aggregate.COUNT_DISTINCT, column_words(column))
        self._add_measure(Measure(label=label, table=of.table, aggregate=Aggregate.COUNT_DISTINCT, of=of), phrase)

    def _numbers_beside_asks(self) -> None:
        """'name and total price' asks for one number; a bare number beside it is measured in the usual way."""
        if not self.draft.dimensions and self.draft.measures and len(self.numbers) == 1 and not self.others:
            mention, target = self.numbers[0]
            if (
                target.kind == "column"
                and self.draft.measures[0].aggregate is not None
                and self.frame.chart in (*PARTS, ChartType.SCATTER)
            ):
                self._add_dimension(self._column_dimension(target), mention.phrase)

    def _is_scatter(self) -> bool:
        if len(self.numbers) != 2 or any(
            not group.time and self.frame.relation is False for group in self.frame.groups[:0]
        ):
            return False
        scatter = self.frame.chart in (ChartType.SCATTER, ChartType.GROUPING_SCATTER)
        return (
            scatter
            or self.frame.relation
            or (self.frame.versus and not self.draft.dimensions)
            or (not self.others and not self.draft.dimensions)
        )

    def _raw_pair(self) -> None:
        pair = self.numbers[::-1] if self.frame.against_at is not None else self.numbers
        for mention, target in pair:
            self._add_measure(self._raw(target), mention.phrase)
        self.draft.raw = True

    def _raw(self, target: Target) -> Measure:
        if target.kind == "derived" and target.derived is not None:
            derived = target.derived
            return Measure(
                label=number_label(None, derived.name), table=derived.table, of=derived.of, unit=derived.unit
            )
        column = self.resolver.column(target)
        return Measure(label=number_label(None, column_words(column)), table=target.table, of=target.of)

    def _number_measures(self) -> None:
        """Numbers that no word aggregates: as they are where each label names one row, else by what they are."""
        self._entity_for_numbers()
        raw = self._labels_are_single()
        for mention, target in self.numbers[:3]:
            measure = self._raw(target) if raw else self._measure_of(None, target)
            if measure is not None:
                self._add_measure(measure, mention.phrase)
        self.draft.raw = raw
        if (
            not self.draft.dimensions
            and (self.frame.distribution or self.frame.chart is ChartType.HISTOGRAM)
            and len(self.numbers) == 1
        ):
            self._histogram(self.numbers[0][1])

    def _histogram(self, target: Target) -> None:
        self.draft.measures = [self._raw(target)]
        self.draft.raw = True

    def _entity_for_numbers(self) -> None:
        if (
            self.draft.dimensions
            or not self.tables
            or self.frame.distribution
            or self.frame.chart is ChartType.HISTOGRAM
        ):
            return
        if self.wants_entity:
            self._entity(self.tables[0][1], self.tables[0][0])

    def _labels_are_single(self) -> bool:
        """Tell whether the numbers can be shown as they are: the label is the row's own."""
        if not self.draft.dimensions or (self.frame.groups and any(group.time for group in self.frame.groups)):
            return False
        first = self.draft.dimensions[0]
        column = self.profile.column(first.of.table, first.of.column)
        same = all(target.table == first.of.table for _, target in self.numbers)
        explicit = bool(self.frame.groups) or bool(self.entities)
        filled = max(1, column.rows - column.nulls)
        unique = column.unique or column.distinct >= RAW_SHARE * filled or first.key is not None
        return (same and unique) or (not explicit and self._is_listing())

    def _is_listing(self) -> bool:
        """'name and price' without a word of grouping lists rows."""
        return not self.frame.groups and not self.frame.share

    def _count_rows(self) -> None:
        table = self.fact
        self._add_measure(
            Measure(label=count_label(self.profile, table), table=table, aggregate=Aggregate.COUNT),
            table_words(self.profile.table(table)),
        )
        if not self.draft.dimensions and self.frame.count_them and self.others:
            self._others_as_dimensions()


def _shared(measure: Measure) -> Measure:
    summed = (Aggregate.COUNT, Aggregate.COUNT_DISTINCT, Aggregate.SUM)
    return measure.model_copy(update={"share": True}) if measure.aggregate in summed else measure


def _usual(role: Role) -> Aggregate:
    return Aggregate.SUM if role is Role.ADDITIVE else Aggregate.AVERAGE
