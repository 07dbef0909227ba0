"""Tools of MCP servers. What a server says is text of a stranger's: names are made safe, everything has a limit."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from progress import OperationFailed
from progress.events import encode

from .connections import Connection
from .definition import DESCRIPTION_LENGTH, Tool, ToolContext, is_tool_name, wrong_arguments
from .server_settings import SEPARATOR, Server

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, ContentBlock
    from mcp_types import Tool as Listed

logger = logging.getLogger("agentsite")
LIST_SECONDS = 300.0  # that a list of tools is believed
DOWN_SECONDS = 15.0  # that a server which could not be reached is left alone
TOOLS, PAGES = 100, 10  # of one server
SCHEMA_LENGTH = 16_000  # characters of JSON
MESSAGE = 300  # characters of a progress notification
NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})  # keywords whose keys are names
PATTERNS = frozenset({"pattern", "patternProperties", "additionalProperties", "unevaluatedProperties"})
VALUES = frozenset({"const", "default", "enum", "examples"})


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a server until a point in time: its tools, or why there are none."""

    until: float
    tools: tuple[Listed, ...] = ()
    down: str = ""


_known: dict[tuple[str, str], _Known] = {}
# A process has more than one loop: that of its requests, and that of its runs.
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], asyncio.Lock]] = WeakKeyDictionary()


def forget_servers() -> None:
    """Forget what was heard of servers."""
    _known.clear()


async def tools_of(connection: Connection, server: Server) -> list[Tool]:
    """Return the tools of a server. Raises OperationFailed where it cannot be reached."""
    key = (connection.name, server.model_dump_json())
    async with _lock(key):  # many that ask at once ask the server once
        known = _known.get(key)
        if known is None or known.until < time.monotonic():
            known = _known[key] = await _ask(connection)
    if known.down:
        raise OperationFailed(f"{known.down} Its tools are missing.", code="unavailable")
    return list(_usable(connection, server, known.tools))


def _lock(key: tuple[str, str]) -> asyncio.Lock:
    return _locks.setdefault(asyncio.get_running_loop(), {}).setdefault(key, asyncio.Lock())


async def _ask(connection: Connection) -> _Known:
    try:
        listed = await connection.use(_list)
    except OperationFailed as error:
        return _Known(time.monotonic() + DOWN_SECONDS, down=error.message)
    return _Known(time.monotonic() + LIST_SECONDS, tuple(listed))


async def _list(client: Client) -> list[Listed]:
    found: list[Listed] = []
    cursor = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return found[:TOOLS]


def _usable(connection: Connection, server: Server, listed: Iterable[Listed]) -> Iterable[Tool]:
    allowed = [each for each in listed if server.tools is None or each.name in server.tools]
    names = Counter(map(_safe, (each.name for each in allowed)))
    for each in allowed:
        name = f"{connection.name}{SEPARATOR}{_safe(each.name)}"
        if names[_safe(each.name)] > 1 or not is_tool_name(name):
            logger.warning("a tool of the MCP server %s is left out: its name is taken or too long", connection.name)
        elif len(encode(each.input_schema)) > SCHEMA_LENGTH:
            logger.warning("the tool %s is left out: its schema is too large", name)
        else:
            yield Tool(
                name=name,
                description=(each.description or each.title or each.name)[:DESCRIPTION_LENGTH],
                parameters=each.input_schema,
                call=_caller(connection, each.name),
                validated=_validator(each.input_schema),
                permission=server.permission,
                timeout=server.timeout,
            )


def _safe(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z_]", "_", name)


def _validator(schema: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def validated(arguments: Mapping[str, Any]) -> dict[str, Any]:
        from jsonschema import Draft202012Validator
        from referencing import Registry

        # An empty registry: a reference that leads out of the schema is an error, and fetches nothing.
        validator = Draft202012Validator(_without_patterns(schema), registry=Registry())
        try:
            wrong = [
                (".".join(map(str, error.absolute_path)), error.message) for error in validator.iter_errors(arguments)
            ]
        except Exception as error:  # a schema that is none, or one that refers to itself without end
            raise OperationFailed("What arguments this tool takes cannot be read.", code="unavailable") from error
        if wrong:
            raise wrong_arguments(wrong)
        return dict(arguments)

    return validated


def _without_patterns(schema: Any) -> Any:
    """Leave out regular expressions, whose time no limit ends, and what is only true with them; the server looks itself."""
    if isinstance(schema, list):
        return [_without_patterns(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    left_out = PATTERNS if "patternProperties" in schema else {"pattern"}
    return {key: _part_without_patterns(key, part) for key, part in schema.items() if key not in left_out}


def _part_without_patterns(keyword: str, part: Any) -> Any:
    if keyword in VALUES:
        return part
    if keyword in NAMED and isinstance(part, Mapping):  # there "pattern" is somebody's name
        return {name: _without_patterns(each) for name, each in part.items()}
    return _without_patterns(part)


def _caller(connection: Connection, name: str) -> Callable[[ToolContext, dict[str, Any]], Any]:
    async def call(context: ToolContext, arguments: dict[str, Any]) -> Any:
        async def report(progress: float, total: float | None, message: str | None) -> None:
            try:
                context.progress(progress, total, message[:MESSAGE] if message else None)
            except Exception as error:  # numbers that are none, a call that has ended: no matter of the connection's
                logger.debug("a notification of %s was left out: %s", connection.name, error)

        async def work(client: Client) -> CallToolResult:
            return await client.call_tool(name, arguments, progress_callback=report)

        answer = await connection.use(work)
        if answer.is_error:
            text = "\n".join(map(str, map(_content, answer.content)))
            raise OperationFailed(text[:1000] or "It failed, and did not say why.", code="query_failed")
        return _result(answer)

    return call


def _result(answer: CallToolResult) -> Any:
    structured = answer.structured_content
    if structured is not None:  # a result that is no object is wrapped in one by the servers of the SDK
        return structured["result"] if isinstance(structured, dict) and structured.keys() == {"result"} else structured
    parts = [_content(part) for part in answer.content]
    return parts[0] if len(parts) == 1 else parts


def _content(part: ContentBlock) -> Any:
    """Return a part of an answer as JSON: its text, or of anything else what it is. Nothing that it links to is fetched."""
    if part.type == "text":
        return part.text
    about = part.model_dump(
        mode="json", by_alias=True, exclude_none=True, include={"type", "mimeType", "mime_type", "name", "uri"}
    )
    return {**about, "left_out": True}
