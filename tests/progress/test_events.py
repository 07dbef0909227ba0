import asyncio
import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import httpx
import pytest
from django.test import SimpleTestCase
from httpx_sse import EventSource
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from progress import OperationCancelled, OperationFailed, ProgressEvent, StreamingOperation
from progress.demo import Demo
from progress.dialects.native import frame
from progress.events import encode, event_schema
from progress.exceptions import CODES
from progress.operations import registry
from progress.sse import KEEP_ALIVE, OPENING
from progress.testing import events_of

from .case import RunCase
from .cast import Again, Count, Fail, Hold, Nested, Stages, Write, thumbnails
from .sse_parser import SSEParser

# All code points: what breaks lines, frames and encodings comes up often.
NASTY = "\0\r\n\u2028\u2029\x85\x0b\x0c\x1c\ud800\udfff\ufeff\\\"':{}/<>&\x7f\U0001f600"
texts = st.text(st.one_of(st.sampled_from(NASTY), st.characters(exclude_categories=())), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
metadata = st.dictionaries(texts, values, max_size=4)

VALIDATOR = Draft202012Validator(event_schema())
OPERATIONS = [
    Count(),
    Count(to=200),
    Write(text=NASTY * 10),
    Stages(),
    Stages(path=["load", "check", "load", "save"]),
    Fail(),
    Fail(how="bug"),
    Fail(how="cancelled"),
    Fail(how="unstorable"),
    Again(),
    Nested(),
    Demo(seconds=0, content=9),
    Demo(seconds=0, kind="sync", fail_at=2),
    thumbnails(folder=NASTY),
]


def progress_event(message="", extra=None, **columns):
    data = {"operation": "test_count", "percentage": 12.5, "message": message, "currentState": "running"}
    return ProgressEvent("progress", {**data, "metadata": extra or {}}, **columns)


def as_json(value):
    """What JSON makes of `value`: two lone surrogates that meet become one character."""
    return json.loads(json.dumps(value))


def strict(chunks):
    parser = SSEParser()
    for chunk in chunks:
        parser.feed(chunk)
    return [(number, kind, json.loads(data)) for number, kind, data in parser.messages]


def by_httpx_sse(chunks):
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=iter(chunks))
    # Against the standard it shows the opening, which has no data, as an event.
    return [(event.id, event.event, event.json()) for event in EventSource(response).iter_sse() if event.data]


class EncodingTests(SimpleTestCase):
    @settings(max_examples=300, deadline=None)
    @given(texts, metadata)
    def test_an_event_is_one_line_of_ascii_whatever_is_in_it(self, text, extra):
        event = progress_event(text, extra)
        assert event.payload.isascii()
        assert event.payload.isprintable()
        assert json.loads(event.payload) == {"type": "progress", "data": as_json(event.data)}
        assert ProgressEvent("progress", payload=event.payload).data == as_json(event.data)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(texts, metadata), min_size=1, max_size=4), st.data())
    def test_parsers_agree_on_a_stream_cut_anywhere(self, contents, data):
        events = [progress_event(text, extra, seq=number) for number, (text, extra) in enumerate(contents, 1)]
        stream = OPENING + KEEP_ALIVE.join(map(frame, events))
        sent = [(str(event.seq), "message", json.loads(event.payload)) for event in events]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        for read in (strict, by_httpx_sse):
            assert read([stream]) == sent
            assert read(pieces) == sent

    def test_at_every_byte(self):
        events = [progress_event(NASTY, {NASTY: NASTY}, seq=number) for number in (1, 2)]
        stream = OPENING + b"".join(map(frame, events)) + KEEP_ALIVE
        whole = strict([stream])
        assert len(whole) == 2
        for read in (strict, by_httpx_sse):
            assert read([stream[i : i + 1] for i in range(len(stream))]) == whole
        for cut in range(len(stream)):
            assert strict([stream[:cut], stream[cut:]]) == whole

    def test_an_unfinished_frame_is_not_an_event(self):
        stream = frame(progress_event(seq=1))
        for cut in range(len(stream)):
            assert strict([stream[:cut]]) == []

    def test_a_frame_has_an_id_and_one_line_of_data_and_nothing_else(self):
        lines = frame(progress_event("a\nb\rc", seq=7)).split(b"\n")
        assert [line.split(b":")[0] for line in lines] == [b"id", b"data", b"", b""]
        assert b"\r" not in b"".join(lines)

    def test_the_opening_asks_to_come_back_and_carries_no_event(self):
        parser = SSEParser()
        parser.feed(OPENING + KEEP_ALIVE)
        assert (parser.retry, parser.comments, parser.messages) == (2000, [" open", " keep-alive"], [])


class ValueTests(SimpleTestCase):
    def test_numbers_that_json_lacks_become_null(self):
        value = {"nan": float("nan"), "list": [float("inf"), -float("inf"), 1.5]}
        assert json.loads(encode(value)) == {"nan": None, "list": [None, None, 1.5]}

    def test_values_with_an_obvious_json_form(self):
        value = {
            "when": datetime(2026, 1, 2, tzinfo=UTC),
            "id": UUID(int=1),
            "price": Decimal("1.50"),
            "set": {3},
            "model": Count(to=2),
        }
        assert json.loads(encode(value)) == {
            "when": "2026-01-02T00:00:00Z",
            "id": "00000000-0000-0000-0000-000000000001",
            "price": "1.50",
            "set": [3],
            "model": {"to": 2, "rest": 0.0},
        }

    def test_what_has_no_json_form_is_refused(self):
        circle = []
        circle.append(circle)
        deep = []
        for _ in range(100_000):
            deep = [deep]
        for value in (object(), b"\xff", {(1, 2): 3}, {"x": float("nan"), "y": object()}, circle, deep, lambda: 0):
            with pytest.raises(TypeError, match=r"This value has no JSON form: \S"):
                encode(value)

    def test_metadata_without_a_json_form_is_refused_where_it_is_given_even_in_a_tight_loop(self):
        class Careless(StreamingOperation[int]):
            operation_name = "test_careless"

            async def execute(self, progress):
                refused = 0
                for number in range(200):
                    try:
                        progress(number, 200, metadata={"file": object()})
                    except TypeError:
                        refused += 1
                return refused

        assert asyncio.run(events_of(Careless()))[-1].data["metadata"]["result"] == 200


class SchemaTests(SimpleTestCase):
    def setUp(self):
        self.event = {
            "progress": json.loads(progress_event().payload),
            "content": {"type": "content", "data": {"operation": "o", "content": "c", "timestamp": 1}},
            "done": {"type": "done", "data": {"operation": "o", "message": "m", "metadata": {"anything": [1]}}},
            "error": {
                "type": "error",
                "data": {
                    "operation": "o",
                    "message": "m",
                    "metadata": {"code": "internal", "retryable": False, "currentState": "running", "errorId": "1f"},
                },
            },
        }

    def test_it_is_a_schema_and_takes_the_four_types(self):
        Draft202012Validator.check_schema(event_schema())
        for event in self.event.values():
            VALIDATOR.validate(event)
        self.event["progress"]["data"]["percentage"] = None
        VALIDATOR.validate(self.event["progress"])

    def test_it_refuses_events_of_another_shape(self):
        for name, event in self.event.items():
            for path in (("type",), ("data",), *(("data", key) for key in event["data"])):
                broken = copy.deepcopy(event)
                del (broken if len(path) == 1 else broken["data"])[path[-1]]
                with self.subTest(event=name, missing=path):
                    assert not VALIDATOR.is_valid(broken)
            for key in ("surprise", "parent_operation"):
                assert not VALIDATOR.is_valid({**event, key: 1})
                assert not VALIDATOR.is_valid({**event, "data": {**event["data"], key: 1}})
            assert not VALIDATOR.is_valid({**event, "type": "message"})

    def test_it_refuses_wrong_values(self):
        wrong = [
            ("progress", "percentage", 100.1),
            ("progress", "percentage", -1),
            ("progress", "percentage", "50"),
            ("progress", "metadata", None),
            ("progress", "metadata", {"runId": 1}),
            ("content", "timestamp", 1.5),
            ("content", "content", None),
            ("error", "metadata", {"code": "oops", "retryable": True, "currentState": "x"}),
            ("error", "metadata", {"retryable": True, "currentState": "x"}),
        ]
        for name, key, value in wrong:
            with self.subTest(event=name, key=key, value=value):
                event = copy.deepcopy(self.event[name])
                event["data"][key] = value
                assert not VALIDATOR.is_valid(event)

    def test_every_code_has_its_place(self):
        for code in CODES:
            self.event["error"]["data"]["metadata"]["code"] = code
            VALIDATOR.validate(self.event["error"])


def check(events, owner):
    """Every event is valid, the last is the only end, and each operation's percentage keeps its promises."""
    for event in events:
        VALIDATOR.validate(json.loads(event.payload))
    assert [event.terminal for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1].data["operation"] == owner
    closing = events[-2].data
    assert (closing["operation"], closing["currentState"] in ("completed", "failed", "cancelled")) == (owner, True)
    shown = [e.data["percentage"] for e in events if e.type == "progress" and e.data["operation"] == owner]
    assert shown == sorted(shown)
    assert all(value < 100 for value in shown[:-1])
    assert (shown[-1] == 100) is (closing["currentState"] == "completed") is (events[-1].type == "done")


class EmittedEvents(RunCase):
    async def test_without_a_row(self):
        for operation in OPERATIONS:
            with self.subTest(operation=repr(operation)):
                check(await events_of(operation), operation.operation_name)

    async def test_through_a_run(self):
        for operation in OPERATIONS:
            with self.subTest(operation=repr(operation)):
                run = await self.finished(operation)
                events = await self.assert_one_end(run)
                check(events, operation.operation_name)
                assert {e.data["metadata"]["runId"] for e in events if e.type != "content"} == {str(run.pk)}

    async def test_the_cast_is_complete(self):
        played = {type(operation) for operation in OPERATIONS} | {Hold}  # which goes on for ever
        assert {cls for cls in registry.values() if cls.__module__ == Count.__module__} <= played


class ErrorEventTests(SimpleTestCase):
    def error_of(self, error):
        class Ends(StreamingOperation[None]):
            operation_name = "test_ends"

            async def execute(self, progress):
                raise error

        events = asyncio.run(events_of(Ends()))
        check(events, "test_ends")
        return events[-1].data

    def test_metadata_without_a_json_form_does_not_cost_the_end(self):
        with self.assertLogs("progress", "ERROR"):
            data = self.error_of(OperationFailed("No file.", metadata={"file": object()}))
        assert (data["message"], data["metadata"]["code"]) == ("No file.", "query_failed")

    def test_metadata_cannot_pass_itself_off_as_something_else(self):
        data = self.error_of(OperationFailed("No.", code="no_data", metadata={"code": "internal", "currentState": 3}))
        assert (data["metadata"]["code"], data["metadata"]["currentState"]) == ("no_data", "running")

    def test_a_long_message_is_cut(self):
        data = self.error_of(OperationFailed("x" * 100_000, metadata={"rows": "y" * 100_000}))
        assert data["message"] == "x" * 1_000 + "…"
        assert len(encode(data)) < 32 * 1024

    def test_an_exception_as_the_message(self):
        assert self.error_of(OperationFailed(ValueError("no such table")))["message"] == "no such table"
        assert self.error_of(OperationCancelled("Enough."))["message"] == "Enough."

    def test_a_code_that_does_not_exist(self):
        with pytest.raises(ValueError, match="'oops' is not an error code; use one of invalid_request, "):
            OperationFailed("x", code="oops")
