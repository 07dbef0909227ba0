"""Readers of runs that execute in other processes: what wakes them, and what they cost."""

import asyncio
import os
import subprocess
import sys
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import override_settings

from progress import bell as bell_module
from progress import runs
from progress.bell import Subscription, bell
from progress.database import in_database
from progress.events import ProgressEvent
from progress.log import log
from progress.models import OperationEvent, OperationRun
from progress.owners import Owner, owner_topics
from progress.testing import settle
from tests.services import ROOT

from .case import RunCase
from .cast import Hold

NEVER = {"POLL": 3600}  # so that only a ring can have woken the reader


class ElsewhereCase(RunCase):
    """A run whose rows appear as they do when another process writes them."""

    def foreign_run(self, **columns):
        return OperationRun.objects.create(operation="test_hold", status="running", lease_token=uuid4().hex, **columns)

    def finish(self, run, *texts):
        self.write(run, *texts, end=True)

    @transaction.atomic
    def write(self, run, *texts, end=False):
        run.refresh_from_db()
        events = [ProgressEvent("content", {"operation": "test_hold", "content": text}) for text in texts]
        if end:
            events.append(ProgressEvent("done", {"operation": "test_hold", "message": "", "metadata": {}}))
            run.status = "completed"
        for event in events:
            run.last_seq += 1
            row = {"seq": run.last_seq, "at": event.at, "type": event.type, "payload": event.payload}
            OperationEvent.objects.create(run=run, **row)
        run.save()

    async def reader(self, run, after=0):
        return [event.seq async for event in log.subscribe(run.pk, after)]

    async def following(self, run, readers):
        async with asyncio.timeout(30):
            while bell.readers(run.pk) < readers:
                await asyncio.sleep(0.01)


class LookTests(ElsewhereCase):
    @override_settings(PROGRESS={"POLL": 0.05})
    async def test_what_another_process_writes_reaches_every_reader_once(self):
        run = await in_database(self.foreign_run)
        await in_database(self.write, run, "a", "b")
        readers = [asyncio.create_task(self.reader(run, after)) for after in (0, 0, 1, 2)]
        await self.following(run, 4)
        for number in range(20):
            await in_database(self.write, run, f"{number}", "more")
            await asyncio.sleep(0.02)
        await in_database(self.finish, run)
        async with asyncio.timeout(30):
            seen = await asyncio.gather(*readers)
        assert seen == [list(range(after + 1, 44)) for after in (0, 0, 1, 2)]

    @override_settings(PROGRESS={"POLL": 0.05})
    async def test_events_are_read_once_for_all_readers(self):
        run = await in_database(self.foreign_run)
        await in_database(self.write, run, "a")
        readers = [asyncio.create_task(self.reader(run)) for _ in range(30)]
        await self.following(run, 30)
        while run.pk not in bell._shown:
            await asyncio.sleep(0.01)
        with patch.object(bell_module, "read_events", wraps=bell_module.read_events) as read:
            await in_database(self.finish, run, "b")
            async with asyncio.timeout(30):
                assert await asyncio.gather(*readers) == [[1, 2, 3]] * 30
        assert len(read.mock_calls) == 1

    @override_settings(PROGRESS={"POLL": 0.05})
    async def test_a_run_that_is_pruned_ends_its_readers(self):
        run = await in_database(self.foreign_run)
        await in_database(self.write, run, "a")
        reader = log.subscribe(run.pk)
        assert (await anext(reader)).seq == 1
        await in_database(run.delete)
        async with asyncio.timeout(30):
            assert [event async for event in reader] == []

    @override_settings(PROGRESS={"POLL": 0.05})
    async def test_a_run_that_may_not_be_left_is_known_to_have_a_reader(self):
        leave, stay = [await in_database(self.foreign_run_that, policy) for policy in ("cancel", "continue")]
        with bell.listen(leave.pk), bell.listen(stay.pk):
            async with asyncio.timeout(30):
                while leave.read_at is None:
                    await leave.arefresh_from_db()
        await stay.arefresh_from_db()
        assert stay.read_at is None

    def foreign_run_that(self, policy):
        return self.foreign_run(on_disconnect=policy)


@override_settings(PROGRESS=NEVER)
class RingTests(ElsewhereCase):
    async def test_a_ring_makes_readers_look_at_once(self):
        run = await in_database(self.foreign_run)
        reader = asyncio.create_task(self.reader(run))
        await self.following(run, 1)
        await in_database(self.finish, run, "a", "b")
        bell.ring(run.pk)
        async with asyncio.timeout(30):
            assert await reader == [1, 2, 3]

    async def test_an_owner_who_listens_hears_of_a_new_run(self):
        owner = Owner(visitor="somebody")
        with bell.listen(*owner_topics(owner)) as subscription:
            await runs.start(Hold(), owner=Owner(visitor="somebody else"))
            await runs.start(Hold(), owner=owner)
            async with asyncio.timeout(30):
                assert await subscription.get() == (owner_topics(owner)[0], [])

    async def test_what_is_listened_to_can_change(self):
        first, second = uuid4(), uuid4()
        with bell.listen(first) as subscription:
            bell.join(subscription, second)
            bell.part(subscription, first)
            assert (bell.readers(first), bell.readers(second)) == (0, 1)
        assert bell.readers(second) == 0


@override_settings(PROGRESS={"SUBSCRIBER_EVENTS": 10, "SUBSCRIBER_BYTES": 1000})
class SubscriptionTests(RunCase):
    async def filled(self, *texts):
        subscription, run = Subscription(), uuid4()
        for text in texts:
            subscription.feed(run, [ProgressEvent("content", {"content": text})])
        await asyncio.sleep(0)
        return [await subscription.get() for _ in range(len(subscription._waiting))]

    async def test_too_many_events_become_one_word_to_look_at_the_rows(self):
        assert len(await self.filled(*"abcdefghij")) == 10
        assert await self.filled(*"abcdefghijk") == [(None, [])]

    async def test_too_many_bytes_do_too(self):
        assert await self.filled("a" * 600, "b" * 600) == [(None, [])]

    async def test_one_big_event_alone_is_handed_over(self):
        [(_topic, [event])] = await self.filled("a" * 2000)
        assert event.data["content"] == "a" * 2000

    async def test_repeated_rings_are_one(self):
        subscription = Subscription()
        for _ in range(100):
            subscription.feed("topic", [])
        await asyncio.sleep(0)
        assert len(subscription._waiting) == 1


def ring_from_another_process(redis_url, *topics):
    source = f"""
import time, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "progress"],
    CHANNEL_LAYERS={layers(redis_url)!r},
)
django.setup()
from uuid import UUID
from progress.bell import _topic, bell
for _ in range(20):  # until it is connected, its rings are lost
    bell.ring(*map(_topic, {list(map(str, topics))!r}))
    time.sleep(0.1)
bell.stop()
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": ""}
    subprocess.run([sys.executable, "-c", source], cwd=ROOT, env=environment, check=True, timeout=60)


def layers(redis_url):
    return {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [redis_url]}},
    }


@override_settings(PROGRESS=NEVER)
class OtherProcessTests(ElsewhereCase):
    @pytest.fixture(autouse=True)
    def _redis(self, redis_url):
        self.redis_url = redis_url
        with override_settings(CHANNEL_LAYERS=layers(redis_url)):
            yield
            settle()

    async def rung(self, *topics):
        """Ring from another process until it was heard here: the subscription to Redis may not be there yet."""
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        bell.on_ring("test", lambda: loop.call_soon_threadsafe(heard.set))
        async with asyncio.timeout(60):
            while not heard.is_set():
                await asyncio.to_thread(ring_from_another_process, self.redis_url, "test", *topics)

    async def test_another_process_rings_through_redis(self):
        run = await in_database(self.foreign_run)
        reader = asyncio.create_task(self.reader(run))
        await self.following(run, 1)
        await in_database(self.finish, run, "a")
        await self.rung(run.pk)
        async with asyncio.timeout(30):
            assert await reader == [1, 2]
