"""What an event costs in each format: from the stored event to the bytes of its frames."""

import statistics
import time
from collections.abc import Iterator
from uuid import uuid4

from progress.dialects import Dialect
from progress.dialects.ag_ui import AgUi
from progress.dialects.ai_sdk import AiSdk
from progress.dialects.native import NATIVE
from progress.events import ProgressEvent

EVENTS = 2_000
READERS = 20  # of one process


def log(run: str) -> list[ProgressEvent]:
    """A log as a chat writes it: half of it text, half of it reports."""
    metadata = {"runId": run, "attempt": 1, "elapsedMs": 0, "etaMs": 4_000, "pace": "usual"}
    events = []
    for number in range(EVENTS):
        if number % 2:
            data = {"operation": "chat", "content": "some words of it ", "timestamp": 1_790_000_000_000 + number}
            events.append(ProgressEvent("content", data, seq=number + 1))
            continue
        state = f"state_{number // 200}"
        report = {"operation": "chat", "percentage": number / 25, "message": f"Step {number}", "currentState": state}
        data = {**report, "metadata": {**metadata, "elapsedMs": number * 20}}
        events.append(ProgressEvent("progress", data, seq=number + 1))
    return [ProgressEvent(e.type, payload=e.payload, at=e.at, seq=e.seq) for e in events]  # as they are read from rows


def cost(dialect: Dialect, readers: int) -> float:
    """Microseconds of CPU for an event and reader."""
    events = log(str(uuid4()))
    reading = [dialect.reader(0) for _ in range(readers)]
    begun = time.process_time()
    for event in events:
        for reader in reading:
            reader.frames([event])
    return (time.process_time() - begun) / EVENTS / readers * 1e6


def rows() -> Iterator[tuple[str, str, str]]:
    """Measure each format, for one reader and for each of many in one process."""
    for dialect in (NATIVE, AgUi(uuid4()), AiSdk(uuid4())):
        alone = statistics.median(cost(dialect, 1) for _ in range(5))
        shared = statistics.median(cost(dialect, READERS) for _ in range(5))
        how = f"CPU, median of 5 logs of {EVENTS:,} events"
        yield f"an event as {dialect.name}", f"{alone:.1f} µs; {shared:.1f} µs each for {READERS} readers", how
