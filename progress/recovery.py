"""What becomes of runs that nobody executes: those whose worker is gone, those that wait, those whose readers left.

All of it is done by every process that sweeps, every few seconds; each step is one conditional UPDATE, so that any number may.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, Q, Value
from django.db.models.functions import Coalesce, Now
from django.tasks import default_task_backend

from .bell import TOUCH, bell
from .clock import clock
from .conf import setting
from .exceptions import LeaseLost, OperationCancelled, OperationFailed
from .log import Lease
from .models import ACTIVE, OperationEvent, OperationRun, Status
from .operations import registry
from .runs import after_hooks, end_children, end_now, enqueue, progress_event, request_cancel, take_lease
from .workers import ANY_PROCESS, dead_workers, worker_name

logger = logging.getLogger("progress")
QUEUE_NOTICE = timedelta(seconds=1)  # a run that waits less long is told no place


def cancel_unread() -> None:
    """Cancel the runs that were started with `on_disconnect="cancel"` and have no reader left in any process."""
    grace = timedelta(seconds=setting("DISCONNECT_GRACE") + TOUCH)  # what was noted last may be that old
    left = Q(read_at__lt=ExpressionWrapper(Now() - Value(grace), output_field=DateTimeField()))
    unread = OperationRun.objects.filter(left, status__in=ACTIVE, on_disconnect="cancel", cancel_requested_at=None)
    for pk in unread.values_list("pk", flat=True):
        logger.info("run %s has no reader left and is cancelled", pk)
        _end_taken(request_cancel(pk), OperationCancelled())


def sweep() -> int:
    """End or restart the runs whose worker is gone; return how many. Safe to call in any number of processes at once."""
    gone = Q(lease_expires_at__lt=Now()) | Q(worker__in=dead_workers())
    count = 0
    cancel_unread()
    for run in OperationRun.objects.filter(gone, status__in=ACTIVE).exclude(lease_token="")[:200]:
        held = OperationRun.objects.filter(pk=run.pk, lease_token=run.lease_token, status__in=ACTIVE)
        count += _restart(held, run) if _may_restart(run) else _orphan(held, run)
    return count + _sweep_queue() + _sweep_children()


def _sweep_children() -> int:
    """End what the end of a batch has left behind."""
    left = OperationRun.objects.filter(status__in=ACTIVE, parent__isnull=False).exclude(parent__status__in=ACTIVE)
    parents = set(left.values_list("parent", flat=True))
    for parent in parents:
        end_children(parent, OperationCancelled("Its batch has ended."))
    return len(parents)


def queue_is_here() -> bool:
    """Whether runs wait in the process that took them, as with AsyncioBackend, rather than in a queue of its own."""
    return bool(getattr(default_task_backend, "in_process", False))


def release_queue() -> None:
    """Let other processes start what waits in this one, which is about to end."""
    if queue_is_here():
        waiting = OperationRun.objects.filter(status=Status.QUEUED, lease_token="", parent=None)
        waiting.filter(worker=worker_name()).update(worker=ANY_PROCESS)


def hand_over(lease: Lease) -> bool:
    """Put a run that this process executes back into the queue, for another; False where it may not be executed again."""
    held = OperationRun.objects.filter(pk=lease.run, lease_token=lease.token, status__in=ACTIVE, parent=None)
    with transaction.atomic():
        run = held.select_for_update().first()  # locked, as it still reports: else its log would move on in between
        return run is not None and _may_restart(run) and bool(_restart(held, run, worker=ANY_PROCESS))


def _sweep_queue() -> int:
    queued = OperationRun.objects.filter(status=Status.QUEUED, lease_token="", parent=None)
    dead = [*dead_workers(), ANY_PROCESS] if queue_is_here() else []
    count = 0
    for run in queued.order_by("created_at")[:200]:
        this = queued.filter(pk=run.pk, worker=run.worker)
        if run.worker in dead:
            # What waited in a dead process never began: it starts here.
            if this.update(worker=worker_name()):
                enqueue(run.pk)
                count += 1
        elif clock.since(_waits_since(run)) > timedelta(seconds=_queue_limit(run)):
            late = "The run waited too long to be started; the server is busy. Try again."
            count += _end_taken(take_lease(this), OperationFailed(late, code="timeout"))
    _say_positions()
    return count


def _waits_since(run: OperationRun) -> datetime:
    """When a queued run was queued: of one whose worker was lost, the column that held its lease says when."""
    return run.lease_expires_at or run.created_at


def _say_positions() -> None:
    """Tell the runs that wait their places, where these have changed: 1 is the next to start."""
    waiting = OperationRun.objects.filter(status=Status.QUEUED, lease_token="", parent=None)
    places: Counter[str] = Counter()
    for run in waiting.annotate(since=Coalesce("lease_expires_at", "created_at")).order_by("since", "pk")[:200]:
        queue = run.worker if queue_is_here() else ""  # else there is one for all processes
        places[queue] += 1
        message = f"Waiting to start, number {places[queue]} in the queue"
        if run.message != message and clock.since(_waits_since(run)) > QUEUE_NOTICE:
            _say_queued(waiting.filter(pk=run.pk), run, message, queuePosition=places[queue])


def _say_queued(held: Any, run: OperationRun, message: str, columns: Mapping[str, Any] = {}, **metadata: Any) -> bool:
    """Store a `queued` event of a run that nobody executes, with `columns`; False where it is no longer as `run` was read."""
    event = after_hooks(run, progress_event(run, "queued", message, **metadata))
    event.seq = run.last_seq + 1
    with transaction.atomic():
        standing = {"last_seq": event.seq, "current_state": "queued", "message": message}
        if not held.filter(last_seq=run.last_seq).update(**standing, **columns):
            return False
        OperationEvent.objects.create(run=run, seq=event.seq, at=event.at, type=event.type, payload=event.payload)
        transaction.on_commit(partial(bell.deliver, run.pk, [event]))
    return True


def _queue_limit(run: OperationRun) -> float:
    operation = registry.get(run.operation)
    return float((operation and operation.queue_timeout) or setting("QUEUE_TIMEOUT"))


def _may_restart(run: OperationRun) -> bool:
    if run.parent_id is not None:
        return False  # it is executed by its batch alone
    operation = registry.get(run.operation)
    return operation is not None and operation.idempotent and run.attempt < 3 and run.cancel_requested_at is None


def _restart(held: Any, run: OperationRun, *, worker: str | None = None) -> int:
    message = "The process that executed this was stopped; it will be started again"
    columns = {"status": Status.QUEUED, "lease_token": "", "lease_expires_at": Now(), "worker": worker or worker_name()}
    with transaction.atomic():
        if not _say_queued(held, run, message, columns):
            return 0
        if worker != ANY_PROCESS or not queue_is_here():
            enqueue(run.pk)
    return 1


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
