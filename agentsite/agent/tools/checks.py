"""System checks: tools and servers in the settings that cannot be what they should are said at start-up."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from progress.conf import setting as progress_setting

from ..conf import setting
from .server_settings import servers

SHORTEST_RESULT = 2_000  # characters; what a query says beside its rows must fit


@register()
def check_tools(**kwargs: Any) -> list[CheckMessage]:
    """AGENT["TOOLS"] names tools, AGENT["MCP_SERVERS"] servers that can be understood, and results fit into a run."""
    return [*_check_limits(), *_check_paths(), *_check_servers()]


def _check_limits() -> list[CheckMessage]:
    from .calls import MAX_CALLS

    length, room = setting("TOOL_RESULT_LENGTH"), progress_setting("RESULT_BYTES")
    if not isinstance(length, int):
        return []
    if length < SHORTEST_RESULT:
        return [Error(f"AGENT['TOOL_RESULT_LENGTH'] must be at least {SHORTEST_RESULT:,}.", id="agent.E101")]
    if MAX_CALLS * length > room:
        hint = f"One run makes up to {MAX_CALLS} calls, and PROGRESS['RESULT_BYTES'] must hold all of their results."
        return [Error("AGENT['TOOL_RESULT_LENGTH'] is too large.", hint=hint, id="agent.E101")]
    return []


def _check_paths() -> list[CheckMessage]:
    from .available import local_tools

    try:
        local_tools()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="agent.E102")]
    return []


def _check_servers() -> list[CheckMessage]:
    try:
        found = servers()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="agent.E103")]
    if found and find_spec("mcp") is None:
        hint = "`make setup` installs it with the other locked dependencies."
        return [Error("AGENT['MCP_SERVERS'] needs the package mcp.", hint=hint, id="agent.E104")]
    return []
