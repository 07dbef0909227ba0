import asyncio
import random
import secrets

from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import override_settings

from progress import runs
from progress.bell import bell
from progress.database import in_database
from progress.events import ProgressEvent
from progress.exceptions import LeaseLost
from progress.log import CancelWins, EventLog, Lease, log
from progress.models import OperationRun

from .case import RunCase
from .cast import Count


def tick(number):
    data = {
        "operation": "test_count",
        "percentage": number % 100,
        "message": str(number),
        "currentState": "running",
        "metadata": {},
    }
    return ProgressEvent("progress", data)


def last():
    return ProgressEvent("done", {"operation": "test_count", "message": "", "metadata": {}})


class LogCase(RunCase):
    def make_run(self, **columns):
        run = OperationRun.objects.create(
            operation="test_count", status="running", lease_token=secrets.token_hex(16), **columns
        )
        return run, Lease(run.pk, run.lease_token, 1, 0, "test_count")

    async def append(self, lease, *events, ending=None):
        await asyncio.wrap_future(log.append(lease, list(events), ending=ending))

    async def finish(self, lease):
        await self.append(lease, last(), ending=runs.ending_columns("completed"))


class AppendTests(LogCase):
    async def test_events_are_numbered_from_one_without_holes(self):
        run, lease = await sync_to_async(self.make_run)()
        await asyncio.gather(*(self.append(lease, tick(number), tick(number)) for number in range(50)))
        assert [event.seq for event in await self.events(run)] == list(range(1, 101))

    async def test_the_row_follows_the_newest_progress(self):
        run, lease = await sync_to_async(self.make_run)()
        await self.append(lease, tick(41), tick(42))
        await run.arefresh_from_db()
        assert (run.percentage, run.message, run.last_seq) == (42, "42", 2)

    async def test_runs_of_one_process_share_a_commit_and_stay_apart(self):
        pairs = [await sync_to_async(self.make_run)() for _ in range(8)]
        await asyncio.gather(*(self.append(lease, tick(number)) for _, lease in pairs for number in range(20)))
        for run, _ in pairs:
            assert [event.seq for event in await self.events(run)] == list(range(1, 21))

    async def test_a_second_writer_fences_the_first_off(self):
        run, old = await sync_to_async(self.make_run)()
        await self.append(old, tick(1))
        new = await sync_to_async(runs.take_lease)(OperationRun.objects.filter(pk=run.pk))
        with self.assertRaises(LeaseLost):
            await self.append(old, tick(2))
        assert old.lost
        await self.append(new, tick(3))
        assert [event.data["message"] for event in await self.events(run)] == ["1", "3"]

    async def test_nothing_follows_the_end(self):
        run, lease = await sync_to_async(self.make_run)()
        await self.finish(lease)
        with self.assertRaises(LeaseLost):
            await self.append(lease, tick(1))
        await self.assertRaisesEnd(run)

    async def assertRaisesEnd(self, run):
        assert [event.type for event in await self.events(run)] == ["done"]

    async def test_a_committed_cancel_beats_a_completion_but_loses_no_report(self):
        run, lease = await sync_to_async(self.make_run)()
        await sync_to_async(runs.request_cancel)(run.pk)
        reported, ended = (
            log.append(lease, [tick(1)]),
            log.append(lease, [last()], ending=runs.ending_columns("completed")),
        )
        await asyncio.wrap_future(reported)
        with self.assertRaises(CancelWins):
            await asyncio.wrap_future(ended)
        assert [event.type for event in await self.events(run)] == ["progress"]
        await self.append(lease, last(), ending=runs.ending_columns("cancelled"))

    def test_events_are_visible_while_the_reporting_code_is_inside_a_transaction(self):
        # On SQLite the writer waits for the lock instead, and stores them right after.
        run, lease = self.make_run()
        with transaction.atomic():
            OperationRun.objects.filter(pk=run.pk).count()
            future = log.append(lease, [tick(1)])
        future.result(10)
        assert self.fresh(run).last_seq == 1


class SubscribeTests(LogCase):
    async def read(self, run, after=0, pause=0.0):
        seen = []
        async for event in log.subscribe(run.pk, after):
            seen.append(event.seq)
            await asyncio.sleep(pause)
        return seen

    async def write(self, lease, count, pause=0.0):
        for number in range(count - 1):
            await self.append(lease, tick(number))
            await asyncio.sleep(pause)
        await self.finish(lease)

    async def test_before_during_and_after_are_the_same(self):
        run, lease = await sync_to_async(self.make_run)()
        before = asyncio.create_task(self.read(run))
        writing = asyncio.create_task(self.write(lease, 60, 0.002))
        await asyncio.sleep(0.06)
        during = asyncio.create_task(self.read(run))
        await writing
        whole = list(range(1, 61))
        assert await before == whole
        assert await during == whole
        assert await self.read(run) == whole

    async def test_every_position_resumes_exactly_after_it_live_and_ended(self):
        run, lease = await sync_to_async(self.make_run)()
        live = [asyncio.create_task(self.read(run, after)) for after in range(0, 120, 7)]
        await self.write(lease, 120)
        for after, task in zip(range(0, 120, 7), live, strict=True):
            assert await task == list(range(after + 1, 121))
        for after in range(120):
            assert await self.read(run, after) == list(range(after + 1, 121))

    @override_settings(PROGRESS={"SUBSCRIBER_EVENTS": 2})
    async def test_a_slow_reader_misses_nothing_and_its_queue_stays_bounded(self):
        run, lease = await sync_to_async(self.make_run)()
        slow = asyncio.create_task(self.read(run, pause=0.01))
        await asyncio.sleep(0.05)
        await self.write(lease, 80)
        assert await slow == list(range(1, 81))

    @override_settings(PROGRESS={"POLL": 0.05})
    async def test_events_written_by_another_process_are_found(self):
        run, lease = await sync_to_async(self.make_run)()
        other = EventLog()
        reading = asyncio.create_task(self.read(run))
        for number in range(5):
            await asyncio.wrap_future(other.append(lease, [tick(number)]))
        await asyncio.wrap_future(other.append(lease, [last()], ending=runs.ending_columns("completed")))
        assert await reading == [1, 2, 3, 4, 5, 6]
        await sync_to_async(other.flush)()

    async def test_readers_leave_nothing_behind(self):
        run, lease = await sync_to_async(self.make_run)()
        readers = [asyncio.create_task(self.read(run)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert bell.readers(run.pk) == 20
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        assert bell.readers(run.pk) == 0
        assert run.pk not in bell._subscriptions
        await self.finish(lease)

    async def test_a_thousand_random_cuts_and_resumes_see_every_event_once(self):
        seed = random.randrange(10**6)
        chance = random.Random(seed)
        run, lease = await sync_to_async(self.make_run)()
        trials = 0

        async def reader():
            nonlocal trials
            seen, after = [], 0
            while not seen or not seen[-1].terminal:
                trials += 1
                left = chance.randint(1, 4)
                events = log.subscribe(run.pk, after)
                async for event in events:
                    seen.append(event)
                    after = event.seq
                    left -= 1
                    if not left:
                        break
                await events.aclose()
            return [event.seq for event in seen]

        readers = [asyncio.create_task(reader()) for _ in range(14)]
        await self.write(lease, 200, 0.001)
        for seen in await asyncio.gather(*readers):
            assert seen == list(range(1, 201)), f"seed {seed}"
        assert trials >= 1000

    async def test_a_run_through_the_whole_path_is_read_once_and_in_order(self):
        run = await runs.start(Count(to=30, rest=0.001))
        seen = await self.read(run)
        assert seen == list(range(1, len(seen) + 1))
        events = await in_database(lambda: list(run.events.values_list("seq", flat=True)))
        assert seen == events
