"""Turn values, comparisons, missing things and stretches of time into the conditions of a plan."""

from __future__ import annotations

from typing import Literal

from ..plan import (
    Aggregate,
    Column,
    Expression,
    Filter,
    Having,
    Link,
    Measure,
    Scalar,
)
from ..sql.expressions import columns_of
from ..sql.joins import is_to_one, path
from .draft import COUNTS, CannotPlan
from .frame import Comparison, ValueHit
from .lexicon import Target
from .measuring import Measuring
from .names import table_words
from .resolve import TIMES, display_column, is_number


class Conditions(Measuring):
    """Adds filters and conditions on numbers."""

    def _value_filters(self) -> None:
        chosen: dict[tuple[str, str, bool], list[tuple[ValueHit, Target]]] = {}
        for hit in self.frame.values:
            target = self.resolver.choose_value(hit.mention, hit.column)
            if target is None:
                raise CannotPlan(f"no place for {hit.mention.phrase}")
            chosen.setdefault((target.table, target.column, hit.negated), []).append((hit, target))
        if len(chosen) > 1 and any(token.text == "or" for token in self.frame.tokens[self._span_of_values()]):
            raise CannotPlan("conditions on different columns joined by “or” cannot be asked yet")
        for (table, column, negated), hits in chosen.items():
            values = tuple(dict.fromkeys(target.value for _, target in hits))
            phrase = ", ".join(hit.mention.phrase for hit, _ in hits)
            of = Column(table=table, column=column)
            if hits[0][1].partial:
                filter = Filter(of=of, operator="contains", values=values[:1], phrase=phrase)
            else:
                operator: Literal["=", "!=", "in", "not in"] = (
                    ("not in" if negated else "in") if len(values) > 1 else ("!=" if negated else "=")
                )
                filter = Filter(of=of, operator=operator, values=values, phrase=phrase)
            self._add_filter(filter)

    def _span_of_values(self) -> slice:
        places = [hit.mention.start for hit in self.frame.values]
        return slice(min(places), max(places))

    def _check_reach(self, filter: Filter) -> None:
        """Refuse a condition on rows that merely share an owner with the fact's: 'orders with priority high'."""
        for column in columns_of(filter.of):
            steps = path(self.profile, self.fact, column.table)
            words = table_words(self.profile.table(column.table))
            if steps is None:
                raise CannotPlan(f"{words} are not connected with {table_words(self.profile.table(self.fact))}")
            turns = [index for index, step in enumerate(steps) if step.to_many]
            named_tables = {table for _, _, table in self.resolver.tables}
            if turns and turns[0] > 0 and not named_tables & {step.to_table for step in steps}:
                raise CannotPlan(
                    f"{column.column} belongs to {words}, not to {table_words(self.profile.table(self.fact))}"
                )

    def _add_filter(self, filter: Filter) -> None:
        if filter in self.draft.filters:
            return
        if filter.operator not in ("none", "some"):
            self._check_reach(filter)
        self.draft.filters.append(filter)
        values = ", ".join(map(str, filter.values))
        what = ", ".join(f"{column.table}.{column.column}" for column in columns_of(filter.of))
        self.draft.links.append(Link(phrase=filter.phrase, meaning=f"{what} {filter.operator} {values}".strip()))

    def _comparison(self, comparison: Comparison) -> None:
        hinted = (
            self._hinted(comparison.hint or self._age_hint(comparison))
            if not self._compares_column(comparison)
            else None
        )
        measure = self._compared_number(comparison) if hinted is None else None
        if measure is not None:
            self._having(comparison, measure)
            return
        target = hinted or self._compared_column(comparison)
        if target is None:
            raise CannotPlan(f"nothing to compare in “{comparison.phrase}”")
        of: Expression = target.derived.of if target.derived is not None else target.of
        values: tuple[Scalar, ...] = comparison.texts or tuple(_plain(number) for number in comparison.numbers)
        if target.kind == "column" and self.resolver.column(target).type in TIMES:
            values = tuple(f"{int(number):04}-01-01" for number in comparison.numbers if 1000 < number < 3000) or values
        self._add_filter(Filter(of=of, operator=comparison.operator, values=values, phrase=comparison.phrase))

    def _compares_column(self, comparison: Comparison) -> bool:
        return any(
            (target := self._target(mention, "number")) is not None and target.kind != "table"
            for mention in (comparison.left, comparison.right)
        )

    def _age_hint(self, comparison: Comparison) -> str:
        """'people under 40' are compared by age: where nothing is named, and the rows have one."""
        left = self._target(comparison.left, "count")
        if left is None or left.kind != "table" or comparison.right is not None or comparison.texts:
            return ""
        return "age" if any("age" in column.words for column in self.profile.table(left.table).columns) else ""

    def _compared_column(self, comparison: Comparison) -> Target | None:
        want = "group" if comparison.texts else "number"
        for mention in (comparison.left, comparison.right):
            target = self._target(mention, want)
            if target is not None and target.kind != "table":
                return target
        if comparison.hint:
            return self._hinted(comparison.hint)
        if comparison.texts and comparison.left is not None:
            target = self._target(comparison.left)
            if target is not None and target.kind == "table":
                return Target("column", target.table, display_column(self.profile.table(target.table)).name)
        return None

    def _compared_number(self, comparison: Comparison) -> Measure | None:
        """Return the number per group that is compared, or None where single rows are."""
        if comparison.texts:
            return None
        right = self._target(comparison.right, "count")
        if right is not None and right.kind == "table":
            return self._measure_of(Aggregate.COUNT, right)
        left = self._target(comparison.left, "number")
        counted = self._target(comparison.right, "number")
        if counted is not None and counted.kind == "column" and is_number(self.resolver.column(counted)):
            left = None
        if (
            left is not None
            and left.kind == "table"
            and comparison.aggregate in (None, *COUNTS)
            and comparison.left is not None
        ):
            return self._measure_of(Aggregate.COUNT, left)
        target = left if left is not None and left.kind != "table" else self._target(comparison.right, "number")
        if target is None or target.kind == "table":
            if comparison.left is None and comparison.right is None and self.draft.measures and self.draft.dimensions:
                return self.draft.measures[0]
            return None
        if comparison.aggregate is not None and comparison.aggregate not in COUNTS:
            return self._measure_of(comparison.aggregate, target)
        if target.kind == "derived" and (self.draft.dimensions or self.tables) and not self._is_row_of(target):
            return self._measure_of(None, target)
        if self.tables and not is_to_one(self.profile, self.tables[0][1], target.table) and not self.frame.asks:
            return self._measure_of(None, target)
        return None

    def _is_row_of(self, target: Target) -> bool:
        tables = [table for _, table in self.tables] or [self.fact]
        return all(is_to_one(self.profile, table, target.table) for table in tables) and not self.draft.dimensions

    def _having(self, comparison: Comparison, measure: Measure) -> None:
        per = None
        if not self.draft.dimensions or self._counts_entities(measure):
            table = self.tables[0][1] if self.tables and self.tables[0][1] != measure.table else self.fact
            if table == measure.table:
                raise CannotPlan(f"nothing to compare in “{comparison.phrase}”")
            keys = self.profile.table(table).primary_key
            if len(keys) != 1:
                raise CannotPlan("no key")
            per = Column(table=table, column=keys[0])
        having = Having(
            measure=measure.model_copy(update={"share": False}),
            operator=comparison.operator,
            values=comparison.numbers,
            per=per,
            phrase=comparison.phrase,
        )
        self.draft.having.append(having)
        self.draft.links.append(
            Link(
                phrase=comparison.phrase,
                meaning=f"{measure.label} {comparison.operator} {', '.join(f'{n:g}' for n in comparison.numbers)}",
            )
        )

    def _counts_entities(self, measure: Measure) -> bool:
        """'customers with more than 3 orders by country' counts customers; the condition is on each customer."""
        counted = [
            m
            for m in self.draft.measures
            if m.aggregate is Aggregate.COUNT and m.of is None and m.table != measure.table
        ]
        if not counted or not self.draft.dimensions:
            return False
        first = self.draft.dimensions[0]
        own = first.of.table == counted[0].table and (
            first.key is not None or self.profile.column(first.of.table, first.of.column).unique
        )
        return not own and is_to_one(self.profile, measure.table, counted[0].table)


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else number
