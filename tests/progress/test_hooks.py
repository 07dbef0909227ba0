import asyncio
import json
from unittest import mock

from django.test import SimpleTestCase, override_settings
from jsonschema import Draft202012Validator

from progress import runs, stream_operation
from progress.events import event_schema
from progress.models import OperationRun
from progress.owners import Owner

from .case import RunCase
from .cast import Count, Fail, Hold, Nested, Stages, Write
from .test_reporting import percentages, report

schema = Draft202012Validator(event_schema())
seen = []


def hooks(*functions):
    return override_settings(PROGRESS={"HOOKS": [f"{__name__}.{function.__name__}" for function in functions]})


def collected(operation, **options):
    events = []

    async def collect():
        try:
            await stream_operation(operation, events.append, **options)
        except Exception as error:
            return error

    asyncio.run(collect())
    for event in events:
        schema.validate(json.loads(event.payload))
    return events


def told(events):
    return [event.data["message"] for event in events if event.type == "progress"]


def watch(event, context):
    seen.append((event, context))
    return event


def redact(event, context):
    if "content" in event["data"]:
        event["data"]["content"] = event["data"]["content"].replace("secret", "******")
    if "message" in event["data"]:
        event["data"]["message"] = event["data"]["message"].replace("Number", "No.")
    return event


def shout(event, context):
    if "message" in event["data"]:
        event["data"]["message"] += "!"
    return event


def drop_all(event, context):
    return None


def twice(event, context):
    added = json.loads(json.dumps(event))
    if event["type"] == "progress":
        added["data"] |= {"message": "added", "metadata": {"audit": True}}
    return [added, event]


def breaks(event, context):
    event["data"].clear()
    raise RuntimeError("a hook's own mistake")


def lies(event, context):
    if event["type"] == "progress":
        event["data"]["percentage"] = {0: 50, 1: 20, 2: 500, 3: None}.get(len(seen), 100)
        seen.append(event)
    return event


def raises_once(event, context):
    if event["type"] == "progress" and event["data"]["percentage"] == 0:
        event["data"]["percentage"] = 50
    return event


def forgets_metadata(event, context):
    if event["type"] == "progress":
        event["data"]["metadata"] = {"runId": "another"}
    return event


def ends_early(event, context):
    return [event, {"type": "done", "data": {"operation": context.operation, "message": "", "metadata": {}}}]


def recode(event, context):
    if event["type"] == "error":
        event["data"]["metadata"] |= {"code": "no_data", "retryable": True}
    return event


def rewrites_error(event, context):
    if event["type"] == "error":
        event["data"]["message"] = "Ask the office."
    return event


def wrong(event, context):
    return {"type": "progress", "data": {"operation": 7}} if event["type"] == "progress" else "text"


def bloats(event, context):
    event["data"].setdefault("metadata", {})["more"] = "x" * 40_000
    return event


async def asynchronous(event, context):
    return event


class HookTests(SimpleTestCase):
    def setUp(self):
        seen.clear()

    @hooks(watch)
    def test_a_hook_gets_each_event_as_clients_would_and_whose_it_is(self):
        events = collected(Nested(), owner=Owner(user=5))
        assert [event for event, _ in seen] == [json.loads(event.payload) for event in events]
        assert {(context.operation, context.run_id, context.owner) for _, context in seen} == {
            ("test_nested", None, Owner(user=5))
        }

    @hooks(redact, shout)
    def test_hooks_change_events_in_order(self):
        assert told(collected(Count(to=2))) == ["Started!", "No. 1!", "No. 2!", "Completed!"]
        texts = [e.data["content"] for e in collected(Write(text="a secret", size=9)) if e.type == "content"]
        assert texts == ["a ******"]

    @hooks(drop_all)
    def test_ends_cannot_be_dropped(self):
        with self.assertLogs("progress", "ERROR") as logs:
            assert [e.type for e in collected(Count())] == ["progress", "done"]
        assert len(logs.records) == 1, "once a run is enough"
        with self.assertLogs("progress", "ERROR"):
            nested = collected(Nested())
        assert [(e.data["operation"], e.data.get("currentState")) for e in nested] == [
            ("test_count", "completed"),
            ("test_count", "completed"),
            ("test_nested", "completed"),
            ("test_nested", None),
        ]

    @hooks(twice)
    def test_a_hook_adds_events_but_no_ends(self):
        with self.assertLogs("progress", "ERROR"):
            events = collected(Count(to=1))
        assert told(events) == ["added", "Started", "added", "Number 1", "Completed"]
        assert [event.type for event in events if event.terminal] == ["done"]

    @hooks(ends_early)
    def test_a_hook_cannot_end_a_run(self):
        with self.assertLogs("progress", "ERROR"):
            assert [e.type for e in collected(Count(to=1))] == ["progress"] * 3 + ["done"]

    @hooks(shout, breaks, shout)
    def test_what_a_hook_raises_is_logged_and_the_event_goes_on_as_it_was(self):
        with self.assertLogs("progress", "ERROR") as logs:
            assert told(collected(Count(to=1))) == ["Started!!", "Number 1!!", "Completed!!"]
        assert "test_hooks.breaks failed" in logs.output[0]
        assert "a hook's own mistake" in logs.output[0]

    @hooks(wrong)
    def test_what_is_no_event_is_left_out(self):
        with self.assertLogs("progress", "ERROR"):
            assert told(collected(Count(to=1))) == ["Started", "Number 1", "Completed"]

    @hooks(bloats)
    def test_size_limits_hold(self):
        with self.assertLogs("progress", "ERROR"):
            events = collected(Count(to=1))
        assert max(len(event.payload) for event in events) < 1_000

    @hooks(asynchronous)
    def test_an_async_hook_is_passed_over(self):
        with self.assertLogs("progress", "ERROR") as logs:
            assert len(collected(Count(to=1))) == 4
        assert "ordinary function" in logs.output[0]

    @hooks(lies)
    def test_percentages_stay_sound(self):
        with self.assertLogs("progress", "ERROR"):
            events = report(lambda progress: [progress(number, 10) for number in range(5)])
        # 50 · 20 would fall · 500 is no percentage, and counts 10 · null is marked · 100 before the end · the end
        assert percentages(events) == [50, 50, 50, None, 99.9, 99.9, 100]
        assert events[3].data["metadata"]["indeterminate"] is True

    @hooks(raises_once)
    def test_a_percentage_that_a_hook_raised_does_not_fall_afterwards(self):
        assert percentages(collected(Count(to=4)), "test_count") == [50, 50, 50, 75, 99.9, 100]
        assert percentages(collected(Nested()), "test_count").count(50) == 7, "each nested operation for itself"

    @override_settings(PROGRESS={"HOOKS": [f"{__name__}.twice"], "RUN_EVENTS": 20})
    def test_added_events_count(self):
        with self.assertLogs("progress", "ERROR"):
            events = report(lambda progress: [progress.state(f"s{number}") for number in range(15)])
        assert events[-1].data["metadata"]["code"] == "limit_exceeded"
        assert len(events) <= 22

    @hooks(recode)
    def test_an_error_keeps_its_code(self):
        with self.assertLogs("progress", "ERROR"):
            assert collected(Fail(how="bug"))[-1].data["metadata"]["code"] == "internal"

    @hooks(rewrites_error)
    def test_an_error_may_say_something_else(self):
        last = collected(Fail())[-1].data
        assert (last["message"], last["metadata"]["code"]) == ("Ask the office.", "no_data")


class RunTests(RunCase):
    def setUp(self):
        super().setUp()
        seen.clear()

    async def test_what_is_stored_has_passed_the_hooks(self):
        with hooks(redact, watch):
            run = await self.finished(Count(to=2), owner=Owner(visitor="v"))
        events = await self.assert_one_end(run)
        assert [event.data["message"] for event in events][2:4] == ["No. 1", "No. 2"]
        assert {(context.run_id, context.owner.visitor) for _, context in seen} == {(str(run.pk), "v")}
        assert seen[0][0]["data"]["currentState"] == "queued"

    async def test_an_event_always_says_whose_it_is(self):
        with hooks(forgets_metadata):
            run = await self.finished(Count(to=2))
        for event in await self.assert_one_end(run):
            assert event.data["metadata"]["runId"] == str(run.pk)

    async def test_the_row_has_what_hooks_made_of_an_error(self):
        with hooks(rewrites_error):
            run = await self.finished(Fail())
        await self.assert_one_end(run)
        assert run.error["message"] == "Ask the office."

    async def test_hooks_see_the_end_of_a_run_that_nobody_executes(self):
        with hooks(rewrites_error), mock.patch.object(runs, "enqueue"):
            run = await runs.cancel(await runs.start(Hold()))
        events = await self.assert_one_end(run)
        assert (events[-1].data["message"], run.error["message"]) == ("Ask the office.", "Ask the office.")

    async def test_a_cancel_and_a_failing_hook_leave_one_end(self):
        with hooks(drop_all, breaks, twice), self.assertLogs("progress", "ERROR"):
            run = await runs.start(Hold())
            async with asyncio.timeout(20):
                while (await OperationRun.objects.aget(pk=run.pk)).status == "queued":
                    await asyncio.sleep(0.02)
            await runs.cancel(run)
            await self.end_of(run)
        await self.assert_one_end(run)
        assert run.status == "cancelled"


class CurveTests(SimpleTestCase):
    def test_an_operation_shows_percentages_on_its_own_curve(self):
        def squared(self, percentage):
            return percentage**2 / 100

        events = report(lambda progress: [progress(n, 4) for n in range(5)], shown_percentage=squared)
        assert percentages(events) == [0, 0, 6.2, 25, 56.2, 99.9, 100]

    def test_it_neither_falls_nor_ends_too_early(self):
        events = report(
            lambda progress: [progress(n, 4) for n in range(5)], shown_percentage=lambda self, p: 500 - 10 * p
        )
        assert percentages(events) == [99.9] * 6 + [100]

    def test_a_curve_that_fails_is_logged_and_left(self):
        for wrong in (lambda self, p: float("nan"), lambda self, p: 1 / 0, lambda self, p: "much"):
            with self.assertLogs("progress", "ERROR") as logs:
                events = report(lambda progress: progress(1, 4), shown_percentage=wrong)
            assert percentages(events) == [0, 25, 100]
            assert len(logs.records) == 1

    def test_states_keep_their_places_without_a_curve(self):
        assert percentages(collected(Stages()), "test_stages") == [10, 25, 40, 60, 80, 90, 100]
