"""Results of tools in the words of the offline model. Every number is the result's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import wishes

Result = Mapping[str, Any]
SHOWN_ROWS, SHOWN_TABLES, SHOWN_COLUMNS = 20, 20, 60
ABLE = (
    "There is no language model on this site, so that messages are read by rules: what is not understood is said so. "
    "These work:\n"
    "- a question about the data, such as “number of orders per month”: it becomes a chart\n"
    "- a change to the last chart, such as “only 2025” or “as a line”\n"
    "- “which tables are there”, “describe the orders table”, “profile status of orders”\n"
    "- a SELECT of your own, and arithmetic such as “12 * 37”"
)


def in_words(tool: str, question: str, result: Any) -> str:
    """Say what `tool` found for whoever asked `question`."""
    words = WORDS.get(tool)
    if words is None or not isinstance(result, Mapping) or result.get("cut"):
        return f"{tool} gave: {str(result)[:1000]}"
    return words(question, result)


def _chart(_question: str, chart: Result) -> str:
    return str(chart.get("answer") or f"{chart['title']}.")


def _sum(_question: str, found: Result) -> str:
    return f"{found['expression']} {'=' if found['exact'] else '≈'} {found['value']}"


def _sources(question: str, found: Result) -> str:
    sources = found["sources"]
    lines = [f"- {source['title']} (`{source['slug']}`): {_tables(source)}" for source in sources]
    if len(sources) == 1:
        text = f"There is one source, {sources[0]['title']}, with these tables: {_tables(sources[0])}."
    elif sources:
        text = "\n".join([f"There are {'more than ' if found.get('more') else ''}{len(sources)} sources:", *lines])
    else:
        text = "There is no source that you may ask."
    return f"{ABLE}\n\n{text}" if wishes.HELP.fullmatch(" ".join(question.split())) else text


def _tables(source: Result) -> str:
    if "unavailable" in source:
        return str(source["unavailable"])
    tables = source["tables"]
    more = len(tables) - SHOWN_TABLES + int(source.get("more", 0))
    return ", ".join(tables[:SHOWN_TABLES]) + (f" and {more:,} more" if more > 0 else "")


def _table(_question: str, table: Result) -> str:
    columns = table["columns"]
    key = f" Its key is {', '.join(table['primary_key'])}." if table["primary_key"] else ""
    rows = [[column["name"], _kind(column), column.get("references", "")] for column in columns[:SHOWN_COLUMNS]]
    more = len(columns) - SHOWN_COLUMNS + int(table.get("more", 0))
    end = f"\n\nand {more:,} more columns" if more > 0 else ""
    return f"The table {table['table']} has {table['rows']:,} rows.{key}\n\n{_grid(['Column', 'Type', 'Refers to'], rows)}{end}"


def _kind(column: Result) -> str:
    unit = f", {column['unit']}" if column.get("unit") else ""
    return f"{column['type']}{unit}"


def _column(_question: str, column: Result) -> str:
    facts = [f"{column['rows']:,} rows", f"{column['missing']:,} missing"]
    if column.get("distinct") is not None:
        facts.append(f"{column['distinct']:,} different values")
    text = f"{column['name']} of {column['table']} is {column['type']}: {', '.join(facts)}."
    if column.get("minimum") is not None and column["type"] != "text":
        text += f" From {_shown(column['minimum'])} to {_shown(column['maximum'])}."
    if column.get("mean") is not None:
        text += f" The mean is {_shown(column['mean'])}."
    if frequent := column.get("most_frequent"):
        text += f"\n\n{_grid(['Most frequent', 'Rows'], [[each['value'], each['rows']] for each in frequent])}"
    return text


def _rows(_question: str, found: Result) -> str:
    rows = found["rows"][:SHOWN_ROWS]
    count = f"{'More than ' if found['truncated'] else ''}{found['row_count']:,} row{'' if found['row_count'] == 1 else 's'}"
    if not rows:
        return "The query found no rows."
    shown = f", the first {len(rows)} of them:" if len(rows) < found["row_count"] else ":"
    return f"{count}{shown}\n\n{_grid(found['columns'], rows)}"


def _grid(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    lines = [_line(head), _line(["---"] * len(head)), *(_line([_shown(cell) for cell in row]) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(' '.join(str(cell).replace('|', '¦').split()) for cell in cells)} |"


def _shown(cell: Any) -> str:
    if isinstance(cell, bool) or cell is None:
        return "(none)" if cell is None else str(cell).lower()
    if isinstance(cell, int):
        return str(cell) if -10_000 < cell < 10_000 else f"{cell:,}"
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)


WORDS: dict[str, Callable[[str, Result], str]] = {
    wishes.CHART: _chart,
    wishes.CALCULATE: _sum,
    wishes.SOURCES: _sources,
    wishes.TABLE: _table,
    wishes.COLUMN: _column,
    wishes.QUERY: _rows,
}
