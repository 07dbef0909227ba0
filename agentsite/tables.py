"""The tables of a source, at a glance."""

from __future__ import annotations

from typing import Any

from charts.models import Source
from progress.exceptions import OperationFailed


def tables_of(source: Source) -> list[dict[str, Any]]:
    """Return name, rows and columns of each table; nothing for a source that cannot be read."""
    from charts.profiling import profile_source

    try:
        profile = profile_source(source.open())
    except OperationFailed:
        return []
    return [
        {
            "name": table.name,
            "rows": table.rows,
            "columns": [{"name": column.name, "type": column.type} for column in table.columns],
        }
        for table in profile.tables
    ]
