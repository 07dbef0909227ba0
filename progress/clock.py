"""Steps of the machine's clock: it was set, or the machine slept, while nothing went on.

Limits of what executes are kept by a clock that never steps. What several processes look at is compared with times in the database,
and for those a step is no time that has passed.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.utils import timezone

SLACK = 2.0  # seconds by which two clocks may drift apart between two looks without one having stepped


class Clock:
    """What the wall clock has stepped since this process began; looked at every few seconds by whoever depends on it."""

    def __init__(self) -> None:
        self._offset = self._difference()
        self._steps: list[tuple[datetime, timedelta]] = []  # what it said right after each, and its size

    @staticmethod
    def _difference() -> float:
        return time.time() - time.monotonic()

    def stepped(self) -> bool:
        """Whether it has, since the last time this was asked."""
        offset = self._difference()
        step, self._offset = offset - self._offset, offset
        if abs(step) < SLACK:
            return False
        self._steps.append((timezone.now(), timedelta(seconds=step)))
        return True

    def since(self, moment: datetime) -> timedelta:
        """How long ago `moment` was, without the steps after it."""
        passed = timezone.now() - moment
        # A moment of the future was before the clock was set back; of those in between nobody can say.
        return passed - sum(
            (step for at, step in self._steps if (moment < at if step > timedelta() else passed < timedelta())),
            timedelta(),
        )


clock = Clock()
