"""An OpenAPI description prepared for a template, which can neither follow references nor join words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a table: a parameter, or a property of a schema."""

    name: str
    kind: str
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: str
    answers: list[Field]


@dataclass(frozen=True, slots=True)
class Schema:
    """A named shape of JSON."""

    name: str
    kind: str
    description: str
    fields: list[Field]


def context(description: dict[str, Any]) -> dict[str, Any]:
    """Return what `api_docs.html` shows."""
    calls = [_call(path, method, call) for path, item in description["paths"].items() for method, call in item.items()]
    schemas = [_schema(name, schema) for name, schema in description["components"]["schemas"].items()]
    return {
        "info": description["info"],
        "calls": calls,
        "schemas": schemas,
        "names": {schema.name for schema in schemas},
    }


def _call(path: str, method: str, call: dict[str, Any]) -> Call:
    parameters = [
        Field(f"{item['name']} ({item['in']})", kind(item["schema"]), item["description"], item["required"])
        for item in call.get("parameters", [])
    ]
    answers = [
        Field(
            status,
            " or ".join(_content(media, value) for media, value in item.get("content", {}).items()),
            item["description"],
        )
        for status, item in call["responses"].items()
    ]
    anchor = f"{method}{path.translate(str.maketrans('/', '-', '{}'))}"
    content = call.get("requestBody", {}).get("content", {})
    body = " or ".join(_content(media, value) for media, value in content.items())
    return Call(anchor, method.upper(), path, call["summary"], call.get("description", ""), parameters, body, answers)


def _content(media: str, value: dict[str, Any]) -> str:
    if "itemSchema" in value:
        data = value["itemSchema"]["properties"]["data"]
        return f"{media} of {kind(data.get('anyOf', [data])[0]['contentSchema'])}"
    return kind(value["schema"]) if media.endswith("json") else media


def _schema(name: str, schema: dict[str, Any]) -> Schema:
    required = schema.get("required", [])
    fields = [
        Field(field, kind(value), value.get("description", ""), field in required)
        for field, value in schema.get("properties", {}).items()
    ]
    return Schema(name, "" if fields else kind(schema), schema.get("description", ""), fields)


def kind(schema: dict[str, Any]) -> str:
    """Say in words what a JSON Schema accepts."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " or ".join(map(repr, schema["enum"]))
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(choice) for choice in choices))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and "properties" in schema:
        return "{" + ", ".join(f"{name}: {kind(value)}" for name, value in schema["properties"].items()) + "}"
    return str(schema.get("format") or schema.get("type") or "any")
