"""The four native events, their JSON and its schema.

Every event is one line of compact ASCII JSON: no raw newline, U+2028 or broken byte can reach a frame, whatever text is in it.
"""

from __future__ import annotations

import json
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python

from .exceptions import Code

EventType = Literal["progress", "content", "done", "error"]
TERMINAL: frozenset[str] = frozenset({"done", "error"})

_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=to_jsonable_python)


def encode(value: Any) -> str:
    """Return compact ASCII JSON; NaN and infinities become null. Raises TypeError for what has no JSON form."""
    try:
        return _encoder.encode(value)
    except Exception:
        return _encode_without_constants(value)


def _encode_without_constants(value: Any) -> str:
    try:
        text = json.dumps(value, default=to_jsonable_python)
        return _encoder.encode(json.loads(text, parse_constant=lambda _: None))
    except Exception as error:
        raise TypeError(f"This value has no JSON form: {error}") from error


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


class ProgressEvent:
    """One thing that happened in a run: `type`, `data`, `at` (ms since the epoch) and, once stored, its number `seq`.

    `payload` is the event's JSON as it is stored and sent: encoded once, however many readers there are.
    """

    __slots__ = ("_data", "_steps", "at", "payload", "seq", "type")

    def __init__(
        self,
        type: EventType,
        data: dict[str, Any] | None = None,
        *,
        payload: str = "",
        at: int | None = None,
        seq: int = 0,
    ) -> None:
        self.type: EventType = type
        self._data: dict[str, Any] | None = None  # read from the payload, so that it is the same live and stored
        self._steps: dict[Any, Any] | None = None
        self.payload = payload or encode({"type": type, "data": data})
        self.at = now_ms() if at is None else at
        self.seq = seq

    @property
    def data(self) -> dict[str, Any]:
        if self._data is None:
            self._data = json.loads(self.payload)["data"]
        return self._data

    @property
    def steps(self) -> dict[Any, Any]:
        """What each dialect that somebody reads has made of it, so that it is made once."""
        if self._steps is None:
            self._steps = {}
        return self._steps

    @property
    def terminal(self) -> bool:
        return self.type in TERMINAL

    def __repr__(self) -> str:
        return f"<ProgressEvent {self.seq} {self.payload[:200]}>"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, serialize_by_alias=True)


class ProgressMetadata(_Model):
    """Reserved keys; an operation may add others."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)
    run_id: str | None = None
    parent_operation: str | None = None
    attempt: int | None = None
    elapsed_ms: int | None = None
    eta_ms: int | None = None
    pace: Literal["usual", "slow", "stalled"] | None = None
    queue_position: int | None = None
    tool_call_id: str | None = None
    status: str | None = None
    indeterminate: bool | None = None
    resync: bool | None = None


class ErrorMetadata(ProgressMetadata):
    code: Code
    retryable: bool
    current_state: str | None
    error_id: str | None = None


class ProgressData(_Model):
    operation: str
    percentage: float | None = Field(ge=0, le=100)
    message: str
    current_state: str
    metadata: ProgressMetadata


class ContentData(_Model):
    operation: str
    content: str
    timestamp: int


class DoneData(_Model):
    operation: str
    message: str
    metadata: ProgressMetadata


class ErrorData(_Model):
    operation: str
    message: str
    metadata: ErrorMetadata


class ProgressFrame(_Model):
    type: Literal["progress"]
    data: ProgressData


class ContentFrame(_Model):
    type: Literal["content"]
    data: ContentData


class DoneFrame(_Model):
    type: Literal["done"]
    data: DoneData


class ErrorFrame(_Model):
    type: Literal["error"]
    data: ErrorData


Frame = ProgressFrame | ContentFrame | DoneFrame | ErrorFrame


def event_schema(*, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema (2020-12) that every event's JSON satisfies."""
    return TypeAdapter(Frame).json_schema(ref_template=ref_template)
