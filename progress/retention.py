"""Keeping the database small: runs go some time after their end, and their text is packed before that.

All of it is written in small transactions with pauses between them, so that runs under way hardly wait for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from .compaction import neighbours, pack
from .conf import setting
from .events import EventType, ProgressEvent
from .models import ACTIVE, OperationEvent, OperationRun, Status

ENDED = [status for status in Status if status not in ACTIVE]
ROWS = 500  # events deleted or packed in one transaction
RUNS = 200  # looked for at once
COMPACT_AFTER = timedelta(minutes=10)  # after its end; until then most readers have come
TURN = 0.25  # seconds of work at a time beside the supervisor's other duties


def tidy() -> bool:
    """Prune and compact for a moment; return whether there is more to do."""
    until = time.monotonic() + TURN
    prune(timedelta(seconds=setting("RETENTION")), until=until)
    compact(COMPACT_AFTER, until=until)
    return time.monotonic() >= until


def expired(older_than: timedelta) -> Any:
    """The runs that ended longer ago than that. A batch is one while all of it has ended, and takes its children with it."""
    active_children = OperationRun.objects.filter(parent=OuterRef("pk"), status__in=ACTIVE)
    ended = OperationRun.objects.filter(status__in=ENDED, finished_at__lt=timezone.now() - older_than)
    return ended.filter(~Exists(active_children), parent=None)


def prune(older_than: timedelta, *, until: float = math.inf) -> int:
    """Delete the runs that ended longer ago than `older_than`, and return how many; stop at `until`, by time.monotonic()."""
    count = 0
    rows = F("last_seq") + Coalesce(Sum("children__last_seq"), 0)
    while time.monotonic() < until:
        oldest = expired(older_than).annotate(rows=rows).order_by("finished_at")
        found = list(oldest.values_list("pk", "rows")[:RUNS])
        for runs in _together(found):
            if time.monotonic() >= until:
                return count
            _delete(runs)
            count += len(runs)
        if len(found) < RUNS:
            break
    return count


def _together(found: list[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Yield the runs in groups whose logs have few enough rows for one transaction; one with more stands alone."""
    group: list[UUID] = []
    room = ROWS
    for run, rows in found:
        if group and rows > room:
            yield group
            group, room = [], ROWS
        group.append(run)
        room -= rows
    if group:
        yield group


def _delete(runs: list[UUID]) -> None:
    family = OperationRun.objects.filter(Q(pk__in=runs) | Q(parent__in=runs)).values_list("pk", "last_seq")
    # Of more rows than one transaction should have, events go first, in parts; what is left goes with its run.
    many = sum(rows for _, rows in family) > ROWS
    for each in [pk for pk, _ in family if many]:
        events = OperationEvent.objects.filter(run=each)
        while numbers := events.order_by("seq").values_list("seq", flat=True)[:ROWS]:
            _briefly(events.filter(seq__lte=max(numbers)).delete)
    _briefly(OperationRun.objects.filter(pk__in=runs, status__in=ENDED).delete)


def compact(older_than: timedelta, *, until: float = math.inf) -> int:
    """Pack the text of the runs that ended longer ago than `older_than`, and return how many; stop at `until`."""
    count = 0
    while time.monotonic() < until:
        ended = OperationRun.objects.filter(status__in=ENDED, finished_at__lt=timezone.now() - older_than)
        found = list(ended.filter(compacted_at=None).order_by("finished_at").values_list("pk", flat=True)[:RUNS])
        for run in found:
            if time.monotonic() >= until:
                return count
            _compact(run)
            count += 1
        if len(found) < RUNS:
            break
    return count


def _compact(run: UUID) -> None:
    after: int | None = 0
    while after is not None:
        found = _text_rows(run, after)
        packed = [(group, row) for group in neighbours(found) if (row := pack(group)) is not None]
        if packed and not _briefly(partial(_replace, run, packed)):
            return  # another process is at it
        after = found[-1].seq if len(found) == ROWS else None
    OperationRun.objects.filter(pk=run).update(compacted_at=timezone.now())


def _text_rows(run: UUID, after: int) -> list[ProgressEvent]:
    rows = OperationEvent.objects.filter(run=run, type="content", seq__gt=after).order_by("seq")
    found = rows.values_list("seq", "at", "type", "payload")[:ROWS]
    return [ProgressEvent(cast(EventType, type), payload=payload, at=at, seq=seq) for seq, at, type, payload in found]


def _replace(run: UUID, packed: list[tuple[list[ProgressEvent], ProgressEvent]]) -> bool:
    """Put each packed row in place of its events; False, and nothing is changed, where these are not there as they were read."""
    events = OperationEvent.objects.filter(run=run)
    for group, row in packed:
        deleted, _ = events.filter(seq__gte=group[0].seq, seq__lt=row.seq).delete()
        here = events.filter(seq=row.seq, payload=group[-1].payload)
        if deleted != len(group) - 1 or not here.update(payload=row.payload):
            transaction.set_rollback(True)
            return False
    return True


def _briefly(write: Callable[[], Any]) -> Any:
    """Call `write` in a transaction, then leave the database to others for as long."""
    begun = time.monotonic()
    with transaction.atomic():
        answer = write()
    time.sleep(min(time.monotonic() - begun, 0.1))
    return answer
