"""Operations that end when a test says so, or not at all, or report very much."""

import asyncio
import os.path
import time

from progress import StreamingOperation


class Gate(StreamingOperation[int]):
    """Count until the file `gate` is there."""

    operation_name = "test_gate"
    gate: str

    async def execute(self, progress):
        number = 0
        while not os.path.exists(self.gate):  # noqa: ASYNC240
            progress(message=f"Number {number}")
            number += 1
            await asyncio.sleep(0.05)
        return number


class GateAgain(Gate):
    """The same, and it may be executed again."""

    operation_name = "test_gate_again"
    idempotent = True


class Stubborn(StreamingOperation[None]):
    """Stay in a thread that reports nothing and cannot be asked to end."""

    operation_name = "test_stubborn"

    async def execute(self, progress):
        progress(message="Staying")
        await progress.in_thread(time.sleep, 120)


class Flood(StreamingOperation[int]):
    """Report `pieces` events of `size` bytes each, as fast as they are stored."""

    operation_name = "test_flood"
    pieces: int = 100
    size: int = 10_000

    async def execute(self, progress):
        for number in range(self.pieces):
            progress.state("flowing", f"{number:06}" + "x" * self.size)
            await asyncio.sleep(0)
        return self.pieces
