"""FROM, the joins and WHERE of a plan, and the values of its dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..plan import Aggregate, Column, Dimension, Expression, Having, Measure, Plan
from ..profile import Profile
from .conditions import Conditions
from .expressions import Values, columns_of, literal
from .grains import bucket
from .joins import path, steps_to
from .nodes import aggregated, compared, fits, join_type, round_width, table_node

if TYPE_CHECKING:
    from sqlglot import exp

MEANINGFUL = (Aggregate.AVERAGE, Aggregate.MINIMUM, Aggregate.MAXIMUM)


class Scope:
    """What the SELECT of a plan reads: its tables, joined, and its rows, filtered."""

    def __init__(self, plan: Plan, profile: Profile) -> None:
        self.plan, self.profile = plan, profile
        self.values = Values(profile)

    def _from(self, fact: str, asked: Iterable[Expression]) -> exp.Select:
        """Return FROM, the joins that the columns need, and WHERE; LEFT JOIN, so that rows without a partner stay."""
        from sqlglot import exp

        conditions = Conditions(self.profile, fact)
        tables = [column.table for of in asked for column in columns_of(of)]
        for filter in self.plan.filters:
            tables += conditions.joined_tables(filter, tables)
        select = exp.select().from_(table_node(fact))
        for having in self._havings_elsewhere(fact):
            tables.append((having.per or self._key_of_dimension()).table)
        for step in steps_to(self.profile, fact, tables):
            select = select.join(table_node(step.to_table), on=conditions.link(step), join_type=join_type(step))
        where = [conditions.write(filter, tables) for filter in self.plan.filters]
        where += [self._per_row(having) for having in self._havings_elsewhere(fact)]
        where += self._rows_with_a_value(asked)
        return select.where(*where) if where else select

    def _rows_with_a_value(self, asked: Iterable[Expression]) -> list[exp.Expr]:
        """An average is of rows that have a value; groups where none has one are left out."""
        from sqlglot import exp

        ofs = {measure.of for measure in self.plan.measures if measure.divided_by is None}
        meaningful = all(measure.aggregate in MEANINGFUL for measure in self.plan.measures)
        if len(ofs) != 1 or not meaningful or not self.plan.measures or not self.plan.dimensions:
            return []
        (of,) = ofs
        if of is None or of not in list(asked):
            return []
        gaps = [column for column in columns_of(of) if self.profile.column(column.table, column.column).nulls]
        return [exp.Is(this=self.values.stored(column), expression=exp.null()).not_() for column in gaps]

    def _per_row(self, having: Having) -> exp.Expr:
        """Return the condition that a row's key is among those whose related rows give a fitting number.

        A key with no related rows counts 0: where 0 fits, the keys that do *not* fit are excluded instead.
        """
        from sqlglot import exp

        per = having.per or self._key_of_dimension()
        counts = having.measure.aggregate in (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)
        zero_fits = counts and fits(0, having.operator, having.values)
        fact = having.measure.table
        asked = [per, *([having.measure.of] if having.measure.of is not None else [])]
        bare = Scope(Plan(question="", table=fact, measures=(having.measure,)), self.profile)
        keys = bare._from(fact, asked).select(self.values.stored(per))
        test = compared(self._plain_number(having.measure, self._fans_out(fact, [per])), having.operator, having.values)
        present = exp.Is(this=self.values.stored(per), expression=exp.null()).not_()
        keys = keys.where(present).group_by(self.values.stored(per)).having(test.not_() if zero_fits else test)
        among = exp.In(this=self.values.stored(per), query=exp.Subquery(this=keys))
        return among.not_() if zero_fits else among

    def _havings_elsewhere(self, fact: str) -> list[Having]:
        return [having for having in self.plan.having if having.per is not None or having.measure.table != fact]

    def _key_of_dimension(self) -> Column:
        if not self.plan.dimensions:
            raise ValueError("A condition on a number needs a group or a key.")
        return self.plan.dimensions[0].key or self.plan.dimensions[0].of

    def _plain_number(self, measure: Measure, fans_out: bool) -> exp.Expr:
        if measure.of is None and fans_out:
            return aggregated(Aggregate.COUNT_DISTINCT, self._row_key(measure.table)[0])
        return aggregated(measure.aggregate, self.values.value(measure.of) if measure.of is not None else None)

    def _row_key(self, fact: str) -> list[exp.Expr]:
        table = self.profile.table(fact)
        columns = table.primary_key or tuple(column.name for column in table.columns)
        return [self.values.stored(Column(table=fact, column=column)) for column in columns]

    def _fans_out(self, fact: str, asked: Iterable[Expression]) -> bool:
        ways = [path(self.profile, fact, column.table) or () for of in asked for column in columns_of(of)]
        return any(step.to_many for way in ways for step in way)

    def _dimension_columns(self) -> list[Column]:
        keys = [dimension.key for dimension in self.plan.dimensions if dimension.key]
        return [*(dimension.of for dimension in self.plan.dimensions), *keys]

    def _dimension(self, dimension: Dimension) -> exp.Expr:
        value = self.values.value(dimension.of)
        if dimension.grain is not None:
            return bucket(value, dimension.grain, self.profile.dialect)
        if dimension.bins is not None:
            return self._bin(dimension, value)
        return value

    def _bin(self, dimension: Dimension, value: exp.Expr) -> exp.Expr:
        """Return the start of the bin; widths are round numbers."""
        from sqlglot import exp

        found = self.profile.column(dimension.of.table, dimension.of.column)
        width = round_width(float(found.minimum or 0), float(found.maximum or 0), dimension.bins or 10)
        parts = exp.Div(this=value, expression=literal(width))
        return exp.Mul(this=exp.Floor(this=parts), expression=literal(width))
