"""Text that holds numbers or dates, and years that look like amounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from ..channels import distinct
from ..periods import MONTHS, parse_period
from ..phrases import column_words
from ..query import Cell, OutputColumn, Result
from ..spec.frame import YEARS
from .report import CheckResult, Evidence, changed, passed, repaired, warned

MOSTLY = 0.95  # of the cells that hold anything
LEAST = 3  # fewer different texts prove nothing
NUMBER = re.compile(r"[-+]?[€$£¥]?\s?[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?\s?([€$£¥%]|EUR|USD|GBP)?")
PARTS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
NAMED = re.compile(r"([A-Za-z]{3,9})\.? (\d{4})")
NUMERIC = ("number", "percent")
TEXT_DATES = ("dmy", "mdy", "mon yyyy")


def check_text_number(evidence: Evidence) -> CheckResult:
    """Read numbers out of text, in the query where it adds up raw text, else in the rows."""
    for measure in evidence.plan.measures:
        stored = evidence.profile_of(measure.of)
        if stored is not None and stored.format in NUMERIC and measure.aggregate and _is_raw(evidence, stored.name):
            example = f" such as {stored.values[0]!r}" if stored.values else ""
            name = column_words(stored.name)
            return repaired(f"{name} is text{example}; its numbers are read before they are used.", evidence.repaired)
    result, read = evidence.result, []
    for index, column in enumerate(result.columns):
        if column.part == "measure" and _mostly(result, index, parse_number):
            result = _converted(result, index, parse_number, replace(column, kind="quantitative"))
            read.append(column.label)
    if read:
        return changed(f"{' and '.join(read)} came as text and was read as numbers.", result)
    return passed("No number is stored as text, or it was read as a number.")


def _is_raw(evidence: Evidence, name: str) -> bool:
    """Tell whether the SQL aggregates the text column as it stands, or cast without cleaning."""
    from sqlglot import exp, parse_one

    tree = parse_one(evidence.query.sql, dialect=evidence.query.dialect)
    for aggregate in tree.find_all(exp.Sum, exp.Avg, exp.Min, exp.Max):
        inner = aggregate.this
        while isinstance(inner, exp.Cast | exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Column) and inner.name.casefold() == name.casefold():
            return True
    return False


def parse_number(cell: Cell) -> float | None:
    """Read "1,234.50", "€ 12.50" or "12 %" (as 12)."""
    if not isinstance(cell, str) or not NUMBER.fullmatch(cell.strip()):
        return None
    return float(re.sub(r"[^0-9.+-]", "", cell))


def check_text_date(evidence: Evidence) -> CheckResult:
    """Read dates out of text, so that they stand in the order of time."""
    if found := _unread(evidence):
        return repaired(f"{found} is text; its dates are read before they are cut into periods.", evidence.repaired)
    result, messages = evidence.result, []
    for index, column in enumerate(result.columns):
        if column.part != "dimension" or column.kind != "nominal":
            continue
        reader = _date_reader([cell for cell in distinct(result, index) if cell is not None])
        if reader == "ambiguous":
            text = (
                f"{column.label} could be day/month or month/day, so it is left as text and not in the order of time."
            )
            return warned(text)
        if callable(reader):
            result = _converted(result, index, reader, replace(column, kind="temporal"))
            result = result if evidence.plan.order else _in_time(result, index)
            messages.append(f"{column.label} came as text and was read as dates.")
    return (
        changed(" ".join(messages), result)
        if messages
        else passed("No date is stored as text, or it was read as a date.")
    )


def _unread(evidence: Evidence) -> str | None:
    """Return the text-date column whose periods all came out empty."""
    for index, dimension in enumerate(evidence.plan.dimensions):
        column = evidence.profile_of(dimension.of)
        if (
            column is None
            or dimension.grain is None
            or column.format not in TEXT_DATES
            or index >= len(evidence.ran.columns)
        ):
            continue
        cells = [row[index] for row in evidence.ran.rows]
        if cells and all(cell is None for cell in cells) and column.nulls < column.rows:
            return column_words(column.name)
    return None


Reader = Callable[[Cell], str | None]


def _date_reader(cells: list[Cell]) -> Reader | str | None:
    """Return what reads the cells as dates, "ambiguous" where days and months cannot be told apart, None for no dates."""
    if len(cells) < LEAST or not all(isinstance(cell, str) for cell in cells):
        return None
    for reader in (read_iso, read_named):
        if sum(reader(cell) is not None for cell in cells) >= MOSTLY * len(cells):
            return reader
    day_first = sum(read_day_first(cell) is not None for cell in cells)
    month_first = sum(read_month_first(cell) is not None for cell in cells)
    if max(day_first, month_first) < MOSTLY * len(cells):
        return None
    if day_first == month_first:
        return "ambiguous"
    return read_day_first if day_first > month_first else read_month_first


def read_iso(cell: Cell) -> str | None:
    found = parse_period(cell) if isinstance(cell, str) and len(cell) >= 10 else None
    return None if found is None else str(cell)


def read_named(cell: Cell) -> str | None:
    """Read "Mar 2024" or "March 2024"."""
    found = NAMED.fullmatch(str(cell).strip())
    months = [name[:3].casefold() for name in MONTHS]
    if not found or found[1][:3].casefold() not in months:
        return None
    return f"{found[2]}-{months.index(found[1][:3].casefold()) + 1:02}-01"


def read_day_first(cell: Cell) -> str | None:
    return _read_parts(cell, day=1, month=2)


def read_month_first(cell: Cell) -> str | None:
    return _read_parts(cell, day=2, month=1)


def _read_parts(cell: Cell, *, day: int, month: int) -> str | None:
    found = PARTS.fullmatch(str(cell).strip())
    try:
        return date(int(found[3]), int(found[month]), int(found[day])).isoformat() if found else None
    except ValueError:
        return None


def _mostly(result: Result, index: int, reader: Callable[[Cell], Cell]) -> bool:
    cells = [row[index] for row in result.rows if row[index] is not None]
    texts = [cell for cell in cells if isinstance(cell, str)]
    return (
        bool(texts)
        and len(texts) == len(cells)
        and sum(reader(cell) is not None for cell in cells) >= MOSTLY * len(cells)
    )


def _converted(result: Result, index: int, reader: Callable[[Cell], Cell], column: OutputColumn) -> Result:
    rows = tuple((*row[:index], reader(row[index]), *row[index + 1 :]) for row in result.rows)
    return replace(result, rows=rows, columns=(*result.columns[:index], column, *result.columns[index + 1 :]))


def _in_time(result: Result, index: int) -> Result:
    return replace(result, rows=tuple(sorted(result.rows, key=lambda row: (row[index] is None, str(row[index])))))


def check_year_int(evidence: Evidence) -> CheckResult:
    """Keep years from being drawn as amounts: in order, without thousands separators."""
    result, found = evidence.result, []
    for index, column in enumerate(result.columns):
        cells = [cell for cell in distinct(result, index) if cell is not None]
        years = (
            column.label.casefold().split()[-1:] == ["year"] and bool(cells) and all(cell in YEARS for cell in cells)
        )
        if column.part == "dimension" and column.kind == "quantitative" and years:
            columns = (*result.columns[:index], replace(column, kind="ordinal"), *result.columns[index + 1 :])
            result = replace(result, columns=columns)
            found.append(column.label)
    if found:
        return changed(f"{' and '.join(found)} holds years, which are put in order and not measured.", result)
    return passed("No year is treated as an amount.")
