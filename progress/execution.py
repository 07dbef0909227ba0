"""Executing runs in this process: the task that a backend calls, and the side thread that watches over it.

One thread renews leases, sees cancels and keeps time limits for all runs of the process. It is a thread, not a task, so that an
operation that blocks its event loop can still be cancelled, timed out, and told apart from a dead one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection, connections
from django.tasks import task
from pydantic import ValidationError

from . import metrics
from .bell import bell
from .clock import clock
from .conf import setting
from .database import UNREACHABLE, LendingThread, durability_gap, give_back, in_database
from .events import encode
from .exceptions import LeaseLost, OperationCancelled, OperationFailed, UnknownOperation
from .forecast import Forecast, History, Pace
from .log import CancelWins, Lease, log, patiently
from .models import OperationRun
from .nodes import Progress
from .operations import StreamingOperation
from .orchestrator import completion, execute, failure
from .recovery import cancel_unread, hand_over, queue_is_here, release_queue, sweep
from .reporting import Reporter
from .retention import tidy
from .rows import Earlier, read_earlier
from .runs import build, claim, end, end_children, ending_columns, renew
from .timings import history_of, remember

logger = logging.getLogger("progress")
TICK = 0.25  # seconds between looks at the time limits
STALLED_AFTER = 3  # silent for this part of its idle limit, a run is called stalled
LOOK = 1.0  # seconds between looks for cancels that came in through other processes
TIDY = 600.0  # seconds between looks for runs that are old enough to be pruned
RESTARTED = "The server was restarted before this finished."


@task()
async def execute_run(run_id: str) -> None:
    """Execute the run with this id, if it still waits to be; called by the task backend."""
    if supervisor.draining and queue_is_here():
        return  # another process starts it
    claimed = await patiently(in_database, claim, UUID(run_id))  # no backend delivers a run twice
    if claimed is None:
        return
    run, lease = claimed
    try:
        operation = build(run)
    except (UnknownOperation, ValidationError):
        logger.exception("run %s cannot be built again", run_id)
        await end(
            lease, OperationFailed("The site changed since this run was asked for. Ask again.", code="invalid_request")
        )
        return
    earlier = await patiently(in_database, read_earlier, run.pk) if run.attempt > 1 else None
    execution = Execution(run, lease, operation, await history_of(run.operation), earlier)
    with supervisor.watching(execution):
        await execution.finish()
        if execution.cancelled:
            metrics.cancels.took(time.monotonic() - execution.reporter.stopped_at)


class Execution:
    """One run being executed here. Its end is said once: by `finish`, or by the supervisor where the body does not stop."""

    def __init__(
        self,
        run: OperationRun,
        lease: Lease,
        operation: StreamingOperation[Any],
        history: History | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.lease, self._operation = lease, operation
        self.reporter = Reporter(
            lambda event: log.append(lease, [event]),
            operation=run.operation,
            run_id=str(run.pk),
            attempt=run.attempt,
            owner=run.owner,
            forecast=Forecast(history),
            earlier=earlier,
        )
        self._progress = Progress(self.reporter, operation)
        self._loop = asyncio.get_running_loop()
        self._body = asyncio.create_task(self._execute())
        self._abandoned = self._loop.create_future()
        self._ended = threading.Lock()  # taken once, by whoever says the end
        self.cancelled = self._completed = False
        self._idle_limit = operation.idle_timeout or setting("IDLE_TIMEOUT")
        self._total_limit = operation.total_timeout or setting("TOTAL_TIMEOUT")

    async def _execute(self) -> Any:
        thread = LendingThread("operation-orm")
        async with ThreadSensitiveContext(executor=thread):
            try:
                return await execute(self._operation, self._progress)
            except (SystemExit, KeyboardInterrupt) as error:
                raise RuntimeError("The operation tried to end the process.") from error
            finally:
                await sync_to_async(connections.close_all)()
                thread.shutdown(wait=False)

    @property
    def standing(self) -> tuple[float | None, str]:
        """The percentage and the state that it reported last."""
        with self.reporter.lock:
            return self._progress._percentage(), self._progress._state

    async def finish(self) -> None:
        """Wait for the body and store the run's end."""
        await asyncio.wait({self._body, self._abandoned}, return_when=asyncio.FIRST_COMPLETED)
        if not self._ended.acquire(blocking=False):
            self._body.add_done_callback(_note_late_end)
            return
        try:
            await self._store_end()
        except LeaseLost as error:
            logger.warning("%s", error)
        if self._completed:
            await remember(self.lease.operation, self.reporter.ended_after, self.reporter.forecast.entered)

    async def _store_end(self) -> None:
        state = self._progress._state
        try:
            result = self._body.result()
            columns = ending_columns("completed", result=json.loads(_within_limit(encode(result))))
            last = completion(self._progress, result, self._operation.closing_message(result))
            await asyncio.wrap_future(log.append(self.lease, last, ending=columns))
            self._completed = True
        except LeaseLost:
            raise
        except CancelWins:
            self.reporter.stop(OperationCancelled())
            await asyncio.wrap_future(self._append_failure(OperationCancelled(), state))
        except BaseException as error:  # whatever the body raised, a CancelledError too, is the run's end
            await asyncio.wrap_future(self._append_failure(error, state))

    def _append_failure(self, error: BaseException, state: str | None = None) -> Any:
        events = failure(self._progress, error, state=state)
        return log.append(self.lease, events, ending=ending_columns(events[-2].data["currentState"], error=events[-1]))

    def check(self, now: float) -> None:
        """Keep the time limits and, once the body was asked to stop, the grace. Called from the supervisor's thread."""
        reporter = self.reporter
        if self.lease.lost:
            bell.left(self.lease.run)
            self.stop(OperationFailed("Another process has taken this run over.", code="worker_lost"))
            self._abandon()
        elif reporter.stopped is not None:
            if now - reporter.stopped_at > setting("CANCEL_GRACE") + self._operation.extra_grace:
                self.cut_off(reporter.stopped)
        elif now - reporter.started > self._total_limit:
            self.stop(OperationFailed(f"Stopped: it took longer than {self._total_limit:g} seconds.", code="timeout"))
        elif now - reporter.reported > self._idle_limit:
            self.stop(
                OperationFailed(f"Stopped: nothing was heard of it for {self._idle_limit:g} seconds.", code="timeout")
            )
        elif reporter.state_deadline is not None and now > reporter.state_deadline:
            self.stop(
                OperationFailed(f"Stopped: {self._progress._state!r} took longer than its limit.", code="timeout")
            )
        else:
            silent = now - reporter.reported > self._idle_limit / STALLED_AFTER
            pace: Pace = "stalled" if silent else reporter.forecast.pace(reporter.elapsed)
            if pace != reporter.pace:
                self._progress._set_pace(pace)

    def hand_over(self) -> None:
        """Let another process execute the run, where it may be executed again; else ask the body to end."""
        if self._operation.idempotent and self.reporter.stopped is None and self._ended.acquire(blocking=False):
            if hand_over(self.lease):
                self.lease.lost = True
                self.check(time.monotonic())
                return
            self._append_failure(OperationFailed(RESTARTED, code="worker_lost"))
            self._abandon()
        self.stop(OperationFailed(RESTARTED, code="worker_lost"))

    def stop(self, reason: OperationCancelled | OperationFailed) -> None:
        if self.reporter.stopped is None:
            self.reporter.stop(reason)
            self.cancelled = isinstance(reason, OperationCancelled)
            self._loop.call_soon_threadsafe(self._body.cancel)

    def cut_off(self, reason: OperationCancelled | OperationFailed) -> None:
        """End the run over a body that goes on regardless; what that still reports is refused."""
        if self._operation.child_operations():
            end_children(self.lease.run, OperationCancelled("Its batch was stopped."))
        if self._ended.acquire(blocking=False):
            message = f"{reason.message} It did not stop by itself and was cut off."
            cut: BaseException = OperationCancelled(message)
            if isinstance(reason, OperationFailed):
                cut = OperationFailed(message, code=reason.code, retryable=reason.retryable)
            self._append_failure(cut)
            logger.warning("run %s ignored its cancel and was cut off", self.lease.run)
        self._abandon()

    def _abandon(self) -> None:
        self._ended.acquire(blocking=False)
        supervisor.forget(self)
        self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        if not self._abandoned.done():
            self._abandoned.set_result(None)


def _within_limit(result: str) -> str:
    """Return the JSON of a result. Raises OperationFailed where it is too large: a run without its result has not done its work."""
    if len(result) > setting("RESULT_BYTES"):
        message = f"The result takes {len(result):,} bytes; a run keeps at most {setting('RESULT_BYTES'):,}."
        raise OperationFailed(message, code="limit_exceeded")
    return result


def _note_late_end(body: asyncio.Task[Any]) -> None:
    if not body.cancelled() and (error := body.exception()) is not None:
        logger.info("a body that was cut off ended with %r", error)


class Supervisor:
    """The side thread. It lives while this process executes runs, or for good once `start` was called."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.executions: set[Execution] = set()
        self.draining = False  # the process is about to end: it starts nothing more
        self._thread: threading.Thread | None = None
        self._look_at = self._renew_at = self._sweep_at = self._tidy_at = 0.0
        self._sweeps = self._urgent = self._away = False
        self._swept = threading.Event()

    def start(self) -> None:
        """Sweep from now on; returns after the first sweep, so that a restarted server answers nothing before."""
        with self._condition:
            self._sweeps = self._urgent = True
            self._ensure_thread()
        self._swept.wait(10)

    @contextmanager
    def watching(self, execution: Execution) -> Iterator[None]:
        with self._condition:
            self.executions.add(execution)
            self._renew_at = min(self._renew_at, time.monotonic() + setting("LEASE_RENEW"))
            self._ensure_thread()
        try:
            yield
        finally:
            self.forget(execution)

    def forget(self, execution: Execution) -> None:
        with self._condition:
            self.executions.discard(execution)
            self._condition.notify_all()

    def look_now(self) -> None:
        """Look for cancels at once."""
        with self._condition:
            self._look_at, self._urgent = 0.0, True
            self._condition.notify()

    def drain(self) -> None:
        """Start nothing more, and return once nothing executes here, after at most PROGRESS["DRAIN"] seconds.

        Runs get three quarters of that to finish. What is not done then is handed over to another process if its operation is
        `idempotent`, else asked to end, as `worker_lost`, and cut off if it does not.
        """
        self.draining = True
        begun, limit = time.monotonic(), setting("DRAIN")
        try:
            release_queue()
            self._await_ends(begun + 0.75 * limit)
            for execution in list(self.executions):
                execution.hand_over()
            self._await_ends(begun + limit)
            for execution in list(self.executions):
                execution.cut_off(OperationFailed(RESTARTED, code="worker_lost"))
        finally:
            connections.close_all()
        log.flush()

    def _await_ends(self, deadline: float) -> None:
        with self._condition:
            self._condition.wait_for(lambda: not self.executions, max(deadline - time.monotonic(), 0))

    def stop(self) -> None:
        """End the thread once this process executes nothing; tests need it."""
        with self._condition:
            self._sweeps = False
            self._swept.clear()
            thread = self._thread
            self._condition.notify()
        if thread is not None:
            thread.join(30)

    def _ensure_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="progress-supervisor", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._wait():
            try:
                self._turn(time.monotonic())
                give_back()
            except UNREACHABLE as error:
                if not self._away:
                    logger.warning("the database cannot be used: %s", error)
                self._away = True
                self._renew_at = 0.0
                connections.close_all()
            except Exception:  # whatever it is, the other runs must be watched on
                logger.exception("the supervisor missed a turn")
                connections.close_all()
        connections.close_all()

    def _wait(self) -> bool:
        """Wait for the next turn; False when there is nothing more to watch."""
        with self._condition:
            if not self.executions and not self._sweeps:
                self._thread = None
                return False
            if not self._urgent:
                self._condition.wait(TICK if self.executions else setting("SWEEP"))
            self._urgent = False
            return True

    def _turn(self, now: float) -> None:
        executions = list(self.executions)
        for execution in executions:
            execution.check(now)
        if self._away:
            connection.ensure_connection()
            self._away = False
            # Meanwhile nobody could renew a lease: whoever executes runs gets to, before they are taken for dead.
            self._sweep_at = now + setting("LEASE") / 2
        if clock.stepped():
            logger.warning("the clock of this machine was set, or the machine slept")
            # By the database's clock all leases may have run out; likewise.
            self._renew_at, self._sweep_at = 0.0, now + setting("LEASE") / 2
        if executions and now >= self._look_at:
            self._look_at = now + LOOK
            self._look(executions)
        if executions and now >= self._renew_at:
            self._renew_at = now + setting("LEASE_RENEW")
            renew([execution.lease for execution in executions])
        if self._sweeps and not self.draining and now >= self._sweep_at:
            self._sweep_at = now + setting("SWEEP")
            try:
                if not self._swept.is_set() and (gap := durability_gap()):
                    logger.warning("a power cut can lose the last events that were seen: %s", gap)
                with metrics.sweeps.measured():
                    metrics.recovered.add(sweep())
            finally:
                self._swept.set()
        if self._sweeps and not self.draining and now >= self._tidy_at:
            self._tidy_at = now + TIDY
            if tidy():
                self._tidy_at = now + setting("SWEEP")

    def _look(self, executions: list[Execution]) -> None:
        cancel_unread()
        rows = OperationRun.objects.filter(pk__in=[execution.lease.run for execution in executions])
        known = {
            pk: (token, cancel) for pk, token, cancel in rows.values_list("pk", "lease_token", "cancel_requested_at")
        }
        for execution in executions:
            token, cancel = known.get(execution.lease.run, ("", None))
            if token != execution.lease.token:
                execution.lease.lost = True
            elif cancel is not None:
                execution.stop(OperationCancelled())


supervisor = Supervisor()
bell.on_ring("cancel", supervisor.look_now)
