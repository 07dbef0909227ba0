"""The verbs of a run: start, cancel, retry, and ending what its worker left behind.

Each verb decides by one conditional UPDATE on the run's row, so that of two that race exactly one wins.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
from datetime import timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now
from django.tasks import default_task_backend
from django.utils import timezone

from .bell import bell
from .conf import setting
from .database import storable
from .events import ProgressEvent
from .exceptions import LeaseLost, OperationCancelled, OperationFailed, ProgressError
from .log import Lease, log
from .models import ACTIVE, OperationEvent, OperationRun, Status
from .operations import StreamingOperation, get_operation, registry
from .orchestrator import error_event, public_message
from .owners import Owner, owner_topics

logger = logging.getLogger("progress")
STATUS_OF = {"completed": Status.COMPLETED, "failed": Status.FAILED, "cancelled": Status.CANCELLED}


class NotRetryable(ProgressError):
    """Only a run that failed or was cancelled can be tried again."""


async def start(
    operation: StreamingOperation[Any],
    *,
    owner: Any = None,
    on_disconnect: str = "continue",
    retry_of: OperationRun | None = None,
) -> OperationRun:
    """Write a run for `operation` and hand it to the task backend; it is executed once the surrounding transaction commits.

    `owner` is an Owner, a user, or None. Raises ValueError for an operation that is not registered under its name.
    """
    return await sync_to_async(create_run)(operation, owner=owner, on_disconnect=on_disconnect, retry_of=retry_of)


def create_run(
    operation: StreamingOperation[Any],
    *,
    owner: Any = None,
    on_disconnect: str = "continue",
    retry_of: OperationRun | None = None,
) -> OperationRun:
    """The same for code that is not async."""
    if registry.get(operation.operation_name) is not type(operation):
        raise ValueError(
            f"{type(operation).__qualname__} is not the operation registered as {operation.operation_name!r}."
        )
    who = Owner.of(owner)
    run = OperationRun(
        operation=operation.operation_name,
        params=storable(operation.model_dump(mode="json", by_alias=True, round_trip=True)),
        user_id=who.user,
        visitor=who.visitor,
        on_disconnect=on_disconnect,
        retry_of=retry_of,
        message="Waiting to start",
        worker=worker_name(),
        last_seq=1,
    )
    queued = progress_event(run, "queued", run.message)
    with transaction.atomic():
        run.save(force_insert=True)
        OperationEvent.objects.create(run=run, seq=1, at=queued.at, type=queued.type, payload=queued.payload)
        transaction.on_commit(partial(enqueue, run.pk))
        transaction.on_commit(partial(bell.ring, *owner_topics(who)))
    return run


def enqueue(pk: UUID) -> None:
    """Hand a queued run to the task backend."""
    from .execution import execute_run  # it imports this module

    execute_run.enqueue(str(pk))


async def cancel(run: OperationRun) -> OperationRun:
    """Ask `run` to end. The wish is durable on return; a run that has ended stays as it is. Returns the run as it is now."""
    lease = await sync_to_async(request_cancel)(run.pk)
    if lease is not None:
        await end(lease, OperationCancelled())
    else:
        bell.ring("cancel")
    await run.arefresh_from_db()
    return run


def request_cancel(pk: UUID) -> Lease | None:
    """Note that the run is to end. Returns a lease to end it with where nobody executes it yet."""
    waiting = OperationRun.objects.filter(pk=pk, status=Status.QUEUED, lease_token="")
    if (lease := take_lease(waiting, cancel_requested_at=timezone.now())) is not None:
        return lease
    OperationRun.objects.filter(pk=pk, status__in=ACTIVE, cancel_requested_at=None).update(
        cancel_requested_at=timezone.now()
    )
    return None


async def retry(run: OperationRun, *, owner: Any = None) -> OperationRun:
    """Start the operation of a failed or cancelled run again, as a new run that links to it. Raises NotRetryable."""
    return await sync_to_async(create_retry)(run, owner=owner)


def create_retry(run: OperationRun, *, owner: Any = None) -> OperationRun:
    """The same for code that is not async."""
    if run.status not in (Status.FAILED, Status.CANCELLED):
        raise NotRetryable(f"This run is {run.status}; only one that failed or was cancelled can be tried again.")
    operation = build(run)
    return create_run(
        operation, owner=run.owner if owner is None else owner, on_disconnect=run.on_disconnect, retry_of=run
    )


def build(run: OperationRun) -> StreamingOperation[Any]:
    """Return the operation that `run` was started with. Raises UnknownOperation or ValidationError once the code has changed."""
    # From JSON, because strict fields still read dates and the like from text there.
    return get_operation(run.operation).model_validate_json(json.dumps(run.params))


def claim(pk: UUID) -> tuple[OperationRun, Lease] | None:
    """Take a queued run for execution; None where it is taken, ended or gone."""
    waiting = OperationRun.objects.filter(pk=pk, status=Status.QUEUED, lease_token="")
    lease = take_lease(
        waiting, status=Status.RUNNING, attempt=F("attempt") + 1, started_at=timezone.now(), worker=worker_name()
    )
    return None if lease is None else (OperationRun.objects.get(pk=pk), lease)


def take_lease(runs: Any, **columns: Any) -> Lease | None:
    """Put a new token on the one run that the queryset selects; whoever held the token before it can write no more."""
    token = secrets.token_hex(16)
    if not runs.update(lease_token=token, lease_expires_at=lease_end(), **columns):
        return None
    run = OperationRun.objects.get(lease_token=token)
    return Lease(run.pk, token, run.attempt, run.last_seq, run.operation, run.percentage, run.current_state)


def lease_end() -> ExpressionWrapper[Any]:
    """When a lease taken now runs out, by the database's clock."""
    return ExpressionWrapper(Now() + Value(timedelta(seconds=setting("LEASE"))), output_field=DateTimeField())


def renew(leases: list[Lease]) -> None:
    """Let those of `leases` that still hold run from now."""
    held = OperationRun.objects.filter(
        pk__in=[lease.run for lease in leases], lease_token__in=[lease.token for lease in leases]
    ).exclude(lease_expires_at=None)
    with transaction.atomic():
        # Locked in the order of the log's own writer, which holds several rows at once: else the two could deadlock.
        mine = list(held.select_for_update().order_by("pk").values_list("pk", flat=True))
        OperationRun.objects.filter(pk__in=mine).update(lease_expires_at=lease_end())


async def end(lease: Lease, error: OperationCancelled | OperationFailed) -> None:
    """End a run that nobody executes. Raises LeaseLost where somebody else has meanwhile."""
    import asyncio

    await asyncio.wrap_future(_append_end(lease, error))


def end_now(lease: Lease, error: OperationCancelled | OperationFailed) -> None:
    """The same for code that is not async: wait until it is stored."""
    _append_end(lease, error).result()


def _append_end(lease: Lease, error: OperationCancelled | OperationFailed) -> Any:
    run = OperationRun(pk=lease.run, operation=lease.operation, attempt=lease.attempt, percentage=lease.percentage)
    state = "cancelled" if isinstance(error, OperationCancelled) else "failed"
    metadata = {"runId": str(lease.run), "attempt": lease.attempt}
    closing = progress_event(run, state, public_message(error))
    last = error_event(lease.operation, error, lease.state, metadata)
    return log.append(lease, [closing, last], ending=ending_columns(state, error=last))


def ending_columns(state: str, *, result: Any = None, error: ProgressEvent | None = None) -> dict[str, Any]:
    """The last columns of a run that ends in `state`."""
    columns: dict[str, Any] = {
        "status": STATUS_OF[state],
        "finished_at": timezone.now(),
        "result": storable(result),
        "lease_expires_at": None,
    }
    if error is not None:
        about_the_run = ("runId", "attempt", "elapsedMs", "etaMs")
        known = {key: value for key, value in error.data["metadata"].items() if key not in about_the_run}
        columns["error"] = storable({"message": error.data["message"], **known})
        columns["current_state"] = state
    return columns


def progress_event(run: OperationRun, state: str, message: str) -> ProgressEvent:
    """A progress event that nobody executing reports: the run is queued, or is ended from outside."""
    data = {
        "operation": run.operation,
        "percentage": run.percentage,
        "message": message,
        "currentState": state,
        "metadata": {"runId": str(run.pk), "attempt": run.attempt, "elapsedMs": 0, "etaMs": None},
    }
    return ProgressEvent("progress", data)


def sweep() -> int:
    """End or restart the runs whose worker is gone; return how many. Safe to call in any number of processes at once."""
    gone = Q(lease_expires_at__lt=Now()) | Q(worker__in=_dead_workers())
    count = 0
    for run in OperationRun.objects.filter(gone, status__in=ACTIVE).exclude(lease_token="")[:200]:
        held = OperationRun.objects.filter(pk=run.pk, lease_token=run.lease_token, status__in=ACTIVE)
        count += _restart(held, run) if _may_restart(run) else _orphan(held, run)
    return count + _sweep_queue()


def _sweep_queue() -> int:
    queued = OperationRun.objects.filter(status=Status.QUEUED, lease_token="")
    dead = _dead_workers() if getattr(default_task_backend, "in_process", False) else []
    count = 0
    for run in queued.order_by("created_at")[:200]:
        this = queued.filter(pk=run.pk, worker=run.worker)
        if run.worker in dead:
            # What waited in a dead process never began: it starts here.
            if this.update(worker=worker_name()):
                enqueue(run.pk)
                count += 1
        elif timezone.now() - run.created_at > timedelta(seconds=_queue_limit(run)):
            late = "The run waited too long to be started; the server is busy. Try again."
            count += _end_taken(take_lease(this), OperationFailed(late, code="timeout"))
    return count


def _queue_limit(run: OperationRun) -> float:
    operation = registry.get(run.operation)
    return float((operation and operation.queue_timeout) or setting("QUEUE_TIMEOUT"))


def _may_restart(run: OperationRun) -> bool:
    operation = registry.get(run.operation)
    return operation is not None and operation.idempotent and run.attempt < 3 and run.cancel_requested_at is None


def _restart(held: Any, run: OperationRun) -> int:
    if held.update(
        status=Status.QUEUED, lease_token="", lease_expires_at=None, worker=worker_name(), created_at=timezone.now()
    ):
        enqueue(run.pk)
        return 1
    return 0


def _orphan(held: Any, run: OperationRun) -> int:
    if run.cancel_requested_at is not None:
        return _end_taken(take_lease(held), OperationCancelled())
    lost = OperationFailed("The process that executed this run was stopped before it finished.", code="worker_lost")
    return _end_taken(take_lease(held), lost)


def _end_taken(lease: Lease | None, error: OperationCancelled | OperationFailed) -> int:
    if lease is None:
        return 0
    try:
        end_now(lease, error)
    except LeaseLost as lost:  # another process was faster
        logger.info("%s", lost)
        return 0
    return 1


def worker_name() -> str:
    """Name this process so that another on the same machine can tell whether it is still there: machine:pid:start time."""
    return f"{_machine()}:{os.getpid()}:{_start_time(os.getpid())}"


@cache
def _machine() -> str:
    """Name what this process shares its process ids with: containers may have the same host name, and ids of their own."""
    try:
        return f"{socket.gethostname()}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


def _dead_workers() -> list[str]:
    """The workers of this machine that have active runs and exist no more."""
    names = (
        OperationRun.objects.filter(status__in=ACTIVE, worker__startswith=f"{_machine()}:")
        .values_list("worker", flat=True)
        .distinct()
    )
    return [name for name in names if not _is_alive(name)]


def _is_alive(worker: str) -> bool:
    _host, pid, started = worker.rsplit(":", 2)
    return _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """When the process began, as the kernel counts it, so that a reused pid is not taken for the old one; "" if none is there."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        # Not Linux: the pid alone has to do.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            return "0"
        return "0" if not os.path.isdir("/proc/self") else ""
