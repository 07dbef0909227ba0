"""Turn a plan's filters into conditions: comparisons, ranges of time, and related rows that must or must not exist."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ..plan import Column, Filter, Scalar
from ..profile import Profile
from .expressions import TIMES, Values, columns_of, identifier, literal
from .joins import Edge, path

if TYPE_CHECKING:
    from sqlglot import exp

COMPARISONS = {"=": "EQ", "!=": "NEQ", "<": "LT", "<=": "LTE", ">": "GT", ">=": "GTE"}
PATTERNS = {"contains": "%{}%", "starts": "{}%", "ends": "%{}"}


class Conditions:
    """Writes filters for a statement that reads `fact` and what hangs on it by to-one joins."""

    def __init__(self, profile: Profile, fact: str) -> None:
        self.profile, self.fact = profile, fact
        self.values = Values(profile)

    def joined_tables(self, filter: Filter, joined: Collection[str]) -> list[str]:
        """Return the tables that must be joined to the fact before `write` can be used."""
        if filter.operator in ("none", "some"):
            return [table for table in [self._steps(filter)[0].table] if table != self.fact]
        near = [table for table in self._tables(filter) if table in joined or not self._multiplies(table)]
        far = [self._split(table)[0].table for table in self._tables(filter) if table not in near]
        return near + [table for table in far if table != self.fact]

    def write(self, filter: Filter, joined: Collection[str]) -> exp.Expr:
        """Return the condition; rows of a table that would multiply the fact's rows are asked for with EXISTS."""
        if filter.operator in ("none", "some"):
            exists = self._exists(self._steps(filter), filter.where)
            return exists if filter.operator == "some" else exists.not_()
        for table in self._tables(filter):
            if table not in joined and self._multiplies(table):
                return self._exists(self._split(table), (filter,))
        return self.plain(filter)

    def plain(self, filter: Filter) -> exp.Expr:
        """Return the condition on a row whose table is in the statement."""
        from sqlglot import exp

        value = self.values.value(filter.of)
        match filter.operator:
            case "null" | "not null":
                empty = exp.Is(this=value, expression=exp.null())
                return empty if filter.operator == "null" else empty.not_()
            case "in" | "not in":
                among = exp.In(this=value, expressions=[literal(item) for item in filter.values])
                return among if filter.operator == "in" else among.not_()
            case "contains" | "starts" | "ends":
                pattern = PATTERNS[filter.operator].format(str(filter.values[0]).lower())
                return exp.Like(this=exp.Lower(this=value), expression=literal(pattern))
        if self._is_time(filter):
            return _time_condition(value, filter.operator, [str(item) for item in filter.values])
        if filter.operator == "between":
            low, high = filter.values
            return exp.Between(this=value, low=literal(low), high=literal(high))
        comparison: type[exp.Binary] = getattr(exp, COMPARISONS[filter.operator])
        return comparison(this=value, expression=literal(filter.values[0]))

    def _is_time(self, filter: Filter) -> bool:
        if not isinstance(filter.of, Column):
            return False
        found = self.profile.column(filter.of.table, filter.of.column)
        return found.type in TIMES and all(_is_date(value) for value in filter.values)

    def _tables(self, filter: Filter) -> list[str]:
        return [column.table for column in columns_of(filter.of)]

    def _multiplies(self, table: str) -> bool:
        steps = path(self.profile, self.fact, table)
        return any(step.to_many for step in steps or ())

    def _split(self, table: str) -> tuple[Edge, ...]:
        """Return the end of the way to `table` that goes inside EXISTS: from the first step to many rows on."""
        steps = path(self.profile, self.fact, table)
        if not steps:
            raise ValueError(f"Nothing connects the tables {self.fact} and {table}.")
        first = next((index for index, step in enumerate(steps) if step.to_many), len(steps) - 1)
        return steps[first:]

    def _steps(self, filter: Filter) -> tuple[Edge, ...]:
        (column,) = columns_of(filter.of)
        steps = self._split(column.table)
        last = steps[-1]
        if last.to_many and last.to_column != column.column:
            steps = (*steps[:-1], self._named_step(last, column))
        return steps

    def _named_step(self, step: Edge, column: Column) -> Edge:
        """Return the same step by the foreign key that the plan names, where there are two."""
        for key in self.profile.foreign_keys:
            if (key.table, key.column, key.to_table) == (column.table, column.column, step.table):
                return Edge(step.table, key.to_column, key.table, key.column, True, step.cost)
        return step

    def _exists(self, steps: tuple[Edge, ...], where: tuple[Filter, ...]) -> exp.Expr:
        from sqlglot import exp

        first, *rest = steps
        select = exp.select(exp.Literal.number(1)).from_(exp.Table(this=identifier(first.to_table)))
        for step in rest:
            select = select.join(exp.Table(this=identifier(step.to_table)), on=self.link(step), join_type="inner")
        inner = Conditions(self.profile, first.to_table)
        joined = [first.to_table, *(step.to_table for step in rest)]
        select = select.where(self.link(first), *(inner.write(filter, joined) for filter in where))
        return exp.Exists(this=select)

    def link(self, step: Edge) -> exp.Expr:
        """Return the equality that joins the two tables of a step."""
        from sqlglot import exp

        here = self.values.stored(Column(table=step.table, column=step.column))
        there = self.values.stored(Column(table=step.to_table, column=step.to_column))
        return exp.EQ(this=here, expression=there)


def _is_date(value: Scalar) -> bool:
    try:
        date.fromisoformat(str(value)[:10])
    except ValueError:
        return False
    return True


def _time_condition(value: exp.Expr, operator: str, days: list[str]) -> exp.Expr:
    """Compare with whole days: a time on the last day of a range lies inside it."""
    from sqlglot import exp

    def at_least(day: str) -> exp.Expr:
        return exp.GTE(this=value.copy(), expression=literal(day))

    def below(day: str) -> exp.Expr:
        return exp.LT(this=value.copy(), expression=literal(day))

    first, last = days[0], days[-1]
    match operator:
        case ">=":
            return at_least(first)
        case "<":
            return below(first)
        case ">":
            return at_least(_next_day(first))
        case "<=":
            return below(_next_day(first))
        case "!=":
            return exp.paren(exp.or_(below(first), at_least(_next_day(first))))
    return exp.and_(at_least(first), below(_next_day(last)))


def _next_day(day: str) -> str:
    return day if len(day) > 10 else (date.fromisoformat(day) + timedelta(days=1)).isoformat()
