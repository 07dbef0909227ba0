"""What `manage.py check` says of tools and servers in the settings."""

import pytest
from django.core.checks.registry import registry
from django.test import override_settings

from agentsite.agent.tools import ToolContext, tool
from agentsite.agent.tools.checks import check_tools

not_a_tool = "text"


@tool
def calculate(context: ToolContext) -> int:
    """Takes the name of a built-in tool."""
    return 1


@tool(name="calculate_too")
def other(context: ToolContext) -> int:
    """One of the site's own."""
    return 1


HERE = "tests.agent.tools.test_checks"
WRONG = [
    ({"TOOLS": "a.b"}, "must be a list of dotted paths"),
    ({"TOOLS": ["no.such.module"]}, "'no.such.module' cannot be imported"),
    ({"TOOLS": [f"{HERE}.not_a_tool"]}, "is not a tool: decorate it"),
    ({"TOOLS": [f"{HERE}.calculate"]}, "Two tools are named 'calculate'"),
    ({"TOOL_RESULT_LENGTH": 10}, "at least 2,000"),
    ({"TOOL_RESULT_LENGTH": 1_000_000}, "is too large"),
    ({"MCP_SERVERS": ["a"]}, "must be a dict of servers"),
    ({"MCP_SERVERS": {"a b": {"command": ["x"]}}}, "a name must be an identifier"),
    ({"MCP_SERVERS": {"a__b": {"command": ["x"]}}}, "without '__'"),
    ({"MCP_SERVERS": {"a": {}}}, "give either `command` or `url`"),
    ({"MCP_SERVERS": {"a": {"command": ["x"], "url": "http://x"}}}, "give either `command` or `url`"),
    ({"MCP_SERVERS": {"a": {"command": "rm -rf /"}}}, "command Input should be a valid list"),
    ({"MCP_SERVERS": {"a": {"url": "file:///etc/passwd"}}}, "url String should match pattern"),
    ({"MCP_SERVERS": {"a": {"url": "http://x", "env": {"A": "b"}}}}, "`env` and `cwd` with `command`"),
    ({"MCP_SERVERS": {"a": {"url": "http://x", "timeout": -1}}}, "timeout Input should be greater than 0"),
    ({"MCP_SERVERS": {"a": {"url": "http://x", "key": "s3cret"}}}, "key Extra inputs are not permitted"),
    ({"MCP_SERVERS": {"a": {"url": "http://x", "permission": "view"}}}, "permission String should match pattern"),
]


@pytest.mark.parametrize(("given", "why"), WRONG)
def test_what_cannot_be_is_said(given, why):
    with override_settings(AGENT=given):
        (message,) = check_tools()
    assert why in str(message)
    assert "s3cret" not in str(message)


def test_it_is_among_the_checks_of_the_site():
    assert check_tools in registry.get_checks()


def test_what_can_be_is_not_complained_of():
    given = {
        "TOOLS": [f"{HERE}.other"],
        "MCP_SERVERS": {
            "shop": {"command": ["shop-server", "--fast"], "env": {"KEY": "x"}, "tools": ["count"], "timeout": 5},
            "weather": {"url": "https://weather.example/mcp", "headers": {"Authorization": "Bearer x"}},
        },
    }
    with override_settings(AGENT=given):
        assert check_tools() == []
