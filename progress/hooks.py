"""Hooks: a project's own functions through which every event passes before it is stored.

A hook gets an event as its JSON says it, {"type": …, "data": …}, and a HookContext. It returns the event, changed or not, None
to drop it, or a list of events. What must hold of a run's events whatever hooks do is kept here, in one place: a result that
breaks it is logged and left out, and the event goes on as it was before that hook.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string
from pydantic import BaseModel

from .conf import setting
from .events import ContentFrame, DoneFrame, ErrorFrame, ProgressEvent, ProgressFrame, encode
from .operations import IMPLICIT_STATES

if TYPE_CHECKING:
    from .owners import Owner

type Hook = Callable[[dict[str, Any], HookContext], Any]

logger = logging.getLogger("progress")
FRAMES: dict[str, type[BaseModel]] = {
    "progress": ProgressFrame,
    "content": ContentFrame,
    "done": DoneFrame,
    "error": ErrorFrame,
}


@dataclass(frozen=True, slots=True)
class HookContext:
    """Whose event it is. `run_id` is None without a run; `operation` is the run's own, a nested one is named in the event."""

    operation: str
    owner: Owner | None = None
    run_id: str | None = None
    attempt: int | None = None


class Hooks:
    """PROGRESS["HOOKS"] for one execution."""

    def __init__(self, context: HookContext, *, least: float = 0.0) -> None:
        self._hooks = _load(tuple(setting("HOOKS")))
        self._context, self._least = context, least
        self._ids = {"runId": context.run_id, "attempt": context.attempt} if context.run_id else {}
        self._tops: dict[tuple[object, str], float] = {}
        self._logged = set[Hook]()

    def __call__(self, event: ProgressEvent, node: object = None) -> list[ProgressEvent]:
        """Return what the hooks make of `event`, which `node` reported. An event that says an end is still there, and last."""
        if not self._hooks:
            return [event]
        events = [event]
        for hook in self._hooks:
            events = [after for before in events for after in self._pass(hook, before)]
        return [self._with_sound_percentage(event, node) for event in events]

    def _pass(self, hook: Hook, event: ProgressEvent) -> list[ProgressEvent]:
        try:
            answer = hook(json.loads(event.payload), self._context)
            events = [self._made(item, event) for item in _listed(answer)]
            _check_ends(event, events)
        except Exception:  # a project's own code: whatever it does wrong, the run goes on
            if hook not in self._logged:  # once a run: it will fail again at the next event
                self._logged.add(hook)
                logger.exception("hook %s failed and was passed over, run %s", _name(hook), self._context.run_id)
            return [event]
        return events

    def _made(self, item: Any, event: ProgressEvent) -> ProgressEvent:
        if isinstance(metadata := item["data"].get("metadata"), dict):
            metadata.update(self._ids)
            if item["type"] == "progress":
                _mark_indeterminate(item["data"])
        payload = encode(item)
        if payload == event.payload:
            return event
        FRAMES[item["type"]].model_validate_json(payload, strict=True)
        if len(payload) > (limit := int(setting("EVENT_BYTES"))):
            raise ValueError(f"The event takes {len(payload):,} bytes; one holds at most {limit:,}.")
        return ProgressEvent(item["type"], payload=payload, at=event.at)

    def _with_sound_percentage(self, event: ProgressEvent, node: object) -> ProgressEvent:
        """Keep the percentage from falling, and 100 for the end: one hook may have changed this event, or an earlier one."""
        if event.type != "progress" or (said := event.data["percentage"]) is None:
            return event
        key = node, event.data["operation"]
        top = self._tops.get(key, self._least)
        sound = 100 if event.data["currentState"] == "completed" else min(max(said, top), 99.9)
        self._tops[key] = max(sound, top)
        if sound == said:
            return event
        return ProgressEvent("progress", {**event.data, "percentage": sound}, at=event.at)


@cache
def _load(paths: tuple[str, ...]) -> tuple[Hook, ...]:
    return tuple(import_string(path) for path in paths)


def _listed(answer: Any) -> list[Any]:
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError("A hook is an ordinary function, not an async one.")
    if answer is None:
        return []
    return [answer] if isinstance(answer, dict) else list(answer)


def _check_ends(before: ProgressEvent, after: list[ProgressEvent]) -> None:
    """Raise ValueError where an end that was reported is not the last event, or where one appears that was not reported."""
    if len(after) == 1 and after[0] is before:
        return
    end = _end_of(before)
    if [found for event in after if (found := _end_of(event))] != ([end] if end else []):
        raise ValueError("A hook may not add or drop an end, nor change its state or error code.")
    if end and (_end_of(after[-1]) != end or (before.terminal and len(after) > 1)):
        raise ValueError("Nothing may come between an operation's closing state and its end, or after it.")


def _end_of(event: ProgressEvent) -> tuple[Any, ...] | None:
    data = event.data
    if event.terminal:
        return event.type, data["operation"], data["metadata"].get("code"), data["metadata"].get("retryable")
    if event.type == "progress" and data["currentState"] in IMPLICIT_STATES:
        return data["operation"], data["currentState"]
    return None


def _mark_indeterminate(data: dict[str, Any]) -> None:
    if data.get("percentage", 0) is None:
        data["metadata"]["indeterminate"] = True
    else:
        data["metadata"].pop("indeterminate", None)


def _name(hook: Hook) -> str:
    return f"{getattr(hook, '__module__', '?')}.{getattr(hook, '__qualname__', hook)}"
