"""What completed runs took, stored and read; what follows from it is in `forecast`."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping

from django.utils import timezone

from .database import in_database
from .forecast import History
from .models import OperationTiming

logger = logging.getLogger("progress")
KEPT = 200  # timings of one operation
READ = 100  # of those, the newest say what is usual
FRESH = 5.0  # seconds that what was read serves other runs of this process

_read: dict[str, tuple[float, History]] = {}  # by operation, and when


async def history_of(operation: str) -> History:
    """Return what earlier runs of `operation` took, at most a few seconds old; empty where the database does not say."""
    now = time.monotonic()
    at, known = _read.get(operation, (-math.inf, None))
    if known is None or now - at > FRESH:
        try:
            known = await in_database(_history, operation)
        except Exception:  # an estimate is not worth a run
            logger.exception("how long %s usually takes could not be read", operation)
            known = History()
        _read[operation] = now, known
    return known


def _history(operation: str) -> History:
    rows = OperationTiming.objects.filter(operation=operation).order_by("-finished_at")
    return History(rows.values_list("total_ms", "states")[:READ])


async def remember(operation: str, total: float, entered: Mapping[str, float]) -> None:
    """Store how long a completed run took. What goes wrong is logged: the run has ended already."""
    try:
        await in_database(_remember, operation, round(total), {name: round(at) for name, at in entered.items()})
    except Exception:
        logger.exception("how long %s took could not be stored", operation)


def _remember(operation: str, total: int, states: dict[str, int]) -> None:
    OperationTiming.objects.create(operation=operation, finished_at=timezone.now(), total_ms=total, states=states)
    timings = OperationTiming.objects.filter(operation=operation)
    oldest = timings.order_by("-finished_at").values("finished_at")[KEPT - 1 : KEPT]
    timings.filter(finished_at__lt=oldest).delete()


def forget() -> None:
    """Read anew what is usual; tests need it when they empty the database."""
    _read.clear()
