"""AG-UI 1.0, which `HttpAgent` of @ag-ui/client reads: one run is one AG-UI run, whose text is one assistant message.

Its client ends a run in an error at anything out of order: nothing before RUN_STARTED, nothing but RUN_ERROR after RUN_FINISHED, no
end with something open, no `null` for a field that may be left out. It warns of each field that it does not know: what is ours
stands under `metadata`, in `app.*`, of which `app.seq` is the number of the event that is complete with it.

A reader who comes back is sent a prelude before the rest: the run begins, and everything stands where it stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from ..events import ProgressEvent, encode
from . import Chunk, Folded
from .moments import Call, Kind, Known, Part, Telling

PROTOCOL = "1.0"
WHOLE_AGAIN = 50  # patches to what is shown of an operation, after which it is shown as a whole
RESERVED = frozenset({"runId", "attempt", "elapsedMs", "etaMs"})
COUNTS = ("inputTokens", "outputTokens", "totalTokens", "reasoningTokens", "cachedInputTokens", "cacheWriteInputTokens")


@dataclass(frozen=True, slots=True)
class AgUi(Folded):
    """Says what happens in `run` in events of AG-UI, in a thread and under a name of the client's."""

    run: UUID
    thread: str = ""
    named: str = ""
    # What was said in the thread before. A snapshot of messages takes the place of all that the client has.
    history: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    name: ClassVar[str] = "ag-ui"

    def begin(self) -> Known:
        return Known()

    def step(self, known: Known, event: ProgressEvent) -> tuple[Known, list[Chunk]]:
        telling = _Telling(known.copy(), event, self)
        telling.tell()
        for chunk in telling.out:
            chunk["timestamp"] = event.at
        if telling.out:
            telling.out[-1]["metadata"] = {**telling.out[-1].get("metadata", {}), "app.seq": event.seq}
        return telling.known, telling.out

    def prelude(self, known: Known) -> list[Chunk]:
        return _Prelude(self, known).chunks() if known.own else []

    def lost(self, standing: int) -> int:
        return standing  # to read all of it again would write the text twice

    @property
    def names(self) -> dict[str, str]:
        return {"threadId": self.thread or str(self.run), "runId": self.named or str(self.run)}

    def run_started(self) -> Chunk:
        return {
            "type": "RUN_STARTED",
            **self.names,
            "protocolVersion": PROTOCOL,
            "metadata": {"app.run": str(self.run)},
        }

    def message_id(self, kind: Kind, operation: str, own: bool) -> str:
        if own:
            return str(self.run) if kind == "text" else f"{self.run}:reasoning"
        return f"{self.run}:{operation}:{kind}"

    def activity_id(self, key: str) -> str:
        return f"{self.run}:op:{key}"

    def subagent_id(self, child: str) -> str:
        return f"{self.run}:{child}" if ":" in child else child  # a child without a run of its own is known here alone


class _Telling(Telling):
    keeps_texts = True

    def __init__(self, known: Known, event: ProgressEvent, dialect: AgUi) -> None:
        super().__init__(known, event)
        self._dialect = dialect

    def _say(self, type: str, **fields: Any) -> None:
        self.out.append({"type": type, **fields})

    def started(self, data: dict[str, Any]) -> None:
        self.out.append(self._dialect.run_started())
        status = "queued" if data.get("currentState") == "queued" else "running"
        self._say("STATE_SNAPSHOT", snapshot=_state(self._dialect, self.known.own, status))

    def status_changed(self, status: str) -> None:
        self._say("STATE_DELTA", delta=[{"op": "replace", "path": "/run/status", "value": status}])

    def stands(self, key: str, standing: dict[str, Any], before: dict[str, Any] | None, in_call: bool) -> None:
        self._show(self._dialect.activity_id(key), standing, before)

    def _show(
        self, id: str, now: dict[str, Any], before: dict[str, Any] | None, *, tag: Mapping[str, str] | None = None
    ) -> None:
        """A patch to what is not there is lost without a word, so that the whole is shown again from time to time."""
        patches = self.known.patches.get(id, 0)
        if before is None or patches >= WHOLE_AGAIN:
            self.known.patches[id] = 0
            self._say("ACTIVITY_SNAPSHOT", **_activity(id), content=now, **(tag or {}))
        elif patch := _patch(before, now):
            self.known.patches[id] = patches + 1
            self._say("ACTIVITY_DELTA", **_activity(id), patch=patch, **(tag or {}))

    def step_began(self, key: str, state: str) -> None:
        self._say("STEP_STARTED", stepName=f"{key}/{state}")

    def step_ended(self, key: str, state: str) -> None:
        self._say("STEP_FINISHED", stepName=f"{key}/{state}")

    def text_began(self, kind: Kind, operation: str) -> None:
        self.out += _opening(self._dialect, self.known, kind, operation)

    def text_went_on(self, kind: Kind, operation: str, piece: str) -> None:
        type = "TEXT_MESSAGE_CONTENT" if kind == "text" else "REASONING_MESSAGE_CONTENT"
        self._say(type, messageId=self._message_id(kind, operation), delta=piece)

    def text_ended(self, kind: Kind, operation: str) -> None:
        id = self._message_id(kind, operation)
        if kind == "text":
            return self._say("TEXT_MESSAGE_END", messageId=id)
        self._say("REASONING_MESSAGE_END", messageId=id)
        self._say("REASONING_END", messageId=id)

    def _message_id(self, kind: Kind, operation: str) -> str:
        return self._dialect.message_id(kind, operation, operation == self.known.own)

    def call_began(self, id: str, call: Call) -> None:
        self._say("TOOL_CALL_START", toolCallId=id, toolCallName=call.name, parentMessageId=str(self._dialect.run))
        self._say("TOOL_CALL_ARGS", toolCallId=id, delta=encode(call.arguments))
        self._say("TOOL_CALL_END", toolCallId=id)

    def call_ended(self, id: str, call: Call, result: Any) -> None:
        error = {"metadata": {"app.error": dict(call.error)}} if call.error is not None else {}
        self._say("TOOL_CALL_RESULT", messageId=f"{id}:result", toolCallId=id, content=call.content, **error)

    def child_stands(self, id: str, child: dict[str, Any], before: dict[str, Any] | None) -> None:
        tag = {"subagentRunId": self._dialect.subagent_id(id)}
        began = before is not None and before["status"] != "queued"
        if not began and child["status"] != "queued":
            self._say("SUBAGENT_STARTED", name=child["operation"], **tag)
        if child["status"] == "queued":
            return  # it is shown once it begins
        self._show(f"{self._dialect.run}:child:{id}", child, before if began else None, tag=tag)
        if child["status"] == "completed":
            self._say("SUBAGENT_FINISHED", outcome={"type": "success"}, **tag)
        elif child["status"] in ("failed", "cancelled"):
            self._say("SUBAGENT_ERROR", message=f"It {_was(child['status'])}.", code=child["status"], **tag)

    def part_found(self, part: Part) -> None:
        self._say("CUSTOM", name=part.name, value={"id": part.id, **part.value})

    def done(self, data: dict[str, Any]) -> None:
        result = {key: value for key, value in data["metadata"].items() if key not in RESERVED}
        self.status_changed("completed")
        self._finish({"type": "success"}, result=result, **_usage(result))

    def cancelled(self, data: dict[str, Any]) -> None:
        self.status_changed("cancelled")
        self._finish({"type": "cancelled"})

    def _finish(self, outcome: dict[str, str], **fields: Any) -> None:
        self._say("RUN_FINISHED", **self._dialect.names, outcome=outcome, **fields)

    def failed(self, data: dict[str, Any]) -> None:
        metadata = data["metadata"]
        self.status_changed("failed")
        about = {f"app.{key}": metadata[key] for key in ("retryable", "errorId") if key in metadata}
        self._say("RUN_ERROR", message=data["message"], code=metadata["code"], metadata=about, **_usage(metadata))


class _Prelude:
    """What brings a client, new or not, to where the run stood after some event."""

    def __init__(self, dialect: AgUi, known: Known) -> None:
        self._dialect, self._known = dialect, known

    def chunks(self) -> list[Chunk]:
        known, dialect = self._known, self._dialect
        state = _state(dialect, known.own, known.status or "running")
        messages = [*dialect.history, *self._messages()]
        return [
            dialect.run_started(),
            {"type": "MESSAGES_SNAPSHOT", "messages": messages},
            {"type": "STATE_SNAPSHOT", "snapshot": state},
            *self._subagents(),
            *self._activities(),
            *({"type": "STEP_STARTED", "stepName": f"{key}/{state}"} for key, state in known.steps.items()),
            *(chunk for kind, operation in known.open for chunk in _opening(dialect, known, kind, operation)),
            *({"type": "CUSTOM", "name": p.name, "value": {"id": p.id, **p.value}} for p in known.parts.values()),
        ]

    def _activities(self) -> list[Chunk]:
        return [
            {"type": "ACTIVITY_SNAPSHOT", **_activity(id), "content": now, **tag}
            for id, now, tag in self._shown()
            if not tag or now["status"] == "running"  # a subagent that has ended says nothing more
        ]

    def _messages(self) -> list[Chunk]:
        activities = [
            {"id": id, "role": "activity", "activityType": "progress", "content": now, **tag}
            for id, now, tag in self._shown()
        ]
        known, dialect = self._known, self._dialect
        said = []
        texts = dict.fromkeys(known.texts)
        if known.calls:
            texts.setdefault(("text", known.own))
        for kind, operation in texts:
            own = operation == known.own
            id, text = dialect.message_id(kind, operation, own), known.text(kind, operation)
            if kind == "reasoning":
                said.append({"id": id, "role": "reasoning", "content": text})
                continue
            calls = self._calls() if own else {}
            name = {} if own else {"name": operation}
            said.append({"id": id, "role": "assistant", "content": text, **name, **calls})
            said += self._results() if own else []
        return [*activities, *said]

    def _calls(self) -> dict[str, Any]:
        calls = [
            {
                "id": id,
                "type": "function",
                "function": {"name": call.name, "arguments": encode(call.arguments)},
            }
            for id, call in self._known.calls.items()
        ]
        return {"toolCalls": calls} if calls else {}

    def _results(self) -> list[Chunk]:
        return [
            {"id": f"{id}:result", "role": "tool", "toolCallId": id, "content": call.content}
            for id, call in self._known.calls.items()
            if call.content is not None
        ]

    def _shown(self) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
        dialect = self._dialect
        operations = [(dialect.activity_id(key), now, dict[str, str]()) for key, now in self._known.standing.items()]
        children = [
            (f"{dialect.run}:child:{id}", now, {"subagentRunId": dialect.subagent_id(id)})
            for id, now in self._known.children.items()
            if now["status"] != "queued"
        ]
        return [*operations, *children]

    def _subagents(self) -> list[Chunk]:
        return [
            {"type": "SUBAGENT_STARTED", "subagentRunId": self._dialect.subagent_id(id), "name": child["operation"]}
            for id, child in self._known.children.items()
            if child["status"] == "running"
        ]


def _opening(dialect: AgUi, known: Known, kind: Kind, operation: str) -> list[Chunk]:
    own = operation == known.own
    id = dialect.message_id(kind, operation, own)
    name = {} if own else {"name": operation}
    if kind == "text":
        return [{"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant", **name}]
    return [
        {"type": "REASONING_START", "messageId": id},
        {"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"},
    ]


def _activity(id: str) -> dict[str, str]:
    return {"messageId": id, "activityType": "progress"}


def _state(dialect: AgUi, operation: str, status: str) -> dict[str, Any]:
    """The state that the agent shares: which run speaks, and whether it still does."""
    return {"run": {"id": str(dialect.run), "operation": operation, "status": status}}


def _patch(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """A JSON Patch of the outermost keys, which are names without characters to escape."""
    gone = [{"op": "remove", "path": f"/{key}"} for key in before if key not in now]
    return gone + [
        {"op": "replace" if key in before else "add", "path": f"/{key}", "value": value}
        for key, value in now.items()
        if key not in before or before[key] != value
    ]


def _usage(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The tokens that a model read and wrote, where the operation counted them: `inputTokens` or `input_tokens`, and so on."""
    found = metadata.get("usage")
    if not isinstance(found, Mapping):
        return {}
    plain = {_camel(str(key)): value for key, value in found.items()}
    counts = {name: plain[name] for name in COUNTS if type(plain.get(name)) is int and plain[name] >= 0}
    model = {name: plain[name] for name in ("provider", "model") if isinstance(plain.get(name), str)}
    return {"usage": [{**model, **counts}]} if counts else {}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _was(status: str) -> str:
    return "failed" if status == "failed" else "was cancelled"
