"""Read one column after another, and say what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..profile import ColumnProfile, Role, Type
from ..sources import QueryFailed, RawRow, Reader, TableSchema
from .found import Found, declared_type, find_type
from .keys import Candidate, quote
from .roles import Evidence, find_role, find_unit
from .words import Vocabulary, Words

MAX_LENGTH = 200  # characters of a value that goes into the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A column and what reading it told."""

    table: TableSchema
    name: str
    declared: str
    words: Words
    table_words: Words
    rows: int
    filled: int
    distinct: int
    values: Sequence[Any]
    complete: bool
    found: Found

    @property
    def key(self) -> tuple[str, str]:
        return self.table.name, self.name.casefold()

    @property
    def primary(self) -> bool:
        return self.table.primary_key == (self.name,)

    @property
    def candidate(self) -> Candidate:
        return Candidate(
            table=self.table.name,
            name=self.name,
            words=self.words,
            table_words=self.table_words,
            primary=self.primary,
            unique=0 < self.filled == self.distinct,
            textual=self.found.type == Type.TEXT or self.found.format is not None,
            filled=self.filled,
            distinct=self.values if self.complete else None,
        )

    def profile(self, foreign: bool) -> ColumnProfile:
        evidence = Evidence(
            words=self.words,
            table_words=self.table_words,
            found=self.found,
            values=self.values,
            filled=self.filled,
            distinct=self.distinct,
            primary=self.primary,
            foreign=foreign,
        )
        role, texts = find_role(evidence), [value for value in self.values if isinstance(value, str)]
        short = sorted(text for text in texts if len(text) <= MAX_LENGTH)
        return ColumnProfile(
            table=self.table.name,
            name=self.name,
            declared=self.declared,
            type=self.found.type,
            role=role,
            format=self.found.format,
            ambiguous=self.found.ambiguous,
            unit=find_unit(evidence) if role in (Role.ADDITIVE, Role.INTENSIVE) else None,
            rows=self.rows,
            nulls=self.rows - self.filled,
            distinct=self.distinct,
            minimum=self.found.minimum,
            maximum=self.found.maximum,
            unique=evidence.unique,
            values=tuple(short),
            values_complete=self.complete and len(short) == len(texts),
            words=self.words,
        )


class Looker:
    """Looks at tables through one connection; `max_values` distinct values of a column are read."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, max_values: int) -> None:
        self.reader = reader
        self.vocabulary = vocabulary
        self.max_values = max_values

    def table(self, table: TableSchema) -> Iterator[Look]:
        counts = ", ".join(["COUNT(*)", *(f"COUNT({quote(name)})" for name, _ in table.columns)])
        rows, *filled = self._row(f"SELECT {counts} FROM {quote(table.name)}")  # noqa: S608 - quoted
        for (name, declared), count in zip(table.columns, filled, strict=True):
            yield self._column(table, name, declared, rows, count)

    def _column(self, table: TableSchema, name: str, declared: str, rows: int, filled: int) -> Look:
        words = self.vocabulary.column(table.name, name)
        if filled and declared and declared_type(declared) == Type.BINARY:
            values: list[Any] = []
            complete, distinct, found = False, 0, Found(type=Type.BINARY)
        else:
            values, complete = self._values(table.name, name) if filled else ([], True)
            distinct, found = len(values), find_type(values, declared, words)
            if not complete:
                distinct, found = self._whole(table.name, name, found)
        return Look(
            table=table,
            name=name,
            declared=declared,
            words=words,
            table_words=self.vocabulary.table(table.name),
            rows=rows,
            filled=filled,
            distinct=distinct,
            values=values,
            complete=complete,
            found=found,
        )

    def _values(self, table: str, column: str) -> tuple[list[Any], bool]:
        """Return distinct values and whether these are all; fewer where they are so long that a result cannot hold them."""
        for limit in (self.max_values, 100):
            sql = f"SELECT DISTINCT {quote(column)} FROM {quote(table)} WHERE {quote(column)} IS NOT NULL"  # noqa: S608
            found = self._small(f"{sql} LIMIT {limit + 1}", limit + 1)
            if found is not None:
                return [value for (value,) in found[:limit]], len(found) <= limit
        return [], False

    def _small(self, sql: str, max_rows: int) -> list[RawRow] | None:
        """Return the rows, or None where their values are too long to handle."""
        try:
            return self.reader.rows(sql, max_rows=max_rows)
        except QueryFailed as error:
            if error.code != "limit_exceeded":
                raise
            return None

    def _whole(self, table: str, column: str, found: Found) -> tuple[int, Found]:
        """Return the number of distinct values and, where the engine can tell them, the extremes of all values."""
        name = quote(column)
        sql = f"SELECT COUNT(DISTINCT {name}), MIN({name}), MAX({name}) FROM {quote(table)}"  # noqa: S608 - quoted
        counted = self._small(sql, 1)
        if counted is None:
            return 0, found
        distinct, low, high = counted[0]
        if found.format in (None, "iso", "year") and type(low) is type(high) and isinstance(low, type(found.minimum)):
            low, high = (value[:MAX_LENGTH] if isinstance(value, str) else value for value in (low, high))
            found = replace(found, minimum=low, maximum=high)
        return distinct, found

    def _row(self, sql: str) -> tuple[Any, ...]:
        return self.reader.rows(sql, max_rows=1)[0]
