"""Which tools there are, and which of them an owner may use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from progress import OperationFailed
from progress.database import in_database

from ..conf import setting
from .arithmetic import calculate
from .charting import make_chart
from .connections import Connection, leave
from .data import describe_table, list_sources, profile_column, run_query
from .definition import Tool
from .mcp import tools_of
from .server_settings import SEPARATOR, Server, servers

if TYPE_CHECKING:
    from progress.owners import Owner

BUILT_IN = (list_sources, describe_table, profile_column, run_query, make_chart, calculate)


class Toolbox(dict[str, Tool]):
    """The tools of one owner by name; `find` says why a tool is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: set[str] = set()
        self.missing: dict[str, str] = {}  # servers whose tools could not be had, and why

    def find(self, name: str) -> Tool:
        """Raises OperationFailed that says what is wrong with the name."""
        if name in self:
            return self[name]
        if name in self.forbidden:
            raise OperationFailed(f"You may not use the tool {name}.", code="not_allowed")
        if reason := self.missing.get(name.partition("__")[0]):
            raise OperationFailed(reason, code="unavailable")
        known = ", ".join(sorted(self)) or "none"
        raise OperationFailed(f"There is no tool {name[:100]!r}. There are: {known}.", code="invalid_request")


@asynccontextmanager
async def available_tools(owner: Owner | None, *, names: Collection[str] | None = None) -> AsyncIterator[Toolbox]:
    """Give the tools that `owner` may use; those of servers can be called while this is open.

    With `names`, only those servers are asked of whose tools one is named.
    """
    box = Toolbox()
    asked = [
        (Connection(name, server), server)
        for name, server in servers().items()
        if names is None or any(each.startswith(name + SEPARATOR) for each in names)
    ]
    try:
        found = await asyncio.gather(*(_tools_of(connection, server, box) for connection, server in asked))
        # What this site has itself is not replaced by what a server names likewise.
        everything = {tool.name: tool for tools in found for tool in tools} | local_tools()
        granted = await in_database(_granted, owner, {tool.permission for tool in everything.values()})
        box.update({name: tool for name, tool in everything.items() if tool.permission in granted})
        box.forbidden.update(everything.keys() - box.keys())
        yield box
    finally:
        await leave(connection for connection, _ in asked)


async def _tools_of(connection: Connection, server: Server, box: Toolbox) -> list[Tool]:
    try:
        return await tools_of(connection, server)
    except OperationFailed as error:
        box.missing[connection.name] = error.message
        return []


def _granted(owner: Owner | None, permissions: set[str]) -> set[str]:
    """Everybody may what needs no permission, the command line (None) may everything; a permission is that of a user."""
    from django.contrib.auth import get_user_model

    if owner is None:
        return permissions
    user = get_user_model().objects.filter(pk=owner.user, is_active=True).first() if permissions - {""} else None
    return {each for each in permissions if not each or (user is not None and user.has_perm(each))}


def local_tools() -> dict[str, Tool]:
    """The built-in tools and those of AGENT["TOOLS"], by name. Raises ImproperlyConfigured."""
    paths = setting("TOOLS")
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str) for path in paths):
        raise ImproperlyConfigured("AGENT['TOOLS'] must be a list of dotted paths.")
    return _imported(tuple(paths))


def known_names() -> list[str]:
    """The names of the tools that need no server."""
    return sorted(local_tools())


@lru_cache(maxsize=8)
def _imported(paths: tuple[str, ...]) -> dict[str, Tool]:
    found: dict[str, Tool] = {each.name: each for each in BUILT_IN}
    for path in paths:
        try:
            tool = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"The tool {path!r} cannot be imported: {error}") from error
        if not isinstance(tool, Tool):
            raise ImproperlyConfigured(f"{path!r} is not a tool: decorate it with `agentsite.agent.tools.tool`.")
        if found.setdefault(tool.name, tool) is not tool:
            raise ImproperlyConfigured(f"Two tools are named {tool.name!r}; {path!r} is the second.")
    return found
