import asyncio
import threading
import time
from contextlib import suppress

import pytest
from django.test import SimpleTestCase, override_settings
from pydantic import BaseModel, Field

from progress import OperationCancelled, OperationFailed, StreamingOperation, stream_operation
from progress.orchestrator import result_metadata
from progress.owners import Owner

from .cast import Count, Fail, Hold, Nested, Stages, Write


class Scripted(StreamingOperation[object]):
    operation_name = "test_scripted"

    async def execute(self, progress):
        return await type(self).script(progress)


class Chatter(StreamingOperation[None]):
    operation_name = "test_chatter"

    async def execute(self, progress):
        for number in range(50):
            progress.state(f"state_{number}")


def play(script):
    """Return an operation whose body is the coroutine function `script`."""

    class Played(Scripted):
        pass

    Played.script = staticmethod(script)
    return Played()


def states(events):
    return [event.data["currentState"] for event in events if event.type == "progress"]


class CallbackTests(SimpleTestCase):
    async def test_events_arrive_in_order_and_numbered_before_the_result(self):
        events = []
        assert await stream_operation(Count(to=30), events.append) == 30
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.data["percentage"] for event in events[:-1]] == sorted(e.data["percentage"] for e in events[:-1])
        assert events[-1].type == "done"
        assert sorted(event.at for event in events) == [event.at for event in events]

    async def test_an_async_callback_is_awaited_one_event_at_a_time(self):
        events, inside = [], 0

        async def on_event(event):
            nonlocal inside
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.001)
            inside -= 1
            events.append(event.seq)

        await stream_operation(Count(to=20), on_event)
        assert events == list(range(1, len(events) + 1))

    async def test_a_slow_callback_does_not_hold_the_work_up(self):
        ended = asyncio.Event()
        seen_while_working = []

        async def script(progress):
            for number in range(20):
                progress(number, 20)
            ended.set()

        async def on_event(event):
            await ended.wait()
            seen_while_working.append(event)

        async with asyncio.timeout(10):
            await stream_operation(play(script), on_event)
        assert seen_while_working[-1].type == "done"

    async def test_a_callback_that_raises_is_logged_and_the_work_goes_on(self):
        events = []

        def on_event(event):
            events.append(event.type)
            raise RuntimeError("the screen is gone")

        with self.assertLogs("progress", "ERROR") as logged:
            assert await stream_operation(Count(to=2), on_event) == 2
        assert events == ["progress"] * 4 + ["done"]
        assert len(logged.output) == 5

    async def test_without_a_callback(self):
        assert await stream_operation(Stages()) == {"rowCount": 3}
        assert await stream_operation(Write(text="x")) == "x"

    async def test_events_are_there_while_the_work_goes_on(self):
        seen = asyncio.Event()

        async def script(progress):
            progress(1, 2, "half")
            async with asyncio.timeout(10):
                await seen.wait()

        await stream_operation(play(script), lambda event: seen.set() if event.data.get("message") == "half" else None)

    async def test_the_operation_knows_for_whom_it_works_and_that_there_is_no_run(self):
        async def script(progress):
            return [progress.owner, progress.run_id, progress.cancelled]

        owner = Owner(visitor="v")
        assert await stream_operation(play(script), owner=owner) == [owner, None, False]


class LastWordsTests(SimpleTestCase):
    async def last_metadata(self, script):
        events = []
        with suppress(OperationFailed, asyncio.CancelledError):
            await stream_operation(play(script), events.append)
        assert events[-1].terminal
        return events[-1].data["metadata"]

    async def test_they_are_what_is_so_at_the_end(self):
        async def script(progress):
            progress.at_end(lambda: {"used": progress.shared["used"], "rows": 1})
            progress.shared["used"] = 7
            return {"rows": 3}

        metadata = await self.last_metadata(script)
        assert (metadata["used"], metadata["rows"]) == (7, 3)

    async def test_they_are_said_of_a_failure_a_cancel_and_a_result_without_room_too(self):
        for ending in (OperationFailed("no"), asyncio.CancelledError(), None):

            async def script(progress, ending=ending):
                progress.at_end(lambda: {"used": 7})
                if ending is not None:
                    raise ending
                return {"text": "x" * 40_000}

            assert (await self.last_metadata(script))["used"] == 7

    async def test_an_operation_within_shares_and_adds(self):
        async def inner(progress):
            progress.shared["used"] += 1
            progress.at_end(lambda: {"inner": True})

        async def script(progress):
            progress.shared["used"] = 1
            progress.at_end(lambda: dict(progress.shared))
            await progress.run(play(inner))

        metadata = await self.last_metadata(script)
        assert (metadata["used"], metadata["inner"]) == (2, True)

    async def test_those_that_fail_or_have_no_json_form_are_left_out(self):
        async def script(progress):
            progress.at_end(lambda: {"broken": object()})
            progress.at_end(lambda: {"divided": 1 / 0})
            progress.at_end(lambda: {"used": 7})

        with self.assertLogs("progress", "ERROR") as logged:
            metadata = await self.last_metadata(script)
        assert len(logged.output) == 2
        assert metadata["used"] == 7
        assert not {"broken", "divided"} & set(metadata)


class ErrorTests(SimpleTestCase):
    async def raised_by(self, operation, kind):
        events = []
        with pytest.raises(kind) as raised:
            await stream_operation(operation, events.append)
        return raised.value, events

    async def test_what_it_raised_is_raised_after_its_error_event(self):
        error, events = await self.raised_by(Fail(), OperationFailed)
        assert (error.code, error.metadata) == ("no_data", {"table": "sales"})
        assert states(events) == ["running", "running", "failed"]
        metadata = events[-1].data["metadata"]
        expected = {"code": "no_data", "retryable": False, "currentState": "running", "table": "sales"}
        assert expected.items() <= metadata.items()

    async def test_an_internal_error_is_logged_under_its_id_and_says_nothing_else(self):
        with self.assertLogs("progress", "ERROR") as logged:
            _, events = await self.raised_by(Fail(how="bug"), RuntimeError)
        assert events[-1].data["metadata"]["errorId"] in logged.output[0]
        assert "canary" not in "".join(event.payload for event in events)
        assert events[-1].data["message"] == "Something went wrong on the server. It was logged."

    async def test_a_result_without_a_json_form_is_an_error(self):
        with self.assertLogs("progress", "ERROR"):
            _, events = await self.raised_by(Fail(how="unstorable"), TypeError)
        assert (events[-1].type, states(events)[-1]) == ("error", "failed")

    async def test_an_operation_may_cancel_itself(self):
        _, events = await self.raised_by(Fail(how="cancelled"), OperationCancelled)
        assert (states(events)[-1], events[-1].data["metadata"]["code"]) == ("cancelled", "cancelled")
        assert events[-1].data["metadata"]["retryable"] is True

    async def test_a_nested_failure_is_said_once_and_ends_the_whole(self):
        async def script(progress):
            await progress.run(Fail())

        _, events = await self.raised_by(play(script), OperationFailed)
        ends = [(e.data["operation"], e.data["currentState"]) for e in events if e.data.get("currentState") == "failed"]
        assert ends == [("test_fail", "failed"), ("test_scripted", "failed")]
        assert [event.data["operation"] for event in events if event.terminal] == ["test_scripted"]

    @override_settings(PROGRESS={"RUN_EVENTS": 60})
    async def test_reaching_the_limit_with_text_still_held_has_one_end_too(self):
        async def script(progress):
            for _ in range(45):
                progress.content("x")
            await progress.run(Chatter())

        _, events = await self.raised_by(play(script), OperationFailed)
        assert [event.type for event in events if event.terminal] == ["error"]
        assert events[-1].data["metadata"]["code"] == "limit_exceeded"

    @override_settings(PROGRESS={"RUN_EVENTS": 30})
    async def test_a_body_that_ignores_its_limit_gets_no_further(self):
        async def script(progress):
            for _ in range(5_000):
                try:
                    await progress.run(Count(to=0))
                except OperationFailed:
                    continue

        events = []
        await stream_operation(play(script), events.append)
        assert len(events) < 30 + 250


class CancelTests(SimpleTestCase):
    async def started(self, operation, state):
        events, running = [], asyncio.Event()

        def on_event(event):
            events.append(event)
            if event.data.get("currentState") == state:
                running.set()

        task = asyncio.create_task(stream_operation(operation, on_event))
        async with asyncio.timeout(10):
            await running.wait()
        return task, events

    async def cancelled(self, operation, after="running"):
        task, events = await self.started(operation, after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert states(events)[-1] == "cancelled"
        assert [event.type for event in events if event.terminal] == ["error"]
        assert events[-1].data["metadata"]["code"] == "cancelled"
        return events

    async def test_cancelling_the_awaiting_task_is_the_end(self):
        await self.cancelled(Hold())

    async def test_nested_operations_end_with_it(self):
        async def script(progress):
            await progress.run(Hold(), weight=0.5)

        events = await self.cancelled(play(script))
        ends = [e.data["operation"] for e in events if e.data.get("currentState") == "cancelled"]
        assert ends == ["test_hold", "test_scripted"]

    async def test_its_thread_is_told(self):
        stopped = threading.Event()

        async def script(progress):
            def work():
                try:
                    while True:
                        progress.state("working")
                        time.sleep(0.005)
                except OperationCancelled:
                    stopped.set()

            await progress.in_thread(work)

        await self.cancelled(play(script), after="working")
        assert await asyncio.to_thread(stopped.wait, 10)

    async def test_a_thread_left_by_a_failure_is_told_too(self):
        stopped, begun = threading.Event(), threading.Event()

        async def script(progress):
            def work():
                try:
                    while True:
                        progress.content("x")
                        begun.set()
                        time.sleep(0.005)
                except OperationCancelled:
                    stopped.set()

            thread = asyncio.ensure_future(progress.in_thread(work))
            await asyncio.to_thread(begun.wait, 10)
            assert not thread.done()
            raise ValueError("elsewhere")

        with self.assertLogs("progress", "ERROR"), pytest.raises(ValueError, match="elsewhere"):
            await stream_operation(play(script))
        assert await asyncio.to_thread(stopped.wait, 10)


class Named(BaseModel):
    row_count: int = Field(serialization_alias="rowCount")


class ResultTests(SimpleTestCase):
    def test_what_becomes_of_a_result(self):
        cases = [
            (None, {}),
            ({"a": 1}, {"a": 1}),
            (Named(row_count=3), {"rowCount": 3}),
            (7, {"result": 7}),
            ([1], {"result": [1]}),
            ("", {"result": ""}),
            (False, {"result": False}),
        ]
        for result, metadata in cases:
            with self.subTest(result=result):
                assert result_metadata(result) == metadata

    async def last_of(self, result):
        async def script(progress):
            return result

        events = []
        returned = await stream_operation(play(script), events.append)
        assert returned is result
        return events[-1]

    async def test_the_done_event_carries_it(self):
        assert (await self.last_of({"rowCount": 3})).data["metadata"]["rowCount"] == 3
        assert (await self.last_of([1, 2])).data["metadata"]["result"] == [1, 2]
        assert (await self.last_of({"mean": float("nan")})).data["metadata"]["mean"] is None

    async def test_one_that_is_too_large_stays_out_of_the_log(self):
        event = await self.last_of({"rows": ["x" * 1000] * 100})
        assert event.data["metadata"]["resultTooLarge"] is True
        assert "rows" not in event.data["metadata"]
        assert len(event.payload) < 1_000

    async def test_the_largest_that_fits(self):
        sizes = [len((await self.last_of("x" * length)).payload) for length in range(32_400, 32_800, 20)]
        assert max(sizes) <= 32 * 1024
        assert max(sizes) > 32_600

    async def test_nested_results_are_returned_and_not_announced(self):
        events = []
        assert await stream_operation(Nested(), events.append) == 10
        assert [event.data["metadata"]["result"] for event in events if event.terminal] == [10]
