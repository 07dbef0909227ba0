"""One call of a tool: what is reported, and what becomes of everything that can go wrong."""

import asyncio
import logging
import threading
import time
from decimal import Decimal

import pytest
from django.test import override_settings

from agentsite.agent.tools import ToolCall, ToolContext, tool
from agentsite.agent.tools.calls import ARGUMENT_BYTES
from progress import OperationCancelled, OperationFailed, Progress, StreamingOperation, stream_operation
from progress.events import encode
from progress.operations import registry

from .case import Calling, box_of, call_one, called


@tool
def add(context: ToolContext, *, left: int, right: int = 1) -> int:
    """Add two numbers."""
    context.progress(1, 2, "Half of it")
    return left + right


@tool
async def gives(context: ToolContext, *, what: str) -> object:
    """Give back something special."""
    return {
        "text": "x" * 30_000,
        "wide": "\U0001f600" * 5_000,
        "rows": [["y" * 100] * 10] * 40,
        "decimal": Decimal("1.10"),
        "nothing": object,
    }[what]


@tool
def fails(context: ToolContext, *, how: str) -> None:
    """Fail in a way."""
    if how == "said":
        raise OperationFailed("The shelf is empty.", code="no_data", metadata={"suggestions": ["Look again"]})
    raise KeyError("s3cret")


def spoken(events):
    return [
        (event.data["currentState"], event.data["metadata"])
        for event in events
        if event.type == "progress" and "toolCallId" in event.data["metadata"]
    ]


def test_a_call_is_reported_from_its_beginning_to_its_end():
    outcome, events = call_one(add, left=2)
    assert (outcome.status, outcome.result, outcome.text) == ("completed", 3, "3")
    assert [event.data.get("currentState") for event in events] == [
        "running",
        "executing_add",
        "executing_add",
        "completed_add",
        "completed",
        None,
    ]
    (_, begun), (_, within), (_, ended) = spoken(events)
    assert (begun["toolCallId"], begun["toolName"], begun["arguments"]) == ("c1", "add", {"left": 2})
    assert within["toolCallId"] == "c1"
    assert (ended["toolName"], ended["result"]) == ("add", 3)
    assert [event.data["percentage"] for event in events[1:4]] == [0, 50, 99.9]
    assert events[2].data["message"] == "Half of it"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "left: Field required"),
        ({"left": "2"}, "left: Input should be a valid integer"),
        ({"left": 2.5}, "left: Input should be a valid integer"),
        ({"left": 1, "right": None, "up": 3}, "right: Input should be a valid integer; up: there is no such argument"),
        ({"left": 1, "context": 5}, "context: there is no such argument"),
    ],
)
def test_each_wrong_argument_is_named(arguments, named):
    outcome, events = call_one(add, **arguments)
    assert outcome.error == {"code": "invalid_request", "message": f"The arguments do not fit: {named}."}
    state, metadata = spoken(events)[-1]
    assert (state, metadata["error"]) == ("failed_add", outcome.error)
    assert events[-1].type == "done"


def test_arguments_that_are_too_many_or_too_deep_never_reach_the_tool():
    deep = {"left": 1}
    for _ in range(100_000):
        deep = {"left": deep}
    for arguments, code in (({"left": "x" * ARGUMENT_BYTES}, "limit_exceeded"), (deep, "invalid_request")):
        outcome, events = call_one(add, **arguments)
        assert outcome.error["code"] == code
        begun = spoken(events)[0][1]
        assert (begun["arguments"], begun["argumentsTooLarge"]) == ({}, True)


@pytest.mark.parametrize("name", ["no_such", "add\n", "a b", "__import__('os')", "x" * 65, "größe", "", "completed"])
def test_a_name_that_no_tool_has_fails_its_call_alone(name):
    (wrong, right), events = called(
        add, calls=[ToolCall(name=name, arguments={}), ToolCall(name="add", arguments={"left": 1})]
    )
    assert wrong.error["code"] == "invalid_request"
    assert wrong.error["message"].endswith("There are: add.")
    assert right.result == 2
    assert all(event.data["currentState"].isidentifier() for event in events if event.type == "progress")
    assert spoken(events)[0][1]["toolName"] == name


def test_what_a_tool_says_is_told_and_what_it_did_not_mean_to_say_is_logged_alone(caplog):
    outcome, _ = call_one(fails, how="said")
    assert outcome.error == {"code": "no_data", "message": "The shelf is empty."}
    assert outcome.failure.metadata == {"suggestions": ["Look again"]}
    with caplog.at_level(logging.ERROR, logger="agentsite"):
        outcome, events = call_one(fails, how="by a mistake")
    assert outcome.error["code"] == "internal"
    assert outcome.error["errorId"] in caplog.text
    assert "s3cret" in caplog.text
    assert "s3cret" not in "".join(event.payload for event in events)
    assert outcome.text.startswith('{"error":{"code":"internal"')


def test_a_large_result_is_cut_and_says_so():
    outcome, _ = call_one(gives, what="text")
    assert outcome.result.endswith("(cut: the first 19,900 of 30,000 characters)")
    assert outcome.result.startswith("x" * 19_900 + "\n")
    outcome, _ = call_one(gives, what="rows")
    assert outcome.result["cut"] is True
    assert outcome.result["beginning"].startswith('[["yyy')
    assert f"the first {len(outcome.result['beginning']):,} of 41," in outcome.result["note"]
    for what in ("text", "rows", "wide"):
        assert 15_000 < len(encode(call_one(gives, what=what)[0].result)) <= 20_000
    with override_settings(AGENT={"TOOL_RESULT_LENGTH": 100_000}):
        outcome, events = call_one(gives, what="rows")
    ended = spoken(events)[-1][1]
    assert (ended["resultTooLarge"], "result" in ended) == (True, False)
    assert ended["summary"].startswith('[["yyy')
    assert len(outcome.result) == 40


def test_a_result_without_a_json_form_is_a_mistake_of_the_tool():
    assert call_one(gives, what="decimal")[0].result == "1.10"
    assert call_one(gives, what="nothing")[0].error["code"] == "internal"


def test_a_slow_tool_is_stopped_and_its_thread_ends_at_its_next_look():
    ended = []
    went_on = threading.Event()

    @tool(timeout=0.1)
    def waits(context: ToolContext, *, reports: bool) -> None:
        """Wait for longer than it may."""
        try:
            while not context.cancelled:
                time.sleep(0.01)
            if reports:
                context.progress(message="Nobody reads this")
            ended.append("left by itself")
        except OperationCancelled:
            ended.append("was told")
        finally:
            went_on.set()

    for reports, how in ((False, "left by itself"), (True, "was told")):
        outcome, events = call_one(waits, reports=reports)
        assert outcome.error == {"code": "timeout", "message": "Waits was stopped after 0.1 s."}
        assert went_on.wait(5)
        went_on.clear()
        assert ended.pop() == how
        assert "Nobody reads this" not in "".join(event.payload for event in events)


def test_a_timeout_of_the_tools_own_is_not_the_limit(caplog):
    @tool
    async def asks(context: ToolContext) -> None:
        """Ask somebody who is slow."""
        raise TimeoutError("their clock")

    assert call_one(asks)[0].error["code"] == "internal"


def test_a_cancel_goes_through():
    @tool
    async def sleeps(context: ToolContext) -> None:
        """Sleep."""
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(
            stream_operation(Calling(box=box_of(sleeps), calls=[ToolCall(name="sleeps")]), events.append)
        )
        while len(events) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        await task

    events = []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert events[-1].data["metadata"]["code"] == "cancelled"
    assert "failed_sleeps" not in str(events)


def test_operations_that_a_tool_runs_are_marked_with_its_call():
    class Nested(StreamingOperation[str]):
        operation_name = "test_nested_in_a_tool"

        async def execute(self, progress: Progress) -> str:
            progress(1, 2)
            return "deep"

    registry.pop("test_nested_in_a_tool")

    @tool
    async def nests(context: ToolContext) -> str:
        """Run an operation."""
        with context.progress.step("Half", 0.5) as half:
            return await half.run(Nested(), weight=1.0)

    outcome, events = call_one(nests)
    assert outcome.result == "deep"
    nested = [event for event in events if event.data["operation"] == "test_nested_in_a_tool"]
    assert len(nested) >= 2
    assert {event.data["metadata"]["toolCallId"] for event in nested} == {"c1"}
