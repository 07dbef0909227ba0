"""Time buckets: read from a cell, written as a label, stepped through one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from .plan import Grain
from .query import Cell

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
QUARTER = re.compile(r"(\d{4})[- ]?Q([1-4])")
WEEK = re.compile(r"(\d{4})-?W(\d{2})")
MONTH = re.compile(r"(\d{4})-(\d{2})")
YEAR = re.compile(r"\d{4}")


def parse_period(cell: Cell) -> datetime | None:
    """Return the start of the bucket or the moment that `cell` names, without a zone; None where it names none."""
    if isinstance(cell, bool) or cell is None:
        return None
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    try:
        return _parse(text)
    except ValueError:
        return None


def _parse(text: str) -> datetime | None:
    if YEAR.fullmatch(text):
        return datetime(int(text), 1, 1)
    if found := MONTH.fullmatch(text):
        return datetime(int(found[1]), int(found[2]), 1)
    if found := QUARTER.fullmatch(text):
        return datetime(int(found[1]), 3 * int(found[2]) - 2, 1)
    if found := WEEK.fullmatch(text):
        return datetime.fromisocalendar(int(found[1]), int(found[2]), 1)
    return datetime.fromisoformat(text).replace(tzinfo=None) if text[4:5] == "-" else None


def period_end(start: datetime, grain: Grain | None) -> datetime:
    """Return where the next bucket begins."""
    if grain in (Grain.MONTH, Grain.QUARTER, Grain.YEAR):
        months = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}[grain]
        years, month = divmod(start.month - 1 + months, 12)
        return start.replace(year=start.year + years, month=month + 1, day=1)
    if grain is Grain.HOUR:
        return start + timedelta(hours=1)
    return start + timedelta(days=7 if grain is Grain.WEEK else 1)


def period_steps(first: datetime, last: datetime, grain: Grain | None) -> Iterator[datetime]:
    """Iterate over the starts of all buckets from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = period_end(first, grain)


def period_label(start: datetime, grain: Grain | None, *, short: bool = False) -> str:
    """Name a bucket for people: "March 2024", "Q1 2024", "6 March 2024"; `short` cuts the month to three letters."""
    if grain is Grain.YEAR:
        return str(start.year)
    if grain is Grain.QUARTER:
        return f"Q{(start.month + 2) // 3} {start.year}"
    if grain is Grain.MONTH:
        return f"{MONTHS[start.month - 1][: 3 if short else None]} {start.year}"
    day = day_label(start.date(), short=short)
    timed = grain is Grain.HOUR or (grain is None and (start.hour or start.minute))
    return f"{day}, {start:%H:%M}" if timed else day


def day_label(day: date, *, short: bool = False) -> str:
    return f"{day.day} {MONTHS[day.month - 1][: 3 if short else None]} {day.year}"


def format_like(start: datetime, example: Cell) -> Cell:
    """Write a bucket the way the query wrote `example`, so that filled rows look like found ones."""
    if isinstance(example, int):
        return start.year
    text = str(example)
    if YEAR.fullmatch(text):
        return f"{start.year:04}"
    if MONTH.fullmatch(text):
        return f"{start:%Y-%m}"
    if found := QUARTER.fullmatch(text):
        return f"{start.year:04}{text[4 : found.start(2) - 1]}Q{(start.month + 2) // 3}"
    if found := WEEK.fullmatch(text):
        year, week, _ = start.isocalendar()
        return f"{year:04}{text[4 : found.start(2) - 1]}W{week:02}"
    if len(text) <= 10:
        return start.date().isoformat()
    return start.isoformat(sep=text[10], timespec="minutes" if len(text) == 16 else "seconds")
