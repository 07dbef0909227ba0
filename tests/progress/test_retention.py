"""Runs go some time after their end, and their text is packed before that; no reader and no run under way notices."""

import asyncio
import io
import random
import threading
from datetime import timedelta

from asgiref.sync import async_to_sync, sync_to_async
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from charts.models import Chart
from progress import StreamingOperation, runs
from progress.compaction import MARK, PIECES, neighbours, pack, unpack
from progress.events import ProgressEvent
from progress.log import log
from progress.models import OperationEvent, OperationRun
from progress.retention import compact, prune, tidy

from .case import RunCase
from .cast import Count
from .test_api import OPEN, ApiCase

DAY, NOW = timedelta(days=1), timedelta(0)


class Tale(StreamingOperation[str]):
    """Write text in many events, with other events between them and another operation that writes too."""

    operation_name = "test_tale"
    pieces: int = 30

    async def execute(self, progress):
        for number in range(self.pieces):
            progress.content(f"{number} \u2028é\U0001f600 ")
            if number % 10 == 5:
                progress(number, self.pieces, f"Piece {number}")
            if number == 17:
                await progress.run(Aside())
        return "told"


class Aside(StreamingOperation[None]):
    """Write a little."""

    operation_name = "test_retained_aside"

    async def execute(self, progress):
        for text in ("a", "b", "c"):
            progress.content(text)


def ended(days=2, **columns):
    columns = {"status": "completed", "finished_at": timezone.now() - timedelta(days=days), **columns}
    return OperationRun.objects.create(operation="test_count", **columns)


def with_events(run, count):
    event = ProgressEvent("content", {"operation": "test_count", "content": "x", "timestamp": 1})
    OperationEvent.objects.bulk_create(
        OperationEvent(run=run, seq=seq, at=1, type="content", payload=event.payload) for seq in range(1, count + 1)
    )
    OperationRun.objects.filter(pk=run.pk).update(last_seq=count)
    return run


class PruneTests(RunCase):
    def test_what_ended_long_ago_goes_with_its_events_and_nothing_else(self):
        old = with_events(ended(), 1_200)
        kept = [
            ended(days=0.5),
            OperationRun.objects.create(operation="test_hold"),
            OperationRun.objects.create(operation="test_hold", status="running", lease_token="x"),
        ]
        OperationRun.objects.exclude(pk=old.pk).update(created_at=timezone.now() - timedelta(days=30))
        again = OperationRun.objects.create(operation="test_hold", retry_of=old)
        assert prune(DAY) == 1
        assert set(OperationRun.objects.values_list("pk", flat=True)) == {run.pk for run in [*kept, again]}
        assert not OperationEvent.objects.exists()
        assert self.fresh(again).retry_of_id is None

    def test_a_batch_goes_as_one_and_only_when_all_of_it_has_ended(self):
        whole, part = ended(), ended()
        for number in range(3):
            with_events(ended(parent=whole, position=number), 3)
        ended(parent=part, position=0)
        busy = OperationRun.objects.create(operation="test_hold", status="running", parent=part, position=1)
        ended(parent=ended(days=0), position=0)
        assert prune(DAY) == 1
        assert OperationRun.objects.filter(parent=part).count() == 2
        assert OperationRun.objects.count() == 5
        OperationRun.objects.filter(pk=busy.pk).update(status="completed", finished_at=timezone.now())
        assert prune(DAY) == 1
        assert OperationRun.objects.count() == 2

    def test_charts_stay_with_their_data(self):
        run = ended()
        chart = Chart.objects.create(run=run.pk, question="q", title="t", sql="SELECT 1", dialect="sqlite", rows=[[1]])
        prune(DAY)
        chart.refresh_from_db()
        assert (chart.run, chart.rows) == (run.pk, [[1]])

    def test_the_command(self):
        def told(*arguments):
            out = io.StringIO()
            call_command("prune_runs", *arguments, stdout=out)
            return out.getvalue().strip()

        with_events(ended(days=2), 3)
        with_events(ended(days=9), 4)
        assert told("--dry-run") == "2 runs would be deleted, with 7 events."
        assert told("--older-than", "7d") == "1 runs deleted."
        assert told("--older-than", "72h") == "0 runs deleted."
        assert told() == "1 runs deleted."
        for wrong in ("7", "d", "-1d", "1w", ""):
            with self.assertRaises(CommandError):
                call_command("prune_runs", "--older-than", wrong)

    @override_settings(PROGRESS={"RETENTION": 86_400})
    def test_the_site_does_it_by_itself(self):
        old, new = ended(), ended(days=0.5)
        while tidy():
            pass
        assert list(OperationRun.objects.values_list("pk", flat=True)) == [new.pk]
        assert self.fresh(new).compacted_at is not None
        assert old.pk != new.pk

    def test_it_stops_when_its_time_is_over_and_goes_on_the_next_time(self):
        for _ in range(3):
            ended()
        assert prune(DAY, until=0) == 0
        assert prune(DAY) == 3

    async def test_under_load_every_run_keeps_its_log_whole(self):
        def old():
            for _ in range(40):
                with_events(ended(), 100)

        await sync_to_async(old)()
        stop = threading.Event()
        pruned = []

        def keep_pruning():
            try:
                while not stop.is_set():
                    pruned.append(prune(DAY))
                    compact(NOW)
            finally:
                connections.close_all()

        pruning = asyncio.create_task(asyncio.to_thread(keep_pruning))
        try:
            running = [await runs.start(Count(to=40, rest=0.01)) for _ in range(6)]
            seen = await asyncio.gather(*(self.read(run) for run in running))
        finally:
            stop.set()
            await pruning
        for run, numbers in zip(running, seen, strict=True):
            assert numbers == list(range(1, len(numbers) + 1))
            await self.assert_one_end(run)
        assert sum(pruned) == 40

    async def read(self, run):
        async with asyncio.timeout(60):
            return [event.seq async for event in log.subscribe(run.pk)]


class CompactionTests(RunCase):
    async def told(self):
        with override_settings(PROGRESS={"RUN_EVENTS": 20_000}):
            return await self.finished(Tale())

    def as_read(self, events):
        return [(event.seq, event.at, event.type, event.payload) for event in events]

    async def test_no_reader_sees_a_difference_from_whatever_position(self):
        run = await self.told()
        before = self.as_read(await self.events(run))
        rows = await OperationEvent.objects.filter(run=run).acount()
        assert await sync_to_async(compact)(NOW) == 1
        assert await OperationEvent.objects.filter(run=run).acount() < rows - 20
        assert self.as_read(await self.events(run)) == before
        for after in range(len(before)):
            read = [event async for event in log.subscribe(run.pk, after)]
            assert self.as_read(read) == before[after:]
        await self.assert_one_end(run)
        assert await sync_to_async(compact)(NOW) == 0

    async def test_a_reader_in_the_middle_of_it_reads_on(self):
        for after in (3, 11, 25):
            run = await self.told()
            before = self.as_read(await self.events(run))
            reading = log.subscribe(run.pk)
            seen = [await anext(reading) for _ in range(after)]
            await sync_to_async(compact)(NOW)
            seen += [event async for event in reading]
            assert self.as_read(seen) == before

    def test_only_runs_that_ended_some_time_ago(self):
        kept = [with_events(ended(days=0), 5), with_events(OperationRun.objects.create(operation="test_hold"), 5)]
        assert compact(timedelta(hours=1)) == 0
        assert all(OperationEvent.objects.filter(run=run).count() == 5 for run in kept)

    def test_many_pieces_take_few_rows_each_of_bounded_size(self):
        run = with_events(ended(days=0), 1_203)
        before = self.as_read(async_to_sync(self.events)(run))
        compact(NOW)
        assert OperationEvent.objects.filter(run=run).count() <= 1_203 // PIECES + 4
        assert self.as_read(async_to_sync(self.events)(run)) == before

    async def test_several_processes_at_it_at_once(self):
        made = [await sync_to_async(with_events)(await sync_to_async(ended)(0), 700) for _ in range(3)]
        before = [self.as_read(await self.events(run)) for run in made]

        def work():
            try:
                compact(NOW)
            finally:
                connections.close_all()

        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))
        assert [self.as_read(await self.events(run)) for run in made] == before

    def test_pages_show_the_joined_text(self):
        run = with_events(ended(days=0), 4)
        compact(NOW)
        assert [event.data["content"] for event in run.events.all()] == ["xxxx"]


@OPEN
class StreamTests(ApiCase):
    async def test_resumed_over_http_from_every_position(self):
        run = await self.finished(Tale(), owner=self.alice)
        client = await self.aclient_of(self.alice)
        path = f"/api/runs/{run.pk}/events"
        before = await self.frames(await client.get(path))
        stored = (await client.get(path, headers={"Accept": "application/json"})).content
        await sync_to_async(compact)(NOW)
        for after in range(0, run.last_seq, 3):
            assert await self.frames(await client.get(path, {"after": after})) == before[after:]
        assert (await client.get(path, headers={"Accept": "application/json"})).content == stored


class PackTests(SimpleTestCase):
    def events(self, texts, first=5):
        return [
            ProgressEvent(
                "content", {"operation": "op", "content": text, "timestamp": 1_000 + seq * 7}, at=seq * 3, seq=seq
            )
            for seq, text in enumerate(texts, first)
        ]

    def test_any_text_comes_back_or_is_left_alone(self):
        chance = random.Random(7)
        alphabet = ["a", "é", "\u2028", "\U0001f600", "\0", '"', "\\", "\n", "\ud83d", "\ude00", ""]
        left_alone = 0
        for _ in range(300):
            events = self.events(["".join(chance.choices(alphabet, k=chance.randint(0, 4))) for _ in range(6)])
            if (packed := pack(events)) is None:
                left_alone += 1  # halves of a character that become one when they are joined
                continue
            assert packed.payload.startswith(MARK)
            assert [(e.seq, e.at, e.payload) for e in unpack(packed)] == [(e.seq, e.at, e.payload) for e in events]
        assert 0 < left_alone < 300

    def test_groups_end_where_the_log_or_the_speaker_changes(self):
        events = self.events("abcdef")
        other = ProgressEvent("content", {"operation": "other", "content": "x", "timestamp": 1}, seq=11)
        gap = self.events("gh", first=13)
        groups = [[event.seq for event in group] for group in neighbours([*events, other, *gap])]
        assert groups == [[5, 6, 7, 8, 9, 10], [13, 14]]
        assert [len(group) for group in neighbours(self.events("x" * (PIECES + 3)))] == [PIECES, 3]


class ResultTests(ApiCase):
    @override_settings(PROGRESS={"RESULT_BYTES": 1_000})
    async def test_a_result_that_is_too_large_ends_the_run_and_says_so(self):
        class Large(StreamingOperation[str]):
            operation_name = "test_large"

            async def execute(self, progress):
                return "x" * 2_000

        run = await self.finished(Large())
        await self.assert_one_end(run)
        assert (run.error["code"], run.error["retryable"], run.result) == ("limit_exceeded", False, None)
        assert "2,002 bytes; a run keeps at most 1,000" in run.message

    async def test_a_list_leaves_long_results_out_and_the_run_has_them(self):
        class Long(StreamingOperation[list]):
            operation_name = "test_long"
            length: int

            async def execute(self, progress):
                return ["é" * self.length]

        short, long = [await self.finished(Long(length=length), owner=self.alice) for length in (10, 9_000)]
        client = await self.aclient_of(self.alice)
        items = {item["id"]: item for item in (await client.get("/api/runs")).json()["items"]}
        assert (items[str(short.pk)]["result"], "resultTooLarge" in items[str(short.pk)]) == (["é" * 10], False)
        assert (items[str(long.pk)]["result"], items[str(long.pk)]["resultTooLarge"]) == (None, True)
        assert (await client.get(f"/api/runs/{long.pk}")).json()["result"] == ["é" * 9_000]

    @override_settings(PROGRESS={"RUN_BYTES": 60_000})
    async def test_a_run_that_writes_more_than_a_run_may(self):
        class Endless(StreamingOperation[None]):
            operation_name = "test_endless"

            async def execute(self, progress):
                while True:
                    progress.content("x" * 10_000)
                    await asyncio.sleep(0)

        run = await self.finished(Endless())
        await self.assert_one_end(run)
        assert run.error["code"] == "limit_exceeded"
        stored = await sync_to_async(lambda: sum(len(event.payload) for event in run.events.all()))()
        assert stored < 60_000 + 40_000
