"""What a run says while it waits, and what one says that is executed a second time."""

import asyncio
from datetime import timedelta
from typing import ClassVar

from asgiref.sync import async_to_sync, sync_to_async
from django.test import override_settings
from django.utils import timezone

from progress import StreamingOperation, recovery, runs, workers
from progress.models import OperationRun
from progress.owners import Owner

from .case import RunCase
from .cast import Count
from .test_limits import Patient


class PlaceTests(RunCase):
    def waiting(self, count, **columns):
        began = timezone.now() - timedelta(seconds=10)
        made = []
        for number in range(count):
            run = OperationRun.objects.create(operation="test_count", worker=workers.worker_name(), **columns)
            OperationRun.objects.filter(pk=run.pk).update(created_at=began + timedelta(milliseconds=number))
            made.append(run)
        return made

    def places(self, run):
        events = async_to_sync(self.events)(run)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert {event.data["currentState"] for event in events} <= {"queued"}
        return [event.data["metadata"]["queuePosition"] for event in events]

    def test_each_is_told_its_place_and_told_again_only_when_it_changed(self):
        made = self.waiting(4)
        for _ in range(3):
            recovery.sweep()
        assert [self.places(run) for run in made] == [[1], [2], [3], [4]]
        OperationRun.objects.filter(pk=made[1].pk).update(status="completed")
        recovery.sweep()
        assert [self.places(made[number]) for number in (0, 2, 3)] == [[1], [3, 2], [4, 3]]
        assert self.fresh(made[3]).message == "Waiting to start, number 3 in the queue"
        assert self.fresh(made[3]).last_seq == 2

    def test_one_that_has_only_just_come_is_not_told(self):
        run = OperationRun.objects.create(operation="test_count", worker=workers.worker_name())
        OperationRun.objects.filter(pk=run.pk).update(created_at=timezone.now() + timedelta(seconds=60))
        recovery.sweep()
        assert self.places(run) == []

    def test_children_of_a_batch_wait_for_their_batch_and_not_in_the_queue(self):
        parent = OperationRun.objects.create(
            operation="test_hold", status="running", lease_token="x", worker="elsewhere:1:1"
        )
        (child,) = self.waiting(1, parent=parent, position=0)
        (other,) = self.waiting(1)
        recovery.sweep()
        assert (self.places(child), self.places(other)) == ([], [1])

    def test_another_process_has_a_queue_of_its_own(self):
        self.waiting(2)
        (elsewhere,) = self.waiting(1)
        OperationRun.objects.filter(pk=elsewhere.pk).update(worker="elsewhere:1:1")
        recovery.sweep()
        assert self.places(elsewhere) == [1]

    async def test_a_reader_hears_it_and_the_run_starts_as_if_nothing_was(self):
        (run,) = await sync_to_async(self.waiting)(1, params={"to": 2})
        reading = asyncio.create_task(self.end_of(run))
        await sync_to_async(recovery.sweep)()
        await sync_to_async(runs.enqueue)(run.pk)
        assert (await reading).status == "completed"
        events = await self.assert_one_end(run)
        assert events[0].data["metadata"]["queuePosition"] == 1
        assert "queuePosition" not in events[-1].data["metadata"]

    async def test_places_told_while_runs_are_claimed_leave_no_hole(self):
        made = await sync_to_async(self.waiting)(12, params={"to": 2})

        async def claim():
            for run in made:
                await sync_to_async(runs.enqueue)(run.pk)

        await asyncio.gather(claim(), *(asyncio.to_thread(self.swept) for _ in range(4)))
        for run in made:
            await self.end_of(run)
            await self.assert_one_end(run)

    @staticmethod
    def swept():
        from django.db import connections

        try:
            recovery.sweep()
        finally:
            connections.close_all()


class Story(StreamingOperation[str]):
    """Write `text` word by word, and rest after the first half on the first attempt."""

    operation_name = "test_long_story"
    idempotent = True
    executed: ClassVar[set[str]] = set()
    text: str = "once upon a time there was "
    again: str = "once upon a time there was "

    async def execute(self, progress):
        attempt = 2 if progress.run_id in self.executed else 1
        self.executed.add(progress.run_id)
        words = (self.text if attempt == 1 else self.again).split()
        for number, word in enumerate(words, 1):
            progress.content(word + " ")
            progress(number, len(words), f"Word {number}")
            if attempt == 1 and number == 4:
                await progress.run(Count(to=1))
                progress.state("holding")
                await asyncio.sleep(60)
        return "".join(word + " " for word in words)


class SecondAttemptTests(RunCase):
    async def restarted(self, operation, state="holding", **columns):
        """Start `operation`, lose its worker in `state`, sweep, and return the run at its end."""
        run = await runs.start(operation)
        await self.until(run, state, timeout=30)
        before = await OperationRun.objects.aget(pk=run.pk)
        expired = timezone.now() - timedelta(seconds=1)
        await OperationRun.objects.filter(pk=run.pk).aupdate(
            lease_expires_at=expired, lease_token="dead", worker="elsewhere:1:1", **columns
        )
        assert await sync_to_async(recovery.sweep)() == 1
        return before, await self.end_of(run, timeout=30)

    async def test_the_text_is_not_doubled_and_the_percentage_does_not_fall(self):
        before, run = await self.restarted(Story())
        events = await self.assert_one_end(run)
        assert (run.status, run.attempt, run.created_at) == ("completed", 2, before.created_at)
        text = "".join(event.data["content"] for event in events if event.type == "content")
        assert text == run.result == "once upon a time there was "
        shown = [
            event.data["percentage"]
            for event in events
            if event.type == "progress" and event.data["operation"] == "test_long_story"
        ]
        assert shown == sorted(shown)
        assert max(shown[:-1]) < 100
        again = [event for event in events if event.data.get("currentState") == "queued"][-1]
        assert "will be started again" in again.data["message"]
        assert again.data["percentage"] == before.percentage > 0

    async def test_another_text_than_the_first_ends_the_run_and_not_in_a_lie(self):
        for text in ("once upon another time", "once upon", "once upon a time there is"):
            with self.subTest(text=text):
                _, run = await self.restarted(Story(again=text))
                events = await self.assert_one_end(run)
                written = "".join(event.data["content"] for event in events if event.type == "content")
                if text.startswith("once upon a time"):
                    assert (run.status, written) == (
                        "completed",
                        text + " ",
                    )  # the first had not come to where they part
                    continue
                assert (run.error["code"], run.error["retryable"]) == ("worker_lost", True)
                assert "another text" in run.message
                assert written == "once upon a time "

    @override_settings(PROGRESS={"QUEUE_TIMEOUT": 60})
    def test_one_that_waits_again_waits_from_then_on(self):
        hour = timezone.now() - timedelta(hours=1)
        run = OperationRun.objects.create(operation="test_again", lease_expires_at=timezone.now(), attempt=1)
        OperationRun.objects.filter(pk=run.pk).update(created_at=hour)
        recovery.sweep()
        assert self.fresh(run).is_active
        OperationRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=61))
        recovery.sweep()
        assert self.fresh(run).error["code"] == "timeout"


class ReaderTests(RunCase):
    """Runs that were started with `on_disconnect="cancel"`."""

    def started(self, **columns):
        return OperationRun.objects.create(operation="test_hold", on_disconnect="cancel", **columns)

    def gone(self, seconds):
        return timezone.now() - timedelta(seconds=seconds)

    @override_settings(PROGRESS={"DISCONNECT_GRACE": 100})
    def test_a_reader_of_any_process_keeps_it_and_without_one_it_is_cancelled(self):
        held = {"status": "running", "lease_token": "x", "worker": "elsewhere:1:1"}
        never_read = self.started()
        read = self.started(read_at=self.gone(50), **held)
        left = self.started(read_at=self.gone(600), **{**held, "lease_token": "y"})
        left_waiting = self.started(read_at=self.gone(600))
        others = OperationRun.objects.create(
            operation="test_hold", read_at=self.gone(600), **{**held, "lease_token": "z"}
        )
        recovery.sweep()
        assert self.fresh(left).cancel_requested_at is not None
        assert self.fresh(left_waiting).status == "cancelled"
        for run in (never_read, read, others):
            assert (self.fresh(run).is_active, self.fresh(run).cancel_requested_at) == (True, None)
        runs.note_reader(read.pk)
        assert self.fresh(read).read_at > self.gone(40)

    @override_settings(PROGRESS={"DISCONNECT_GRACE": 0.2})
    async def test_the_process_that_executes_it_sees_that_nobody_reads_any_more(self):
        run = await runs.start(Patient(), owner=Owner(visitor="v"), on_disconnect="cancel")
        await self.until(run, "running")
        await sync_to_async(runs.note_reader)(run.pk)
        async with asyncio.timeout(30):
            while (run := await OperationRun.objects.aget(pk=run.pk)).is_active:  # a reader would keep it alive
                await asyncio.sleep(0.05)
        assert run.status == "cancelled"
