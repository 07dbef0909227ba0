"""Small operations that the tests start."""

import asyncio
import time

from progress import OperationCancelled, OperationFailed, State, StreamingOperation, operation


class Count(StreamingOperation[int]):
    """Report every number up to `to`, resting between them."""

    operation_name = "test_count"
    to: int = 3
    rest: float = 0.0

    async def execute(self, progress):
        for number in range(1, self.to + 1):
            progress(number, self.to, f"Number {number}")
            await asyncio.sleep(self.rest)
        return self.to


class Write(StreamingOperation[str]):
    """Write `text` in pieces of `size` characters."""

    operation_name = "test_write"
    text: str
    size: int = 1

    async def execute(self, progress):
        for start in range(0, len(self.text), self.size):
            progress.content(self.text[start : start + self.size])
        return self.text


class Stages(StreamingOperation[dict]):
    """Go through the states named in `path`."""

    operation_name = "test_stages"
    states = {"load": 10, "check": State(40, to=("load", "save")), "save": State(80, timeout=0.5)}
    path: list[str] = ["load", "check", "save"]
    linger: float = 0.0

    async def execute(self, progress):
        for name in self.path:
            progress.state(name)
            progress(1, 2)
        await asyncio.sleep(self.linger)
        return {"rowCount": len(self.path)}


class Fail(StreamingOperation[None]):
    """Fail as asked."""

    operation_name = "test_fail"
    how: str = "user"

    async def execute(self, progress):
        progress(1, 4)
        if self.how == "user":
            raise OperationFailed("The table is empty.", code="no_data", metadata={"table": "sales"})
        if self.how == "exit":
            raise SystemExit(3)
        if self.how == "cancelled":
            raise OperationCancelled
        if self.how == "unstorable":
            return object()
        raise RuntimeError("canary-7f3a secret=hunter2")


class Hold(StreamingOperation[None]):
    """Go on until stopped: `kind` says how it takes a cancel."""

    operation_name = "test_hold"
    idle_timeout = 5.0
    kind: str = "polite"

    async def execute(self, progress):
        progress(1, 4, "Holding")
        if self.kind == "thread":
            return await progress.in_thread(self._in_thread, progress)
        if self.kind == "blocking":
            time.sleep(3)
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if self.kind != "swallows":
                    raise

    def _in_thread(self, progress):
        while True:
            progress(1, 4)
            time.sleep(0.02)


class Again(StreamingOperation[int]):
    """May be executed a second time."""

    operation_name = "test_again"
    idempotent = True

    async def execute(self, progress):
        return 1


class Nested(StreamingOperation[int]):
    """Two operations in one, each half of it."""

    operation_name = "test_nested"

    async def execute(self, progress):
        first = await progress.run(Count(to=4), weight=0.5)
        return first + await progress.run(Count(to=6), weight=0.5)


@operation(name="test_thumbnails")
def thumbnails(progress, *, folder: str, size: int = 64) -> str:
    """Make thumbnails of the pictures in a folder."""
    progress(1, 1)
    return f"{folder}/{size}"
