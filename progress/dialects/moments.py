"""What the events of a run say, as the moments that both foreign formats have words for.

`Telling` reads one event after the other and calls a method for each moment; a dialect fills these in. What it has to remember is
in `Known`, which is copied before it is changed: what was known after an event stays true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, NamedTuple

from django.utils.module_loading import import_string

from ..conf import setting
from ..events import ProgressEvent, encode

Kind = Literal["text", "reasoning"]
ENDS = frozenset({"completed", "failed", "cancelled"})
# In metadata, but said in other ways than as a part of where an operation stands.
SAID_OTHERWISE = frozenset(
    {"runId", "status", "children", "toolName", "arguments", "result", "resultTooLarge", "summary", "error"}
)
STANDING = frozenset(
    {"parentOperation", "attempt", "elapsedMs", "etaMs", "pace", "queuePosition", "indeterminate", "toolCallId"}
)
UNANSWERED = "The run ended before this call did."
Chain = tuple[Any, str] | None  # a text as (what was before, its last piece): longer texts share the beginning


class Part(NamedTuple):
    """Something that a client can show by itself, such as a chart: AG-UI's CUSTOM, the AI SDK's data part."""

    name: str
    id: str
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, answered once it has `content`."""

    name: str
    arguments: Any
    content: str | None = None
    error: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Known:
    """What was said so far."""

    own: str = ""  # the run's operation; empty before the first event
    status: str = ""
    ended: bool = False
    standing: dict[str, dict[str, Any]] = field(default_factory=dict)  # of each operation, as it was last shown
    patches: dict[str, int] = field(default_factory=dict)  # to that, since it was shown as a whole
    steps: dict[str, str] = field(default_factory=dict)  # the state that each operation is in
    reports: dict[str, str] = field(
        default_factory=dict
    )  # the state in which each has reported a tool call: no step of its own
    open: dict[tuple[Kind, str], None] = field(default_factory=dict)  # texts that are being written, by operation
    texts: dict[tuple[Kind, str], Chain] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    children: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[tuple[str, str], Part] = field(default_factory=dict)

    def copy(self) -> Known:
        return Known(
            self.own,
            self.status,
            self.ended,
            self.standing.copy(),
            self.patches.copy(),
            self.steps.copy(),
            self.reports.copy(),
            self.open.copy(),
            self.texts.copy(),
            self.calls.copy(),
            self.children.copy(),
            self.parts.copy(),
        )

    def text(self, kind: Kind, operation: str) -> str:
        """All that was written so far."""
        pieces, chain = [], self.texts.get((kind, operation))
        while chain is not None:
            chain, piece = chain
            pieces.append(piece)
        return "".join(reversed(pieces))


class Telling:
    """Tells one event: `out` is what it comes to."""

    keeps_texts: ClassVar[bool] = False

    def __init__(self, known: Known, event: ProgressEvent) -> None:
        self.known, self.event = known, event
        self.out: list[dict[str, Any]] = []

    def tell(self) -> None:
        data = self.event.data
        if not self.known.own:
            self.known.own = data["operation"]
            self.started(data)
        match self.event.type:
            case "content":
                self._text("text", data["operation"], data["content"])
            case "progress":
                self._progress(data, data["metadata"])
            case "done":
                self._ended(UNANSWERED)
                self._parts(data["metadata"])
                self.done(data)
            case "error":
                cancelled = data["metadata"]["code"] == "cancelled"
                self._ended(data["message"] if cancelled else UNANSWERED)
                self.cancelled(data) if cancelled else self.failed(data)

    # Moments

    def started(self, data: dict[str, Any]) -> None: ...
    def status_changed(self, status: str) -> None: ...
    def stands(self, key: str, standing: dict[str, Any], before: dict[str, Any] | None, in_call: bool) -> None: ...
    def step_began(self, key: str, state: str) -> None: ...
    def step_ended(self, key: str, state: str) -> None: ...
    def text_began(self, kind: Kind, operation: str) -> None: ...
    def text_went_on(self, kind: Kind, operation: str, piece: str) -> None: ...
    def text_ended(self, kind: Kind, operation: str) -> None: ...
    def call_began(self, id: str, call: Call) -> None: ...
    def call_went_on(self, id: str, standing: dict[str, Any]) -> None: ...
    def call_ended(self, id: str, call: Call, result: Any) -> None: ...
    def child_stands(self, id: str, child: dict[str, Any], before: dict[str, Any] | None) -> None: ...
    def part_found(self, part: Part) -> None: ...
    def done(self, data: dict[str, Any]) -> None: ...
    def cancelled(self, data: dict[str, Any]) -> None: ...
    def failed(self, data: dict[str, Any]) -> None: ...

    # How events come to them

    def _progress(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        if (thought := metadata.get("reasoning")) is not None:
            return self._text("reasoning", data["operation"], str(thought))
        name, own = data["operation"], "parentOperation" not in metadata
        if own:
            self._status(data["currentState"])
        call = str(metadata["toolCallId"]) if metadata.get("toolCallId") else ""
        reports_call = bool(call and metadata.get("toolName")) and self._call(call, data, metadata)
        in_call = bool(call) and not own and not reports_call
        key = f"{name}:{call}" if in_call else name
        standing = _standing(data, metadata)
        if not reports_call and (known := self.known.calls.get(call)) is not None and known.content is None:
            self.call_went_on(call, standing)
        before, self.known.standing[key] = self.known.standing.get(key), standing
        self.stands(key, standing, before, in_call)
        if reports_call:
            self.known.reports[key] = data["currentState"]
        elif data["currentState"] != self.known.reports.get(key):
            self._step(key, data["currentState"])
        for place, child in enumerate(metadata.get("children") or ()):
            self._child(str(child.get("id") or f"{key}:{place}"), child)
        if data["currentState"] in ENDS:
            self._close(name)

    def _status(self, state: str) -> None:
        status = state if state == "queued" or state in ENDS else "running"
        if status != self.known.status:
            first, self.known.status = not self.known.status, status
            if not first and status not in ENDS:  # the end has a moment of its own
                self.status_changed(status)

    def _step(self, key: str, state: str) -> None:
        before = self.known.steps.get(key)
        if before == state:
            return
        if before is not None:
            del self.known.steps[key]
            self.step_ended(key, before)
        if state not in ENDS:
            self.known.steps[key] = state
            self.step_began(key, state)

    def _text(self, kind: Kind, operation: str, piece: str) -> None:
        self._end_text("reasoning" if kind == "text" else "text", operation)
        if (kind, operation) not in self.known.open:
            self.known.open[kind, operation] = None
            self.text_began(kind, operation)
        if self.keeps_texts:
            self.known.texts[kind, operation] = (self.known.texts.get((kind, operation)), piece)
        self.text_went_on(kind, operation, piece)

    def _end_text(self, kind: Kind, operation: str) -> None:
        if (kind, operation) in self.known.open:
            del self.known.open[kind, operation]
            self.text_ended(kind, operation)

    def _close(self, operation: str) -> None:
        self._end_text("text", operation)
        self._end_text("reasoning", operation)

    def _call(self, id: str, data: dict[str, Any], metadata: dict[str, Any]) -> bool:
        """Tell what an event says of a tool call; False where it says nothing of the call itself."""
        moment, _, _tool = data["currentState"].partition("_")
        if moment not in ("executing", "completed", "failed"):
            return False
        if id not in self.known.calls:
            self._close(data["operation"])  # what comes after the call is written after it
            self.known.calls[id] = call = Call(str(metadata["toolName"]), metadata.get("arguments") or {})
            self.call_began(id, call)
        if moment == "completed":
            self._answer(id, metadata.get("result"), metadata)
        elif moment == "failed":
            self._answer(id, None, metadata, metadata.get("error") or {"message": data["message"]})
        return True

    def _answer(
        self, id: str, result: Any, metadata: Mapping[str, Any], error: Mapping[str, Any] | None = None
    ) -> None:
        if (call := self.known.calls[id]).content is not None:
            return  # executed again, it is told once
        if error is None and result is None and metadata.get("resultTooLarge"):
            result = metadata.get("summary") or "The result is too large to be shown."
        content = str(error.get("message", "")) if error is not None else result if isinstance(result, str) else None
        answered = replace(call, content=encode(result) if content is None else content, error=error)
        self.known.calls[id] = answered
        self.call_ended(id, answered, result)
        if isinstance(result, Mapping):
            self._parts(result)

    def _child(self, id: str, child: dict[str, Any]) -> None:
        before = self.known.children.get(id)
        if child != before:
            self.known.children[id] = child
            self.child_stands(id, child, before)

    def _parts(self, found: Mapping[str, Any]) -> None:
        for find in _finders(tuple(setting("PARTS"))):
            for part in find(found):
                if self.known.parts.get((part.name, part.id)) != part:
                    self.known.parts[part.name, part.id] = part
                    self.part_found(part)

    def _ended(self, why: str) -> None:
        """Leave nothing open: the end follows."""
        for kind, operation in list(self.known.open):
            self._end_text(kind, operation)
        for id, call in list(self.known.calls.items()):
            if call.content is None:
                self._answer(id, None, {}, {"message": why})
        for key, state in list(self.known.steps.items()):
            del self.known.steps[key]
            self.step_ended(key, state)
        for id, child in list(self.known.children.items()):
            if child["status"] == "running":
                self._child(id, {**child, "status": "cancelled", "currentState": "cancelled"})
        self.known.ended = True


def _standing(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """Where an operation stands: the event's own words, what is reserved beside them, and the rest under `metadata`."""
    standing = {
        "operation": data["operation"],
        "percentage": data["percentage"],
        "message": data["message"],
        "currentState": data["currentState"],
    }
    rest = {}
    for key, value in metadata.items():
        if key in STANDING:
            standing[key] = value
        elif key not in SAID_OTHERWISE:
            rest[key] = value
    if rest:
        standing["metadata"] = rest
    return standing


Finder = Callable[[Mapping[str, Any]], Iterable[Part]]


@lru_cache(maxsize=4)
def _finders(paths: tuple[str, ...]) -> tuple[Finder, ...]:
    return tuple(import_string(path) for path in paths)
