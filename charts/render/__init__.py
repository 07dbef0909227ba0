"""Pictures of charts, drawn in one process of their own.

Drawing holds the interpreter lock from start to end: in this process it would stop every request and stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from progress.exceptions import OperationFailed

from ..spec.theme import themed
from ..spec.vegalite import validate_spec
from .picture import Format, draw, end_with_parent

WIDTH = 720  # pixels, where the spec says "container"
TIMEOUT = 20.0  # seconds; the first picture of a process takes one or two
MAX_WAITING = 32


class RenderFailed(OperationFailed):
    """The picture of a chart could not be drawn."""


class Renderer:
    """Draws one picture at a time in a worker process, which a picture that takes too long costs its life."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.worker_pid: int | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._turns = ThreadPoolExecutor(max_workers=1, thread_name_prefix="charts-render")
        self._waiting = 0

    async def render(self, spec: dict[str, Any], format: Format) -> bytes:
        """Return the picture. Raises SpecRefused for what charts may not hold, RenderFailed where drawing fails."""
        validate_spec(spec)
        if self._waiting >= MAX_WAITING:
            raise RenderFailed("Too many pictures are being drawn; try again in a moment.", code="unavailable")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._turns, self._render, as_picture(spec), format)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Stop the worker; the next picture starts another."""
        pool, self._pool, self.worker_pid = self._pool, None, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _render(self, spec: dict[str, Any], format: Format) -> bytes:
        try:
            return self._submit(spec, format).result(self.timeout)
        except TimeoutError:
            self._kill()
            message = f"The picture was not ready within {self.timeout:g} seconds; a chart of fewer rows may be."
            raise RenderFailed(message, code="timeout") from None
        except BrokenProcessPool:
            self._kill()
            raise RenderFailed("The process that draws pictures died; try again.", code="unavailable") from None
        except ValueError as error:
            raise RenderFailed(f"The chart could not be drawn: {error}") from error

    def _submit(self, spec: dict[str, Any], format: Format) -> Future[bytes]:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(max_workers=1, mp_context=spawn, initializer=end_with_parent)
            self.worker_pid = self._pool.submit(os.getpid).result(self.timeout)
        return self._pool.submit(draw, spec, format)

    def _kill(self) -> None:
        pool, pid = self._pool, self.worker_pid
        self._pool = self.worker_pid = None
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def as_picture(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec with a width in pixels, as a picture has no page to fill, and with a theme if it has none."""
    sized = {**spec, "width": WIDTH} if spec.get("width") == "container" else spec
    return sized if "config" in sized else themed(sized, dark=False)


_renderer = Renderer()


async def render(spec: dict[str, Any], format: Format) -> bytes:
    """Return the picture of a chart as `Renderer.render` does, drawn by the one worker of this process."""
    return await _renderer.render(spec, format)
