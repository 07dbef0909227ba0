"""Tools of real MCP servers, processes of their own: over stdio and over HTTP."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.test import override_settings

from agentsite.agent.tool_execution import ToolExecution
from agentsite.agent.tools import available_tools
from agentsite.agent.tools import mcp as servers_module
from agentsite.agent.tools.connections import _leaving
from agentsite.agent.tools.mcp import _without_patterns, forget_servers
from progress import OperationFailed, stream_operation
from progress.owners import Owner
from tests.services import ROOT, free_port

SCRIPT = Path(__file__).with_name("mcp_server.py")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path):
    forget_servers()
    yield tmp_path
    forget_servers()


@contextmanager
def using(folder, agent=None, **options):
    """The site with the test server over stdio, by the name `shop`."""
    shop = {"command": [sys.executable, str(SCRIPT), str(folder)], **options}
    with override_settings(AGENT={"MCP_SERVERS": {"shop": shop}, **(agent or {})}):
        yield


@contextmanager
def http_server(folder):
    """Run the test server over HTTP and give its address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, SCRIPT, folder, str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with closing(socket.socket()) as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The test server over HTTP, for what does not depend on the way to it."""
    with http_server(tmp_path_factory.mktemp("mcp")) as url:
        yield url


@contextmanager
def reaching(address, **options):
    """The site with the server at an address, by the name `shop`."""
    forget_servers()
    with override_settings(AGENT={"MCP_SERVERS": {"shop": {"url": address, **options}}}):
        yield
    forget_servers()


async def execute(*calls, events=None, owner=None):
    """Make the calls, (name, arguments) each, and return the results by the names of the tools."""
    tools = [{"name": name, "arguments": arguments} for name, arguments in calls]
    result = await stream_operation(
        ToolExecution.model_validate({"tools": tools}), None if events is None else events.append, owner=owner
    )
    await left()
    return {each["name"]: each for each in result["results"]}


async def left():
    """Wait until every server that was left has ended."""
    if _leaving:
        await asyncio.wait(_leaving)


def started(folder):
    return len(list(folder.glob("started-*")))


def alive(folder):
    return [each.name for each in folder.glob("started-*") if Path("/proc", each.name.split("-")[1]).exists()]


def test_tools_are_called_validated_and_their_notifications_are_progress(folder):
    events = []
    with using(folder):
        found = asyncio.run(
            execute(
                ("shop__count", {"to": 20}),
                ("shop__count_", {}),
                ("shop__strange_numbers", {}),
                ("shop__fails", {}),
                ("shop__get_weather_now", {"city": "Bonn", "pattern": "any"}),
                ("shop__pictures", {}),
                ("shop__large", {}),
                ("shop__variables", {}),
                ("calculate", {"expression": "1 + 1"}),
                events=events,
            )
        )
        assert started(folder) == 1  # all calls share a connection
        assert alive(folder) == []
        assert len(asyncio.run(listed())) > 5
        assert started(folder) == 1  # the list is believed for a while
    assert found["shop__count"]["result"] == 20
    assert found["shop__count_"]["error"]["message"].startswith("There is no tool 'shop__count_'.")
    assert found["shop__strange_numbers"]["result"] == "survived"
    assert found["shop__fails"]["error"]["code"] == "query_failed"
    assert "the shelf is empty" in found["shop__fails"]["error"]["message"]
    assert found["shop__get_weather_now"]["result"] == {"city": "Bonn", "degrees": 3, "pattern": "any"}
    text, picture, link = found["shop__pictures"]["result"]
    assert (text, picture["type"], picture["left_out"]) == ("Look:", "image", True)
    assert "aGVsbG8=" not in str(found)
    assert link["uri"] == "http://169.254.169.254/latest"
    assert found["shop__large"]["result"].endswith("of 200,000 characters)")
    assert "SECRET_KEY" in os.environ
    assert "SECRET_KEY" not in found["shop__variables"]["result"]
    assert found["calculate"]["result"]["value"] == "2"
    said = [event.data for event in events if "Number" in str(event.data.get("message"))]
    assert {data["currentState"] for data in said} == {"executing_shop__count"}
    assert len({data["metadata"]["toolCallId"] for data in said}) == 1
    percentages = [data["percentage"] for data in said]
    assert percentages == sorted(percentages)
    assert 0 < percentages[0] < percentages[-1]
    assert max(len(event.payload) for event in events) < 32_768
    assert [event.type for event in events if event.terminal] == ["done"]


def test_wrong_arguments_never_reach_the_server(address):
    with reaching(address):
        found = asyncio.run(execute(("shop__count", {"to": "many", "from": 1}), ("shop__get_weather_now", {})))
    assert found["shop__count"]["error"] == {
        "code": "invalid_request",
        "message": "The arguments do not fit: to: 'many' is not of type 'integer'.",
    }
    assert "'city' is a required property" in found["shop__get_weather_now"]["error"]["message"]


def test_names_are_made_safe_and_those_that_collide_or_are_too_long_are_left_out(address, caplog):
    with reaching(address, tools=["get-weather.now", "same-name", "same name", "x" * 80, "count"]):
        assert asyncio.run(listed()).keys() == {"shop__get_weather_now", "shop__count"}
        assert "its name is taken or too long" in caplog.text
    with reaching(address, tools=["count"]):
        (description,) = asyncio.run(listed()).values()
        assert description.startswith("Count aloud.")
        outcome = asyncio.run(execute(("shop__variables", {})))["shop__variables"]
        assert outcome["error"]["code"] == "invalid_request"


async def listed():
    async with available_tools(None) as box:
        return {name: tool.description for name, tool in box.items() if name.startswith("shop__")}


def test_a_server_that_dies_in_the_middle_costs_its_call_and_is_started_again(folder):
    with using(folder, agent={"TOOLS_AT_ONCE": 1}):
        found = asyncio.run(execute(("shop__dies", {}), ("shop__count", {"to": 1})))
    assert found["shop__dies"]["error"] == {
        "code": "unavailable",
        "message": "The server shop ended in the middle of the call.",
    }
    assert found["shop__count"]["result"] == 1
    assert started(folder) == 2
    assert alive(folder) == []


def test_a_slow_call_is_stopped(address):
    with reaching(address, timeout=0.5):
        found = asyncio.run(execute(("shop__sleeps", {"seconds": 60}), ("shop__count", {"to": 2})))
    assert found["shop__sleeps"]["error"] == {"code": "timeout", "message": "Shop: sleeps was stopped after 0.5 s."}
    assert found["shop__count"]["result"] == 2


def test_a_cancel_stops_the_call_and_the_server(folder):
    async def main():
        task = asyncio.create_task(execute(("shop__sleeps", {"seconds": 60}), events=events))
        while not (folder / "asleep").exists():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await left()

    events = []
    with using(folder):
        asyncio.run(main())
    assert events[-1].data["metadata"]["code"] == "cancelled"
    assert (folder / "woken").exists()
    assert alive(folder) == []


def test_servers_that_cannot_be_had_cost_only_their_own_tools(folder, monkeypatch):
    monkeypatch.setattr("agentsite.agent.tools.connections.CONNECT_SECONDS", 0.5)
    port = free_port()
    servers = {
        "gone": {"command": ["/no/such/program", "--key=s3cret"]},
        "quiet": {"command": ["/bin/sh", "-c", f"touch {folder}/started-$$; sleep 60"]},
        "babbling": {"command": [sys.executable, "-c", "print('{]' * 1000)"]},
        "closed": {"url": f"http://user:s3cret@127.0.0.1:{port}/mcp"},
    }
    events = []
    calls = [(f"{name}__x", {}) for name in servers]
    with override_settings(AGENT={"MCP_SERVERS": servers}):
        found = asyncio.run(execute(*calls, ("calculate", {"expression": "2"}), events=events))
        assert found.pop("calculate")["status"] == "completed"
        told = {each["error"]["message"] for each in found.values()}
        assert {each["error"]["code"] for each in found.values()} == {"unavailable"}
        assert "The server gone cannot be reached. Its tools are missing." in told
        assert "The server quiet did not answer within 0.5 s. Its tools are missing." in told
        assert "s3cret" not in "".join(event.payload for event in events)
        missing = next(e.data["metadata"]["missing"] for e in events if "missing" in e.data["metadata"])
        assert missing == sorted(servers)
        again = asyncio.run(execute(*calls))
        assert {each["error"]["message"] for each in again.values()} == told
        assert started(folder) == 1  # what is down is left alone for a while
        assert alive(folder) == []


def test_a_permission_is_that_of_the_owner(address, django_user_model):
    alice = django_user_model.objects.create_user("alice", password="x")
    admin = django_user_model.objects.create_superuser("root", password="x")
    with reaching(address, permission="charts.view_source"):
        for owner in (Owner(user=alice.pk), Owner(visitor="somebody"), Owner()):
            found = asyncio.run(execute(("shop__count", {"to": 1}), owner=owner))
            assert found["shop__count"]["error"] == {
                "code": "not_allowed",
                "message": "You may not use the tool shop__count.",
            }
        assert (
            asyncio.run(execute(("shop__count", {"to": 1}), owner=Owner(user=admin.pk)))["shop__count"]["result"] == 1
        )


def test_a_server_over_http_that_dies_costs_its_call(tmp_path):
    with http_server(tmp_path) as url, reaching(url, timeout=5):
        found = asyncio.run(execute(("shop__count", {"to": 5}), ("shop__fails", {})))
        assert found["shop__count"]["result"] == 5
        assert "the shelf is empty" in found["shop__fails"]["error"]["message"]
        found = asyncio.run(execute(("shop__dies", {})))
        assert found["shop__dies"]["error"]["code"] == "unavailable"


def test_a_schema_of_a_server_is_used_without_its_regular_expressions():
    schema = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": "(a+)+$"}, "kind": {"enum": [{"pattern": "x"}]}},
        "patternProperties": {"(x+)+$": {}},
        "additionalProperties": False,
    }
    assert _without_patterns(schema) == {
        "type": "object",
        "properties": {"pattern": {"type": "string"}, "kind": {"enum": [{"pattern": "x"}]}},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema"},
        {"$ref": "#"},
        {"type": "nonsense"},
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
    ],
)
def test_a_schema_that_leads_nowhere_is_no_schema(schema):
    with pytest.raises(OperationFailed, match="cannot be read"):
        servers_module._validator(schema)({"a": 1})
