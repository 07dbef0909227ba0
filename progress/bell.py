"""Waking readers: who in this process waits for what, and how news from other processes reaches them.

A reader listens to topics: the id of a run, or a name such as the owner's for "this owner has a new run". What is written in this
process is handed to its readers directly. For runs that execute elsewhere one thread looks at the rows of all that is followed
here, once a second, and reads new events once for all readers. Where the site has a channel layer that crosses processes
(CHANNEL_LAYERS on Redis), each process also rings the others, so that they look at once. A wake-up is only a hint: losing all of
them costs latency and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models.functions import Now

from .conf import setting
from .database import give_back
from .events import ProgressEvent
from .models import ACTIVE, OperationRun
from .rows import PAGE, read_events

logger = logging.getLogger("progress")
Topic = UUID | str
GROUP = "progress.bell"
TOGETHER = 0.02  # seconds for which rings to other processes are gathered
RARELY = 10  # looks between those that include what this process writes itself, and topics that are no runs
TOUCH = 2.0  # seconds between notes that a run whose readers may not leave still has one


class Subscription:
    """One reader's wake-ups and events, in order of arrival. Bounded: beyond that the reader looks at the rows again."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Topic | None, list[ProgressEvent]]] = deque()
        self._arrived = asyncio.Event()
        self._events = self._bytes = 0
        self._limits = int(setting("SUBSCRIBER_EVENTS")), int(setting("SUBSCRIBER_BYTES"))

    def feed(self, topic: Topic, events: list[ProgressEvent]) -> None:
        """Hand over news of `topic`, from any thread; without events they say "look at the rows"."""
        try:
            self._loop.call_soon_threadsafe(self._put, topic, events)
        except RuntimeError:  # its loop was closed under it: nobody reads any more
            logger.debug("a reader's loop is closed")

    def _put(self, topic: Topic, events: list[ProgressEvent]) -> None:
        self._events += len(events)
        self._bytes += sum(len(event.payload) for event in events)
        overflows = self._waiting and (self._events > self._limits[0] or self._bytes > self._limits[1])
        if overflows or len(self._waiting) > self._limits[0]:
            self._waiting.clear()
            self._waiting.append((None, []))
            self._events = self._bytes = 0
        elif events or (topic, events) not in self._waiting:
            self._waiting.append((topic, events))
        self._arrived.set()

    @property
    def waits(self) -> bool:
        """Whether there is news already."""
        return bool(self._waiting)

    async def get(self) -> tuple[Topic | None, list[ProgressEvent]]:
        """Wait for news: a topic and its events; no events: look at the rows; no topic either: at those of every topic."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        topic, events = self._waiting.popleft()
        self._events -= len(events)
        self._bytes -= sum(len(event.payload) for event in events)
        return topic, events


class Bell:
    """The readers of this process, by topic."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        # Readers live on several loops, so all of this is touched under the condition alone.
        self._subscriptions: dict[Topic, set[Subscription]] = {}
        self._local: set[UUID] = set()  # runs whose events are written here
        self._heard: set[UUID] = set()  # runs that another process has news of
        self._callbacks: dict[str, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._others = _OtherProcesses(self._hear)
        # Of the thread alone
        self._shown: dict[
            UUID, int
        ] = {}  # the newest event of runs that execute elsewhere which readers here were given
        self._look_at = self._touch_at = 0.0
        self._looks = 0

    # Readers

    @contextmanager
    def listen(self, *topics: Topic) -> Iterator[Subscription]:
        """Give a Subscription to `topics` for the time of the `with`; more are added by `join`."""
        subscription = Subscription()
        try:
            for topic in topics:
                self.join(subscription, topic)
            yield subscription
        finally:
            with self._condition:
                for topic in [topic for topic, readers in self._subscriptions.items() if subscription in readers]:
                    self._leave(subscription, topic)

    def join(self, subscription: Subscription, topic: Topic) -> None:
        """Let `subscription` hear of `topic` too."""
        self._others.start()
        with self._condition:
            self._subscriptions.setdefault(topic, set()).add(subscription)
            if self._thread is None:
                self._look_at = time.monotonic() + setting("POLL")
                self._thread = threading.Thread(target=self._run, name="progress-bell", daemon=True)
                self._thread.start()

    def part(self, subscription: Subscription, topic: Topic) -> None:
        """Let `subscription` hear of `topic` no more."""
        with self._condition:
            self._leave(subscription, topic)

    def _leave(self, subscription: Subscription, topic: Topic) -> None:
        readers = self._subscriptions.get(topic, set())
        readers.discard(subscription)
        if not readers:
            self._subscriptions.pop(topic, None)
            self._condition.notify()

    def readers(self, topic: Topic) -> int:
        """How many listen to `topic` in this process."""
        return len(self._subscriptions.get(topic, ()))

    # News

    def deliver(self, run: UUID, events: list[ProgressEvent]) -> None:
        """Hand committed events to this process's readers of `run`, and ring the others."""
        self._feed(run, events)
        self._others.ring(run)

    def ring(self, *topics: Topic) -> None:
        """Wake the readers of `topics`, here and in other processes: there is news in the rows."""
        for topic in topics:
            self._hear_one(topic)
            self._others.ring(topic)

    def on_ring(self, topic: str, callback: Callable[[], None]) -> None:
        """Call `callback`, from any thread, whenever `topic` is rung in any process."""
        self._callbacks[topic] = callback

    def writes(self, run: UUID) -> None:
        """Note that `run` is written in this process: its readers need not look for it."""
        with self._condition:
            self._local.add(run)

    def left(self, run: UUID) -> None:
        """Note that `run` is no longer written here."""
        with self._condition:
            self._local.discard(run)

    def _feed(self, topic: Topic, events: list[ProgressEvent]) -> None:
        with self._condition:
            subscriptions = list(self._subscriptions.get(topic, ()))
        for subscription in subscriptions:
            subscription.feed(topic, events)

    def _hear(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            self._hear_one(topic)

    def _hear_one(self, topic: Topic) -> None:
        if isinstance(topic, str):
            if topic in self._callbacks:
                self._callbacks[topic]()
            self._feed(topic, [])
            return
        with self._condition:
            if topic in self._subscriptions and topic not in self._local:
                self._heard.add(topic)
                self._condition.notify()

    # Looking, in a thread

    def stop(self) -> None:
        """End the threads; tests need it before they drop a database."""
        with self._condition:
            thread, self._stopping = self._thread, True
            self._condition.notify()
        if thread is not None:
            thread.join(30)
        self._stopping = False
        self._others.stop()

    def _run(self) -> None:
        while self._wait():
            try:
                self._turn(time.monotonic())
            except Exception as error:  # most often the database is away; readers keep waiting, and it is looked again
                logger.warning("following runs of other processes is interrupted: %r", error)
                connections.close_all()
            give_back()
        connections.close_all()

    def _wait(self) -> bool:
        with self._condition:
            ended = self._condition.wait_for(
                lambda: self._heard or self._stopping or not self._subscriptions,
                max(self._look_at - time.monotonic(), 0.01),
            )
            if ended and not self._heard:
                self._thread = None
                self._shown.clear()
                return False
            return True

    def _turn(self, now: float) -> None:
        with self._condition:
            heard, self._heard = self._heard, set()
            followed = [topic for topic in self._subscriptions if isinstance(topic, UUID)]
        if now >= self._look_at:
            self._look_at = now + setting("POLL")
            heard |= self._look(followed, now)
        for run in heard.intersection(followed):
            self._show(run)

    def _look(self, followed: list[UUID], now: float) -> set[UUID]:
        """Look where all followed runs stand, in one query; return those with news."""
        self._looks += 1
        if self._looks % RARELY == 0:
            with self._condition:
                rarely = [topic for topic in self._subscriptions if isinstance(topic, str) or topic in self._local]
            for topic in rarely:
                self._feed(topic, [])
        self._shown = {run: seq for run, seq in self._shown.items() if run in set(followed)}
        rows = OperationRun.objects.filter(pk__in=followed).values_list("pk", "last_seq", "status", "on_disconnect")
        news, found = set(), set()
        may_not_leave = []
        for run, last_seq, status, on_disconnect in rows:
            found.add(run)
            if run not in self._local and self._shown.get(run) != last_seq:
                news.add(run)
            if on_disconnect == "cancel" and status in ACTIVE:
                may_not_leave.append(run)
        for gone in set(followed) - found:
            self._feed(gone, [])
        if may_not_leave and now >= self._touch_at:
            self._touch_at = now + TOUCH
            OperationRun.objects.filter(pk__in=may_not_leave).update(read_at=Now())
        return news

    def _show(self, run: UUID) -> None:
        """Read the new events of a run that executes elsewhere, once for all its readers here."""
        if run not in self._shown:
            # Its readers began at different places: each looks for itself, and is fed from here on.
            last = OperationRun.objects.filter(pk=run).values_list("last_seq", flat=True).first()
            self._shown[run] = last or 0
            self._feed(run, [])
            return
        while events := read_events(run, self._shown[run], PAGE):
            self._shown[run] = events[-1].seq
            self._feed(run, events)
            if len(events) < PAGE:
                return


class _OtherProcesses:
    """The other processes of the site, reached through the channel layer, where it has one that crosses processes.

    One task receives for as long as the process lives: channels_redis drops what it has buffered when a `receive` is cancelled.
    """

    def __init__(self, heard: Callable[[Iterable[Topic]], None]) -> None:
        self._heard = heard
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._rings: set[Topic] = set()
        self._name = ""  # of this process's channel, so that it does not wake itself

    def start(self) -> None:
        if self._loop is not None or not _crosses_processes():
            return
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="progress-ring", daemon=True)
                self._thread.start()

    def ring(self, topic: Topic) -> None:
        self.start()
        if (loop := self._loop) is None:
            return
        with self._lock:
            first = not self._rings
            self._rings.add(topic)
        if first:
            loop.call_soon_threadsafe(loop.call_later, TOGETHER, self._flush)

    def stop(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
            thread.join(10)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        self._sending: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references
        try:
            loop.run_until_complete(self._receive())
        except asyncio.CancelledError:
            logger.debug("the bell to other processes is taken down")
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            self._loop = None
            loop.close()

    async def _receive(self) -> None:
        pause = 0.5
        while True:
            try:
                layer = _layer()
                self._name = await layer.new_channel()
                await layer.group_add(GROUP, self._name)
                pause = 0.5
                while True:
                    message = await layer.receive(self._name)
                    if message["from"] != self._name:
                        self._heard([_topic(text) for text in message["topics"]])
            except Exception as error:
                logger.warning("the channel layer is away, so other processes' news come by the second: %r", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)

    def _flush(self) -> None:
        with self._lock:
            rings, self._rings = self._rings, set()
        task = asyncio.get_running_loop().create_task(self._send(sorted(map(str, rings))))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, topics: list[str]) -> None:
        try:
            async with asyncio.timeout(5):
                await _layer().group_send(GROUP, {"type": "bell", "from": self._name, "topics": topics})
        except Exception as error:
            logger.debug("a ring was lost: %r", error)


def _crosses_processes() -> bool:
    backend = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {}).get("BACKEND", "")
    return bool(backend) and not backend.endswith("InMemoryChannelLayer")


def _layer() -> Any:
    from channels.layers import get_channel_layer

    return get_channel_layer()


def _topic(text: str) -> Topic:
    try:
        return UUID(text)
    except ValueError:
        return text


bell = Bell()
