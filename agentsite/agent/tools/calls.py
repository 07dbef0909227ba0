"""Calling a tool: reported, validated, under limits; a failure is an outcome, only a cancel goes through."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from progress import OperationCancelled, OperationFailed, Progress
from progress.conf import setting as progress_setting
from progress.events import encode
from progress.nodes import Node, Step
from progress.orchestrator import public_message

from ..conf import setting
from .available import Toolbox
from .definition import Tool, ToolContext, is_tool_name

logger = logging.getLogger("agentsite")
MAX_CALLS = 12  # that are made at one request, or at one reply of a model
ARGUMENT_BYTES = 16 * 1024  # of the arguments of one call, as JSON
ARGUMENT_DEPTH = 16
SUMMARY = 300  # characters
ROOM = 4 * 1024  # bytes of an event that its other parts may take
UNKNOWN = "unknown_tool"  # in the state of a call whose name could not be one


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A wish to have a tool called, as a model or a client wrote it: nothing in it was checked."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """What came of a call: a result, or an `error` {code, message, errorId?}."""

    call: ToolCall
    result: Any = None
    error: dict[str, Any] | None = None
    failure: OperationFailed | None = None  # with its metadata, where the tool failed by one

    @property
    def status(self) -> str:
        return "completed" if self.error is None else "failed"

    @property
    def text(self) -> str:
        """What a model is told: the result, or {"error": …}, as JSON; a result that is text stands for itself."""
        if self.error is not None:
            return encode({"error": self.error})
        return self.result if isinstance(self.result, str) else encode(self.result)

    def as_json(self) -> dict[str, Any]:
        found = {"toolCallId": self.call.id, "name": self.call.name[:100], "status": self.status}
        return {**found, **({"result": self.result} if self.error is None else {"error": self.error})}


async def run_tool(
    progress: Progress,
    tools: Toolbox,
    call: ToolCall,
    *,
    weight: float = 0.0,
    query: str = "",
    refusal: OperationFailed | None = None,
) -> ToolOutcome:
    """Call a tool of `tools` as the share `weight` of `progress`, and report its beginning, what it reports, and its end.

    With a `refusal` the call fails for that reason, without being made. Whatever is wrong with the call or happens in it is in
    the outcome. Raises CancelledError and OperationCancelled, and what ends the whole run, such as its limits.
    """
    about = {"toolName": call.name[:100]}
    name = call.name if is_tool_name(call.name) else UNKNOWN
    label = tools[name].label if name in tools else name
    with _CallStep(progress, label, weight, {"toolCallId": call.id}) as step:
        step.state(f"executing_{name}", label, metadata={**about, **_shown_arguments(call)})
        outcome = await _outcome(progress, tools, call, step, query, refusal)
        if outcome.error is None:
            step.end(f"completed_{name}", f"{label}: done", {**about, **_shown_result(outcome)})
        else:
            step.end(f"failed_{name}", f"{label} failed: {outcome.error['message']}", {**about, "error": outcome.error})
    return outcome


class _CallStep(Step):
    """The part of an operation that a call is. A thread that nobody waits for any more ends at its next report here."""

    def __init__(self, parent: Node, message: str, weight: float, metadata: Mapping[str, Any]) -> None:
        self.left = threading.Event()
        super().__init__(parent, message, weight, metadata)

    def __enter__(self) -> _CallStep:
        return self

    def __exit__(self, *_: object) -> None:
        self.left.set()
        self._whole._end(self)

    def end(self, state: str, message: str, metadata: Mapping[str, Any]) -> None:
        """Say how the call ended; nothing more is to come of it, whether or not it failed."""
        self.left.set()
        self._own = 1.0
        super().state(state, message, metadata=metadata)

    def state(self, name: str, message: str | None = None, *, metadata: Mapping[str, Any] | None = None) -> None:
        self._check()
        super().state(name, message, metadata=metadata)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self._check()
        super().__call__(*args, **kwargs)

    def _begin(self, part: Node) -> None:
        self._check()
        super()._begin(part)

    def _check(self) -> None:
        if self.left.is_set():
            raise OperationCancelled("The call has ended already.")


async def _outcome(
    progress: Progress, tools: Toolbox, call: ToolCall, step: _CallStep, query: str, refusal: OperationFailed | None
) -> ToolOutcome:
    context = ToolContext(progress=step, owner=progress.owner, call_id=call.id, query=query, _left=step.left)
    try:
        if refusal is not None:
            raise refusal
        _check_size(call.arguments)
        tool = tools.find(call.name)
        result = await _timed(tool, context, tool.validated(call.arguments))
        return ToolOutcome(call=call, result=_cut(result))
    except OperationFailed as error:
        if progress.cancelled:
            raise  # the reason why the run is ended, raised in a thread of the tool's
        return ToolOutcome(call=call, failure=error, error={"code": error.code, "message": public_message(error)})
    except OperationCancelled:
        raise
    except Exception as error:
        return ToolOutcome(call=call, error=_internal(call, progress, error))


def _internal(call: ToolCall, progress: Progress, error: Exception) -> dict[str, Any]:
    error_id = uuid.uuid4().hex[:12]
    logger.error("error %s in tool %.100r, run %s", error_id, call.name, progress.run_id, exc_info=error)
    return {"code": "internal", "message": public_message(error), "errorId": error_id}


async def _timed(tool: Tool, context: ToolContext, arguments: dict[str, Any]) -> Any:
    seconds = tool.timeout if tool.timeout is not None else float(setting("TOOL_TIMEOUT"))
    try:
        async with asyncio.timeout(seconds) as limit:
            return await tool.call(context, arguments)
    except TimeoutError:
        if not limit.expired():
            raise
        raise OperationFailed(f"{tool.label} was stopped after {seconds:g} s.", code="timeout") from None


def _check_size(arguments: Mapping[str, Any]) -> None:
    if _depth(arguments) > ARGUMENT_DEPTH:
        raise OperationFailed(f"The arguments are nested more than {ARGUMENT_DEPTH} deep.", code="invalid_request")
    if len(encode(arguments)) > ARGUMENT_BYTES:
        raise OperationFailed(f"The arguments take more than {ARGUMENT_BYTES:,} bytes.", code="limit_exceeded")


def _depth(value: Any) -> int:
    """How deep lists and mappings are nested, not looked at further than is allowed: a recursion could be made to overflow."""
    level, depth = [value], 0
    while level and depth <= ARGUMENT_DEPTH:
        level = [
            part
            for each in level
            if isinstance(each, Mapping | list | tuple)
            for part in (each.values() if isinstance(each, Mapping) else each)
        ]
        depth += 1
    return depth


def _cut(result: Any) -> Any:
    """Return the result as JSON values; of one that is too large, the beginning as text, and the word that it was cut."""
    limit = int(setting("TOOL_RESULT_LENGTH"))
    text = encode(result)
    if len(text) <= limit:
        return json.loads(text)
    if isinstance(result, str):
        beginning = _beginning(result, limit - 100)
        return f"{beginning}\n(cut: the first {len(beginning):,} of {len(result):,} characters)"
    beginning = _beginning(text, limit - 400)
    note = (
        f"The result was cut: `beginning` holds the first {len(beginning):,} of {len(text):,} characters of its JSON."
    )
    return {"cut": True, "note": note, "beginning": beginning}


def _beginning(text: str, limit: int) -> str:
    """Return as much of a text as its JSON has room for, where a sign may take twelve characters."""
    text = text[: max(limit, 0)]
    while len(encode(text)) - 2 > limit:
        text = text[: len(text) * 9 // 10]
    return text


def _shown_arguments(call: ToolCall) -> dict[str, Any]:
    try:
        _check_size(call.arguments)
    except OperationFailed:
        return {"arguments": {}, "argumentsTooLarge": True}
    return {"arguments": dict(call.arguments)}


def _shown_result(outcome: ToolOutcome) -> dict[str, Any]:
    if len(encode(outcome.result)) <= int(progress_setting("EVENT_BYTES")) - ROOM:
        return {"result": outcome.result}
    return {"resultTooLarge": True, "summary": f"{outcome.text[:SUMMARY]}…"}
