"""The account of how a chart came about, as JSON: what events carry and what is saved with the chart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from .query import OutputColumn

if TYPE_CHECKING:
    from .checks import CheckResult
    from .plan import Understanding

EVENT_CHARACTERS = 24_000  # of one event's metadata in JSON, well below the limit of an event


def understanding_json(understanding: Understanding) -> dict[str, Any]:
    found = {
        "links": [link.model_dump(mode="json") for link in understanding.links],
        "ignored": list(understanding.ignored),
        "assumptions": list(understanding.assumptions),
        "confidence": understanding.confidence,
    }
    return {**found, **_following_json(understanding)} if understanding.follows else found


def _following_json(understanding: Understanding) -> dict[str, Any]:
    return {
        "kept": list(understanding.kept), "changed": list(understanding.changed), "undone": understanding.undone,
    }  # fmt: skip


def check_json(line: CheckResult) -> dict[str, Any]:
    found = {"name": line.name, "outcome": line.outcome.value, "message": line.message}
    return {**found, "numbers": dict(line.numbers)} if line.numbers else found


def column_json(column: OutputColumn) -> dict[str, Any]:
    found: dict[str, Any] = _columns().dump_python(column, mode="json")
    return found


def read_column(found: Mapping[str, Any]) -> OutputColumn:
    """Return the column that `column_json` wrote."""
    return _columns().validate_python(found)


@lru_cache
def _columns() -> TypeAdapter[OutputColumn]:
    return TypeAdapter(OutputColumn)


def fitting(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return `metadata` without its largest parts, as far as one event has no room for them."""
    sizes = {key: len(json.dumps(value, default=str)) for key, value in metadata.items()}
    kept = dict(metadata)
    while kept and sum(sizes[key] for key in kept) > EVENT_CHARACTERS:
        del kept[max(kept, key=sizes.__getitem__)]
    return kept
