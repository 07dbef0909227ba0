"""Reading the stored events of a run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import cast
from uuid import UUID

from .compaction import unpack
from .events import EventType, ProgressEvent
from .models import ACTIVE, OperationEvent, OperationRun

PAGE = 500  # events read at once
PAGE_BYTES = 256 * 1024  # about as many are read for one reader at once, who may be slow, and one of many


def read_events(run: UUID, after: int, limit: int) -> list[ProgressEvent]:
    """Return at most `limit` stored events above `after`, in order."""
    rows = (
        OperationEvent.objects.filter(run=run, seq__gt=after)
        .order_by("seq")
        .values_list("seq", "at", "type", "payload")[:limit]
    )
    stored = (ProgressEvent(cast(EventType, type), payload=payload, at=at, seq=seq) for seq, at, type, payload in rows)
    return list(islice((event for row in stored for event in unpack(row) if event.seq > after), limit))


def read_page(run: UUID, after: int) -> list[ProgressEvent]:
    """Return the next events above `after` for one reader: at most PAGE, and no more than PAGE_BYTES or the first few."""
    events: list[ProgressEvent] = []
    size, limit = 0, 16
    while limit > 0 and (more := read_events(run, after, limit)):
        events += more
        after = more[-1].seq
        size += sum(len(event.payload) for event in more)
        # As many as fit, if they are of the size of those before them.
        limit = min((PAGE_BYTES - size) * len(events) // size, PAGE - len(events)) if len(more) == limit else 0
    return events


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier attempts of a run have shown: by operation, its text, and the percentage of what had not ended."""

    texts: dict[str, str]
    percentages: dict[str, float]


def read_earlier(run: UUID) -> Earlier:
    """Return what the log of a run that is executed again holds already."""
    texts: dict[str, str] = {}
    percentages: dict[str, float] = {}
    after = 0
    while events := read_events(run, after, PAGE):
        after = events[-1].seq
        for event in events:
            name = event.data["operation"]
            if event.type == "content":
                texts[name] = texts.get(name, "") + event.data["content"]
            elif event.data["currentState"] in ("completed", "failed", "cancelled"):
                percentages.pop(name, None)
            elif event.data["percentage"] is not None:
                percentages[name] = event.data["percentage"]
    return Earlier(texts, percentages)


def position(run: UUID) -> tuple[int, bool]:
    """Return the number of the run's newest event (0 where the run is gone), and whether no more will come."""
    last, status = OperationRun.objects.filter(pk=run).values_list("last_seq", "status").first() or (0, None)
    return last, status not in ACTIVE
