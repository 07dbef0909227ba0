"""Executing an operation: its events in order, its one end, its errors turned into what a client may read."""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from .conf import setting
from .events import ProgressEvent, encode
from .exceptions import Code, OperationCancelled, OperationFailed
from .nodes import Progress
from .operations import StreamingOperation
from .reporting import Reporter

if TYPE_CHECKING:
    from .owners import Owner

logger = logging.getLogger("progress")
MESSAGE_LENGTH = 1_000  # characters of an error's message


async def stream_operation[T](
    operation: StreamingOperation[T],
    on_event: Callable[[ProgressEvent], Any] | None = None,
    *,
    owner: Owner | None = None,
) -> T:
    """Execute `operation` here and now and return its result; every event goes, in order, to `on_event` (sync or async).

    There is no row and nothing is stored. What the operation raises is raised after its `error` event. An exception of
    `on_event` is logged and the work goes on.
    """
    queue: asyncio.Queue[ProgressEvent | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    listener = asyncio.create_task(_listen(queue, on_event)) if on_event else None

    def sink(event: ProgressEvent | None) -> None:
        if listener is not None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

    progress = Progress(Reporter(sink, operation=operation.operation_name, owner=owner), operation)
    try:
        result = await execute(operation, progress)
        for event in completion(progress, result, operation.closing_message(result)):
            sink(event)
        return result
    except BaseException as error:
        for event in failure(progress, error):
            sink(event)
        raise
    finally:
        sink(None)
        if listener is not None:
            await listener


async def _listen(queue: asyncio.Queue[ProgressEvent | None], on_event: Callable[[ProgressEvent], Any]) -> None:
    seq = 0
    while (event := await queue.get()) is not None:
        event.seq = seq = seq + 1
        try:
            answer = on_event(event)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            logger.exception("on_event failed at event %d", seq)


async def execute[T](operation: StreamingOperation[T], progress: Progress) -> T:
    """Execute `operation`; its end is the caller's to say."""
    if not progress._states:
        progress._enter("running", "Started")
    return await operation.execute(progress)


async def perform[T](operation: StreamingOperation[T], progress: Progress) -> T:
    """Execute a nested operation and say its end as a state. Raises what it raised."""
    try:
        result = await execute(operation, progress)
    except BaseException as error:
        reason = reason_of(progress, error)
        progress._enter(_end_state(reason), public_message(reason))
        raise
    progress._enter("completed", operation.closing_message(result))
    return result


def completion(progress: Progress, result: Any, message: str = "Completed") -> list[ProgressEvent]:
    """Close the reporter and return the last events of an operation that returned `result`: its closing state and `done`."""
    closing = _close(progress, "completed", message)
    added = progress._reporter.last_metadata()
    metadata = progress._reporter.metadata({**added, **result_metadata(result)})
    data = {"operation": progress._name, "message": message, "metadata": metadata}
    if not _fits(data):
        data["metadata"] = progress._reporter.metadata({**added, "resultTooLarge": True})
    return [*closing, *progress._reporter.passed(ProgressEvent("done", data), progress)]


def failure(progress: Progress, error: BaseException, *, state: str | None = None) -> list[ProgressEvent]:
    """Close the reporter and return the last events of an operation that `error` ended in `state` (by default, the last).

    What the operation left running in threads is asked to end too, at its next report.
    """
    reason = reason_of(progress, error)
    state = state or progress._state
    for_threads = reason if isinstance(reason, OperationFailed | OperationCancelled) else OperationCancelled()
    progress._reporter.stop(for_threads)
    doing = progress._message[:MESSAGE_LENGTH]
    closing = _close(progress, _end_state(reason), public_message(reason))
    done = {**progress._reporter.last_metadata(), "percentage": progress._percentage(), "lastMessage": doing}
    last = error_event(progress._name, reason, state, progress._reporter.metadata(done))
    return [*closing, *progress._reporter.passed(last, progress)]


def error_event(operation: str, error: BaseException, state: str, metadata: Mapping[str, Any]) -> ProgressEvent:
    """Return the `error` event for what ended an operation; what is internal is logged under the `errorId` that the event gives."""
    code: Code = "cancelled" if isinstance(error, OperationCancelled) else "internal"
    known: dict[str, Any] = {"code": code, "retryable": code == "cancelled", "currentState": state}
    extra: dict[str, Any] = {}
    if isinstance(error, OperationFailed):
        known |= {"code": error.code, "retryable": error.retryable}
        extra = _with_json_form(error.metadata)
    elif code == "internal":
        known["errorId"] = uuid.uuid4().hex[:12]
        logger.error("error %s in %s, run %s", known["errorId"], operation, metadata.get("runId"), exc_info=error)
    data = {"operation": operation, "message": public_message(error), "metadata": {**extra, **metadata, **known}}
    if not _fits(data):
        data["metadata"] = {**metadata, **known}
    return ProgressEvent("error", data)


def public_message(error: BaseException) -> str:
    """Return what users may read of `error`: its own text only where it was written for them."""
    if isinstance(error, OperationFailed | OperationCancelled):
        return error.message if len(error.message) <= MESSAGE_LENGTH else f"{error.message[:MESSAGE_LENGTH]}…"
    return "Something went wrong on the server. It was logged."


def result_metadata(result: Any) -> dict[str, Any]:
    """A mapping (or model) is the metadata of `done`; any other result stands under "result"; None adds nothing."""
    value = to_jsonable_python(result, by_alias=True) if isinstance(result, BaseModel) else result
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None else {"result": value}


def _close(progress: Progress, state: str, message: str) -> list[ProgressEvent]:
    reporter = progress._reporter
    with reporter.lock:
        try:
            reporter.settle_all()
        except OperationFailed:  # over its limits: that ends it, unless it fails anyway
            if state == "completed":
                raise
        reporter.closed, reporter.ended_after = True, reporter.elapsed
        progress._state, progress._message = state, message
        return reporter.passed(ProgressEvent("progress", progress._data()), progress)


def reason_of(progress: Progress, error: BaseException) -> BaseException:
    """What really ended it: a CancelledError only carries out a stop that has a reason of its own."""
    if isinstance(error, asyncio.CancelledError):
        return progress._reporter.stopped or OperationCancelled()
    return error


def _end_state(error: BaseException) -> str:
    return "cancelled" if isinstance(error, OperationCancelled) else "failed"


def _with_json_form(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        encode(metadata)
    except TypeError:
        logger.exception("the metadata of an OperationFailed was left out")
        return {}
    return metadata


def _fits(data: dict[str, Any]) -> bool:
    return len(encode(data)) < int(setting("EVENT_BYTES")) - 64
