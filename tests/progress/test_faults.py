"""What one run does wrong, or what breaks under it, costs no other run and no event."""

import asyncio
import contextlib
import threading
import time
import uuid
from unittest.mock import patch

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, ProgrammingError, connection
from django.test import SimpleTestCase, override_settings

from progress import StreamingOperation, recovery, runs, workers
from progress import log as log_module
from progress.bell import bell
from progress.database import in_database, storable
from progress.exceptions import EventTooLarge, LeaseLost
from progress.execution import supervisor
from progress.log import log
from progress.models import OperationRun
from progress.reporting import TICK_BURST
from progress.testing import events_of

from .cast import Count, Hold
from .test_log import LogCase, last, tick
from .test_orchestrator import Chatter


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


class Garbled(StreamingOperation[dict]):
    """Report text that databases and drivers choke on."""

    operation_name = "test_garbled"

    async def execute(self, progress):
        progress.state("a" * 300, "before \0 and \ud800 after")
        progress.content("\0\udfff")
        return {"name": "\0", "\ud800": ["\udfff"], "mean": float("nan")}


class WriterTests(LogCase):
    async def test_text_that_a_database_refuses_is_marked_in_the_row_and_whole_in_the_log(self):
        run = await self.finished(Garbled())
        events = await self.assert_one_end(run)
        assert run.status == "completed"
        assert run.result == {"name": "\ufffd", "\ufffd": ["\ufffd"], "mean": None}
        assert "before \0 and \ud800 after" in [event.data.get("message") for event in events]
        assert "\0\udfff" in [event.data.get("content") for event in events]

    async def test_whoever_stops_waiting_for_an_append_does_not_stop_the_writer(self):
        run, lease = await sync_to_async(self.make_run)()
        waiting = log.append(lease, [tick(1)])
        waiting.cancel()
        await self.append(lease, tick(2))
        await self.finish(lease)
        assert [event.seq for event in await self.events(run)] == [1, 2, 3]

    async def test_a_cancel_whose_caller_leaves_at_any_moment_leaves_the_writer_at_work(self):
        for moment in range(12):
            run = await sync_to_async(OperationRun.objects.create)(operation="test_count")
            leaving = asyncio.create_task(runs.cancel(run))
            await asyncio.sleep(moment / 1000)
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leaving
        assert (await self.finished(Count())).status == "completed"

    async def test_what_cannot_be_stored_of_one_run_takes_no_other_with_it(self):
        good, good_lease = await sync_to_async(self.make_run)()
        bad, bad_lease = await sync_to_async(self.make_run)()
        poisoned = tick(1)
        poisoned.at = object()
        with self.assertLogs("progress", "ERROR"):
            with log._condition:  # so that all three reach the writer as one batch
                first = log.append(good_lease, [tick(1)])
                refused = log.append(bad_lease, [poisoned])
                second = log.append(good_lease, [tick(2)])
            await asyncio.gather(asyncio.wrap_future(first), asyncio.wrap_future(second))
            with pytest.raises(ProgrammingError):
                await asyncio.wrap_future(refused)
        assert [event.seq for event in await self.events(good)] == [1, 2]
        assert await self.events(bad) == []
        assert bad_lease.lost
        with pytest.raises(LeaseLost):  # what followed would hide the hole
            await self.append(bad_lease, tick(2))

    async def test_a_database_that_comes_back_gets_every_event_once(self):
        run, lease = await sync_to_async(self.make_run)()
        store, failures = log_module._store, iter(range(4))

        def shaky(by_lease):
            number = next(failures, None)
            if number is None:
                return store(by_lease)
            if number % 2:
                store(by_lease)  # the commit succeeds and only its answer is lost
            raise OperationalError("server closed the connection unexpectedly")

        with patch.object(log_module, "_store", shaky):
            for number in range(5):
                await self.append(lease, tick(number))
            await self.finish(lease)
        assert [event.seq for event in await self.events(run)] == [1, 2, 3, 4, 5, 6]
        assert [event.data["message"] for event in (await self.events(run))[:5]] == list("01234")


class ReaderTests(LogCase):
    async def read(self, run, after=0):
        async with asyncio.timeout(10):
            return [event.seq async for event in log.subscribe(run.pk, after)]

    async def test_there_is_nothing_after_the_end(self):
        run = await self.finished(Count())
        assert await self.read(run, run.last_seq) == []
        assert await self.read(run, run.last_seq + 7) == []

    async def test_a_pruned_log_ends(self):
        run = await self.finished(Count())
        await run.events.all().adelete()
        assert await self.read(run) == []

    @override_settings(PROGRESS={"POLL": 0.05})
    async def test_a_run_that_is_deleted_or_never_was(self):
        assert await self.read(OperationRun(pk=uuid.uuid4())) == []
        run, _ = await sync_to_async(self.make_run)()
        reading = asyncio.create_task(self.read(run))
        await until(lambda: bell.readers(run.pk))
        await OperationRun.objects.filter(pk=run.pk).adelete()
        assert await reading == []

    async def test_readers_on_several_loops_come_and_go(self):
        run, lease = await sync_to_async(self.make_run)()
        total, results = 150, []

        async def impatient():
            seen, after = [], 0
            while after < total:
                events = log.subscribe(run.pk, after)
                async for event in events:
                    seen.append(after := event.seq)
                    if after % 3 == 0:
                        break
                await events.aclose()
            results.append(seen)

        threads = [threading.Thread(target=lambda: asyncio.run(impatient())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(total - 1):
            await self.append(lease, tick(number))
        await self.append(lease, last(), ending=runs.ending_columns("completed"))
        for thread in threads:
            await asyncio.to_thread(thread.join, 20)
        assert results == [list(range(1, total + 1))] * 4
        assert bell.readers(run.pk) == 0


class SupervisorTests(LogCase):
    async def test_a_turn_that_breaks_is_not_its_last(self):
        run = await runs.start(Hold())
        await self.until(run, "running")
        with (
            self.assertLogs("progress", "ERROR") as logged,
            patch.object(supervisor, "_look", side_effect=ValueError("odd")),
        ):
            supervisor.look_now()
            await until(lambda: logged.records)
        await runs.cancel(run)
        await self.end_of(run)
        assert run.status == "cancelled"

    async def test_a_deleted_run_stops(self):
        run = await runs.start(Hold())
        await self.until(run, "running")
        await OperationRun.objects.filter(pk=run.pk).adelete()
        supervisor.look_now()
        await until(lambda: not supervisor.executions)

    def test_a_cancel_that_lost_its_process_ends_as_cancelled(self):
        run = OperationRun.objects.create(
            operation="test_count", worker=workers.worker_name().rsplit(":", 2)[0] + ":999999:1"
        )
        runs.request_cancel(run.pk)  # and the process died before it could write the end
        assert recovery.sweep() == 1
        assert self.fresh(run).status == "cancelled"

    def test_a_worker_on_another_machine_is_not_judged_by_its_process_id(self):
        for worker in ("elsewhere:999999:1", "elsewhere/7:999999:1"):
            run = OperationRun.objects.create(
                operation="test_count", status="running", worker=worker, lease_token=worker
            )
            assert recovery.sweep() == 0
            assert self.fresh(run).is_active

    async def test_leases_are_renewed_beside_the_writer_without_a_deadlock(self):
        if connection.vendor != "postgresql":
            self.skipTest("SQLite has one writer")
        pairs = [await sync_to_async(self.make_run)() for _ in range(12)]
        leases = [lease for _, lease in pairs]
        writing = True

        def renew():
            while writing:
                runs.renew(leases)

        renewing = asyncio.create_task(in_database(renew))
        for number in range(60):
            await asyncio.gather(*(self.append(lease, tick(number)) for lease in leases))
        writing = False
        await renewing


class ReporterTests(SimpleTestCase):
    def events(self, script):
        class Scripted(StreamingOperation[object]):
            async def execute(self, progress):
                return await script(progress)

        Scripted.operation_name = "scripted"
        return asyncio.run(events_of(Scripted()))

    def text(self, events):
        return "".join(event.data["content"] for event in events if event.type == "content")

    def test_a_held_report_that_is_too_large_takes_no_text_with_it(self):
        async def script(progress):
            for number in range(TICK_BURST + 5):
                progress(number, 100)
                progress.content("a")
            progress(50, 100, metadata={"rows": "x" * 40_000})
            progress.content("b")
            await asyncio.sleep(0.3)

        with self.assertLogs("progress", "WARNING") as logged:
            events = self.events(script)
        assert self.text(events) == "a" * (TICK_BURST + 5) + "b"
        assert "Send a link to big results" in logged.output[0]

    def test_a_report_that_is_too_large_is_refused_and_the_next_is_not(self):
        async def script(progress):
            with pytest.raises(EventTooLarge):
                progress(1, 4, metadata={"rows": "x" * 40_000})
            progress(2, 4)

        assert 50 in [event.data.get("percentage") for event in self.events(script)]

    def test_metadata_is_what_it_was_when_it_was_given(self):
        async def script(progress):
            shared = {}
            for number in range(TICK_BURST + 20):
                shared["number"] = number
                progress(number, 100, metadata=shared)
            shared["number"] = -1
            await asyncio.sleep(0.3)

        numbers = [event.data["metadata"].get("number") for event in self.events(script)]
        assert TICK_BURST + 19 in numbers
        assert -1 not in numbers

    def test_ten_thousand_steps_add_up(self):
        async def script(progress):
            for _ in range(10_000):
                with progress.step("One", weight=1 / 10_000) as step:
                    step(1, 2)
            assert not progress._parts

        shown = [event.data["percentage"] for event in self.events(script) if event.type == "progress"]
        assert shown == sorted(shown)

    def test_steps_from_many_threads_at_once(self):
        async def script(progress):
            def work():
                for _ in range(200):
                    with progress.step("One", weight=1 / 1600) as step:
                        step(1, 2)

            await asyncio.gather(*(progress.in_thread(work) for _ in range(8)))
            return progress._percentage()

        assert self.events(script)[-1].data["metadata"]["result"] == 99.9

    def test_a_failed_step_keeps_what_it_had_done(self):
        async def script(progress):
            with contextlib.suppress(ZeroDivisionError), progress.step("Half", weight=0.5) as step:
                step(1, 2)
                raise ZeroDivisionError
            progress(message="on")
            return progress._percentage()

        assert self.events(script)[-1].data["metadata"]["result"] == 25

    def test_a_thread_may_report_while_the_operation_ends(self):
        async def script(progress):
            def work():
                deadline = time.monotonic() + 0.05
                while time.monotonic() < deadline:
                    progress.content("x")
                    progress(1, 2)

            futures = [asyncio.ensure_future(progress.in_thread(work)) for _ in range(4)]
            await asyncio.sleep(0.01)
            return len(futures)

        for _ in range(5):
            events = self.events(script)
            assert [event.terminal for event in events] == [False] * (len(events) - 1) + [True]


class RunMetadataTests(LogCase):
    async def test_an_operation_cannot_speak_for_another_run(self):
        class Liar(StreamingOperation[dict]):
            operation_name = "test_liar"

            async def execute(self, progress):
                progress(1, 2, metadata={"runId": "other", "attempt": "x"})
                return {"runId": "other", "attempt": "x", "rowCount": 1}

        run = await self.finished(Liar())
        for event in await self.events(run):
            assert (event.data["metadata"]["runId"], event.data["metadata"].get("attempt") in (0, 1)) == (
                str(run.pk),
                True,
            )


class StorableTests(SimpleTestCase):
    def test_only_what_cannot_be_stored_changes(self):
        same = ["", "plain", "é \u2028 \U0001f600", None, 1.5, True, {"a": [1, {"b": "ü"}]}]
        for value in same:
            assert storable(value) == value
        assert storable({"\0": ("\ud800x", "x\udc00", "\ud83d\ude00")}) == {
            "\ufffd": ["\ufffdx", "x\ufffd", "\U0001f600"]
        }


class LimitTests(LogCase):
    @override_settings(PROGRESS={"RUN_EVENTS": 60})
    async def test_a_run_over_its_limit_with_text_still_held_has_one_end(self):
        class Talker(StreamingOperation[None]):
            operation_name = "test_talker"

            async def execute(self, progress):
                for _ in range(45):
                    progress.content("x")
                await progress.run(Chatter())

        run = await self.finished(Talker())
        await self.assert_one_end(run)
        assert run.error["code"] == "limit_exceeded"
