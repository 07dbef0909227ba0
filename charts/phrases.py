"""A plan's conditions in plain words, for receipts, titles and messages."""

from __future__ import annotations

from datetime import date

from .figures import join_words, plain
from .periods import day_label
from .plan import Column, Complement, DaysBetween, Expression, Filter, Having, Product, Scalar

OPERATORS = {
    "=": "is",
    "!=": "is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "in": "is",
    "not in": "is not",
    "contains": "contains",
    "starts": "starts with",
    "ends": "ends with",
}
TIMES = {"<": "is before", "<=": "is up to", ">": "is after", ">=": "is from", "=": "is"}


def column_words(name: str) -> str:
    """Write a column's name as words: "ordered_at" gives "ordered at"."""
    return " ".join(name.replace("_", " ").split())


def expression_words(expression: Expression) -> str:
    match expression:
        case Column(column=column):
            return column_words(column)
        case Product(factors=factors):
            return " x ".join(expression_words(factor) for factor in factors)
        case Complement(of=of):
            return f"(1 - {column_words(of.column)})"
        case DaysBetween(start=start, end=end):
            return f"days from {column_words(start.column)} to {column_words(end.column)}"


def filter_words(filter: Filter) -> str:
    """Write a condition as a clause: "country is Germany", "ordered at is from 1 May 2024"."""
    name = expression_words(filter.of)
    values = [value_words(value) for value in filter.values]
    match filter.operator:
        case "null" | "not null":
            return f"{name} is {'empty' if filter.operator == 'null' else 'not empty'}"
        case "none" | "some" if isinstance(filter.of, Column):
            return f"{'without' if filter.operator == 'none' else 'with'} {column_words(filter.of.table)}"
        case "between":
            return f"{name} is from {values[0]} to {values[-1]}"
    timed = bool(filter.values) and _day(filter.values[0]) is not None
    verb = TIMES.get(filter.operator, "is") if timed else OPERATORS.get(filter.operator, filter.operator)
    return f"{name} {verb} {join_words(values, 'or')}"


def having_words(having: Having) -> str:
    values = join_words([plain(value) for value in having.values])
    verb = "is between" if having.operator == "between" else OPERATORS[having.operator]
    return f"{having.measure.label} {verb} {values}"


def value_words(value: Scalar) -> str:
    day = _day(value)
    if day is not None:
        return day_label(day)
    return plain(value) if isinstance(value, float) else str(value)


def _day(value: Scalar) -> date | None:
    text = str(value)
    if not isinstance(value, str) or len(text) < 10 or text[4] != "-":
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
