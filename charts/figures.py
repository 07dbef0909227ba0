"""Numbers and cells as people read them: thousands separators, units, "(none)" for NULL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .channels import CYCLIC
from .periods import parse_period, period_label
from .query import Cell, OutputColumn

CURRENCIES = {
    "€": "€", "$": "$", "£": "£", "¥": "¥", "EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥",
}  # fmt: skip
PERCENT = frozenset({"%", "percent"})
BARE = frozenset({None, "", "ratio", "count"})  # units that nobody writes behind a number
NONE, EMPTY = "(none)", "(empty)"


def figure(value: float, column: OutputColumn) -> str:
    """Write a number of `column` with its unit: "€1,234.50", "12.5 %", "3.2 days"."""
    if column.share:
        return f"{value:.1%}".replace("%", " %")
    sign, text = ("-" if value < 0 else ""), plain(abs(value))
    unit = column.unit
    if unit is None or unit in BARE:
        return sign + text
    if unit in CURRENCIES:
        money = text if float(value).is_integer() or abs(value) >= 10_000 else f"{abs(value):,.2f}"
        return f"{sign}{CURRENCIES[unit]}{money}"
    return f"{sign}{text} {'%' if unit in PERCENT else unit}"


def plain(value: float) -> str:
    """Write a number with thousands separators and about four digits of interest."""
    if float(value).is_integer() or abs(value) >= 10_000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def cell_text(cell: Cell, column: OutputColumn) -> str:
    """Write any cell of `column` as a label."""
    if cell is None:
        return NONE
    if isinstance(cell, str) and not cell.strip():
        return EMPTY
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if column.part == "measure" and isinstance(cell, int | float):
        return figure(cell, column)
    start = parse_period(cell) if column.kind == "temporal" and column.grain not in CYCLIC else None
    if start is not None:
        return period_label(start, column.grain)
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def label_of(column: OutputColumn) -> str:
    """Return what people call the column; a share says that it is one."""
    label = column.label
    if column.share and not {"share", "percentage", "proportion"} & set(label.casefold().split()):
        label = f"Share of {label.removeprefix('Number of ').removeprefix('number of ')}"
    return label[:1].upper() + label[1:]


def axis_title(column: OutputColumn) -> str:
    """Return the label with its unit, as in "Revenue (€)"; no unit is made up."""
    label = label_of(column)
    if column.unit is None or column.unit in BARE or column.share or f"({column.unit})" in label:
        return label
    return f"{label} ({CURRENCIES.get(column.unit, column.unit)})"


def join_words(words: Iterable[str], last: str = "and") -> str:
    """Join as in "a, b and c"."""
    *rest, end = words
    return f"{', '.join(rest)} {last} {end}" if rest else end


def count_noun(number: int, noun: str, plural: str | None = None) -> str:
    """Write "1 row" or "1,200 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(values: Sequence[str], most: int = 8) -> str:
    """List values for a person, with the number of those left out."""
    shown = ", ".join(values[:most])
    return f"{shown} and {len(values) - most:,} more" if len(values) > most else shown
