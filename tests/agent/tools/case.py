"""What tests of tools share: an operation that makes calls, and a toolbox of given tools."""

import asyncio
from typing import Any

from agentsite.agent.tools import Tool, Toolbox, ToolCall, ToolOutcome, run_tool
from progress import Progress, ProgressEvent, StreamingOperation, stream_operation
from progress.operations import registry

outcomes: list[ToolOutcome] = []


class Calling(StreamingOperation[None]):
    """Make one call after the other, each an equal share of the whole."""

    operation_name = "test_calling_tools"
    box: Any
    calls: Any

    async def execute(self, progress: Progress) -> None:
        weight = 1 / len(self.calls)
        outcomes.extend([await run_tool(progress, self.box, call, weight=weight) for call in self.calls])


registry.pop("test_calling_tools")  # it is executed here only, never started by name


def box_of(*tools: Tool) -> Toolbox:
    box = Toolbox()
    box.update({each.name: each for each in tools})
    return box


def called(*tools: Tool, calls: list[ToolCall], owner=None) -> tuple[list[ToolOutcome], list[ProgressEvent]]:
    """Make the calls and return their outcomes and all events."""
    outcomes.clear()
    events: list[ProgressEvent] = []
    asyncio.run(stream_operation(Calling(box=box_of(*tools), calls=calls), events.append, owner=owner))
    return list(outcomes), events


def call_one(used: Tool, owner=None, **arguments) -> tuple[ToolOutcome, list[ProgressEvent]]:
    (outcome,), events = called(used, calls=[ToolCall(id="c1", name=used.name, arguments=arguments)], owner=owner)
    return outcome, events
