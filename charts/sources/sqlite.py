"""SQLite files, opened so that no statement can write, read another file, or run for long."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from ..guard import ALLOWED_FUNCTIONS
from ..query import Cell, OutputColumn, Result
from . import ForeignKeySchema, QueryCancelled, QueryFailed, QueryTimeout, RawRow, TableSchema, columns_of, never

MAX_BYTES = 20_000_000  # of text in one result
PROFILE_TIMEOUT = 120.0
STEPS = (
    2_000  # virtual machine instructions between two looks at the clock: some hundred rows, each of which may be slow
)
# The clock stands still within one call of a function, whose time grows with the length; see guard/costly.py.
MAX_LENGTH = 1_000_000
LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
TABLE_FUNCTIONS = {"json_each", "json_tree"}
# SQLite reports these operators as functions.
FUNCTIONS = {name.lower() for name in ALLOWED_FUNCTIONS["sqlite"]} | {"like", "glob", "->", "->>"}


class SQLiteSource:
    """One SQLite file."""

    dialect = "sqlite"

    def __init__(self, path: Path | str, *, slug: str) -> None:
        self.path = Path(path)
        self.slug = slug

    @property
    def version(self) -> tuple[str, int, int]:
        """The file's path, time of change and size; raises QueryFailed where there is no file."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise QueryFailed(f"The file of the source {self.slug!r} is missing.", code="unavailable") from error
        return str(self.path), stat.st_mtime_ns, stat.st_size

    def schema(self) -> tuple[TableSchema, ...]:
        """Return tables and views as declared; a view that cannot be read is left out."""
        with self._connection() as connection:
            return tuple(read_schema(connection))

    @contextmanager
    def reader(
        self, *, timeout: float = PROFILE_TIMEOUT, cancelled: Callable[[], bool] = never
    ) -> Iterator[SQLiteReader]:
        """Open the file behind the wall for any number of our own queries, which share `timeout` seconds."""
        with self._connection() as connection:
            tables = {name.casefold() for name in table_kinds(connection)}
            yield SQLiteReader(connection, tables, timeout=timeout, cancelled=cancelled)

    def execute(
        self,
        sql: str,
        columns: Sequence[OutputColumn] = (),
        *,
        max_rows: int = 5000,
        timeout: float = 30.0,
        cancelled: Callable[[], bool] = never,
    ) -> Result:
        """Run one SELECT; `columns` says what its columns mean, or is empty to have them described from the rows.

        Raises QueryFailed, QueryTimeout after `timeout` seconds, QueryCancelled soon after `cancelled()` turns true.
        """
        started = perf_counter()
        with self._guarded(timeout, cancelled) as reader:
            names, found = reader.fetch(sql, max_rows=max_rows + 1)
        rows = [tuple(map(_cell, row)) for row in found]
        if columns and len(columns) != len(names):
            raise QueryFailed(f"The query returns {len(names)} columns where {len(columns)} were expected.")
        return Result(
            columns=tuple(columns) or columns_of(names, rows),
            rows=tuple(rows[:max_rows]),
            truncated=len(rows) > max_rows,
            milliseconds=round((perf_counter() - started) * 1000, 1),
        )

    def scalar(self, sql: str, *, timeout: float = 30.0, cancelled: Callable[[], bool] = never) -> Cell:
        """Return the first cell of the first row, None where there is no row."""
        with self._guarded(timeout, cancelled) as reader:
            rows = reader.rows(sql, max_rows=1)
        return _cell(rows[0][0]) if rows else None

    @contextmanager
    def _guarded(self, timeout: float, cancelled: Callable[[], bool]) -> Iterator[SQLiteReader]:
        with self.reader(timeout=timeout, cancelled=cancelled) as reader:
            reader.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_LENGTH)
            yield reader

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        path = self.version[0]
        try:
            with closing(
                sqlite3.connect(Path(path).resolve().as_uri() + "?mode=ro", uri=True, timeout=2.0)
            ) as connection:
                connection.text_factory = _text
                connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
                connection.setconfig(sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA, False)
                connection.execute("PRAGMA query_only = ON")
                yield connection
        except sqlite3.DatabaseError as error:
            raise QueryFailed(f"SQLite cannot read the source {self.slug!r}: {error}.") from error


class SQLiteReader:
    """A connection behind the wall: an authorizer, limits, a clock."""

    def __init__(
        self, connection: sqlite3.Connection, tables: set[str], *, timeout: float, cancelled: Callable[[], bool] = never
    ) -> None:
        self.connection = connection
        self.tables = tables | TABLE_FUNCTIONS
        self.timeout = timeout
        self.deadline = monotonic() + timeout
        self.cancelled = cancelled
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        # Their first use declares a table, which the authorizer would take for a write.
        connection.execute("SELECT 1 FROM json_each('1'), json_tree('1')").close()
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._stop, STEPS)

    def rows(self, sql: str, *, max_rows: int) -> list[RawRow]:
        return self.fetch(sql, max_rows=max_rows)[1]

    def fetch(self, sql: str, *, max_rows: int) -> tuple[list[str], list[RawRow]]:
        """Return the column names and at most `max_rows` rows."""
        try:
            # An explicit cursor, closed at once: an unfinished statement would hold its lock on the file.
            with closing(self.connection.cursor()) as cursor:
                cursor.execute(sql)
                if cursor.description is None:
                    raise QueryFailed("There is no query: write one SELECT.")
                return [name for name, *_ in cursor.description], list(self._take(cursor, max_rows))
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise (QueryCancelled() if self.cancelled() else QueryTimeout(self.timeout)) from None
            raise QueryFailed(f"SQLite refused the query: {error}.") from error
        except sqlite3.DataError as error:
            message = f"The query handles a value of more than {MAX_LENGTH:,} characters or bytes."
            raise QueryFailed(message, code="limit_exceeded") from error
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise QueryFailed(f"SQLite refused the query: {error}.") from error

    def _take(self, cursor: sqlite3.Cursor, max_rows: int) -> Iterator[RawRow]:
        size = 0
        for number, row in enumerate(cursor, 1):
            size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
            if size > MAX_BYTES:
                raise QueryFailed(
                    f"The result holds more than {MAX_BYTES // 1_000_000} MB of text.", code="limit_exceeded"
                )
            yield row
            if number == max_rows:
                return

    def _stop(self) -> bool:
        return monotonic() > self.deadline or self.cancelled()

    def _authorize(
        self, action: int, name: str | None, second: str | None, _database: str | None, _view: str | None
    ) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and self._may_read((name or "").casefold(), second or ""):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    def _may_read(self, table: str, column: str) -> bool:
        # Without a column no value is read, as by count(*), and the name may be that of a WITH.
        return table in self.tables or (not column and not table.startswith(("sqlite_", "pragma_")))


def table_kinds(connection: sqlite3.Connection) -> dict[str, str]:
    """Return "table" or "view" by name, the engine's own and virtual tables left out."""
    found = connection.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
    return {
        name: kind for name, kind in found if kind in ("table", "view") and not name.casefold().startswith("sqlite_")
    }


def read_schema(connection: sqlite3.Connection) -> Iterator[TableSchema]:
    """Yield what the file declares; for a connection that has no authorizer yet."""
    tables: dict[str, TableSchema] = {}
    for name, kind in table_kinds(connection).items():
        try:
            found = connection.execute(
                "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1", (name,)
            ).fetchall()
        except sqlite3.OperationalError:
            continue  # a view of something that is gone
        keys = tuple(column for _, column in sorted((pk, column) for column, _, pk in found if pk))
        columns = tuple((column, declared) for column, declared, _ in found)
        tables[name.casefold()] = TableSchema(name=name, columns=columns, primary_key=keys, view=kind == "view")
    for table in tables.values():
        yield replace(table, foreign_keys=tuple(_foreign_keys(connection, table, tables)))


def _foreign_keys(
    connection: sqlite3.Connection, table: TableSchema, tables: dict[str, TableSchema]
) -> Iterator[ForeignKeySchema]:
    found = connection.execute(
        """SELECT "table", max("from"), max("to") FROM pragma_foreign_key_list(?) GROUP BY id HAVING count(*) = 1""",
        (table.name,),
    )
    for target, column, to_column in found.fetchall():
        to_table = tables.get(target.casefold())
        if to_table is None:
            continue
        # A key that names no column means the target's primary key.
        wanted = to_column or (to_table.primary_key[0] if len(to_table.primary_key) == 1 else "")
        for name, _ in to_table.columns:
            if name.casefold() == wanted.casefold():
                yield ForeignKeySchema(column=column, to_table=to_table.name, to_column=name)


def _text(data: bytes) -> str:
    # PostgreSQL, where charts may be saved, stores no NUL.
    return data.decode(errors="replace").replace("\0", "\ufffd")


def _cell(value: Any) -> Cell:
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    cell: Cell = value  # SQLite gives int, float, str and None besides
    return cell
