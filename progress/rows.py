"""Reading the stored events of a run."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from .events import EventType, ProgressEvent
from .models import ACTIVE, OperationEvent, OperationRun

PAGE = 500  # events read at once


def read_events(run: UUID, after: int, limit: int) -> list[ProgressEvent]:
    """Return at most `limit` stored events above `after`, in order."""
    rows = (
        OperationEvent.objects.filter(run=run, seq__gt=after)
        .order_by("seq")
        .values_list("seq", "at", "type", "payload")[:limit]
    )
    return [ProgressEvent(cast(EventType, type), payload=payload, at=at, seq=seq) for seq, at, type, payload in rows]


def position(run: UUID) -> tuple[int, bool]:
    """Return the number of the run's newest event (0 where the run is gone), and whether no more will come."""
    last, status = OperationRun.objects.filter(pk=run).values_list("last_seq", "status").first() or (0, None)
    return last, status not in ACTIVE
