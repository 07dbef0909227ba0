"""The verbs of a run: start, cancel, retry, claim, and end.

Each verb decides by one conditional UPDATE on the run's row, so that of two that race exactly one wins.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now
from django.tasks import default_task_backend
from django.utils import timezone

from . import metrics
from .bell import bell
from .children import listed
from .conf import setting
from .database import in_database, storable
from .events import ProgressEvent
from .exceptions import KeyReused, LeaseLost, OperationCancelled, OperationFailed, ProgressError
from .hooks import HookContext, Hooks
from .limits import admit, names_of, take_turns
from .log import Lease, log
from .models import ACTIVE, OperationEvent, OperationRun, Status
from .operations import StreamingOperation, get_operation, registry
from .orchestrator import error_event, public_message
from .owners import Owner, owner_topics
from .workers import worker_name

STATUS_OF = {"completed": Status.COMPLETED, "failed": Status.FAILED, "cancelled": Status.CANCELLED}


class NotRetryable(ProgressError):
    """Only a run that failed or was cancelled can be tried again."""


async def start(
    operation: StreamingOperation[Any],
    *,
    owner: Any = None,
    on_disconnect: str = "continue",
    retry_of: OperationRun | None = None,
    key: str = "",
) -> OperationRun:
    """Write a run for `operation` and hand it to the task backend; it is executed once the surrounding transaction commits.

    `owner` is an Owner, a user, or None, for whom there are no limits. With a `key` that this owner has given before, the run that
    was started then is returned. Raises ValueError for an operation that is not registered under its name, StartRefused where the
    owner has too many runs or the site too many waiting ones, KeyReused where the key came with other work.
    """
    return await sync_to_async(create_run)(
        operation, owner=owner, on_disconnect=on_disconnect, retry_of=retry_of, key=key
    )


def create_run(
    operation: StreamingOperation[Any],
    *,
    owner: Any = None,
    on_disconnect: str = "continue",
    retry_of: OperationRun | None = None,
    key: str = "",
    limited: bool = True,
) -> OperationRun:
    """The same for code that is not async. `limited=False` starts it over the owner's limits."""
    if registry.get(operation.operation_name) is not type(operation):
        raise ValueError(
            f"{type(operation).__qualname__} is not the operation registered as {operation.operation_name!r}."
        )
    who = Owner.of(owner)
    run = OperationRun(
        operation=operation.operation_name,
        params=storable(operation.as_params()),
        user_id=who.user,
        visitor=who.visitor,
        on_disconnect=on_disconnect,
        retry_of=retry_of,
        message="Waiting to start",
        worker=worker_name(),
        last_seq=1,
        address=who.address,
    )
    if key:
        run.idempotency_key = _digest([str(who.user), "" if who.user is not None else who.visitor, key])
        run.request_digest = _digest([run.operation, run.params, on_disconnect, retry_of and str(retry_of.pk)])
    children = _make_children(run, operation)
    with transaction.atomic():
        take_turns([*names_of(who), *([run.idempotency_key] if run.idempotency_key else [])])
        if run.idempotency_key and (known := _started_before(run)) is not None:
            return known
        if who and limited:
            admit(who)
        run.save(force_insert=True)
        OperationRun.objects.bulk_create(children)
        OperationEvent.objects.bulk_create([_first_event(run, children), *map(_first_event, children)])
        enqueue(run.pk)
        transaction.on_commit(partial(bell.ring, *owner_topics(who)))
        transaction.on_commit(partial(metrics.started.add, of=run.operation))
    return run


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _started_before(run: OperationRun) -> OperationRun | None:
    known = OperationRun.objects.filter(idempotency_key=run.idempotency_key).first()
    if known is not None and known.request_digest != run.request_digest:
        raise KeyReused("This Idempotency-Key was used for another request. Use a new one for other work.")
    return known


def _make_children(parent: OperationRun, operation: StreamingOperation[Any]) -> list[OperationRun]:
    return [
        OperationRun(
            operation=child.operation_name,
            params=storable(child.as_params()),
            user_id=parent.user_id,
            visitor=parent.visitor,
            parent=parent,
            position=position,
            weight=weight,
            message="Waiting for its turn",
            worker=parent.worker,
            last_seq=1,
        )
        for position, (child, weight) in enumerate(operation.child_operations())
    ]


def _first_event(run: OperationRun, children: Sequence[OperationRun] = ()) -> OperationEvent:
    more = {"children": listed([child.brief() for child in children])} if children else {}
    event = after_hooks(run, progress_event(run, "queued", run.message, **more))
    return OperationEvent(run=run, seq=1, at=event.at, type=event.type, payload=event.payload)


def enqueue(pk: UUID) -> None:
    """Hand a queued run to the task backend: with the surrounding transaction, or else once that has committed."""
    from .execution import execute_run  # it imports this module

    if getattr(default_task_backend, "transactional", False):
        execute_run.enqueue(str(pk))
    else:
        transaction.on_commit(partial(execute_run.enqueue, str(pk)))


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
    """Note that the run and its children are to end. Returns a lease to end it with where nobody executes it yet."""
    family = OperationRun.objects.filter(Q(pk=pk) | Q(parent=pk), status__in=ACTIVE, cancel_requested_at=None)
    waiting = OperationRun.objects.filter(pk=pk, status=Status.QUEUED, lease_token="")
    with transaction.atomic():
        # Locked in the order of `renew`.
        held = list(family.select_for_update().order_by("pk").values_list("pk", flat=True))
        lease = take_lease(waiting)
        OperationRun.objects.filter(pk__in=held).update(cancel_requested_at=timezone.now())
    return lease


async def retry(run: OperationRun, *, owner: Any = None, key: str = "") -> OperationRun:
    """Start the operation of a failed or cancelled run again, as a new run that links to it.

    Without an `owner` it is started for the run's own, over all limits. Raises NotRetryable, and as `start`.
    """
    return await sync_to_async(create_retry)(run, owner=owner, key=key)


def create_retry(run: OperationRun, *, owner: Any = None, key: str = "") -> OperationRun:
    """The same for code that is not async."""
    if run.status not in (Status.FAILED, Status.CANCELLED):
        raise NotRetryable(f"This run is {run.status}; only one that failed or was cancelled can be tried again.")
    operation = _again(run)
    return create_run(
        operation,
        owner=run.owner if owner is None else owner,
        on_disconnect=run.on_disconnect,
        retry_of=run,
        key=key,
        limited=owner is not None,
    )


def _again(run: OperationRun) -> StreamingOperation[Any]:
    from .batch import Batch  # it imports this module

    operation = build(run)
    if isinstance(operation, Batch):
        completed = set(run.children.filter(status=Status.COMPLETED).values_list("position", flat=True))
        if len(completed) == len(operation.items):
            raise NotRetryable("Every item of this batch has completed.")
        return operation.without(completed)
    return operation


def build(run: OperationRun) -> StreamingOperation[Any]:
    """Return the operation that `run` was started with. Raises UnknownOperation or ValidationError once the code has changed."""
    # From JSON, because strict fields still read dates and the like from text there.
    return get_operation(run.operation).model_validate_json(json.dumps(run.params))


def claim(pk: UUID) -> tuple[OperationRun, Lease] | None:
    """Take a queued run for execution; None where it is taken, ended or gone."""
    waiting = OperationRun.objects.filter(pk=pk, status=Status.QUEUED, lease_token="", cancel_requested_at=None)
    lease = take_lease(
        waiting, status=Status.RUNNING, attempt=F("attempt") + 1, started_at=timezone.now(), worker=worker_name()
    )
    run = lease and OperationRun.objects.filter(pk=pk).first()
    return (run, lease) if run and lease else None


def take_lease(runs: Any, **columns: Any) -> Lease | None:
    """Put a new token on the one run that the queryset selects; whoever held the token before it can write no more."""
    token = secrets.token_hex(16)
    if not runs.update(lease_token=token, lease_expires_at=lease_end(), **columns):
        return None
    run = OperationRun.objects.filter(lease_token=token).first()
    return run and Lease(
        run.pk, token, run.attempt, run.last_seq, run.operation, run.percentage, run.current_state, run.owner
    )


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
    """End a run that nobody executes, after its children. Raises LeaseLost where somebody else has meanwhile."""
    import asyncio

    children = await in_database(end_children, lease.run, error)
    await asyncio.wrap_future(_append_end(lease, error, children))


def end_now(lease: Lease, error: OperationCancelled | OperationFailed) -> None:
    """The same for code that is not async: wait until it is stored."""
    children = end_children(lease.run, error)
    _append_end(lease, error, children).result()


def end_children(
    parent: UUID, error: OperationCancelled | OperationFailed, *, waiting: bool = False
) -> list[dict[str, Any]]:
    """End what is left of a run's children, whoever executes them, or the waiting ones alone; return how the children stand."""
    left = OperationRun.objects.filter(parent=parent, status__in=ACTIVE)
    if waiting:
        left = left.filter(status=Status.QUEUED, lease_token="")
    with transaction.atomic():  # one commit for all; in the order of the log's writer, as in `renew`
        taken = [
            (child, take_lease(left.filter(pk=child.pk, lease_token=child.lease_token)))
            for child in left.order_by("pk")
        ]
    ends = [
        _append_end(lease, OperationCancelled() if child.cancel_requested_at else error)
        for child, lease in taken
        if lease
    ]
    for end in ends:
        with suppress(LeaseLost):  # somebody else was faster
            end.result()
    return [child.brief() for child in OperationRun.objects.filter(parent=parent).order_by("position")]


def _append_end(
    lease: Lease, error: OperationCancelled | OperationFailed, children: list[dict[str, Any]] | None = None
) -> Any:
    run = OperationRun(pk=lease.run, operation=lease.operation, attempt=lease.attempt, percentage=lease.percentage)
    state = "cancelled" if isinstance(error, OperationCancelled) else "failed"
    metadata = {"runId": str(lease.run), "attempt": lease.attempt, "percentage": lease.percentage}
    closing = progress_event(run, state, public_message(error), **({"children": listed(children)} if children else {}))
    last = error_event(lease.operation, error, lease.state, metadata)
    context = HookContext(lease.operation, lease.owner, str(lease.run), lease.attempt)
    hooks = Hooks(context, least=lease.percentage or 0.0)
    events = [passed for event in (closing, last) for passed in hooks(event)]
    return log.append(lease, events, ending=ending_columns(state, error=events[-1]))


def ending_columns(state: str, *, result: Any = None, error: ProgressEvent | None = None) -> dict[str, Any]:
    """The last columns of a run that ends in `state`."""
    columns: dict[str, Any] = {
        "status": STATUS_OF[state],
        "finished_at": timezone.now(),
        "result": storable(result),
        "lease_expires_at": None,
    }
    if error is not None:
        about_the_run = ("runId", "attempt", "elapsedMs", "etaMs", "percentage", "lastMessage")
        known = {key: value for key, value in error.data["metadata"].items() if key not in about_the_run}
        columns["error"] = storable({"message": error.data["message"], **known})
        columns["current_state"] = state
    return columns


def after_hooks(run: OperationRun, event: ProgressEvent) -> ProgressEvent:
    """What hooks make of a `queued` event. What they add to it is left out: its writer counts on one."""
    context = HookContext(run.operation, run.owner, str(run.pk), run.attempt)
    return Hooks(context, least=run.percentage or 0.0)(event)[-1]


def progress_event(run: OperationRun, state: str, message: str, **metadata: Any) -> ProgressEvent:
    """A progress event that nobody executing reports: the run is queued, or is ended from outside."""
    data = {
        "operation": run.operation,
        "percentage": run.percentage,
        "message": message,
        "currentState": state,
        "metadata": {"runId": str(run.pk), "attempt": run.attempt, "elapsedMs": 0, "etaMs": None, **metadata},
    }
    return ProgressEvent("progress", data)


def note_reader(pk: UUID) -> None:
    """Note that a run which is to end without readers has one; while that stays, the bell goes on noting it."""
    OperationRun.objects.filter(pk=pk, on_disconnect="cancel", status__in=ACTIVE).update(read_at=Now())
