"""Plain words for what a plan holds: labels of axes and lines of the receipt."""

from __future__ import annotations

from ..plan import Aggregate
from ..profile import ColumnProfile, Profile, TableProfile
from .text import words_of

AGGREGATE_WORDS = {
    Aggregate.COUNT: "Number of",
    Aggregate.COUNT_DISTINCT: "Number of different",
    Aggregate.SUM: "Total",
    Aggregate.AVERAGE: "Average",
    Aggregate.MINIMUM: "Lowest",
    Aggregate.MAXIMUM: "Highest",
}


def table_words(table: TableProfile) -> str:
    return " ".join(table.words or words_of(table.name))


def column_words(column: ColumnProfile) -> str:
    return " ".join(column.words or words_of(column.name))


def singular(words: str) -> str:
    from .text import base

    head, _, last = words.rpartition(" ")
    return f"{head} {base(last)}".strip()


def count_label(profile: Profile, table: str) -> str:
    words = table_words(profile.table(table))
    many = words if words.endswith("s") else words[:-1] + "ies" if words.endswith("y") else words + "s"
    return f"Number of {many}"


def number_label(aggregate: Aggregate | None, what: str) -> str:
    """Return 'Average delivery days'; a sum is called by its name alone."""
    if aggregate is None or aggregate is Aggregate.SUM:
        return what[:1].upper() + what[1:]
    return f"{AGGREGATE_WORDS[aggregate]} {what[:1].lower() + what[1:]}"
