"""How many runs and streams one owner, one address and all together may have at once.

Runs are counted in the database, in the transaction that inserts the next one, so the limits hold over all processes. Streams are
counted in the process that serves them.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Count, Q

from . import metrics
from .conf import setting
from .exceptions import Code, StartRefused
from .models import ACTIVE, OperationRun, Status
from .owners import Owner

FAREWELL = b"retry: 15000\n\n"  # of an evicted stream: its reader comes back, and must not evict the next one at once

MOMENT = (0.3, 1.3)  # seconds in which a stream ends with its process: enough to give its reader what the log holds


def take_turns(names: Iterable[str]) -> None:
    """Let transactions that share one of `names` wait for each other until they end.

    On SQLite nothing is to be done: an IMMEDIATE transaction has the database for itself. On databases other than these two, starts
    at the same moment may pass a limit by as many as there are.
    """
    if connection.vendor != "postgresql":
        return
    numbers = {int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True) for name in names}
    with connection.cursor() as cursor:
        for number in sorted(numbers):  # in one order for all, or two could wait for each other
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def names_of(owner: Owner) -> list[str]:
    """What `owner` is counted by: user, visitor, and for visitors who are not signed in their address."""
    named = {"user": owner.user, "visitor": owner.visitor, "address": owner.address}
    return [f"{kind}:{value}" for kind, value in named.items() if value not in (None, "")]


def admit(owner: Owner) -> None:
    """Raise StartRefused where `owner` may start no run now. For the transaction that inserts the run, after `take_turns`.

    The children of a batch do not count: the batch has a limit of its own for them.
    """
    single = Q(parent=None)
    counts = {
        "waiting": Count("pk", filter=single & Q(status=Status.QUEUED)),
        "own": Count("pk", filter=single & OperationRun.objects.owned_by(owner)),
        "near": Count("pk", filter=single & Q(address=owner.address) & ~Q(address="")),
    }
    # One pass over the active runs alone, whose number is bounded; a filter by owner could make it one over all the owner's.
    found = OperationRun.objects.filter(status__in=ACTIVE).aggregate(**counts)
    if found["own"] >= setting("OWNER_RUNS"):
        raise _refusal(f"You have {found['own']} runs under way. Wait until one has ended, or cancel one.")
    if found["near"] >= setting("ADDRESS_RUNS"):
        raise _refusal("There are too many runs from your network. Wait until one has ended, or sign in.")
    if found["waiting"] >= setting("QUEUE_RUNS"):
        raise _refusal("Too many runs are waiting already. Try again in a moment.", code="unavailable")


def _refusal(message: str, *, code: Code = "limit_exceeded") -> StartRefused:
    metrics.refused.add(of=code)
    return StartRefused(message, code=code)


class OpenStreams:
    """The streams that this process serves. One more than an owner or address may have ends that one's oldest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, dict[Slot, None]] = defaultdict(dict)  # oldest first
        self._slots: set[Slot] = set()
        self._ending = False

    @property
    def count(self) -> int:
        return len(self._slots)

    def end_all(self) -> None:
        """End every stream in a moment, and likewise those that open from now on: the process is about to end."""
        with self._lock:
            self._ending = True
            slots = list(self._slots)
        for slot in slots:
            slot.evict(random.uniform(*MOMENT))  # noqa: S311 - no secret

    @contextmanager
    def slot(self, owner: Owner) -> Iterator[Slot]:
        """Hold the place of one stream of `owner`; once `slot.evicted` is done, the stream is to send FAREWELL and end.

        Ended, not refused: an EventSource that is answered with an error never comes back by itself.
        """
        slot = Slot()
        names = names_of(owner)
        with self._lock:
            self._slots.add(slot)
            for name in names:
                streams = self._open[name]
                streams[slot] = None
                limit = setting("ADDRESS_STREAMS" if name.startswith("address:") else "OWNER_STREAMS")
                for oldest in list(streams)[: max(len(streams) - limit, 0)]:
                    del streams[oldest]
                    metrics.evicted.add()
                    oldest.evict()
        if self._ending:
            slot.evict(random.uniform(*MOMENT))  # noqa: S311 - no secret
        try:
            yield slot
        finally:
            with self._lock:
                self._slots.discard(slot)
                for name in names:
                    self._open[name].pop(slot, None)
                    if not self._open[name]:
                        del self._open[name]


class Slot:
    """The place of one open stream; made on the loop that serves it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.evicted: asyncio.Future[None] = self._loop.create_future()

    def evict(self, delay: float = 0.0) -> None:
        """Ask the stream to end in `delay` seconds, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, self._release)
        except RuntimeError:
            return  # its loop is closed, and the stream with it

    def _release(self) -> None:
        if not self.evicted.done():
            self.evicted.set_result(None)


open_streams = OpenStreams()
