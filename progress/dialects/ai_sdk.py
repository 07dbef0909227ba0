"""The UI message stream of the AI SDK 7, which `useChat` reads: one run is one assistant message, whose id is the run's.

Its client fails a chat at a type that it does not know, at a delta without a start, and at `null` for a field that may be left out.
Whoever resumes gets all of it again from `start`, from which the client builds the same message anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from ..events import ProgressEvent
from . import Chunk, Folded
from .moments import Call, Kind, Known, Part, Telling

SHOWN_OF_CALL = ("operation", "percentage", "message", "currentState")


@dataclass(frozen=True, slots=True)
class AiSdk(Folded):
    """Says what happens in `run` in chunks of a UI message stream."""

    run: UUID

    name: ClassVar[str] = "ai-sdk"
    headers: ClassVar[Mapping[str, str]] = {"x-vercel-ai-ui-message-stream": "v1"}
    finish: ClassVar[bytes] = b"data: [DONE]\n\n"

    def begin(self) -> Known:
        return Known()

    def step(self, known: Known, event: ProgressEvent) -> tuple[Known, list[Chunk]]:
        telling = _Telling(known.copy(), event, self)
        telling.tell()
        return telling.known, telling.out


class _Telling(Telling):
    def __init__(self, known: Known, event: ProgressEvent, dialect: AiSdk) -> None:
        super().__init__(known, event)
        self._dialect = dialect

    def _say(self, type: str, **fields: Any) -> None:
        self.out.append({"type": type, **fields})

    def started(self, data: dict[str, Any]) -> None:
        run = str(self._dialect.run)
        status = "queued" if data.get("currentState") == "queued" else "running"
        self._say("start", messageId=run, messageMetadata={"runId": run, "operation": self.known.own, "status": status})
        self._say("start-step")

    def status_changed(self, status: str) -> None:
        self._say("message-metadata", messageMetadata={"status": status})

    def stands(self, key: str, standing: dict[str, Any], before: dict[str, Any] | None, in_call: bool) -> None:
        if not in_call or standing["toolCallId"] not in self.known.calls:  # else the call has shown it
            self._say("data-progress", id=f"op:{key}", data=standing)

    def text_began(self, kind: Kind, operation: str) -> None:
        nested = {} if operation == self.known.own else {"providerMetadata": {"agentsite": {"operation": operation}}}
        self._say(f"{kind}-start", id=self._text_id(kind, operation), **nested)

    def text_went_on(self, kind: Kind, operation: str, piece: str) -> None:
        self._say(f"{kind}-delta", id=self._text_id(kind, operation), delta=piece)

    def text_ended(self, kind: Kind, operation: str) -> None:
        self._say(f"{kind}-end", id=self._text_id(kind, operation))

    def _text_id(self, kind: Kind, operation: str) -> str:
        return kind if operation == self.known.own else f"{kind}:{operation}"

    def call_began(self, id: str, call: Call) -> None:
        # The client does not execute them: without `providerExecuted` it would call its own onToolCall.
        known = {"toolCallId": id, "toolName": call.name, "dynamic": True, "providerExecuted": True}
        self._say("tool-input-start", **known)
        self._say("tool-input-available", input=call.arguments, **known)

    def call_went_on(self, id: str, standing: dict[str, Any]) -> None:
        shown = {key: standing[key] for key in SHOWN_OF_CALL}
        self._say("tool-output-available", preliminary=True, output=shown, **_answering(id))

    def call_ended(self, id: str, call: Call, result: Any) -> None:
        if call.error is None:
            self._say("tool-output-available", output=result, **_answering(id))
        else:
            self._say("tool-output-error", errorText=call.content, **_answering(id))

    def child_stands(self, id: str, child: dict[str, Any], before: dict[str, Any] | None) -> None:
        self._say("data-progress", id=f"child:{id}", data=child)

    def part_found(self, part: Part) -> None:
        self._say(f"data-{part.name}", id=f"{part.name}:{part.id}", data=part.value)

    def done(self, data: dict[str, Any]) -> None:
        # Not kept in the message, which the client sends back whole with each that follows.
        self._say("data-result", id="result", data=data["metadata"], transient=True)
        usage = data["metadata"].get("usage")
        self._finish("stop", {"status": "completed", **({"usage": usage} if usage else {})})

    def cancelled(self, data: dict[str, Any]) -> None:
        self._say("abort", reason=data["message"])
        self._finish("interrupted", {"status": "cancelled"})

    def failed(self, data: dict[str, Any]) -> None:
        about = {key: data["metadata"][key] for key in ("code", "retryable", "errorId") if key in data["metadata"]}
        self._say("message-metadata", messageMetadata={"status": "error", **about})
        self._say("error", errorText=data["message"])

    def _finish(self, reason: str, metadata: dict[str, Any]) -> None:
        self._say("finish-step")
        self._say("finish", finishReason=reason, messageMetadata=metadata)


def _answering(id: str) -> dict[str, Any]:
    return {"toolCallId": id, "dynamic": True, "providerExecuted": True}
