"""Many operations as one: side by side under a limit, each a run of its own, with one bar for the whole."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.urls import reverse
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .children import child_json, fitting, listed
from .database import in_database
from .events import ProgressEvent
from .exceptions import OperationCancelled, OperationFailed, UnknownOperation
from .execution import Execution, supervisor
from .log import log, patiently
from .models import ACTIVE, OperationRun
from .nodes import Progress
from .operations import StreamingOperation, get_operation
from .orchestrator import result_metadata, stream_operation
from .runs import claim, end_children

MAX_ITEMS = 100
REPORT_EVERY = 0.5  # seconds
REPORTS_PER_AGE = (
    60  # so that reports come further apart with time: those of 100 children for an hour fit into RUN_BYTES
)
END_GAP = 0.1  # seconds between reports of children that end one after the other
ERROR_TEXTS = (200, 60, 0)  # characters of each error in the result: as many as an event can hold
STOPPED = "Its batch was stopped."


class BatchItem(BaseModel):
    """One operation of a batch. In Python an operation itself will do as well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str
    params: dict[str, JsonValue] = Field(default={}, validate_default=True)
    weight: float = Field(
        default=1.0, gt=0, le=1000, allow_inf_nan=False, description="its share of the bar, relative to the others"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_operation(cls, value: Any) -> Any:
        if isinstance(value, StreamingOperation):
            return {"operation": value.operation_name, "params": value.as_params()}
        return value

    @field_validator("operation")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            get_operation(name)
        except UnknownOperation as error:
            raise PydanticCustomError("unknown_operation", "{reason}", {"reason": str(error)}) from None
        if name == Batch.operation_name:
            raise PydanticCustomError("nested_batch", "A batch cannot hold another batch.")
        return name

    @field_validator("params")
    @classmethod
    def _are_valid(cls, params: dict[str, Any], known: ValidationInfo) -> dict[str, Any]:
        if "operation" in known.data:
            _build(known.data["operation"], params)  # its ValidationError names each field below this one
        return params

    def build(self) -> StreamingOperation[Any]:
        """Return the operation with its parameters."""
        return _build(self.operation, self.params)


def _build(name: str, params: dict[str, Any]) -> StreamingOperation[Any]:
    return get_operation(name).model_validate_json(json.dumps(params), strict=True)


class BatchFields(BaseModel):
    """What makes a batch."""

    items: list[BatchItem] = Field(min_length=1, max_length=MAX_ITEMS)
    on_failure: Literal["collect", "fail_fast"] = "collect"
    concurrency: int = Field(default=4, ge=1, le=8, description="how many items execute at once")


class Batch(BatchFields, StreamingOperation[dict[str, Any]]):
    """Execute operations side by side. Each is a run of its own, which can be followed and cancelled by itself.

    With `collect` the batch completes whatever becomes of its items; with `fail_fast` the first that fails ends them all.
    """

    operation_name = "batch"
    total_timeout = 3600.0
    idle_timeout = 3600.0  # its children keep limits of their own
    extra_grace = 1.5  # a child that ignores its cancel is cut off first

    def child_operations(self) -> list[tuple[StreamingOperation[Any], float]]:
        return [(item.build(), item.weight) for item in self.items]

    def closing_message(self, result: dict[str, Any]) -> str:
        return f"{result['completed']} of {len(self.items)} completed"

    def without(self, positions: set[int]) -> Batch:
        """Return the batch of the other items."""
        return self.model_copy(update={"items": [i for at, i in enumerate(self.items) if at not in positions]})

    async def execute(self, progress: Progress) -> dict[str, Any]:
        return await _Performance(self, progress, await _make_children(self, progress)).perform()


async def _make_children(batch: Batch, progress: Progress) -> list[_Child]:
    """Only the children of a run have rows; those of a batch inside another operation are parts of that."""
    if progress.run_id is None or progress._parent is not None:
        return [_Child(operation, weight, progress) for operation, weight in batch.child_operations()]
    rows = OperationRun.objects.filter(parent=UUID(progress.run_id)).order_by("position").values_list("pk", flat=True)
    ids = await patiently(in_database, list, rows)
    return [
        _ChildRun(operation, weight, progress, pk)
        for (operation, weight), pk in zip(batch.child_operations(), ids, strict=True)
    ]


class _Child:
    """An item under way, without a run of its own."""

    id: UUID | None = None

    def __init__(self, operation: StreamingOperation[Any], weight: float, progress: Progress) -> None:
        self.operation, self.weight, self._owner = operation, weight, progress.owner
        self.status = self.state = "queued"
        self.percentage: float | None = 0.0
        self.error: dict[str, Any] | None = None
        self._result: Any = None
        self._body: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def ended(self) -> bool:
        return self.status not in ACTIVE

    @property
    def done(self) -> float:
        """Its part of the bar, 0 to 1: of a child that failed nothing more is to come."""
        return 1.0 if self.ended else (self.percentage or 0.0) / 100

    def brief(self) -> dict[str, Any]:
        return child_json(self.id, self.operation.operation_name, self.status, self.percentage, self.state)

    def outcome(self, error_text: int) -> dict[str, Any]:
        """Its entry in the batch's result."""
        error = self.error and {"code": self.error["code"], "message": self.error["message"][:error_text]}
        return {**self.brief(), **self._found(), "error": error}

    def _found(self) -> dict[str, Any]:
        return {"result": self._result}

    async def perform(self) -> None:
        """Execute it. What becomes of it is in `status` and `error`, and never raised."""
        self.status = "running"
        self._body = asyncio.create_task(self._execute())
        await asyncio.wait({self._body})
        if not self.ended:
            self._cancelled(STOPPED)  # before its first step

    async def _execute(self) -> None:
        with suppress(BaseException):  # its last event tells
            result = await stream_operation(self.operation, self._note, owner=self._owner)
            self._result = result_metadata(result)

    def _note(self, event: ProgressEvent) -> None:
        data = event.data
        if event.type == "error":
            self.error = {"code": data["metadata"]["code"], "message": data["message"]}
        if event.terminal:
            self.status = self.state
        elif event.type == "progress" and data["operation"] == self.operation.operation_name:
            self.percentage, self.state = data["percentage"], data["currentState"]

    def _cancelled(self, message: str) -> None:
        self.status = self.state = "cancelled"
        self.error = {"code": "cancelled", "message": message}

    def look(self) -> None:
        """Note where it stands."""

    def stop(self) -> None:
        """Ask it to end, or not to begin."""
        if self._body is None:
            self._cancelled(STOPPED)
        elif not self._stopped:
            self._body.cancel()
        self._stopped = True


class _ChildRun(_Child):
    """An item under way as a run of its own."""

    def __init__(self, operation: StreamingOperation[Any], weight: float, progress: Progress, pk: UUID) -> None:
        super().__init__(operation, weight, progress)
        self.id: UUID = pk
        self._execution: Execution | None = None

    def _found(self) -> dict[str, Any]:
        return {"url": reverse("progress:run", args=[self.id])}

    async def perform(self) -> None:
        seen = 0
        claimed = None if self._stopped else await patiently(in_database, claim, self.id)
        if claimed is not None:
            run, lease = claimed
            self._execution = Execution(run, lease, self.operation)
            self.status = "running"
            if self._stopped:
                self.stop()
            with supervisor.watching(self._execution):
                await self._execution.finish()
            seen = lease.seq
        await patiently(self._await_end, seen)

    async def _await_end(self, seen: int) -> None:
        # Somebody else may have to say it: whoever cancelled it while it waited, cut it off, or took it over.
        async for _ in log.batches(self.id, seen):
            pass
        columns = ("status", "percentage", "current_state", "error")
        end = await in_database(OperationRun.objects.filter(pk=self.id).values_list(*columns).first)
        if end is None:
            self._cancelled("Its run was deleted.")
        else:
            self.status, self.percentage, self.state, self.error = end

    def look(self) -> None:
        if self._execution is not None and not self.ended:
            self.percentage, self.state = self._execution.standing

    def stop(self) -> None:
        self._stopped = True
        if self._execution is not None:
            self._execution.stop(OperationCancelled(STOPPED))


class _Performance:
    """One execution of a batch."""

    def __init__(self, batch: Batch, progress: Progress, children: list[_Child]) -> None:
        self._batch, self._progress, self._children = batch, progress, children
        self._places = asyncio.Semaphore(batch.concurrency)
        self._reported: list[dict[str, Any]] = []
        self._cause: _Child | None = None  # of the end before all have been executed

    async def perform(self) -> dict[str, Any]:
        tasks = [asyncio.create_task(self._perform(child)) for child in self._children]
        try:
            await self._watch(set(tasks))
            if self._cause is not None:
                await self._stop(tasks)
        except BaseException:
            await self._stop(tasks)
            raise
        if self._cause is not None:
            raise self._failure(self._cause)
        return self._result()

    async def _perform(self, child: _Child) -> None:
        async with self._places:
            if not child.ended:
                await child.perform()
            if self._batch.on_failure == "fail_fast" and child.status != "completed" and self._cause is None:
                self._cause = child
                self._call_off()  # before the next one takes this one's place

    def _call_off(self) -> None:
        for child in self._children:
            if not child.ended:
                child.stop()

    async def _watch(self, pending: set[asyncio.Task[None]]) -> None:
        """Report while the children execute, until all have ended or one has ended the batch."""
        begun = reported = time.monotonic()
        due = begun
        while pending:
            wait = max(due - time.monotonic(), 0)
            ended, pending = await asyncio.wait(pending, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
            if self._cause is not None:
                return
            if ended:
                due = min(due, reported + END_GAP)
            now = time.monotonic()
            if now >= due or not pending:
                self._report()
                reported, due = now, now + max(REPORT_EVERY, (now - begun) / REPORTS_PER_AGE)

    def _report(self, *, stopping: bool = False) -> None:
        for child in self._children:
            child.look()
        standing = [child.brief() for child in self._children]
        if standing == self._reported:
            return
        self._reported = standing
        if not stopping:  # the bar must not run to its end because what was to come is called off
            done = sum(child.weight * child.done for child in self._children)
            self._progress._set(done, sum(child.weight for child in self._children))
        self._progress._report(self._message(), {"children": listed(standing)})

    def _message(self) -> str:
        counts = self._counts()
        rest = "".join(f", {counts[name]} {name}" for name in ("failed", "cancelled") if counts[name])
        return f"{counts['completed']} of {len(self._children)} completed{rest}"

    def _counts(self) -> dict[str, int]:
        found = Counter(str(child.status) for child in self._children)
        return {name: found[name] for name in ("completed", "failed", "cancelled")}

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        """End the children: those under way are asked to, the others never begin."""
        self._call_off()
        if self._children[0].id is not None:
            waiting = partial(end_children, waiting=True)
            await patiently(in_database, waiting, UUID(self._progress.run_id), OperationCancelled(STOPPED))
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(OperationFailed):  # over the limits of a run: what ends the batch is something else
            self._report(stopping=True)

    def _result(self) -> dict[str, Any]:
        versions = [[child.outcome(length) for child in self._children] for length in ERROR_TEXTS]
        own_runs = self._children[0].id is not None
        # What has no run to be read from is given as it is: to the code around it, whatever an event may hold.
        return {**self._counts(), "children": fitting(*versions) if own_runs else versions[0]}

    def _failure(self, cause: _Child) -> OperationCancelled | OperationFailed:
        error = cause.error or {}
        place = f"Item {self._children.index(cause) + 1} of {len(self._children)}"
        if cause.status == "cancelled":
            return OperationCancelled(f"{place} was cancelled, and the batch with it.")
        known = {key: error[key] for key in ("errorId",) if key in error}
        return OperationFailed(
            f"{place} failed: {error['message']}",
            code=error["code"],
            retryable=error.get("retryable"),
            metadata={**self._result(), **known},
        )
