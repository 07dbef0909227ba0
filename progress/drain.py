"""Ending a process so that its readers and runs hardly notice.

At SIGTERM a process takes no new work up, tells its readers to come back a little later and ends their streams, lets its runs
finish, and only then ends as its server ends. Nothing depends on it: a process that is killed instead costs its runs a
`worker_lost`, and no event.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from .conf import setting
from .execution import supervisor
from .limits import open_streams

logger = logging.getLogger("progress")
ANSWERS = 2.0  # seconds that requests under way get, once nothing executes
OVERTIME = 4.0  # seconds beyond DRAIN after which the process ends, whatever hangs in it

requests = 0  # that this process is answering, streams included; counted by progress.serving
_handlers: dict[int, Any] = {}  # what the server itself does at a signal


def install() -> None:
    """Drain at SIGTERM before the server ends, and at SIGINT, which is in a hurry, only end the streams.

    Call it in the main thread once the server has set its own handlers, which are called afterwards; elsewhere it does nothing.
    """
    if _handlers or threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        _handlers[number] = signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    # Little may be done in here: the main thread was stopped anywhere, perhaps holding a lock.
    if supervisor.draining or number == signal.SIGINT:
        if not supervisor.draining:
            threading.Thread(target=open_streams.end_all, daemon=True).start()
        supervisor.draining = True
        _pass_on(number, frame)
        return
    supervisor.draining = True
    threading.Thread(target=_leave, args=(number,), name="progress-drain", daemon=True).start()


def _pass_on(number: int, frame: FrameType | None) -> None:
    handler = _handlers[number]
    if callable(handler):
        handler(number, frame)
    elif handler != signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def _leave(number: int) -> None:
    overtime = threading.Timer(setting("DRAIN") + OVERTIME, os._exit, (128 + number,))
    overtime.daemon = True
    overtime.start()
    logger.info("asked to end: %d streams are told, %d runs may finish", open_streams.count, len(supervisor.executions))
    try:
        open_streams.end_all()
        supervisor.drain()
        _await_answers()
        supervisor.drain()  # of what had begun to start
    except Exception:
        logger.exception("the process ends without having drained")
    os.kill(os.getpid(), number)


def _await_answers() -> None:
    deadline = time.monotonic() + ANSWERS
    while requests and time.monotonic() < deadline:
        time.sleep(0.05)
