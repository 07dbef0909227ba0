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
from django.db import connections
from django.tasks import task
from pydantic import ValidationError

from .bell import bell
from .conf import setting
from .database import in_database
from .events import encode
from .exceptions import LeaseLost, OperationCancelled, OperationFailed, UnknownOperation
from .log import CancelWins, Lease, log
from .models import OperationRun
from .operations import StreamingOperation
from .orchestrator import completion, execute, failure
from .reporting import Progress, Reporter
from .runs import build, claim, end, ending_columns, renew, sweep

logger = logging.getLogger("progress")
TICK = 0.25  # seconds between looks at the time limits
LOOK = 1.0  # seconds between looks for cancels that came in through other processes


@task()
async def execute_run(run_id: str) -> None:
    """Execute the run with this id, if it still waits to be; called by the task backend."""
    claimed = await in_database(claim, UUID(run_id))
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
    execution = Execution(run, lease, operation)
    with supervisor.watching(execution):
        await execution.finish()


class Execution:
    """One run being executed here. Its end is said once: by `finish`, or by the supervisor where the body does not stop."""

    def __init__(self, run: OperationRun, lease: Lease, operation: StreamingOperation[Any]) -> None:
        self.lease, self._operation = lease, operation
        self.reporter = Reporter(
            lambda event: log.append(lease, [event]), run_id=str(run.pk), attempt=run.attempt, owner=run.owner
        )
        self._progress = Progress(self.reporter, operation)
        self._loop = asyncio.get_running_loop()
        self._body = asyncio.create_task(self._execute())
        self._abandoned = self._loop.create_future()
        self._ended = threading.Lock()  # taken once, by whoever says the end
        self._idle_limit = operation.idle_timeout or setting("IDLE_TIMEOUT")
        self._total_limit = operation.total_timeout or setting("TOTAL_TIMEOUT")

    async def _execute(self) -> Any:
        async with ThreadSensitiveContext():
            try:
                return await execute(self._operation, self._progress)
            except (SystemExit, KeyboardInterrupt) as error:
                raise RuntimeError("The operation tried to end the process.") from error
            finally:
                await sync_to_async(connections.close_all)()

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

    async def _store_end(self) -> None:
        state = self._progress._state
        try:
            result = self._body.result()
            columns = ending_columns("completed", result=json.loads(encode(result)))
            await asyncio.wrap_future(log.append(self.lease, completion(self._progress, result), ending=columns))
        except LeaseLost:
            raise
        except CancelWins:
            self.reporter.stop(OperationCancelled())
            await asyncio.wrap_future(self._append_failure(OperationCancelled(), state))
        except BaseException as error:  # whatever the body raised, a CancelledError too, is the run's end
            await asyncio.wrap_future(self._append_failure(error, state))

    def _append_failure(self, error: BaseException, state: str | None = None) -> Any:
        events = failure(self._progress, error, state=state)
        return log.append(self.lease, events, ending=ending_columns(events[0].data["currentState"], error=events[-1]))

    def check(self, now: float) -> None:
        """Keep the time limits and, once the body was asked to stop, the grace. Called from the supervisor's thread."""
        reporter = self.reporter
        if self.lease.lost:
            bell.left(self.lease.run)
            self.stop(OperationFailed("Another process has taken this run over.", code="worker_lost"))
            self._abandon()
        elif reporter.stopped is not None:
            if now - reporter.stopped_at > setting("CANCEL_GRACE"):
                self._cut_off(reporter.stopped)
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

    def stop(self, reason: OperationCancelled | OperationFailed) -> None:
        if self.reporter.stopped is None:
            self.reporter.stop(reason)
            self._loop.call_soon_threadsafe(self._body.cancel)

    def _cut_off(self, reason: OperationCancelled | OperationFailed) -> None:
        """End the run over a body that goes on regardless; what that still reports is refused."""
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


def _note_late_end(body: asyncio.Task[Any]) -> None:
    if not body.cancelled() and (error := body.exception()) is not None:
        logger.info("a body that was cut off ended with %r", error)


class Supervisor:
    """The side thread. It lives while this process executes runs, or for good once `start` was called."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.executions: set[Execution] = set()
        self._thread: threading.Thread | None = None
        self._look_at = self._renew_at = self._sweep_at = 0.0
        self._sweeps = self._urgent = False
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
            self._condition.notify()

    def look_now(self) -> None:
        """Look for cancels at once."""
        with self._condition:
            self._look_at, self._urgent = 0.0, True
            self._condition.notify()

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
            except Exception:  # most often the database is away; whatever it is, the other runs must be watched on
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
        if executions and now >= self._look_at:
            self._look_at = now + LOOK
            self._look(executions)
        if executions and now >= self._renew_at:
            self._renew_at = now + setting("LEASE_RENEW")
            renew([execution.lease for execution in executions])
        if self._sweeps and now >= self._sweep_at:
            self._sweep_at = now + setting("SWEEP")
            try:
                sweep()
            finally:
                self._swept.set()

    def _look(self, executions: list[Execution]) -> None:
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
