"""How tables hang together: the foreign keys that are declared, and those that names and values give away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..profile import ForeignKey
from ..sources import Reader, TableSchema
from .lexicon import ID, NUMBERED
from .words import Words, singular

INCLUSION = 0.99
# Before a mere `id`: what other row of its own table it is.
RELATIVES = {
    "parent",
    "manager",
    "supervisor",
    "boss",
    "previous",
    "next",
    "mentor",
    "predecessor",
    "successor",
    "original",
}
KEY_WORDS = ID | NUMBERED | {"name", "title"}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A column as far as keys are concerned."""

    table: str
    name: str
    words: Words
    table_words: Words
    primary: bool
    unique: bool
    textual: bool
    filled: int  # rows whose value is not NULL
    distinct: Sequence[object] | None  # all values; None where they are not all known

    @cached_property
    def values(self) -> frozenset[object] | None:
        return None if self.distinct is None else frozenset(map(comparable, self.distinct))

    @cached_property
    def at_home(self) -> bool:
        """Whether this is the key of its own table by its full name, which points nowhere else."""
        return (
            self.unique
            and len(self.words) > 1
            and self.words[-1] in KEY_WORDS
            and _same(self.words[:-1], self.table_words)
        )

    @cached_property
    def owned(self) -> bool:
        """Whether the name says that the table is where this key is at home: `id`, or `customer_id` in customers."""
        rest = self.words[:-1] if self.words and self.words[-1] in KEY_WORDS else self.words
        return not rest or _same(rest, self.table_words) or _same(rest, self.table_words[-1:])


def comparable(value: object) -> object:
    """Return a form in which a key compares across types: 2, 2.0 and "2" are one key."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def find_keys(tables: Sequence[TableSchema], columns: Sequence[Candidate], reader: Reader) -> list[ForeignKey]:
    """Return the declared keys, and for each other column the best target that its name fits and its values are in."""
    by_name = {(column.table, column.name.casefold()): column for column in columns}
    found = list(_declared(tables, by_name, reader))
    taken = {(key.table, key.column.casefold()) for key in found}
    views = {table.name for table in tables if table.view}
    targets: dict[Words, list[Candidate]] = defaultdict(list)
    for column in columns:
        if column.table not in views and (column.primary or column.unique):
            for words in {column.words[-1:], _stems(column.table_words)}:
                targets[words].append(column)
    for column in columns:
        if (column.table, column.name.casefold()) not in taken:
            fitting = {
                id(target): target for words in (column.words[-1:], _stems(column.words)) for target in targets[words]
            }
            found.extend(_inferred(column, list(fitting.values()), reader))
    return found


def _declared(
    tables: Sequence[TableSchema], columns: dict[tuple[str, str], Candidate], reader: Reader
) -> Iterator[ForeignKey]:
    for table in tables:
        for key in table.foreign_keys:
            source = columns.get((table.name, key.column.casefold()))
            target = columns.get((key.to_table, key.to_column.casefold()))
            if source and target:
                yield _key(source, target, orphans(source, target, reader), declared=True)


def _inferred(column: Candidate, targets: Sequence[Candidate], reader: Reader) -> Iterator[ForeignKey]:
    fits = [(score, target) for target in targets if (score := _fit(column, target))]
    for _, target in sorted(fits, key=lambda fit: (-fit[0], fit[1].table)):
        if not _may_include(column, target):
            continue
        lost = orphans(column, target, reader)
        if lost <= (1 - INCLUSION) * column.filled:
            yield _key(column, target, lost, declared=False)
            return


def _key(source: Candidate, target: Candidate, lost: int, *, declared: bool) -> ForeignKey:
    return ForeignKey(
        table=source.table,
        column=source.name,
        to_table=target.table,
        to_column=target.name,
        declared=declared,
        orphans=lost,
    )


def _fit(column: Candidate, target: Candidate) -> int:
    """Return how well the name of `column` says that it points to `target`; 0 for not at all."""
    same_table = column.table == target.table
    words, key = column.words, target.words
    if not words or (column.name == target.name and same_table):
        return 0
    if same_table:
        return 2 if target.primary and _refers_to_itself(column, key) else 0
    if column.at_home or (column.primary and column.owned):
        return 0
    if target.owned and words == key and len(key) > 1:
        return 6
    if target.owned and words[-1] == key[-1] and _ends(words[:-1], target.table_words):
        return 5 if _same(words[:-1], target.table_words) else 4
    if target.primary and _same(words, target.table_words):  # a column named as the table it points to
        return 3
    if len(key) > 1 and key[-1] in KEY_WORDS and (target.primary or target.owned) and _ends(words, key):
        return 2 if words != key or not column.primary else 1
    if (
        words == key
        and len(key) == 1
        and target.primary
        and column.name.casefold() not in KEY_WORDS
        and not column.unique
    ):
        return 1
    return 0


def _refers_to_itself(column: Candidate, key: Words) -> bool:
    """Whether the name says another row of the same table: super_ssn beside ssn, parent_id beside id."""
    words = column.words
    if len(words) <= len(key) or not _ends(words, key) or words[-1] not in KEY_WORDS:
        return False
    return len(key) > 1 or words[-2] in RELATIVES or _ends(words[:-1], column.table_words)


def _stems(words: Words) -> Words:
    return tuple(map(singular, words))


def _same(some: Words, others: Words) -> bool:
    return len(some) == len(others) and bool(some) and _ends(some, others)


def _ends(words: Words, tail: Words) -> bool:
    """Whether `words` end with `tail`, singular or plural: home_team with teams."""
    if not tail or len(tail) > len(words):
        return False
    return _stems(words[-len(tail) :]) == _stems(tail)


def _may_include(column: Candidate, target: Candidate) -> bool:
    """Look at the values known: a cheap no for most of the columns whose names alone fit."""
    if column.values is None or target.values is None or not column.values:
        return column.textual == target.textual or column.filled == 0
    return len(column.values - target.values) <= (1 - INCLUSION) * column.filled


def orphans(column: Candidate, target: Candidate, reader: Reader) -> int:
    """Count the rows whose key is not NULL and points nowhere."""
    if column.values is not None and target.values is not None and column.values <= target.values:
        return 0
    source, key = quote(column.name), quote(target.name)
    sql = (
        f"SELECT COUNT(*) FROM {quote(column.table)} WHERE {source} IS NOT NULL AND {source} NOT IN "  # noqa: S608 - quoted
        f"(SELECT {key} FROM {quote(target.table)} WHERE {key} IS NOT NULL)"
    )
    return int(reader.rows(sql, max_rows=1)[0][0])


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
