"""AGENT["MCP_SERVERS"]: which servers there are, how they are reached, and what of them may be used."""

from __future__ import annotations

from typing import Annotated, Any, Self

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.types import StringConstraints

from ..conf import setting
from .definition import is_tool_name

SEPARATOR = "__"  # between a server's name and its tool's
NAME_LENGTH = 30


class Server(BaseModel):
    """One server: a program that is started, or an address."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    command: list[str] = Field(default=[], description="the program and its arguments; never through a shell")
    env: dict[str, str] = Field(default={}, description="variables for it, beside PATH, HOME and the like")
    cwd: str | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+")] | None = None
    headers: dict[str, str] = {}
    tools: list[str] | None = Field(
        default=None, description="the only ones to use, by the names that the server gives"
    )
    timeout: float | None = Field(default=None, gt=0, le=3600, description="seconds of one call")
    permission: str = Field(default="", pattern=r"^(\w+\.\w+)?$", description="that a user of its tools needs")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either `command` or `url`")
        if (self.headers and not self.url) or ((self.env or self.cwd) and not self.command):
            raise ValueError("`headers` goes with `url`, `env` and `cwd` with `command`")
        return self


def servers() -> dict[str, Server]:
    """Return the servers by name. Raises ImproperlyConfigured."""
    given = setting("MCP_SERVERS")
    if not isinstance(given, dict):
        raise ImproperlyConfigured("AGENT['MCP_SERVERS'] must be a dict of servers by their names.")
    return {name: _server(name, value) for name, value in given.items()}


def _server(name: Any, value: Any) -> Server:
    where = f"AGENT['MCP_SERVERS'][{name!r}]"
    if not isinstance(name, str) or not is_tool_name(name) or len(name) > NAME_LENGTH or SEPARATOR in name:
        raise ImproperlyConfigured(
            f"{where}: a name must be an identifier of at most {NAME_LENGTH} ASCII characters, without {SEPARATOR!r}."
        )
    try:
        return Server.model_validate(value)
    except ValidationError as error:
        # Not the value, which may hold a key.
        told = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors(include_input=False)]
        raise ImproperlyConfigured(f"{where}: {'; '.join(f'{at} {why}'.strip() for at, why in told)}.") from None
