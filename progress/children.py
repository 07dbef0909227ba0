"""The runs below a run, as its events and snapshot show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .conf import setting
from .events import encode

ROOM = 2_048  # bytes of an event that its other parts may take


def child_json(id: Any, operation: str, status: str, percentage: float | None, state: str) -> dict[str, Any]:
    """Return one entry of `metadata.children`; `id` is None where the child has no run of its own."""
    return {
        "id": None if id is None else str(id),
        "operation": operation,
        "status": status,
        "percentage": percentage,
        "currentState": state,
    }


def fitting(*versions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first of these versions of a list, longest first, that an event can hold; an empty one where none fits."""
    for version in versions:
        if len(encode(items := list(version))) <= int(setting("EVENT_BYTES")) - ROOM:
            return items
    return []


def listed(children: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return `metadata.children`: names of states and operations may be long, and an event may not."""
    plain = ({**child, "currentState": child["status"]} for child in children)
    short = ({**child, "currentState": child["status"], "operation": child["operation"][:20]} for child in children)
    return fitting(children, plain, short)
