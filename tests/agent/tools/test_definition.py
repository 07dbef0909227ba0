"""From a typed function to a tool."""

from datetime import date
from typing import Annotated, Literal

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, Field

from agentsite.agent.tools import Tool, ToolContext, tool
from progress import OperationFailed


class Place(BaseModel):
    city: str
    country: str = "DE"


def test_the_docstring_describes_it_and_the_types_are_its_schema():
    @tool(permission="shop.view_stock", timeout=3)
    def stock(
        context: ToolContext,
        *,
        sku: Annotated[str, Field(min_length=1, description="as on the label")],
        day: date,
        place: Place,
        kind: Literal["new", "used"] = "new",
    ) -> int:
        """How many there are.

        Counted at night.
        """
        return 1

    assert (stock.name, stock.permission, stock.timeout) == ("stock", "shop.view_stock", 3)
    assert stock.description == "How many there are.\n\nCounted at night."
    assert stock.parameters["required"] == ["sku", "day", "place"]
    assert stock.parameters["additionalProperties"] is False
    assert stock.parameters["properties"]["sku"]["description"] == "as on the label"
    assert "context" not in stock.parameters["properties"]
    found = stock.validated({"sku": "A1", "day": "2026-11-28", "place": {"city": "Bonn"}})
    assert found == {"sku": "A1", "day": date(2026, 11, 28), "place": Place(city="Bonn"), "kind": "new"}
    with pytest.raises(OperationFailed, match=r"place\.city: Input should be a valid string"):
        stock.validated({"sku": "A1", "day": "2026-11-28", "place": {"city": 5}})


def untyped(context, *, sku):
    """Without a type."""


def positional(context, sku: str):
    """Not by name."""


def nothing():
    """Without a context."""


def silent(context, *, sku: str):
    pass


def taken(context, *, model_fields: str):
    """A name that pydantic uses."""


def strange(context, *, what: object.__class__):
    """A type without a schema."""


def unknown(context, *, what: Tool):
    """A type that holds functions."""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (untyped, "'sku' must come after `\\*` and have a type"),
        (positional, "'sku' must come after `\\*` and have a type"),
        (nothing, "first parameter must be `context`"),
        (silent, "needs a docstring"),
        (taken, "'model_fields' needs another name"),
        (strange, "strange: "),
        (unknown, "unknown: "),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_at_once(body, why):
    with pytest.raises(ImproperlyConfigured, match=why):
        tool(body)


@pytest.mark.parametrize("name", ["two words", "1st", "größe", "x" * 65, "a-b", "a\n"])
def test_a_name_must_be_an_identifier(name):
    with pytest.raises(ImproperlyConfigured, match="must be an identifier"):
        tool(name=name)(untyped_but_described)


def untyped_but_described(context):
    """Nothing to give."""
