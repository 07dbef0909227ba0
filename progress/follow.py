"""Following logs for one reader: many runs as one, and what ends an open stream before its runs do."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from uuid import UUID

from .bell import Subscription, bell
from .conf import setting
from .database import UNREACHABLE, in_database
from .events import ProgressEvent
from .execution import supervisor
from .limits import open_streams
from .models import OperationRun
from .owners import Owner
from .rows import position, read_events, read_page

AGAIN = ""  # a topic that nobody rings: with it a subscription wakes its own reader
News = tuple[UUID | None, list[ProgressEvent], bool]


class Following:
    """The logs of many runs, read by one reader through one subscription: each in order, none before its turn.

    `positions` holds, for each run that is followed, the number of the last event that was given out.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.positions: dict[UUID, int] = {}
        self._subscription = subscription
        self._behind: deque[UUID] = deque()  # runs whose rows are to be read, in turn
        self._rows_next = True

    def add(self, run: UUID, after: int) -> None:
        """Follow `run` above `after`; once more says: from there again."""
        self.positions[run] = after
        bell.join(self._subscription, run)
        if run not in self._behind:
            self._behind.append(run)
        self._subscription.feed(AGAIN, [])

    def drop(self, run: UUID) -> None:
        """Follow `run` no more."""
        if self.positions.pop(run, None) is not None:
            bell.part(self._subscription, run)

    async def get(self) -> News:
        """Wait for news: a run, its next events, and whether these were its last. A run that is over is followed no more.

        Without a run: other topics of the subscription have news.
        """
        while True:
            news: News | None = None
            if self._behind and (self._rows_next or not self._subscription.waits):
                news = await self._read(self._behind.popleft())
            else:
                news = self._take(*await self._subscription.get())
            self._rows_next = not self._rows_next
            if news is not None:
                return news

    def _take(self, topic: UUID | str | None, events: list[ProgressEvent]) -> News | None:
        if topic == AGAIN:
            return None
        if not isinstance(topic, UUID):
            if topic is None:
                self._behind = deque(self.positions)
            return None, [], False
        after = self.positions.get(topic)
        if after is None or topic in self._behind:
            return None
        fresh = [event for event in events if event.seq > after]
        if not events or (fresh and fresh[0].seq != after + 1):
            self._behind.append(topic)
        return self._give(topic, fresh, fresh[-1].terminal) if fresh and topic not in self._behind else None

    async def _read(self, run: UUID) -> News | None:
        if (after := self.positions.get(run)) is None:
            return None
        events, more, over = await in_database(_page, run, after)
        if self.positions.get(run) != after:
            return None  # meanwhile it was dropped, or sent elsewhere
        if more:
            self._behind.append(run)
        return self._give(run, events, over) if events or over else None

    def _give(self, run: UUID, events: list[ProgressEvent], over: bool) -> News:
        if events:
            self.positions[run] = events[-1].seq
        if over:
            self.drop(run)
        return run, events, over


def _page(run: UUID, after: int) -> tuple[list[ProgressEvent], bool, bool]:
    """Return the next events of `run`, whether there are more already, and whether these are its last."""
    last, ended = position(run)
    events = read_page(run, after) if after < last else []
    more = bool(events) and events[-1].seq < last
    return events, more, ended and not more


def beginning(run: OperationRun, after: int | None) -> tuple[int, ProgressEvent | None]:
    """Return after which event a reader of `run` goes on who asked for what is above `after`; None stands for what no log gave out.

    Where the log cannot serve that, the second is an event that says so: the reader must forget what it has, here is where the run
    stands, and what the log still has follows. For a thread that may use the database.
    """
    first = read_events(run.pk, 0, 1)
    before = first[0].seq - 1 if first else run.last_seq
    if after is not None and before <= after <= run.last_seq:
        return after, None
    metadata = {
        "runId": str(run.pk),
        "attempt": run.attempt,
        "status": run.status,
        "resync": True,
        "oldest": before + 1,
        "lastSeq": run.last_seq,
    }
    data = {
        "operation": run.operation,
        "percentage": run.percentage,
        "message": run.message,
        "currentState": run.current_state,
        "metadata": metadata,
    }
    return before, ProgressEvent("progress", data, seq=before)


class StreamEnds(Exception):
    """An open stream must end, although what it follows goes on: `why` is "draining", "evicted" or "not_allowed"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def paced[T](
    source: AsyncGenerator[T], owner: Owner, allowed: Callable[[], Awaitable[bool]], max_age: float
) -> AsyncGenerator[T | None]:
    """Yield what `source` yields, and None after every PROGRESS["HEARTBEAT"] seconds of silence.

    Ends with `source`, or `max_age` seconds later, give or take a fifth, so that readers do not all come back at once. `allowed` is
    asked every PROGRESS["REAUTHORISE"] seconds. Raises StreamEnds.
    """
    clock = asyncio.get_running_loop().time
    ends_at = clock() + max_age * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
    check_at = clock() + setting("REAUTHORISE")
    quiet_at = clock() + setting("HEARTBEAT")
    waiting: asyncio.Future[T] | None = None
    with open_streams.slot(owner) as slot:
        try:
            while (now := clock()) < ends_at:
                if slot.evicted.done():
                    raise StreamEnds("draining" if supervisor.draining else "evicted")
                if now >= check_at:
                    if not await _still(allowed):
                        raise StreamEnds("not_allowed")
                    check_at = clock() + setting("REAUTHORISE")
                # One pending step, waited for again and again: wait_for would cancel the generator at each heartbeat.
                waiting = waiting or asyncio.ensure_future(anext(source))
                patience = max(min(check_at, quiet_at, ends_at) - clock(), 0)
                either: set[asyncio.Future[Any]] = {waiting, slot.evicted}
                await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    try:
                        item = waiting.result()
                    except StopAsyncIteration:
                        return
                    waiting = None
                    yield item
                    quiet_at = clock() + setting("HEARTBEAT")
                elif clock() >= quiet_at:
                    yield None
                    quiet_at = clock() + setting("HEARTBEAT")
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            await source.aclose()


async def _still(allowed: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await allowed()
    except UNREACHABLE:
        return True  # nothing new comes while the database is away; it is asked again
