"""Small pieces of SQL that every statement is made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import TYPE_CHECKING

from ..plan import Aggregate, Scalar
from .conditions import COMPARISONS
from .expressions import identifier, literal
from .joins import Edge

if TYPE_CHECKING:
    from sqlglot import exp


def table_node(name: str) -> exp.Table:
    from sqlglot import exp

    return exp.Table(this=identifier(name))


def join_type(step: Edge) -> str:
    return "inner" if step.to_many else "left"


def named(part: exp.Expr, index: int) -> exp.Expr:
    from sqlglot import exp

    return exp.alias_(part, f"c{index}")


def reference(index: int) -> exp.Column:
    from sqlglot import exp

    return exp.column(f"c{index}")


def ordered(value: exp.Expr, descending: bool) -> exp.Expr:
    from sqlglot import exp

    return exp.Ordered(this=value, desc=descending, nulls_first=False)


def place(label: exp.Expr, names: Sequence[str]) -> exp.Expr:
    from sqlglot import exp

    case = exp.Case(this=label)
    for index, name in enumerate(names, 1):
        case = case.when(exp.Literal.string(name), exp.Literal.number(index))
    return case


def aggregated(aggregate: Aggregate | None, value: exp.Expr | None) -> exp.Expr:
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


def compared(number: exp.Expr, operator: str, values: Sequence[Scalar]) -> exp.Expr:
    from sqlglot import exp

    if operator == "between":
        return exp.Between(this=number, low=literal(plain(values[0])), high=literal(plain(values[1])))
    comparison: type[exp.Binary] = getattr(exp, COMPARISONS[operator])
    return comparison(this=number, expression=literal(plain(values[0])))


def fits(number: float, operator: str, values: Sequence[float]) -> bool:
    first = values[0]
    fits = {"=": number == first, "!=": number != first, "<": number < first, "<=": number <= first}
    fits |= {">": number > first, ">=": number >= first, "between": first <= number <= values[-1]}
    return fits[operator]


def round_width(low: float, high: float, bins: int) -> float:
    """Return a width of 1, 2 or 5 times a power of ten that gives about `bins` bins."""
    rough = (high - low) / bins or 1.0
    power = 10.0 ** floor(log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


def plain(value: Scalar) -> Scalar:
    """Return 15 for 15.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
