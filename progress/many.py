"""Many runs in one stream: those that were named, or all of one owner as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from .bell import bell
from .database import in_database
from .events import ProgressEvent
from .follow import Following, beginning
from .models import ACTIVE, OperationRun
from .owners import Owner, owner_topics
from .sse import Cursor, frames_of_many

ROOM = 50  # runs that one stream follows at once
MARGIN = timedelta(
    seconds=30
)  # how much later than it says a run may appear: its transaction was long, or clocks differ
LOST = 2**32 - 1  # no log has this number: what stands there is asked for again
REMEMBERED = 100  # runs that began within the margin and are over
Start = tuple[UUID, int, ProgressEvent | None]  # a run, after which event to read it, and what to say first


class ChosenRuns:
    """The runs that the reader named. Its stream ends once all of them have ended."""

    def __init__(self, runs: list[OperationRun], positions: dict[UUID, int | None]) -> None:
        self.cursor = Cursor()
        self.followed = {run.pk: run for run in runs}
        self._positions = positions
        for pk, after in positions.items():
            self.cursor.put(pk, LOST if after is None else after)

    def starts(self) -> list[Start]:
        """Where the reader goes on in each run. For a thread that may use the database."""
        return [(pk, *beginning(run, self._positions[pk])) for pk, run in self.followed.items()]

    async def frames(self, starts: list[Start]) -> AsyncGenerator[bytes]:
        with bell.listen() as subscription:
            following = Following(subscription)
            yield _begin(following, self.cursor, starts)
            while following.positions:
                run, events, over = await following.get()
                if run is not None:
                    yield frames_of_many(self.cursor, run, events)
                    if over:
                        self.followed.pop(run, None)


class OwnersRuns:
    """All runs that one owner starts, but for the children of batches, whose news are their batch's.

    Followed are those that are active when the stream begins and those that begin later. A stream that goes on at a cursor also
    brings what it has not brought of runs that have ended since.
    """

    def __init__(self, owner: Owner, cursor: Cursor | None, *, lost: bool = False) -> None:
        self.owner = owner
        self.cursor = cursor or Cursor()
        self.followed: dict[UUID, datetime] = {}  # when each began
        self._over: dict[UUID, datetime] = {}  # the same of those that began after `since`, and were sent to their end
        self._fresh, self._lost = cursor is None, lost

    def begin(self) -> list[Start]:
        """Where the reader goes on in each run. For a thread that may use the database, as `look`."""
        return (self._first() if self._fresh else self._resumed()) + self.look()

    def _mine(self) -> Any:
        return OperationRun.objects.for_owner(self.owner).filter(parent=None)

    def _first(self) -> list[Start]:
        """Note the runs that ended just now: they are not to be brought as new ones."""
        since = timezone.now() - MARGIN
        recent = self._mine().filter(created_at__gt=since).exclude(status__in=ACTIVE)
        self._advance(since)
        for run, began, last_seq in recent.values_list("pk", "created_at", "last_seq"):
            self.cursor.put(run, last_seq)
            self._end(run, began)
        return []

    def _resumed(self) -> list[Start]:
        """Go on in the runs that the cursor names; those that exist no more fall out of it."""
        named = Q(pk__in=[])
        for ends in self.cursor.ranges():
            named |= Q(pk__range=ends)
        starts: list[Start] = []
        known = self.cursor
        self.cursor = Cursor(known.since)
        for run in self._mine().filter(named):
            seq = known.get(run.pk)
            self.cursor.put(run.pk, seq)
            if run.is_active or seq != run.last_seq:
                starts.append(self._follow(run, seq))
            else:
                self._end(run.pk, run.created_at)
        return starts

    def look(self) -> list[Start]:
        """Take up the owner's new runs, the oldest first, as far as there is room."""
        room, now = ROOM - len(self.followed), timezone.now()
        if room <= 0:
            return []
        wanted = Q(status__in=ACTIVE) | Q(created_at__gt=_moment(self.cursor.since))
        known = [*self.followed, *self._over]
        rows = list(self._mine().filter(wanted).exclude(pk__in=known).order_by("created_at")[:room])
        starts = [self._follow(run, None if self._lost else 0) for run in rows]
        # Nothing that began up to here is left out: what the cursor does not name was sent to its end.
        self._advance(min(now - MARGIN, rows[-1].created_at) if len(rows) == room else now - MARGIN)
        return starts

    def _follow(self, run: OperationRun, after: int | None) -> Start:
        self.followed[run.pk] = run.created_at
        self.cursor.put(run.pk, LOST if after is None else after)
        return run.pk, *beginning(run, after)

    def end(self, run: UUID) -> None:
        """Note that `run` was sent to its end."""
        if (began := self.followed.pop(run, None)) is not None:
            self._end(run, began)

    def _end(self, run: UUID, began: datetime) -> None:
        self._over[run] = began
        if len(self._over) > REMEMBERED:
            self._advance(sorted(self._over.values())[-REMEMBERED // 2])
        else:
            self._advance(_moment(self.cursor.since))

    def _advance(self, since: datetime) -> None:
        # A millisecond less, as another run may have begun in the same one.
        self.cursor.since = max(self.cursor.since, int(since.timestamp() * 1000) - 1)
        for run in [run for run, began in self._over.items() if began <= _moment(self.cursor.since)]:
            del self._over[run]
            self.cursor.discard(run)

    async def frames(self, starts: list[Start]) -> AsyncGenerator[bytes]:
        with bell.listen(*owner_topics(self.owner)) as subscription:
            following = Following(subscription)
            yield _begin(following, self.cursor, starts)
            self._lost = False
            yield _begin(following, self.cursor, await in_database(self.look))  # began before anybody listened
            while True:
                run, events, over = await following.get()
                if run is not None:
                    yield frames_of_many(self.cursor, run, events)
                if over and run is not None:
                    self.end(run)
                if run is None or over:
                    yield _begin(following, self.cursor, await in_database(self.look))


def _begin(following: Following, cursor: Cursor, starts: list[Start]) -> bytes:
    said = b""
    for run, after, first in starts:
        cursor.put(run, after)
        said += frames_of_many(cursor, run, [first] if first else [])
        following.add(run, after)
    return said


def _moment(since: int) -> datetime:
    return datetime.fromtimestamp(since / 1000, UTC)
