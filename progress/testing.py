"""For tests of projects that use `progress`: collect an operation's events, and leave nothing running behind a test."""

from __future__ import annotations

import time
from typing import Any

from .bell import bell
from .database import close_connections
from .events import ProgressEvent
from .exceptions import OperationCancelled
from .execution import supervisor
from .log import log
from .operations import StreamingOperation
from .orchestrator import stream_operation
from .timings import forget


async def events_of(operation: StreamingOperation[Any]) -> list[ProgressEvent]:
    """Execute `operation` without a row and return its events; what it raises ends up in the last one."""
    events: list[ProgressEvent] = []
    try:
        await stream_operation(operation, events.append)
    except Exception:
        # The last event tells what it was; any other end is a mistake of the caller's.
        if not events or events[-1].type != "error":
            raise
    return events


def settle(timeout: float = 15.0) -> None:
    """Cancel the runs that this process executes, wait for their ends, and close every connection of `progress`.

    Call it after each test that starts runs, before the database is emptied. Raises TimeoutError.
    """
    deadline = time.monotonic() + timeout
    while executions := list(supervisor.executions):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(executions)} runs did not end within {timeout:g} s.")
        for execution in executions:
            execution.stop(OperationCancelled())
        time.sleep(0.02)
    supervisor.stop()
    log.flush()
    forget()
    bell.stop()
    close_connections()
