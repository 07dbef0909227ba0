"""Tools that look at the data: what there is, what it holds, and read-only queries. None sees more than its owner may."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from charts.models import Source, ensure_sample_source, find_source
from charts.profile import ColumnProfile, ForeignKey, Profile, Role, TableProfile, Type
from charts.query import Cell
from progress import OperationFailed
from progress.events import encode

from ..conf import setting
from .definition import ToolContext, tool

if TYPE_CHECKING:
    from charts.attempts import Guarded

SOURCES, TABLES, COLUMNS = 50, 100, 200  # listed at most
NAME, CELL = 100, 300  # characters of a name and of a cell: text in the data is anybody's, and may be long
VALUES = 10  # of a column
ROWS = 200  # of a query, at most
ROOM = 2_000  # characters of a query's result that are not its rows

Slug = Annotated[str | None, Field(max_length=100, description="slug of the source; the first by default")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


@tool
def list_sources(context: ToolContext) -> dict[str, Any]:
    """List the data sources that can be asked, with the names of their tables."""
    ensure_sample_source()
    visible = Source.objects.visible_to(context.owner)
    found = list(visible[: SOURCES + 1])
    return {"sources": [_listed(source) for source in found[:SOURCES]], "more": len(found) > SOURCES}


def _listed(source: Source) -> dict[str, Any]:
    about = {"slug": source.slug, "title": source.title}
    try:
        names = [table.name[:NAME] for table in source.open().schema()]
    except OperationFailed as error:
        return {**about, "unavailable": error.message}
    return {**about, "tables": names[:TABLES], **_more(names, TABLES)}


@tool
def describe_table(context: ToolContext, *, table: Name, source: Slug = None) -> dict[str, Any]:
    """Describe a table: its rows, its columns with their types and meaning, its keys. It shows no values."""
    opened = _open(context, source)
    found = _table(opened.profile, table)
    keys = [key for key in opened.profile.foreign_keys if key.table == found.name]
    columns = [_column_line(column, keys) for column in found.columns[:COLUMNS]]
    return {
        "source": opened.source.slug,
        "table": found.name[:NAME],
        "rows": found.rows,
        "primary_key": list(found.primary_key),
        "columns": columns,
        **_more(found.columns, COLUMNS),
    }


def _column_line(column: ColumnProfile, keys: Sequence[ForeignKey]) -> dict[str, Any]:
    references = next((f"{key.to_table}.{key.to_column}" for key in keys if key.column == column.name), None)
    line = {
        "name": column.name[:NAME],
        "type": column.type,
        "role": column.role,
        "unit": column.unit,
        "references": references and references[: 2 * NAME],
    }
    return {key: value for key, value in line.items() if value is not None}


@tool
def profile_column(context: ToolContext, *, table: Name, column: Name, source: Slug = None) -> dict[str, Any]:
    """Look at one column: its type, range, how many values are missing or distinct, its mean, and its most frequent values."""
    opened = _open(context, source)
    found = _column(_table(opened.profile, table), column)
    return {
        "source": opened.source.slug,
        **_column_line(found, opened.profile.foreign_keys),
        "table": found.table[:NAME],
        "format": found.format,
        "rows": found.rows,
        "missing": found.nulls,
        "distinct": found.distinct,
        "minimum": short(found.minimum),
        "maximum": short(found.maximum),
        **_mean(opened, found),
        **_frequent(opened, found),
    }


def _mean(opened: Guarded, column: ColumnProfile) -> dict[str, Any]:
    from sqlglot import exp

    if column.role not in (Role.ADDITIVE, Role.INTENSIVE) or column.type not in (Type.INTEGER, Type.REAL):
        return {}
    query = exp.select(exp.Avg(this=exp.column(column.name, quoted=True))).from_(exp.table_(column.table, quoted=True))
    return {"mean": opened.scalar(query.sql(dialect=opened.profile.dialect))}


def _frequent(opened: Guarded, column: ColumnProfile) -> dict[str, Any]:
    from sqlglot import exp

    if column.unique or column.type == Type.BINARY:
        return {}
    value = exp.column(column.name, quoted=True)
    query = (
        exp.select(value, exp.Count(this=exp.Star()))
        .from_(exp.table_(column.table, quoted=True))
        .group_by(value)
        .order_by(exp.Ordered(this=exp.Count(this=exp.Star()), desc=True, nulls_first=False), value)
        .limit(VALUES)
    )
    result = opened.execute(query.sql(dialect=opened.profile.dialect), ())
    return {"most_frequent": [{"value": short(value), "rows": rows} for value, rows in result.rows]}


@tool
def run_query(
    context: ToolContext,
    *,
    sql: Annotated[str, Field(min_length=1, description="one SELECT, in the dialect of the source")],
    source: Slug = None,
    limit: Annotated[int, Field(ge=1, le=ROWS, description="rows to give back")] = 50,
) -> dict[str, Any]:
    """Run one read-only SELECT on a source and return its first rows.

    Only tables of the source can be read. `row_count` counts the rows that the query found, at most 5,000; `truncated` says that
    there were more than that.
    """
    opened = _open(context, source)
    context.progress(message="Running the query")
    result = opened.execute(sql, ())
    names = [column.label[:NAME] for column in result.columns]
    rows = _fitting([list(map(short, row)) for row in result.rows[:limit]], int(setting("TOOL_RESULT_LENGTH")) - ROOM)
    return {
        "source": opened.source.slug,
        "dialect": opened.profile.dialect,
        "columns": names,
        "rows": rows,
        "row_count": len(result.rows),
        "truncated": result.truncated,
        **({"note": f"Only {len(rows)} of them are shown."} if len(rows) < len(result.rows) else {}),
        "milliseconds": result.milliseconds,
    }


def _fitting(rows: list[list[Cell]], room: int) -> list[list[Cell]]:
    """Return the first rows, as far as there is room for their JSON."""
    for count, row in enumerate(rows):
        room -= len(encode(row)) + 1
        if room < 0:
            return rows[:count]
    return rows


def _open(context: ToolContext, slug: str | None) -> Guarded:
    """Raises OperationFailed for a source that the owner may not ask, in the words for one that is not there."""
    from charts.attempts import Guarded
    from charts.profiling import profile_source

    opened = find_source(slug, context.owner).open()
    profile = profile_source(opened)
    return Guarded(source=opened, profile=profile, cancelled=lambda: context.cancelled)


def _table(profile: Profile, name: str) -> TableProfile:
    try:
        return profile.table(name)
    except KeyError:
        raise _unknown("table", name, [table.name for table in profile.tables]) from None


def _column(table: TableProfile, name: str) -> ColumnProfile:
    try:
        return table.column(name)
    except KeyError:
        raise _unknown("column", name, [column.name for column in table.columns]) from None


def _unknown(kind: str, name: str, known: Sequence[str]) -> OperationFailed:
    near = get_close_matches(name, known, n=5) or known[:20]
    there = ", ".join(each[:NAME] for each in near) or "none"
    return OperationFailed(f"There is no {kind} {name!r}; there is {there}.", code="invalid_request")


def short(cell: Cell) -> Cell:
    """Return a cell for a reader who need not have all of a long text."""
    if isinstance(cell, str) and len(cell) > CELL:
        return f"{cell[:CELL]}… ({len(cell):,} characters)"
    return cell


def _more(items: Sequence[Any], shown: int) -> dict[str, int]:
    left = len(items) - shown
    return {"more": left} if left > 0 else {}
