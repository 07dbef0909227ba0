"""Plain words for what a plan holds: labels of axes and lines of the receipt."""

from __future__ import annotations

from ..plan import Aggregate, Column, Dimension, Grain, Measure
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
GRAIN_WORDS = {grain: grain.value.replace("_", " ") for grain in Grain}


def table_words(table: TableProfile) -> str:
    return " ".join(table.words or words_of(table.name))


def column_words(column: ColumnProfile) -> str:
    return " ".join(column.words or words_of(column.name))


def column_label(profile: Profile, column: Column) -> str:
    """Return 'Country', or 'Product name' where the bare word would not say of what."""
    found = profile.column(column.table, column.column)
    words = column_words(found)
    if words in ("name", "title", "id", "code", "type", "date", "description"):
        words = (
            f"{singular(table_words(profile.table(column.table)))} {words}"
            if words != "name"
            else singular(table_words(profile.table(column.table)))
        )
    return words[:1].upper() + words[1:]


def singular(words: str) -> str:
    from .text import base

    head, _, last = words.rpartition(" ")
    return f"{head} {base(last)}".strip()


def count_label(profile: Profile, table: str) -> str:
    words = table_words(profile.table(table))
    return f"Number of {words if words.endswith('s') else words + ' rows'}"


def number_label(aggregate: Aggregate | None, what: str) -> str:
    """Return 'Average delivery days'; a sum is called by its name alone."""
    if aggregate is None or aggregate is Aggregate.SUM:
        return what[:1].upper() + what[1:]
    return f"{AGGREGATE_WORDS[aggregate]} {what[:1].lower() + what[1:]}"


def describe_measure(measure: Measure) -> str:
    share = "share of " if measure.share else ""
    return f"{share}{measure.label[:1].lower() + measure.label[1:]}"


def describe_dimension(dimension: Dimension) -> str:
    grain = f", by {GRAIN_WORDS[dimension.grain]}" if dimension.grain else ""
    return f"{dimension.of.table}.{dimension.of.column}{grain}"
