"""Say what a source holds, and think of questions that it can answer."""

from __future__ import annotations

from collections.abc import Iterator

from ..profile import Profile, Role, TableProfile
from ..sql.joins import distance, is_to_one
from .names import column_words, table_words
from .resolve import TIMES, time_column

MAX_TABLES = 12
MAX_COLUMNS = 8
FEW = 30  # groups that fit a chart


def holdings(profile: Profile) -> tuple[str, ...]:
    """Return a line for each table: its name and its columns in plain words."""
    return tuple(_line(table) for table in profile.tables[:MAX_TABLES])


def _line(table: TableProfile) -> str:
    columns = [column_words(column) for column in table.columns]
    more = f" and {len(columns) - MAX_COLUMNS} more" if len(columns) > MAX_COLUMNS else ""
    return f"{table_words(table)}: {', '.join(columns[:MAX_COLUMNS])}{more}"


def ideas(profile: Profile) -> Iterator[str]:
    """Yield questions about the source, the most telling first; the planner has yet to prove that it can answer them."""
    for derived in profile.derived:
        if derived.role is Role.ADDITIVE and time_column(profile, derived.table):
            yield f"{derived.name.capitalize()} per month"
    facts = sorted(profile.tables, key=lambda table: (not _happens(table), -table.rows))
    for table in facts[:4]:
        yield from _categories(profile, table)
    for table in facts[:4]:
        if _happens(table):
            yield f"{table_words(table).capitalize()} per month"
        yield from _numbers(profile, table)
    for table in facts:
        yield f"How many {table_words(table)} are there?"


def _happens(table: TableProfile) -> bool:
    return any(column.type in TIMES for column in table.columns)


def _categories(profile: Profile, table: TableProfile) -> Iterator[str]:
    near = sorted(profile.tables, key=lambda other: distance(profile, table.name, other.name))
    for other in near[:4]:
        if not is_to_one(profile, table.name, other.name):
            continue
        for column in other.columns:
            if column.role is Role.CATEGORY and 1 < column.distinct <= FEW:
                yield f"Number of {table_words(table)} by {column_words(column)}"
                break


def _numbers(profile: Profile, table: TableProfile) -> Iterator[str]:
    category = next(
        (column for column in table.columns if column.role is Role.CATEGORY and 1 < column.distinct <= FEW), None
    )
    number = next((column for column in table.columns if column.role in (Role.ADDITIVE, Role.INTENSIVE)), None)
    if category is not None and number is not None:
        word = "Average" if number.role is Role.INTENSIVE else "Total"
        yield f"{word} {column_words(number)} by {column_words(category)}"
