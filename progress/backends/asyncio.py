"""A backend of Django's TASKS that executes tasks in this process, on an event loop in a thread of their own.

Not on the server's loop: an operation that blocks would stop every page and stream with it. What waits here is lost with the
process; the sweep of `progress.recovery` starts it again elsewhere.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from typing import Any

from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import Task, TaskResult, TaskResultStatus
from django.utils import timezone
from django.utils.crypto import get_random_string

logger = logging.getLogger("progress")
STUCK_AFTER = 10.0  # seconds without a turn: the loop is blocked, and new tasks get another


class _LoopThread:
    def __init__(self, concurrency: int) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()  # the loop itself keeps only weak references
        self._concurrency = concurrency
        self.loop = asyncio.new_event_loop()
        self._turned = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="progress-operations", daemon=True)
        self._thread.start()

    @property
    def stuck(self) -> bool:
        return time.monotonic() - self._turned > STUCK_AFTER

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._slots = asyncio.Semaphore(self._concurrency)
        self.loop.call_soon(self._turn)
        self.loop.run_forever()

    def _turn(self) -> None:
        self._turned = time.monotonic()
        self.loop.call_later(1.0, self._turn)

    def submit(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # A fresh context: a request's own would tie the task to the request's thread and database connection.
        self.loop.call_soon_threadsafe(self._create, task, args, kwargs, context=contextvars.Context())

    def _create(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        running = self.loop.create_task(self._call(task, args, kwargs))
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)

    async def _call(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        async with self._slots:
            try:
                await task.acall(*args, **kwargs)
            except Exception:
                logger.exception("task %s failed", task.name)


class AsyncioBackend(BaseTaskBackend):
    """Executes at most OPTIONS["concurrency"] (16) tasks at once; the others wait their turn."""

    supports_async_task = True
    in_process = True
    _lock = threading.Lock()
    _current: _LoopThread | None = None  # one for the process: Django makes a backend per thread and context

    def enqueue(self, task: Task[..., Any], args: Any, kwargs: Any) -> TaskResult[Any, Any]:
        """Start `task` as soon as there is a free place."""
        self.validate_task(task)
        self._loop_thread().submit(task, tuple(args), dict(kwargs))
        return TaskResult(
            task=task,
            id=get_random_string(32),
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )

    def _loop_thread(self) -> _LoopThread:
        with AsyncioBackend._lock:
            if AsyncioBackend._current is None or AsyncioBackend._current.stuck:
                AsyncioBackend._current = _LoopThread(int(self.options.get("concurrency", 16)))
            return AsyncioBackend._current
