"""Where a run's events are kept and followed.

The log is the truth: `append` makes events durable and only then shows them, `subscribe` yields every event after a position,
once and in order, whether the run is to come, under way or over. One writer thread per process commits all that was reported
since its last commit, across runs: an idle run is written through at once, a busy process batches itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, connections, transaction

from . import metrics
from .bell import Subscription, bell
from .database import UNREACHABLE, give_back, in_database, storable
from .events import ProgressEvent
from .exceptions import LeaseLost, ProgressError
from .models import ACTIVE, OperationEvent, OperationRun
from .owners import Owner
from .rows import position, read_page

logger = logging.getLogger("progress")
LINGER = 2.0  # seconds the writer thread waits for more before it ends and closes its connection
ROWS = 500  # of one INSERT
RETRY_FOR = 90.0  # seconds a failing commit is tried again: an outage of a minute, and the time to connect again


class CancelWins(ProgressError):
    """The run cannot complete: a cancel was committed first."""


@dataclass(slots=True, eq=False)
class Lease:
    """The right to write to one run's log, and the position reached. A newer lease for the run makes this one worthless."""

    run: UUID
    token: str
    attempt: int
    seq: int
    operation: str
    percentage: float | None = 0.0  # where the run stood when the lease was taken
    state: str = "queued"
    owner: Owner | None = None
    lost: bool = False


@dataclass(slots=True, eq=False)
class _Append:
    lease: Lease
    events: list[ProgressEvent]
    ending: dict[str, Any] | None = None  # the run's last columns, with its terminal event
    done: Future[None] = field(default_factory=Future)


class EventLog:
    """The log of all runs, as this process writes and reads it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: list[_Append] = []
        self._thread: threading.Thread | None = None
        self._closing = False

    # Writing

    def append(
        self, lease: Lease, events: list[ProgressEvent], *, ending: dict[str, Any] | None = None
    ) -> Future[None]:
        """Store `events`, from any thread. The future ends once they are durable, or raises LeaseLost or CancelWins.

        With `ending` (columns of the run) they are the run's last ones; both are committed together.
        """
        item = _Append(lease, events, ending)
        with self._condition:
            self._waiting.append(item)
            if not lease.lost:
                bell.writes(lease.run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="progress-writer", daemon=True)
                self._thread.start()
            self._condition.notify()
        return item.done

    def _write(self) -> None:
        while batch := self._next_batch():
            by_lease: dict[Lease, list[_Append]] = defaultdict(list)
            for item in batch:
                by_lease[item.lease].append(item)
            self._commit(by_lease)
            give_back()
        connections.close_all()

    def _next_batch(self) -> list[_Append]:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closing, LINGER)
            batch, self._waiting = self._waiting, []
            if not batch:
                self._thread, self._closing = None, False
            return batch

    def _commit(self, by_lease: dict[Lease, list[_Append]]) -> None:
        errors: dict[_Append, Exception]
        try:
            with metrics.commits.measured():
                errors = self._store_at_last(by_lease)
        except Exception as error:
            connections.close_all()
            if len(by_lease) > 1 and not isinstance(error, UNREACHABLE):
                # What one run reported cannot be stored: the others must not fall with it.
                for lease, items in by_lease.items():
                    self._commit({lease: items})
                return
            logger.exception("events could not be stored")
            errors = {item: error for items in by_lease.values() for item in items}
        for lease, items in by_lease.items():
            self._settle(lease, items, errors)

    def _store_at_last(self, by_lease: dict[Lease, list[_Append]]) -> dict[_Append, Exception]:
        deadline = time.monotonic() + RETRY_FOR
        pause, tried = 0.05, False
        while True:
            try:
                # A commit may have succeeded although its answer was lost with the connection.
                return {} if tried and _is_stored(by_lease) else _store(by_lease)
            except UNREACHABLE:
                connections.close_all()
                if time.monotonic() > deadline:
                    raise
                time.sleep(pause)
                tried = True
                pause = min(pause * 2, 2.0)

    def _settle(self, lease: Lease, items: list[_Append], errors: dict[_Append, Exception]) -> None:
        stored = [event for item in items if item not in errors for event in item.events]
        if stored:
            lease.seq = stored[-1].seq
            metrics.events.add(len(stored))
            bell.deliver(lease.run, stored)
        if not lease.lost and any(isinstance(error, LeaseLost) for error in map(errors.get, items)):
            metrics.lost.add()
        # A report that could not be stored is a hole: nothing may follow it. A refused end may be followed by another end.
        lease.lost = lease.lost or any(
            isinstance(errors[item], LeaseLost) or item.ending is None for item in items if item in errors
        )
        if lease.lost or (stored and stored[-1].terminal):
            bell.left(lease.run)
        for item in items:
            if not item.done.set_running_or_notify_cancel():
                continue  # whoever waited for it has gone; it is stored all the same
            if (error := errors.get(item)) is not None:
                item.done.set_exception(error)
            else:
                item.done.set_result(None)

    # Reading

    async def subscribe(self, run: UUID, after: int = 0) -> AsyncIterator[ProgressEvent]:
        """Yield every event of `run` numbered above `after`, once, in order, and end after the terminal event.

        It also ends where there is nothing more to come: the run is gone, or has ended at or before `after`.
        """
        async for batch in self.batches(run, after):
            for event in batch:
                yield event

    async def batches(self, run: UUID, after: int = 0) -> AsyncIterator[list[ProgressEvent]]:
        """As `subscribe`, but yield together what is ready together."""
        with bell.listen(run) as subscription:
            while True:
                last, over = await in_database(position, run)
                while after < last and (events := await in_database(read_page, run, after)):
                    after = events[-1].seq
                    yield events
                    if events[-1].terminal:
                        return
                if over:
                    return
                async for events in self._live(after, subscription):
                    after = events[-1].seq
                    yield events
                    if events[-1].terminal:
                        return

    async def _live(self, after: int, subscription: Subscription) -> AsyncIterator[list[ProgressEvent]]:
        """Yield what the reader is handed while it continues at `after`; end where the rows must be looked at."""
        while True:
            _, batch = await subscription.get()
            fresh = [event for event in batch if event.seq > after]
            if not batch or (fresh and fresh[0].seq != after + 1):
                return
            if fresh:
                after = fresh[-1].seq
                yield fresh

    def flush(self) -> None:
        """Wait until the writer has stored everything and has given its connection back."""
        with self._condition:
            thread = self._thread
            self._closing = thread is not None
            self._condition.notify()
        if thread is not None:
            thread.join(RETRY_FOR + LINGER)


def _store(by_lease: dict[Lease, list[_Append]]) -> dict[_Append, Exception]:
    """Commit all items in one transaction and number their events; return those that were refused, and why."""
    errors: dict[_Append, Exception] = {}
    rows: list[tuple[Any, ...]] = []
    with transaction.atomic():
        for lease, items in sorted(by_lease.items(), key=lambda pair: pair[0].run):  # the order of runs.renew
            if lease.lost:
                errors.update((item, _lost(lease)) for item in items)
                continue
            seq = lease.seq
            # What was reported before the end is stored even where the end itself is refused.
            for group in ([i for i in items if i.ending is None], [i for i in items if i.ending is not None]):
                events = [event for item in group for event in item.events]
                if not events:
                    continue
                for number, event in enumerate(events, seq + 1):
                    event.seq = number
                if (error := _advance(lease, seq, events, group[0].ending)) is not None:
                    errors.update(dict.fromkeys(group, error))
                    continue
                seq = events[-1].seq
                rows += [(_pk(lease.run), event.seq, event.at, event.type, event.payload) for event in events]
        _insert(rows)
    return errors


def _is_stored(by_lease: dict[Lease, list[_Append]]) -> bool:
    ends = {lease: max(event.seq for item in items for event in item.events) for lease, items in by_lease.items()}
    return any(
        OperationRun.objects.filter(pk=lease.run, lease_token=lease.token, last_seq=seq).exists()
        for lease, seq in ends.items()
        if seq > lease.seq
    )


def _advance(lease: Lease, seq: int, events: list[ProgressEvent], ending: dict[str, Any] | None) -> Exception | None:
    """Move the run's row from `seq` to its state after `events`, if this lease still holds."""
    columns = {"last_seq": events[-1].seq, **_standing(lease, events), **(ending or {})}
    held = OperationRun.objects.filter(pk=lease.run, lease_token=lease.token, last_seq=seq, status__in=ACTIVE)
    if ending is not None and ending["status"] == "completed":
        held = held.filter(cancel_requested_at=None)
    return None if held.update(**columns) else _refusal(lease, seq, ending)


def _refusal(lease: Lease, seq: int, ending: dict[str, Any] | None) -> Exception:
    now = OperationRun.objects.filter(pk=lease.run, lease_token=lease.token).values_list("last_seq", "status").first()
    if ending is not None and now is not None and now[0] == seq and now[1] in ACTIVE:
        return CancelWins("A cancel was committed before the run completed.")
    return _lost(lease)


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"Run {lease.run} has another writer, or has ended: attempt {lease.attempt} may not write to it.")


def _standing(lease: Lease, events: list[ProgressEvent]) -> dict[str, Any]:
    """The columns that follow the newest progress event of the run's own operation."""
    for event in reversed(events):
        if event.type == "progress" and (data := event.data)["operation"] == lease.operation:
            columns = {"current_state": data["currentState"][:100], "message": data["message"]}
            return {"percentage": data["percentage"], **storable(columns)}
    return {}


def _pk(run: UUID) -> Any:
    return OperationEvent._meta.get_field("run").get_db_prep_value(run, connection)


def _insert(rows: list[tuple[Any, ...]]) -> None:
    # bulk_create costs several times as much per row, and this is the one hot path to the database. executemany makes a
    # pipeline of PostgreSQL's connection, in which idle_in_transaction_session_timeout never begins to count.
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, ("run_id", "seq", "at", "type", "payload")))
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(part))
            sql = f"INSERT INTO {quote(OperationEvent._meta.db_table)} ({names}) VALUES {values}"  # noqa: S608
            cursor.execute(sql, [value for row in part for value in row])


async def patiently[T](function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Call and await `function`, again and again while the database is away, for as long as the log's writer would."""
    deadline = time.monotonic() + RETRY_FOR
    while True:
        try:
            return await function(*args)
        except UNREACHABLE:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


log = EventLog()
