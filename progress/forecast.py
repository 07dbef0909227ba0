"""How long a run will go on, and whether it is slow: from earlier runs of its operation, and from its own count.

All durations are in milliseconds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

type Pace = Literal["usual", "slow", "stalled"]

STATES = 50  # of one run that are remembered
ENOUGH_TO_ESTIMATE, ENOUGH_TO_JUDGE = 3, 8  # runs
LATE = 1_000.0  # a run is slow from this much beyond what is usual: nobody minds less
# An own count is believed once it has come this far, while its newer half is at most so much faster or slower than the whole.
COUNTED_PERCENT, COUNTED_MS, STEADY = 5.0, 1_000.0, 1.5


class History:
    """What earlier runs of an operation took: in all, in each state, and from the beginning of each state to the end."""

    def __init__(self, rows: Iterable[tuple[float, Mapping[str, float]]] = ()) -> None:
        self.totals: list[float] = []
        self.remaining: dict[str, list[float]] = defaultdict(list)
        self.lasted: dict[str, list[float]] = defaultdict(list)
        for total, states in rows:
            self.totals.append(total)
            entered = sorted(states.items(), key=lambda item: item[1])
            for (name, at), (_next, until) in zip(entered, [*entered[1:], ("", total)], strict=False):
                self.remaining[name].append(total - at)
                self.lasted[name].append(until - at)
        for durations in (self.totals, *self.remaining.values(), *self.lasted.values()):
            durations.sort()


class Forecast:
    """One execution compared with the history, and with its own count."""

    def __init__(self, history: History | None = None) -> None:
        self.history = history or History()
        self.entered: dict[str, float] = {}  # when each state was first entered, since the start
        self._state, self._since = "", 0.0
        self._counted: list[tuple[float, float]] = []  # when the percentage was what

    def enter(self, state: str, elapsed: float) -> None:
        self._state, self._since = state, elapsed
        if len(self.entered) < STATES:
            self.entered.setdefault(state, elapsed)

    def count(self, percentage: float, elapsed: float) -> None:
        """Note how far the run's own count has come; at most once for each percent."""
        if not self._counted or percentage >= self._counted[-1][1] + 1:
            self._counted.append((elapsed, percentage))

    def remaining(self, elapsed: float) -> int | None:
        """Return how long the run will probably go on, rounded to what can be known; None where nobody knows."""
        if not self._counted and not self.history.totals:
            return None
        counted = self._from_count(elapsed)
        return _rounded(self._from_history(elapsed) if counted is None else counted)

    def pace(self, elapsed: float) -> Pace:
        """Say "slow" where nine of ten earlier runs were past this state, or had ended, a while ago."""
        for lasted, so_far in (
            (self.history.lasted.get(self._state, ()), elapsed - self._since),
            (self.history.totals, elapsed),
        ):
            if len(lasted) >= ENOUGH_TO_JUDGE and so_far > lasted[math.ceil(len(lasted) * 0.9) - 1] + LATE:
                return "slow"
        return "usual"

    def _from_count(self, elapsed: float) -> float | None:
        if len(self._counted) < 2:
            return None
        (begun, first), (_at, last) = self._counted[0], self._counted[-1]
        if last - first < COUNTED_PERCENT or elapsed - begun < COUNTED_MS:
            return None
        half = (begun + elapsed) / 2
        _at, then = self._counted[bisect_right(self._counted, (half, 100.0)) - 1]
        rate, recent = (last - first) / (elapsed - begun), (last - then) / (elapsed - half)
        return (100 - last) / recent if rate / STEADY <= recent <= rate * STEADY else None

    def _from_history(self, elapsed: float) -> float | None:
        if not self.history.totals:
            return None
        known = self.history.remaining.get(self._state)
        if known is not None and len(known) >= ENOUGH_TO_ESTIMATE:
            return _rest(known, elapsed - self.entered.get(self._state, self._since))
        return _rest(self.history.totals, elapsed)


def _rest(durations: Sequence[float], so_far: float) -> float | None:
    """Return the median rest of those durations (sorted) that were longer than `so_far`; None for too few."""
    longer = len(durations) - (first := bisect_right(durations, so_far))
    return None if longer < ENOUGH_TO_ESTIMATE else durations[first + longer // 2] - so_far


def _rounded(ms: float | None) -> int | None:
    """Two significant digits, and at best tenths of a second: an estimate is not more exact than that."""
    if ms is None:
        return None
    step: int = 10 ** max(2, len(str(int(ms))) - 2)
    return round(ms / step) * step
