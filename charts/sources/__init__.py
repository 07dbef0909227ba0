"""Databases to ask: what every source offers, whatever its engine, and how a query fails."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from progress.exceptions import OperationCancelled, OperationFailed

from ..query import Cell, OutputColumn, Result

Row = tuple[Cell, ...]
RawRow = tuple[Any, ...]  # as the driver gives it: bytes, dates and all


class QueryFailed(OperationFailed):
    """The engine refused the query or broke off; the message says why."""


class QueryTimeout(OperationFailed):
    """The query ran out of its time."""

    def __init__(self, seconds: float) -> None:
        message = f"The query was stopped after {seconds:g} s. Ask for less: a shorter time or fewer tables."
        super().__init__(message, code="timeout")


class QueryCancelled(OperationCancelled):
    """The query was stopped because somebody asked for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKeySchema:
    column: str
    to_table: str
    to_column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """A table or view as declared. Only foreign keys of one column are kept."""

    name: str
    columns: tuple[tuple[str, str], ...]  # name and declared type
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKeySchema, ...] = ()
    view: bool = False


class Reader(Protocol):
    """An open connection that can only read."""

    def rows(self, sql: str, *, max_rows: int) -> list[RawRow]: ...


class Source(Protocol):
    """A database that can be read and asked, and never written."""

    slug: str
    dialect: str  # sqlglot's name for it

    @property
    def version(self) -> Hashable:
        """A value that changes when the data does; None where that cannot be known."""

    def schema(self) -> tuple[TableSchema, ...]: ...

    def reader(self) -> AbstractContextManager[Reader]: ...

    def execute(
        self,
        sql: str,
        columns: Sequence[OutputColumn] = (),
        *,
        max_rows: int = 5000,
        timeout: float = 30.0,
        cancelled: Callable[[], bool] = ...,
    ) -> Result: ...

    def scalar(self, sql: str, *, timeout: float = 30.0, cancelled: Callable[[], bool] = ...) -> Cell: ...


def never() -> bool:
    """Say that nobody cancelled."""
    return False


def columns_of(names: Sequence[str], rows: Sequence[Row]) -> tuple[OutputColumn, ...]:
    """Describe the columns of a result that no plan describes, as of SQL written by hand: numbers are measures."""
    return tuple(_column(index, name, [row[index] for row in rows]) for index, name in enumerate(names))


def _column(index: int, label: str, cells: Sequence[Cell]) -> OutputColumn:
    found = [cell for cell in cells if cell is not None]
    numeric = bool(found) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in found)
    if numeric:
        return OutputColumn(name=f"c{index}", label=label, part="measure", kind="quantitative")
    temporal = bool(found) and all(isinstance(cell, str) and _is_iso(cell) for cell in found)
    kind: Literal["temporal", "nominal"] = "temporal" if temporal else "nominal"
    return OutputColumn(name=f"c{index}", label=label, part="dimension", kind=kind)


def _is_iso(text: str) -> bool:
    return len(text) >= 7 and text[4] == "-" and text[:4].isdigit() and text[5:7].isdigit()
