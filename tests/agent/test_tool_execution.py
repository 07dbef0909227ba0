"""Calls of tools as one run, started and read over the API."""

import asyncio
import json
import time
from itertools import pairwise
from unittest.mock import patch

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.test import override_settings

from agentsite.agent.tool_execution import MAX_CALLS, ToolExecution
from agentsite.agent.tools import ToolContext, tool
from progress import OperationCancelled, OperationFailed, runs
from progress.models import OperationRun
from tests.progress.test_api import OPEN, ApiCase

HERE = "tests.agent.test_tool_execution"
side_by_side = {"now": 0, "most": 0}


@tool
async def works(context: ToolContext, *, steps: int = 4) -> str:
    """Work in steps."""
    side_by_side["now"] += 1
    side_by_side["most"] = max(side_by_side.values())
    for step in range(steps):
        context.progress(step + 1, steps, f"Step {step + 1} for {context.query}")
        await asyncio.sleep(0.02)
    side_by_side["now"] -= 1
    return "worked"


@tool
def breaks(context: ToolContext) -> None:
    """Fail."""
    raise OperationFailed("The shelf is empty.", code="no_data")


@tool(timeout=60)
def blocks(context: ToolContext) -> None:
    """Block a thread, looking whether anybody waits."""
    while not context.cancelled:
        time.sleep(0.02)
    raise OperationCancelled


@tool(permission="progress.view_operationrun")
def guarded(context: ToolContext) -> str:
    """Only for some."""
    return "opened"


@tool
def large(context: ToolContext) -> list[str]:
    """A large result."""
    return ["x" * 100] * 1_000


AGENT = {"TOOLS": [f"{HERE}.{name}" for name in ("works", "breaks", "blocks", "guarded", "large")], "TOOLS_AT_ONCE": 2}


@OPEN
@override_settings(AGENT=AGENT)
class ToolExecutionTests(ApiCase):
    async def ask(self, client, *calls, **more):
        tools = [{"name": name, "arguments": arguments} for name, arguments in calls]
        body = {"operation": "tool_execution", "params": {"tools": tools, **more}}
        return await self.post(client, "/api/runs", body)

    async def test_calls_are_made_side_by_side_and_counted(self):
        side_by_side.update(now=0, most=0)
        calls = [
            ("works", {}),
            ("breaks", {}),
            ("works", {"steps": 8}),
            ("works", {}),
            ("no_such", {}),
            ("works", {"steps": "x"}),
        ]
        response = await self.ask(await self.aclient_of(self.alice), *calls, query="the stocktaking")
        assert response.status_code == 200, response.content
        answer = response.json()
        assert (answer["status"], answer["percentage"]) == ("completed", 100)
        assert answer["message"] == "3 of 6 calls completed, 3 failed"
        result = answer["result"]
        assert (result["completed"], result["failed"]) == (3, 3)
        assert [(each["name"], each["status"]) for each in result["results"]] == [
            ("works", "completed"),
            ("breaks", "failed"),
            ("works", "completed"),
            ("works", "completed"),
            ("no_such", "failed"),
            ("works", "failed"),
        ]
        assert result["results"][0]["result"] == "worked"
        assert result["results"][1]["error"] == {"code": "no_data", "message": "The shelf is empty."}
        assert len({each["toolCallId"] for each in result["results"]}) == 6
        assert side_by_side["most"] == 2
        run = await OperationRun.objects.aget(pk=answer["id"])
        events = await self.assert_one_end(run)
        await self.assert_calls_are_told(run, events)

    async def assert_calls_are_told(self, run, events):
        """Each call is told from its beginning to its one end, and the percentage counts the ends."""
        told = [event.data for event in events if event.type == "progress"]
        calls = {}
        for data in told:
            if "toolName" in data["metadata"]:
                calls.setdefault(data["metadata"]["toolCallId"], []).append(data)
        assert len(calls) == 6
        for begun, ended in calls.values():
            name = begun["metadata"]["toolName"]
            assert begun["currentState"] == f"executing_{name}"
            assert ended["currentState"] in (f"completed_{name}", f"failed_{name}")
            assert ("result" in ended["metadata"]) != ("error" in ended["metadata"])
        percentages = [data["percentage"] for data in told]
        assert percentages == sorted(percentages)
        assert sum(after - before > 100 / 6 - 0.2 for before, after in pairwise(percentages)) >= 3
        assert any(
            data["message"].startswith("Step ") and data["message"].endswith("for the stocktaking") for data in told
        )
        assert "Making 6 calls for: the stocktaking" in [data["message"] for data in told[:4]]

    async def test_a_request_that_is_none_is_refused_naming_what_is_wrong(self):
        client = await self.aclient_of(self.alice)
        for params, field in (
            ({}, "params.tools"),
            ({"tools": []}, "params.tools"),
            ({"tools": [{"name": "works"}] * (MAX_CALLS + 1)}, "params.tools"),
            ({"tools": [{"arguments": {}}]}, "params.tools.0.name"),
            ({"tools": [{"name": "works", "arguments": []}]}, "params.tools.0.arguments"),
            ({"tools": [{"name": "x" * 101}]}, "params.tools.0.name"),
            ({"tools": [{"name": "works", "run": True}]}, "params.tools.0.run"),
            ({"tools": [{"name": "works"}], "query": "x" * 4_001}, "params.query"),
            ({"tools": "works"}, "params.tools"),
        ):
            response = await self.post(client, "/api/runs", {"operation": "tool_execution", "params": params})
            assert self.assertProblem(response, 422, "invalid_request")["errors"][0]["field"] == field
        deep = {"a": json.loads("[" * 40 + "]" * 40)}
        body = json.dumps({"operation": "tool_execution", "params": {"tools": [{"name": "works", "arguments": deep}]}})
        response = await client.post("/api/runs", body, content_type="application/json")
        assert response.status_code in (400, 422)

    async def test_a_cancel_ends_calls_that_block(self):
        run = await runs.start(ToolExecution(tools=[{"name": "blocks"}, {"name": "works"}]), owner=self.alice)
        await self.until(run, "executing_blocks")
        await runs.cancel(run)
        run = await self.end_of(run)
        assert (run.status, run.error["code"]) == ("cancelled", "cancelled")
        await self.assert_one_end(run)

    async def test_a_permission_is_asked_of_the_owner_when_the_call_is_made(self):
        assert await self.outcome(self.bob, "guarded") == "not_allowed"
        assert await self.outcome(None, "guarded") == "not_allowed"
        assert await self.outcome(self.carol, "guarded") == "opened"

        def gone():
            self.carol.user_permissions.remove(Permission.objects.get(codename="view_operationrun"))

        await sync_to_async(gone)()
        assert await self.outcome(self.carol, "guarded") == "not_allowed"

    async def outcome(self, user, name):
        response = await self.ask(await self.aclient_of(user) if user else self.client_of(), (name, {}))
        (found,) = response.json()["result"]["results"]
        return found["result"] if found["status"] == "completed" else found["error"]["code"]

    async def test_large_results_fit_into_a_run(self):
        calls = [("large", {})] * MAX_CALLS
        with override_settings(AGENT=AGENT):
            answer = (await self.ask(await self.aclient_of(self.alice), *calls)).json()
        assert answer["status"] == "completed"
        assert all(each["result"]["cut"] for each in answer["result"]["results"])

    async def test_what_ends_the_run_is_no_failure_of_a_call(self):
        with override_settings(PROGRESS={"RUN_EVENTS": 20}):
            run = await self.finished(
                ToolExecution(tools=[{"name": "works", "arguments": {"steps": 200}}]), owner=self.alice
            )
        assert (run.status, run.error["code"]) == ("failed", "limit_exceeded")
        await self.assert_one_end(run)

    async def test_in_a_batch(self):
        item = {"operation": "tool_execution", "params": {"tools": [{"name": "works"}]}}
        response = await self.post(await self.aclient_of(self.alice), "/api/batches", {"items": [item, item]})
        assert response.json()["result"]["completed"] == 2


@OPEN
@override_settings(AGENT=AGENT)
class ListTests(ApiCase):
    async def test_the_tools_that_the_caller_may_use_are_listed(self):
        for user, sees in ((None, False), (self.bob, False), (self.carol, True)):
            client = await self.aclient_of(user) if user else self.client_of()
            body = (await client.get("/api/agent/tools")).json()
            tools = {each["name"]: each for each in body["items"]}
            assert ("guarded" in tools) is sees
            assert tools.keys() >= {"calculate", "run_query", "works"}
            assert tools["works"]["parameters"]["properties"]["steps"]["type"] == "integer"
            assert body["missing"] == []

    async def test_servers_that_cannot_be_had_are_named(self):
        gone = {"gone": {"command": ["/no/such/program"]}}
        with override_settings(AGENT={"MCP_SERVERS": gone}), patch("agentsite.agent.tools.mcp._known", {}):
            body = (await self.client_of().get("/api/agent/tools")).json()
        assert body["missing"] == [
            {"server": "gone", "reason": "The server gone cannot be reached. Its tools are missing."}
        ]

    async def test_the_schema_of_the_operation_names_the_tools(self):
        items = (await self.client_of().get("/api/operations")).json()["items"]
        schema = next(item["params"] for item in items if item["name"] == "tool_execution")
        names = schema["$defs"]["ToolRequest"]["properties"]["name"]["examples"]
        assert {"calculate", "make_chart", "works"} <= set(names)
        assert json.dumps(schema)
