"""Calls of tools as one operation: side by side under a limit, each reported and survived."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from progress import Progress, StreamingOperation

from .conf import setting
from .tools import MAX_CALLS, Toolbox, ToolCall, ToolOutcome, available_tools, run_tool
from .tools.available import known_names

MESSAGE_QUERY = 100  # characters of the query that a message shows


def _name_the_tools(schema: dict[str, Any]) -> None:
    schema["properties"]["name"]["examples"] = known_names()


class ToolRequest(BaseModel):
    """One call. A name that no tool has, or arguments that do not fit, fail this call and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_name_the_tools)

    name: str = Field(min_length=1, max_length=100)
    arguments: dict[str, JsonValue] = Field(default={}, description="as the tool's JSON Schema has it")


class ToolExecution(StreamingOperation[dict[str, Any]]):
    """Call tools side by side. A call that fails is reported and the others go on; the result tells what came of each."""

    operation_name = "tool_execution"

    tools: list[ToolRequest] = Field(min_length=1, max_length=MAX_CALLS)
    query: str = Field(default="", max_length=4_000, description="what the tools are run for; passed on to them")

    async def execute(self, progress: Progress) -> dict[str, Any]:
        for_what = f" for: {self.query[:MESSAGE_QUERY]}" if self.query.strip() else ""
        progress(message=f"Making {_calls(len(self.tools))}{for_what}")
        async with available_tools(progress.owner, names={each.name for each in self.tools}) as box:
            if box.missing:
                progress(message=" ".join(box.missing.values()), metadata={"missing": sorted(box.missing)})
            outcomes = await _Calls(self, progress, box).made()
        failed = sum(outcome.error is not None for outcome in outcomes)
        found = [outcome.as_json() for outcome in outcomes]
        return {"results": found, "completed": len(found) - failed, "failed": failed}

    def closing_message(self, result: dict[str, Any]) -> str:
        return _standing(result["completed"], result["failed"], len(self.tools))


class _Calls:
    """The calls of one execution."""

    def __init__(self, operation: ToolExecution, progress: Progress, box: Toolbox) -> None:
        self._operation, self._progress, self._box = operation, progress, box
        self._places = asyncio.Semaphore(int(setting("TOOLS_AT_ONCE")))
        self._completed = self._failed = 0

    async def made(self) -> list[ToolOutcome]:
        """Make all calls and return what came of them, in the order of the request."""
        # An id says which run and which call it is, so that no two calls of a conversation share one.
        run = uuid.UUID(self._progress.run_id) if self._progress.run_id else uuid.uuid4()
        calls = [
            ToolCall(id=f"call_{run.hex}_{number}", name=each.name, arguments=each.arguments)
            for number, each in enumerate(self._operation.tools, 1)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._make(call)) for call in calls]
        except BaseExceptionGroup as error:
            raise error.exceptions[0] from None  # only what ends the whole run comes here
        return [task.result() for task in tasks]

    async def _make(self, call: ToolCall) -> ToolOutcome:
        async with self._places:
            total = len(self._operation.tools)
            outcome = await run_tool(self._progress, self._box, call, weight=1 / total, query=self._operation.query)
            self._completed += outcome.error is None
            self._failed += outcome.error is not None
            self._progress(message=_standing(self._completed, self._failed, total))
            return outcome


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _standing(completed: int, failed: int, total: int) -> str:
    return f"{completed} of {_calls(total)} completed{f', {failed} failed' if failed else ''}"
