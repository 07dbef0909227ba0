"""Numbers per group: one SELECT for measures of one table, laid side by side for measures of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..plan import Aggregate, Expression, Measure
from .nodes import aggregated, compared, named, reference

if TYPE_CHECKING:
    from sqlglot import exp

from .scope import Scope

STEADY = (Aggregate.MINIMUM, Aggregate.MAXIMUM, Aggregate.COUNT_DISTINCT)  # not moved by rows that repeat


class Groups(Scope):
    """Groups the rows of a scope without repeating any in a sum."""

    def _group(self, measures: Sequence[Measure]) -> exp.Select:
        """Return the grouped SELECT of measures that all stand on the same table's rows."""
        fact = measures[0].table
        parts = [part for measure in measures for part in (measure, measure.divided_by) if part]
        ofs = [part.of for part in parts if part.of is not None]
        asked = [*self._dimension_columns(), *ofs]
        if self._needs_distinct_rows(fact, parts):
            return self._group_distinct_rows(fact, measures, asked)
        fans_out = self._fans_out(fact, self._dimension_columns())
        select = self._from(fact, asked)
        labels = [self._dimension(dimension) for dimension in self.plan.dimensions]
        numbers = [self._number(measure, fans_out) for measure in measures]
        select = select.select(*(named(part, i) for i, part in enumerate([*labels, *numbers])))
        select = select.group_by(*(self._group_keys(labels)))
        return self._having(select, fact, fans_out)

    def _group_keys(self, labels: list[exp.Expr]) -> list[exp.Expr]:
        keys = [self.values.stored(dimension.key) for dimension in self.plan.dimensions if dimension.key]
        return [*keys, *(label.copy() for label in labels)]

    def _needs_distinct_rows(self, fact: str, parts: Iterable[Measure]) -> bool:
        """Tell whether a join would repeat the fact's rows under a sum, an average or a count of values."""
        if not self._fans_out(fact, self._dimension_columns()):
            return False
        return any(part.aggregate not in STEADY and not self._counts_rows(part) for part in parts)

    def _counts_rows(self, measure: Measure) -> bool:
        return measure.of is None and len(self.profile.table(measure.table).primary_key) == 1

    def _group_distinct_rows(self, fact: str, measures: Sequence[Measure], asked: Sequence[Expression]) -> exp.Select:
        """Return the numbers over each fact row once per group: SELECT DISTINCT first, then aggregate."""
        from sqlglot import exp

        labels = [self._dimension(dimension) for dimension in self.plan.dimensions]
        rows = self._from(fact, asked).distinct()
        rows = rows.select(*(named(part, i) for i, part in enumerate(labels)))
        rows = rows.select(*(exp.alias_(key, f"k{i}") for i, key in enumerate(self._row_key(fact))))
        select = exp.select(*(reference(i) for i in range(len(labels))))
        for index, measure in enumerate(measures, len(labels)):
            number = self._over_rows(measure, f"v{index}")
            if measure.of is not None:
                rows = rows.select(exp.alias_(self.values.value(measure.of), f"v{index}"))
            select = select.select(exp.alias_(number, f"c{index}"))
        return select.from_(rows.subquery("fact_rows")).group_by(*(reference(i) for i in range(len(labels))))

    def _over_rows(self, measure: Measure, name: str) -> exp.Expr:
        from sqlglot import exp

        value = exp.column(name) if measure.of is not None else None
        if measure.divided_by is not None:
            raise ValueError("A ratio cannot be grouped by a table that repeats its rows.")
        return aggregated(measure.aggregate, value)

    def _number(self, measure: Measure, fans_out: bool) -> exp.Expr:
        from sqlglot import exp

        number = self._plain_number(measure, fans_out)
        if measure.divided_by is None:
            return number
        whole = exp.func("NULLIF", self._plain_number(measure.divided_by, fans_out), exp.Literal.number(0))
        return exp.Div(this=exp.Mul(this=number, expression=exp.Literal.number("1.0")), expression=whole)

    def _having(self, select: exp.Select, fact: str, fans_out: bool) -> exp.Select:
        own = [having for having in self.plan.having if having not in self._havings_elsewhere(fact)]
        conditions = [
            compared(self._number(having.measure, fans_out), having.operator, having.values) for having in own
        ]
        return select.having(*conditions) if conditions else select

    def _side_by_side(self, tables: list[str]) -> exp.Select:
        """Return measures that stand on different tables in one result: each grouped alone, then laid together.

        A UNION ALL of all groups, folded again, keeps groups that only one of them has; FULL JOIN would not do on NULL labels.
        """
        from sqlglot import exp

        width = len(self.plan.dimensions)
        branches = []
        for table in tables:
            own = [measure for measure in self.plan.measures if measure.table == table]
            if any(measure.divided_by and measure.divided_by.table != table for measure in own):
                raise ValueError("A ratio must stand on one table.")
            grouped = self._group(own).subquery("part")
            names: list[exp.Expr] = [reference(i) for i in range(width)]
            for index, measure in enumerate(self.plan.measures, width):
                found = reference(width + own.index(measure)) if measure in own else exp.null()
                names.append(exp.alias_(found, f"c{index}"))
            branches.append(exp.select(*names).from_(grouped))
        united: exp.Query = branches[0]
        for branch in branches[1:]:
            united = united.union(branch, distinct=False)
        folded = [
            exp.alias_(exp.Max(this=reference(i)), f"c{i}") for i in range(width, width + len(self.plan.measures))
        ]
        labels = [reference(i) for i in range(width)]
        select = exp.select(*labels, *folded).from_(united.subquery("parts"))
        return select.group_by(*(label.copy() for label in labels)) if labels else select

    def _shares(self, inner: exp.Select) -> exp.Select:
        from sqlglot import exp

        parts: list[exp.Expr] = [reference(i) for i in range(len(self.plan.dimensions))]
        for index, measure in enumerate(self.plan.measures, len(parts)):
            number: exp.Expr = reference(index)
            if measure.share:
                whole = exp.Window(this=exp.Sum(this=reference(index)))
                number = exp.Div(
                    this=exp.Mul(this=number, expression=exp.Literal.number("1.0")),
                    expression=exp.func("NULLIF", whole, exp.Literal.number(0)),
                )
            parts.append(exp.alias_(number, f"c{index}"))
        return exp.select(*parts).from_(inner.subquery("groups"))
