import asyncio
import contextlib
import threading

import pytest
from django.contrib.auth.models import Group
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from progress import StreamingOperation, stream_operation
from progress.exceptions import EventTooLarge, InvalidTransition
from progress.reporting import TICK_BURST, TICK_RATE
from progress.testing import events_of

from .cast import Count, Nested, Stages, Write


def report(script, **class_vars):
    """Return the events of an operation whose body is `script(progress)`."""

    class Scripted(StreamingOperation[object]):
        async def execute(self, progress):
            result = script(progress)
            return await result if asyncio.iscoroutine(result) else result

    Scripted.operation_name = "scripted"
    for name, value in class_vars.items():
        setattr(Scripted, name, value)
    return asyncio.run(events_of(Scripted()))


def percentages(events, operation="scripted"):
    return [e.data["percentage"] for e in events if e.type == "progress" and e.data["operation"] == operation]


def messages(events):
    return [event.data["message"] for event in events if event.type == "progress"]


class CallTests(SimpleTestCase):
    def test_value_of_total(self):
        events = report(lambda progress: [progress(number, 4, f"part {number}") for number in range(5)])
        assert percentages(events) == [0, 0, 25, 50, 75, 99.9, 100]
        assert messages(events) == ["Started", "part 0", "part 1", "part 2", "part 3", "part 4", "Completed"]

    def test_message_alone_keeps_the_percentage(self):
        events = report(lambda progress: (progress(1, 2), progress(message="still there")))
        assert percentages(events) == [0, 50, 50, 100]

    def test_unknown_total_is_indeterminate(self):
        events = report(lambda progress: progress(17, message="rows"))
        assert percentages(events) == [0, None, 100]
        assert events[1].data["metadata"]["indeterminate"] is True

    def test_nothing_to_do_counts_as_done(self):
        assert percentages(report(lambda progress: progress(0, 0))) == [0, 99.9, 100]

    def test_metadata_is_carried(self):
        events = report(lambda progress: progress(1, 2, metadata={"table": "sales"}))
        assert events[1].data["metadata"]["table"] == "sales"
        assert events[1].data["metadata"]["etaMs"] is None

    def test_a_number_that_is_not_finite_is_refused(self):
        def script(progress):
            for bad in (float("nan"), float("inf")):
                with pytest.raises(ValueError, match="must be finite"):
                    progress(bad, 10)
                with pytest.raises(ValueError, match="must be finite"):
                    progress(1, bad)

        report(script)

    def test_an_event_beyond_its_size_is_refused_and_the_run_goes_on(self):
        def script(progress):
            with pytest.raises(EventTooLarge, match="one holds at most 32,768"):
                progress.state("big", metadata={"rows": "x" * 40_000})
            return "fine"

        assert report(script)[-1].data["metadata"]["result"] == "fine"

    def test_threads_and_loop_may_report_at_once(self):
        async def script(progress):
            def work():
                for number in range(500):
                    progress(number, 500)
                    progress.content("x")

            await asyncio.gather(*(progress.in_thread(work) for _ in range(8)))

        events = report(script)
        shown = percentages(events)
        assert shown == sorted(shown)
        assert "".join(e.data["content"] for e in events if e.type == "content") == "x" * 4000


class CoalescingTests(SimpleTestCase):
    def test_a_tight_loop_costs_a_burst_and_shows_its_last_value(self):
        events = report(lambda progress: [progress(number, 100_000) for number in range(100_000)])
        seconds = events[-1].data["metadata"]["elapsedMs"] / 1000
        assert TICK_BURST <= len(events) <= TICK_BURST + TICK_RATE * seconds + 5

    def test_a_held_tick_is_sent_when_there_is_room(self):
        async def script(progress):
            for number in range(1, 101):
                progress(number, 200)
            await asyncio.sleep(0.3)

        assert 50 in percentages(report(script))

    def test_text_is_joined_but_never_lost(self):
        text = "".join(chr(32 + number % 900) for number in range(9_000))
        events = asyncio.run(events_of(Write(text=text)))
        pieces = [event.data["content"] for event in events if event.type == "content"]
        assert "".join(pieces) == text
        assert len(pieces) < 1_000

    def test_one_large_text_is_split_below_the_limit(self):
        text = "\U0001f600" * 30_000
        events = asyncio.run(events_of(Write(text=text, size=30_000)))
        assert "".join(event.data["content"] for event in events if event.type == "content") == text
        assert max(len(event.payload) for event in events) <= 32 * 1024

    def test_held_text_comes_before_the_end(self):
        async def script(progress):
            for _ in range(200):
                progress.content("y")

        events = report(script)
        assert [event.type for event in events][-2:] == ["progress", "done"]
        assert sum(len(event.data["content"]) for event in events if event.type == "content") == 200


class LimitTests(SimpleTestCase):
    @override_settings(PROGRESS={"RUN_EVENTS": 20})
    def test_a_run_that_reports_too_much_ends(self):
        events = report(lambda progress: [progress.state(f"s{number}") for number in range(50)])
        assert events[-1].type == "error"
        assert events[-1].data["metadata"]["code"] == "limit_exceeded"
        assert len(events) == 22

    @override_settings(PROGRESS={"RUN_BYTES": 5_000})
    def test_bytes_count_too(self):
        events = report(lambda progress: [progress.content("z" * 1000) for _ in range(50)])
        assert events[-1].data["metadata"]["code"] == "limit_exceeded"


class StateTests(SimpleTestCase):
    def test_states_carry_their_percentages_and_parts_move_within(self):
        events = asyncio.run(events_of(Stages()))
        assert [(e.data["currentState"], e.data["percentage"]) for e in events if e.type == "progress"] == [
            ("load", 10),
            ("load", 25),
            ("check", 40),
            ("check", 60),
            ("save", 80),
            ("save", 90),
            ("completed", 100),
        ]

    def test_going_back_where_declared_keeps_the_percentage(self):
        events = asyncio.run(events_of(Stages(path=["load", "check", "load", "save"])))
        shown = percentages(events, "test_stages")
        assert shown == [10, 25, 40, 60, 60, 60, 80, 90, 100]

    def test_an_undeclared_transition_is_a_programming_error(self):
        for path, why in [
            (["check", "check", "nowhere"], "declares no state"),
            (["save", "load"], "cannot go from"),
            (["completed"], "by itself"),
        ]:
            with pytest.raises(InvalidTransition, match=why):
                asyncio.run(stream_operation(Stages(path=path)))

    def test_without_declared_states_any_name_may_be_used(self):
        events = report(lambda progress: (progress.state("executing_sql"), progress.state("completed_sql")))
        assert [e.data["currentState"] for e in events if e.type == "progress"] == [
            "running",
            "executing_sql",
            "completed_sql",
            "completed",
        ]


class StepTests(SimpleTestCase):
    def test_weighted_steps_make_one_percentage(self):
        def script(progress):
            with progress.step("Load", weight=0.3) as load:
                load(1, 2)
            with progress.step("Write", weight=0.7) as write:
                write(1, 7)
                with write.step("Index", weight=0.5) as index:
                    index(1, 2)

        assert percentages(report(script)) == [0, 0, 15, 30, 30, 40, 40, 47.5, 65, 99.9, 100]

    def test_steps_side_by_side_add_up(self):
        def script(progress):
            one, two = progress.step("One", 0.5), progress.step("Two", 0.5)
            one(1, 2), two(1, 2)

        assert percentages(report(script)) == [0, 25, 50, 100]

    def test_what_a_step_is_marked_with_is_on_all_that_is_reported_below_it(self):
        async def script(progress):
            with progress.step("one", 0.5, metadata={"toolCallId": "a"}) as step:
                step(1, 2, metadata={"rows": 3})
                with step.step("inner", 1.0, metadata={"part": 1}):
                    pass
                await step.run(Count(to=1))
            progress(message="after")

        found = [(e.data["operation"], e.data["message"], e.data["metadata"]) for e in report(script)]
        marked = [(operation, message) for operation, message, metadata in found if metadata.get("toolCallId") == "a"]
        assert ("scripted", "one") in marked
        assert ("scripted", "inner") in marked
        assert ("test_count", "Number 1") in marked
        assert ("test_count", "Completed") in marked
        assert [m["rows"] for _, _, m in found if "rows" in m] == [3]
        assert "toolCallId" not in found[-1][2]
        assert next(metadata for _, message, metadata in found if message == "after").get("toolCallId") is None

    def test_steps_side_by_side_do_not_take_each_others_place(self):
        """Of reports that come too fast the newest of each step is kept, not the newest of all."""

        async def script(progress):
            with progress.step("a", 0.5, metadata={"toolCallId": "a"}) as a, progress.step("b", 0.5) as b:
                for number in range(TICK_BURST + 5):
                    b(number, 100)
                a(1, 100, "a says")
                b(99, 100, "b says")
                await asyncio.sleep(0.5)

        said = messages(report(script))
        assert "a says" in said
        assert "b says" in said

    def test_a_step_has_a_state_of_its_own(self):
        """Parts side by side each show what they do; the operation's own state is not theirs to change."""

        async def script(progress):
            with progress.step("a", 0.5, metadata={"part": "a"}) as a, progress.step("b", 0.5) as b:
                a.state("executing_a", metadata={"rows": 1})
                b.state("executing_b", "B begins")
                with a.step("inner", 1.0):
                    await a.run(Count(to=1), weight=0.5)
                with pytest.raises(InvalidTransition, match="'failed' is a state of a whole operation"):
                    b.state("failed")
            progress(message="after")

        found = [e.data for e in report(script) if e.data["operation"] == "scripted" and e.type == "progress"]
        told = [(data["currentState"], data["message"], data["metadata"].get("part")) for data in found]
        assert ("executing_a", "Executing a", "a") in told
        assert ("executing_b", "B begins", None) in told
        assert ("executing_a", "inner", "a") in told
        assert ("executing_a", "Number 1", "a") in told  # of the nested operation, seen from outside
        assert ("running", "after", None) in told
        assert next(data["metadata"]["rows"] for data in found if data["message"] == "Executing a") == 1

    def test_a_mark_without_a_json_form_is_refused_where_it_is_given(self):
        def script(progress):
            with pytest.raises(TypeError, match="no JSON form"):
                progress.step("x", 0.5, metadata={"x": object()})

        assert messages(report(script)) == ["Started", "Completed"]

    def test_reasoning_is_kept_whole_and_apart_from_the_text(self):
        def script(progress):
            for piece in range(200):
                progress.reasoning(f"{piece} ")
            progress.content("so")

        events = report(script)
        thought = [
            e.data["metadata"]["reasoning"]
            for e in events
            if e.type == "progress" and "reasoning" in e.data["metadata"]
        ]
        assert "".join(thought) == "".join(f"{piece} " for piece in range(200))
        assert len(thought) < 60
        assert "".join(e.data["content"] for e in events if e.type == "content") == "so"

    def test_a_weight_is_a_share(self):
        def script(progress):
            with pytest.raises(ValueError, match="share from 0 to 1"):
                progress.step("Half", 50)

        report(script)

    def test_track_follows_an_iterable(self):
        def script(progress):
            return list(progress.track("abcd", message="Letters"))

        events = report(script)
        assert events[-1].data["metadata"]["result"] == list("abcd")
        assert percentages(events) == [0, 0, 25, 50, 75, 99.9, 100]
        assert messages(events)[1:-1] == ["Letters"] * 5, "from before the first item on"

    def test_track_follows_an_async_iterable_of_unknown_length(self):
        async def letters():
            for letter in "ab":
                yield letter

        async def script(progress):
            return [letter async for letter in progress.track(letters())]

        assert percentages(report(script)) == [0, None, None, 100]

    def test_track_of_nothing(self):
        assert percentages(report(lambda progress: list(progress.track([])))) == [0, 100]
        assert percentages(report(lambda progress: list(progress.track([], message="None")))) == [0, 99.9, 100]

    def test_track_knows_the_length_where_it_can(self):
        for iterable, expected in [
            (iter("ab"), [50, 99.9]),
            (range(2), [50, 99.9]),
            ({"a": 1, "b": 2}.items(), [50, 99.9]),
            ((letter for letter in "ab"), [None, None]),
            (map(str, "ab"), [None, None]),
        ]:
            assert percentages(report(lambda progress, it=iterable: list(progress.track(it))))[1:-1] == expected

    def test_track_with_a_total_that_is_wrong(self):
        for total, expected in [(8, [12.5, 25, 37.5, 50]), (2, [50, 99.9, 99.9, 99.9]), (0, [99.9] * 4)]:
            events = report(lambda progress, total=total: list(progress.track("abcd", total)))
            assert percentages(events)[1:-1] == expected

    def test_track_left_early(self):
        def script(progress):
            for letter in progress.track("abcd"):
                if letter == "c":
                    break
            with contextlib.suppress(KeyError):
                for _ in progress.track("abcd"):
                    raise KeyError
            list(progress.track("ab"))

        assert percentages(report(script)) == [0, 25, 50, 50, 99.9, 100]

    def test_track_passes_on_what_the_iterable_raises(self):
        def broken():
            yield 1
            raise LookupError("gone")

        def script(progress):
            with pytest.raises(LookupError, match="gone"):
                list(progress.track(broken(), total=2))

        assert percentages(report(script)) == [0, 50, 100]

    def test_a_track_within_a_track_moves_within_its_item(self):
        def script(progress):
            for _ in progress.track("ab"):
                for _ in progress.track("abcd"):
                    pass

        assert percentages(report(script)) == [0, 12.5, 25, 37.5, 50, 50, 62.5, 75, 87.5, 99.9, 99.9, 100]

    def test_an_async_track_left_early_does_not_hold_up_the_next(self):
        async def letters():
            for letter in "abcd":
                yield letter

        async def script(progress):
            async with contextlib.aclosing(aiter(progress.track(letters(), 4))) as tracked:
                async for letter in tracked:
                    if letter == "b":
                        break
            return [letter async for letter in progress.track(letters(), 4)]

        assert percentages(report(script)) == [0, 25, 25, 50, 75, 99.9, 100]

    def test_track_of_what_is_both_sync_and_async(self):
        class Both(list):
            async def __aiter__(self):
                for item in list(self):
                    yield item

        async def script(progress):
            return [item async for item in progress.track(Both("ab"))]

        for one in (lambda progress: list(progress.track(Both("ab"))), script):
            events = report(one)
            assert events[-1].data["metadata"]["result"] == ["a", "b"]
            assert percentages(events) == [0, 50, 99.9, 100]


class QuerySetTests(TransactionTestCase):
    def test_track_follows_a_queryset_in_a_thread_and_in_async_code(self):
        Group.objects.bulk_create(Group(name=name) for name in "ab")

        async def in_thread(progress):
            def work():
                return [group.name for group in progress.track(Group.objects.order_by("name"))]

            return await progress.in_thread(work)

        async def in_async_code(progress):
            groups = Group.objects.order_by("name")
            return [group.name async for group in progress.track(groups, await groups.acount())]

        async def without_total(progress):
            return [group.name async for group in progress.track(Group.objects.order_by("name"))]

        for script, middle in [(in_thread, [50, 99.9]), (in_async_code, [50, 99.9]), (without_total, [None, None])]:
            events = report(script)
            assert events[-1].data["metadata"]["result"] == ["a", "b"]
            assert percentages(events)[1:-1] == middle


class NestedTests(SimpleTestCase):
    def test_nested_events_carry_their_own_name_and_end(self):
        events = asyncio.run(events_of(Nested()))
        nested = [event for event in events if event.data["operation"] == "test_count"]
        assert percentages(events, "test_count") == [0, 25, 50, 75, 99.9, 100, 0, 16.6, 33.3, 50, 66.6, 83.3, 99.9, 100]
        assert {event.data["metadata"]["parentOperation"] for event in nested} == {"test_nested"}
        assert [event.data["currentState"] for event in nested].count("completed") == 2

    def test_weights_move_the_whole(self):
        shown = percentages(asyncio.run(events_of(Nested())), "test_nested")
        assert shown == sorted(shown)
        assert {12.5, 50, 99.9} <= set(shown)

    def test_only_the_whole_is_done(self):
        events = asyncio.run(events_of(Nested()))
        assert [(e.type, e.data["operation"]) for e in events if e.terminal] == [("done", "test_nested")]

    def test_a_failing_part_says_so_and_may_be_survived(self):
        from .cast import Fail

        async def script(progress):
            try:
                await progress.run(Fail(), weight=0.5)
            except Exception as error:
                return str(error)

        events = report(script)
        assert [e.data["currentState"] for e in events if e.data["operation"] == "test_fail"][-1] == "failed"
        assert events[-1].data["metadata"]["result"] == "The table is empty."

    def test_operations_of_one_name_side_by_side_are_not_mixed(self):
        class Speak(StreamingOperation[None]):
            name: str

            async def execute(self, progress):
                for number in range(100):  # more than pass at once: both have reports held at the same time
                    progress(number, 100, self.name)
                    progress.content(self.name)
                    await asyncio.sleep(0)
                await asyncio.sleep(0.5)

        Speak.operation_name = "speak"

        async def script(progress):
            await asyncio.gather(*(progress.run(Speak(name=name), weight=0.5) for name in "ab"))

        events = report(script)
        texts = [event.data["content"] for event in events if event.type == "content"]
        assert {text for text in texts if len(set(text)) > 1} == set(), "no piece of text is of both"
        assert sorted("".join(texts)) == ["a"] * 100 + ["b"] * 100
        for name in "ab":
            ticks = [e.data for e in events if e.data["operation"] == "speak" and e.data.get("message") == name]
            shown = [data["percentage"] for data in ticks]
            assert shown == sorted(shown)
            assert shown[-1] == 99, "the newest report of each was sent when there was room"


actions = st.lists(
    st.one_of(
        st.tuples(st.just("value"), st.integers(-5, 20), st.one_of(st.none(), st.integers(0, 12))),
        st.tuples(st.just("step"), st.floats(0, 1), st.integers(0, 10)),
        st.tuples(st.just("state"), st.sampled_from(["load", "check", "save"]), st.none()),
        st.tuples(st.just("nested"), st.floats(0, 1), st.integers(0, 5)),
    ),
    max_size=30,
)


class PercentageProperties(SimpleTestCase):
    @settings(max_examples=150, deadline=None)
    @given(actions, st.booleans())
    def test_it_stays_in_bounds_and_never_falls(self, actions, declared):
        async def script(progress):
            for kind, first, second in actions:
                if kind == "value":
                    progress(first, second)
                elif kind == "step":
                    progress.step("s", first)(second, 10)
                elif kind == "nested":
                    await progress.run(Count(to=second), weight=first)
                else:
                    try:
                        progress.state(first)
                    except InvalidTransition:
                        continue

        events = report(script, states=Stages.states if declared else {})
        shown = [value for value in percentages(events) if value is not None]
        assert shown == sorted(shown)
        assert all(0 <= value < 100 for value in shown[:-1])
        assert shown[-1] == 100


def test_reports_of_a_thread_after_the_end_are_dropped():
    late = threading.Event()
    ended = threading.Event()

    class Leaky(StreamingOperation[None]):
        operation_name = "test_leaky"

        async def execute(self, progress):
            def work():
                ended.wait(5)
                progress(1, 2)
                late.set()

            threading.Thread(target=work, daemon=True).start()

    events = asyncio.run(events_of(Leaky()))
    ended.set()
    assert late.wait(5)
    assert [event.type for event in events] == ["progress", "progress", "done"]
