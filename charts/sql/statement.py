"""Build the SELECT of a plan: a list of rows, numbers per group, or several groups' numbers side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..plan import Aggregate, Column, Dimension, Expression, Having, Measure, Order, Plan, Scalar
from ..profile import Profile
from .conditions import COMPARISONS, Conditions
from .expressions import TIMES, Values, columns_of, identifier, literal
from .grains import CYCLES, bucket
from .joins import Edge, path, steps_to

if TYPE_CHECKING:
    from sqlglot import exp

MEANINGFUL = (Aggregate.AVERAGE, Aggregate.MINIMUM, Aggregate.MAXIMUM)
STEADY = (Aggregate.MINIMUM, Aggregate.MAXIMUM, Aggregate.COUNT_DISTINCT)  # not moved by rows that repeat


class Statement:
    """One plan on its way to SQL."""

    def __init__(self, plan: Plan, profile: Profile) -> None:
        self.plan, self.profile = plan, profile
        self.values = Values(profile)

    def build(self) -> exp.Select:
        if not self.plan.measures and not self.plan.details and not self.plan.dimensions:
            raise ValueError("The plan asks for nothing: it has no measures, dimensions or details.")
        if self.plan.measures and any(measure.aggregate is not None for measure in self.plan.measures):
            return self._grouped()
        return self._rows()

    # A list of rows, or raw values

    def _rows(self) -> exp.Select:
        asked: list[Expression] = [dimension.of for dimension in self.plan.dimensions]
        asked += [measure.of for measure in self.plan.measures if measure.of is not None]
        asked += self.plan.details
        parts = [self._dimension(dimension) for dimension in self.plan.dimensions]
        parts += [self.values.value(of) for of in asked[len(parts) :]]
        select = self._from(self.plan.table, asked).select(*(_named(part, i) for i, part in enumerate(parts)))
        if not self.plan.measures and not self.plan.details:
            select = select.distinct()
        orders = [self._order_of_rows(order, parts, bool(select.args.get("distinct"))) for order in self.plan.order]
        select = select.order_by(*orders) if orders else select
        return select.limit(self.plan.limit) if self.plan.limit else select

    def _order_of_rows(self, order: Order, parts: list[exp.Expr], distinct: bool) -> exp.Expr:
        start = {"dimension": 0, "measure": len(self.plan.dimensions), "detail": 0}[order.by]
        index = start + order.index
        return _ordered(_reference(index) if distinct else parts[index].copy(), order.descending)

    # Numbers per group

    def _grouped(self) -> exp.Select:
        measures = self.plan.measures
        tables = dict.fromkeys(part.table for measure in measures for part in (measure, measure.divided_by) if part)
        inner = self._group(measures) if len(tables) == 1 else self._side_by_side(list(tables))
        if any(measure.share for measure in measures):
            inner = self._shares(inner)
        return self._finish(inner)

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
        select = select.select(*(_named(part, i) for i, part in enumerate([*labels, *numbers])))
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
        rows = rows.select(*(_named(part, i) for i, part in enumerate(labels)))
        rows = rows.select(*(exp.alias_(key, f"k{i}") for i, key in enumerate(self._row_key(fact))))
        select = exp.select(*(_reference(i) for i in range(len(labels))))
        for index, measure in enumerate(measures, len(labels)):
            number = self._over_rows(measure, f"v{index}")
            if measure.of is not None:
                rows = rows.select(exp.alias_(self.values.value(measure.of), f"v{index}"))
            select = select.select(exp.alias_(number, f"c{index}"))
        return select.from_(rows.subquery("fact_rows")).group_by(*(_reference(i) for i in range(len(labels))))

    def _over_rows(self, measure: Measure, name: str) -> exp.Expr:
        from sqlglot import exp

        value = exp.column(name) if measure.of is not None else None
        if measure.divided_by is not None:
            raise ValueError("A ratio cannot be grouped by a table that repeats its rows.")
        return _aggregate(measure.aggregate, value)

    def _row_key(self, fact: str) -> list[exp.Expr]:
        table = self.profile.table(fact)
        columns = table.primary_key or tuple(column.name for column in table.columns)
        return [self.values.stored(Column(table=fact, column=column)) for column in columns]

    def _fans_out(self, fact: str, asked: Iterable[Expression]) -> bool:
        ways = [path(self.profile, fact, column.table) or () for of in asked for column in columns_of(of)]
        return any(step.to_many for way in ways for step in way)

    def _number(self, measure: Measure, fans_out: bool) -> exp.Expr:
        from sqlglot import exp

        number = self._plain_number(measure, fans_out)
        if measure.divided_by is None:
            return number
        whole = exp.func("NULLIF", self._plain_number(measure.divided_by, fans_out), exp.Literal.number(0))
        return exp.Div(this=exp.Mul(this=number, expression=exp.Literal.number("1.0")), expression=whole)

    def _plain_number(self, measure: Measure, fans_out: bool) -> exp.Expr:
        if measure.of is None and fans_out:
            return _aggregate(Aggregate.COUNT_DISTINCT, self._row_key(measure.table)[0])
        return _aggregate(measure.aggregate, self.values.value(measure.of) if measure.of is not None else None)

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
            names: list[exp.Expr] = [_reference(i) for i in range(width)]
            for index, measure in enumerate(self.plan.measures, width):
                found = _reference(width + own.index(measure)) if measure in own else exp.null()
                names.append(exp.alias_(found, f"c{index}"))
            branches.append(exp.select(*names).from_(grouped))
        united: exp.Query = branches[0]
        for branch in branches[1:]:
            united = united.union(branch, distinct=False)
        folded = [
            exp.alias_(exp.Max(this=_reference(i)), f"c{i}") for i in range(width, width + len(self.plan.measures))
        ]
        labels = [_reference(i) for i in range(width)]
        select = exp.select(*labels, *folded).from_(united.subquery("parts"))
        return select.group_by(*(label.copy() for label in labels)) if labels else select

    def _shares(self, inner: exp.Select) -> exp.Select:
        from sqlglot import exp

        parts: list[exp.Expr] = [_reference(i) for i in range(len(self.plan.dimensions))]
        for index, measure in enumerate(self.plan.measures, len(parts)):
            number: exp.Expr = _reference(index)
            if measure.share:
                whole = exp.Window(this=exp.Sum(this=_reference(index)))
                number = exp.Div(
                    this=exp.Mul(this=number, expression=exp.Literal.number("1.0")),
                    expression=exp.func("NULLIF", whole, exp.Literal.number(0)),
                )
            parts.append(exp.alias_(number, f"c{index}"))
        return exp.select(*parts).from_(inner.subquery("groups"))

    # Order and limit

    def _finish(self, select: exp.Select) -> exp.Select:
        if not self.plan.dimensions:
            return select
        orders = [self._order(order, select) for order in self.plan.order or self._usual_order()]
        named = {order.index for order in self.plan.order if order.by == "dimension"}
        orders += [_ordered(_reference(i), False) for i in range(len(self.plan.dimensions)) if i not in named]
        select = select.order_by(*orders)
        return select.limit(self.plan.limit) if self.plan.limit else select

    def _usual_order(self) -> list[Order]:
        """Time runs forward, categories go by their number from high to low."""
        if self.is_ordered(self.plan.dimensions[0]):
            return [Order(by="dimension", index=0)]
        return [Order(by="measure", index=0, descending=True)]

    def is_ordered(self, dimension: Dimension) -> bool:
        """Tell whether the labels have an order of their own, as times and bins have."""
        found = self.profile.column(dimension.of.table, dimension.of.column)
        return bool(dimension.grain or dimension.bins) or found.type in TIMES

    def _order(self, order: Order, select: exp.Select) -> exp.Expr:
        from sqlglot import exp

        if order.by == "measure":
            return _ordered(_reference(len(self.plan.dimensions) + order.index), order.descending)
        dimension = self.plan.dimensions[order.index]
        if dimension.grain in CYCLES:
            return _ordered(_place(_reference(order.index), CYCLES[dimension.grain]), order.descending)
        if dimension.bins:
            start = exp.cast(_reference(order.index), "REAL")
            return _ordered(start, order.descending)
        return _ordered(_reference(order.index), order.descending)

    # Shared parts

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
        width = _round_width(float(found.minimum or 0), float(found.maximum or 0), dimension.bins or 10)
        parts = exp.Div(this=value, expression=literal(width))
        return exp.Mul(this=exp.Floor(this=parts), expression=literal(width))

    def _from(self, fact: str, asked: Iterable[Expression]) -> exp.Select:
        """Return FROM, the joins that the columns need, and WHERE; LEFT JOIN, so that rows without a partner stay."""
        from sqlglot import exp

        conditions = Conditions(self.profile, fact)
        tables = [column.table for of in asked for column in columns_of(of)]
        for filter in self.plan.filters:
            tables += conditions.joined_tables(filter, tables)
        select = exp.select().from_(_table(fact))
        for having in self._havings_elsewhere(fact):
            tables.append((having.per or self._key_of_dimension()).table)
        for step in steps_to(self.profile, fact, tables):
            select = select.join(_table(step.to_table), on=conditions.link(step), join_type=_join_type(step))
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

    # Conditions on numbers

    def _having(self, select: exp.Select, fact: str, fans_out: bool) -> exp.Select:
        own = [having for having in self.plan.having if having not in self._havings_elsewhere(fact)]
        conditions = [
            _compare(self._number(having.measure, fans_out), having.operator, having.values) for having in own
        ]
        return select.having(*conditions) if conditions else select

    def _havings_elsewhere(self, fact: str) -> list[Having]:
        return [having for having in self.plan.having if having.per is not None or having.measure.table != fact]

    def _per_row(self, having: Having) -> exp.Expr:
        """Return the condition that a row's key is among those whose related rows give a fitting number.

        A key with no related rows counts 0: where 0 fits, the keys that do *not* fit are excluded instead.
        """
        from sqlglot import exp

        per = having.per or self._key_of_dimension()
        counts = having.measure.aggregate in (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)
        zero_fits = counts and _fits(0, having.operator, having.values)
        fact = having.measure.table
        asked = [per, *([having.measure.of] if having.measure.of is not None else [])]
        bare = Statement(Plan(question="", table=fact, measures=(having.measure,)), self.profile)
        keys = bare._from(fact, asked).select(self.values.stored(per))
        test = _compare(self._plain_number(having.measure, self._fans_out(fact, [per])), having.operator, having.values)
        present = exp.Is(this=self.values.stored(per), expression=exp.null()).not_()
        keys = keys.where(present).group_by(self.values.stored(per)).having(test.not_() if zero_fits else test)
        among = exp.In(this=self.values.stored(per), query=exp.Subquery(this=keys))
        return among.not_() if zero_fits else among

    def _key_of_dimension(self) -> Column:
        if not self.plan.dimensions:
            raise ValueError("A condition on a number needs a group or a key.")
        return self.plan.dimensions[0].key or self.plan.dimensions[0].of


def _table(name: str) -> exp.Table:
    from sqlglot import exp

    return exp.Table(this=identifier(name))


def _join_type(step: Edge) -> str:
    return "inner" if step.to_many else "left"


def _named(part: exp.Expr, index: int) -> exp.Expr:
    from sqlglot import exp

    return exp.alias_(part, f"c{index}")


def _reference(index: int) -> exp.Column:
    from sqlglot import exp

    return exp.column(f"c{index}")


def _ordered(value: exp.Expr, descending: bool) -> exp.Expr:
    from sqlglot import exp

    return exp.Ordered(this=value, desc=descending, nulls_first=False)


def _place(label: exp.Expr, names: Sequence[str]) -> exp.Expr:
    from sqlglot import exp

    case = exp.Case(this=label)
    for index, name in enumerate(names, 1):
        case = case.when(exp.Literal.string(name), exp.Literal.number(index))
    return case


def _aggregate(aggregate: Aggregate | None, value: exp.Expr | None) -> exp.Expr:
    from sqlglot import exp

    if value is None:
        return exp.Count(this=exp.Star())
    match aggregate:
        case Aggregate.COUNT_DISTINCT:
            return exp.Count(this=exp.Distinct(expressions=[value]))
        case Aggregate.SUM:
            return exp.Sum(this=value)
        case Aggregate.AVERAGE:
            return exp.Avg(this=value)
        case Aggregate.MINIMUM:
            return exp.Min(this=value)
        case Aggregate.MAXIMUM:
            return exp.Max(this=value)
    return exp.Count(this=value)


def _compare(number: exp.Expr, operator: str, values: Sequence[Scalar]) -> exp.Expr:
    from sqlglot import exp

    if operator == "between":
        return exp.Between(this=number, low=literal(values[0]), high=literal(values[1]))
    comparison: type[exp.Binary] = getattr(exp, COMPARISONS[operator])
    return comparison(this=number, expression=literal(values[0]))


def _fits(number: float, operator: str, values: Sequence[float]) -> bool:
    first = values[0]
    fits = {"=": number == first, "!=": number != first, "<": number < first, "<=": number <= first}
    fits |= {">": number > first, ">=": number >= first, "between": first <= number <= values[-1]}
    return fits[operator]


def _round_width(low: float, high: float, bins: int) -> float:
    """Return a width of 1, 2 or 5 times a power of ten that gives about `bins` bins."""
    from math import floor, log10

    rough = (high - low) / bins or 1.0
    power = 10.0 ** floor(log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


__all__ = ["Statement"]
