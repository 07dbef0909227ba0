"""What reporting costs the operation that reports."""

import asyncio
import statistics
import time
from typing import Any

from django.test import override_settings

from progress import HookContext, Progress, StreamingOperation, stream_operation

CALLS = 100_000
STATES = 2_000


class Calls(StreamingOperation[float]):
    """Call progress() in a loop; the result is microseconds a call."""

    operation_name = "bench_calls"

    async def execute(self, progress: Progress) -> float:
        begun = time.perf_counter()
        for value in range(CALLS):
            progress(value, CALLS)
        return (time.perf_counter() - begun) / CALLS * 1e6


class States(StreamingOperation[float]):
    """Enter states, which are never merged; the result is microseconds each, encoding included."""

    operation_name = "bench_states"

    async def execute(self, progress: Progress) -> float:
        begun = time.perf_counter()
        for value in range(STATES):
            progress.state(f"state_{value % 2}", "Working")
        return (time.perf_counter() - begun) / STATES * 1e6


def call() -> tuple[str, str, str]:
    """Measure one progress() call."""
    results = [asyncio.run(stream_operation(Calls())) for _ in range(5)]
    return "one progress() call", f"{statistics.median(results):.1f} µs", f"median of 5 runs of {CALLS:,} calls"


def event() -> tuple[str, str, str]:
    """Measure one report that becomes an event."""
    results = [asyncio.run(stream_operation(States())) for _ in range(5)]
    how = f"median of 5 runs of {STATES:,} calls"
    return "one progress.state() call, an event each", f"{statistics.median(results):.1f} µs", how


def mark(event: dict[str, Any], context: HookContext) -> dict[str, Any]:
    """Change every event: a hook's dearest case."""
    event["data"]["metadata"]["marked"] = True
    return event


def hooked() -> tuple[str, str, str]:
    """Measure the same through one hook, which changes each event."""
    with override_settings(PROGRESS={"HOOKS": [f"{__name__}.{mark.__name__}"]}):
        _name, figures, how = event()
    return "the same with one hook that changes it", figures, how
