"""The list of tools as a part of an OpenAPI description."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import models_json_schema

from progress.openapi import REF, Description, answer, call


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ToolDescription(_Answer):
    """A tool that the caller may use."""

    name: str
    description: str
    parameters: dict[str, JsonValue] = Field(description="the JSON Schema of its arguments")


class MissingServer(_Answer):
    """A server whose tools cannot be had now."""

    server: str
    reason: str


class ToolList(_Answer):
    items: list[ToolDescription]
    missing: list[MissingServer]
    next: None


def paths() -> Description:
    """Describe the address below the prefix where `agentsite.agent.urls` is included."""
    listing = call("What tools there are", answer("ToolList"), description="Those that the caller may use.")
    return {"/agent/tools": {"get": listing}}


def schemas() -> Description:
    """Describe the answer."""
    _references, definitions = models_json_schema([(ToolList, "validation")], ref_template=REF)
    found: Description = definitions["$defs"]
    return found
