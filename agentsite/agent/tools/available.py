"""Which tools there are, and which of them an owner may use."""

from __future__ import annotations

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
from .data import describe_table, list_sources, profile_column, run_query
from .definition import Tool

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
    for tool in local_tools().values():
        if await in_database(_may, owner, tool.permission):
            box[tool.name] = tool
        else:
            box.forbidden.add(tool.name)
    yield box


def _may(owner: Owner | None, permission: str) -> bool:
    """Everybody may what needs no permission, the command line (None) may everything; a permission is that of a user."""
    from django.contrib.auth import get_user_model

    if not permission or owner is None:
        return True
    if owner.user is None:
        return False
    user = get_user_model().objects.filter(pk=owner.user, is_active=True).first()
    return user is not None and user.has_perm(permission)


def local_tools() -> dict[str, Tool]:
    """The built-in tools and those of AGENT["TOOLS"], by name. Raises ImproperlyConfigured."""
    return _imported(tuple(setting("TOOLS")))


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
