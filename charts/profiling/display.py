"""Which column of a table names a row to a person."""

from __future__ import annotations

from collections.abc import Sequence

from ..profile import ColumnProfile, Role, Type
from .lexicon import CONTACT, NAME, PERSON
from .words import Words, singular

PARTS = {"first", "middle", "last"}  # of a person's name


def display_column(columns: Sequence[ColumnProfile], words: Words, keys: Sequence[str]) -> str | None:
    """Return the name of the best column, None where none is good; `keys` are the table's foreign key columns."""
    scored = [
        (_score(column, words), -index, column.name) for index, column in enumerate(columns) if column.name not in keys
    ]
    best = max(scored, default=(0.0, 0, ""))
    return best[2] if best[0] > 0 else None


def _score(column: ColumnProfile, table: Words) -> float:
    if column.type != Type.TEXT or column.format or column.role in (Role.TEXT, Role.BOOLEAN):
        return 0.3 if column.unique and column.type == Type.TEXT and set(column.words) & {"description"} else 0
    score = _by_name(column, table)
    # A name that many rows share still names them, but one that tells them apart does it better.
    return score + 1.5 * column.distinct / max(1, column.rows - column.nulls) if score else 0


def _by_name(column: ColumnProfile, table: Words) -> float:
    words = tuple(map(singular, column.words))
    table = tuple(map(singular, table))
    last = words[-1] if words else ""
    if set(words) & CONTACT:
        return 0
    if last in NAME:
        rest = words[:-1]
        if set(rest) & PERSON - set(table):  # the manager's name does not name the shop
            return 0
        if not rest or rest in (table, table[-1:], ("full",), ("display",)):
            return 6
        return {"last": 4, "first": 3}.get(rest[-1], 0.5 if set(rest) & PARTS else 2)
    if words and words == table:
        return 5
    if last == "description":
        return 1.5
    if column.role == Role.LABEL:
        return 1.2
    return 0.2 if column.unique and column.role == Role.ID else 0
