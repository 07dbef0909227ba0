"""An operation for trying things out: docs, tests, load."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from pydantic import Field

from .exceptions import OperationFailed
from .nodes import Progress
from .operations import StreamingOperation


class Demo(StreamingOperation[dict[str, int]]):
    """Take `seconds` in `steps` equal steps, as a coroutine or in a thread; fail before step `fail_at`; write `content` words."""

    operation_name = "demo"

    seconds: float = Field(default=3.0, ge=0, le=600)
    steps: int = Field(default=10, ge=1, le=10_000)
    kind: Literal["async", "sync"] = "async"
    fail_at: int | None = Field(default=None, ge=1, description="fail before this step, counted from 1")
    content: int = Field(default=0, ge=0, le=10_000, description="how many words to write, spread over the steps")

    async def execute(self, progress: Progress) -> dict[str, int]:
        if self.kind == "sync":
            return await progress.in_thread(self._in_thread, progress)
        for step in range(1, self.steps + 1):
            self._begin(progress, step)
            await asyncio.sleep(self.seconds / self.steps)
            self._finish(progress, step)
        return {"steps": self.steps}

    def _in_thread(self, progress: Progress) -> dict[str, int]:
        for step in range(1, self.steps + 1):
            self._begin(progress, step)
            time.sleep(self.seconds / self.steps)
            self._finish(progress, step)
        return {"steps": self.steps}

    def _begin(self, progress: Progress, step: int) -> None:
        if step == self.fail_at:
            raise OperationFailed(f"Failed before step {step}, as asked.", code="no_data")
        progress(step - 1, self.steps, f"Step {step} of {self.steps}")

    def _finish(self, progress: Progress, step: int) -> None:
        done, before = self.content * step // self.steps, self.content * (step - 1) // self.steps
        progress.content("".join(f"word {number + 1} " for number in range(before, done)))
        progress(step, self.steps, f"Step {step} of {self.steps}")
