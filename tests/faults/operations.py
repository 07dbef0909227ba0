"""Operations that note each piece before they report it, so that the checker knows what was published."""

import asyncio
import itertools
import json
import os
import random
import secrets
from collections import defaultdict
from pathlib import Path

from progress import OperationFailed, StreamingOperation
from tests.faults.checker import TEXT, digest

PIECE = "piece"  # marks the events whose message is one; others may repeat it


class Publish(StreamingOperation[dict[str, int]]):
    """Publish `pieces` pieces, as text (executed again, the same) or as messages, resting up to `rest` seconds between them.

    Fail before piece `fail_at`.
    """

    operation_name = "test_publish"
    pieces: int = 20
    rest: float = 0.0
    seed: int = 0
    fail_at: int = 0
    states_only: bool = False

    async def execute(self, progress):
        rng = random.Random(self.seed)
        with Notes(progress.run_id) as notes:
            for number in range(1, self.pieces + 1):
                if number == self.fail_at:
                    raise OperationFailed("Failed, as asked.", code="no_data")
                noise = f"{rng.getrandbits(rng.randint(0, 240)):x}"
                if self.states_only or rng.random() < 0.5:
                    progress.state(PIECE, notes.piece(notes.execution, noise), metadata={PIECE: True})
                else:
                    progress.content(notes.piece(TEXT, noise))
                await asyncio.sleep(rng.random() * self.rest)
        return {"pieces": self.pieces}


class PublishAgain(Publish):
    """The same, executed again where its process was lost."""

    operation_name = "test_publish_again"
    idempotent = True


class Notes:
    """What one execution publishes and how it ends, in a file of its process: a write that has returned survives kill -9."""

    def __init__(self, run: str) -> None:
        self.run, self.execution = run, secrets.token_hex(4)
        self._numbers = defaultdict(lambda: itertools.count(1))

    def __enter__(self):
        path = Path(os.environ["FAULT_RECORDS"]) / f"published-{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        return self

    def __exit__(self, kind, error, _traceback):
        self._note(ended=kind.__name__ if kind else "returned")
        os.close(self._file)

    def piece(self, execution: str, noise: str) -> str:
        """Note the next piece of `execution` and return it."""
        number = next(self._numbers[execution])
        text = f"{execution} {number} {noise}\n"
        self._note(execution=execution, piece=number, hash=digest(text))
        return text

    def _note(self, **record: object) -> None:
        record = {"run": self.run, "execution": self.execution, "pid": os.getpid(), **record}
        os.write(self._file, (json.dumps(record) + "\n").encode())
