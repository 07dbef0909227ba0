"""What the page's reducer makes of the events of calls: each call one stage, whatever is under way beside it."""

import asyncio
import json

from agentsite.agent.tools import ToolCall, ToolContext, tool
from progress import OperationFailed, Progress, StreamingOperation
from progress.operations import registry
from tests.services import ROOT

from .case import called

SCRIPT = """
import { RunState } from "MODULE";
const state = new RunState();
for (const event of JSON.parse(EVENTS)) state.apply(event);
console.log(JSON.stringify({ stages: state.groups.map((group) => group.stages), calls: [...state.groups[0].calls] }));
"""


class Executing(StreamingOperation[int]):
    """Its state begins with the word that states of calls begin with."""

    operation_name = "test_executing"
    states = {"executing_query": 50}

    async def execute(self, progress: Progress) -> int:
        progress.state("executing_query")
        return 1


registry.pop("test_executing")


@tool
async def asks(context: ToolContext) -> int:
    """Run an operation."""
    context.progress(message="Asking")
    await asyncio.sleep(0)
    return await context.progress.run(Executing())


@tool
def breaks(context: ToolContext) -> None:
    """Fail."""
    raise OperationFailed("No.")


def test_each_call_is_one_stage(node):
    calls = [ToolCall(id=str(at), name=name) for at, name in enumerate(("asks", "breaks", "asks", "no such"))]
    _, events = called(asks, breaks, calls=calls)
    module = (ROOT / "progress/static/progress/run-state.js").as_uri()
    told = json.dumps([json.loads(event.payload) for event in events])
    found = node.run(SCRIPT.replace("MODULE", module).replace("EVENTS", json.dumps(told)))
    assert found["stages"][0] == ["asks", "breaks", "asks (2)", "no such"]
    assert found["calls"] == [
        ["asks", "completed"],
        ["breaks", "failed"],
        ["asks (2)", "completed"],
        ["no such", "failed"],
    ]
    assert found["stages"][1] == ["executing_query"]  # a nested operation's own state
