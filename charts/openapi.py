"""The HTTP API of sources and charts as a part of an OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import models_json_schema

from progress.openapi import REF, Description, answer, call, parameter, query

from .api import ChartFilter

Object = dict[str, JsonValue]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceLinks(_Answer):
    schema_: str = Field(alias="schema")


class DataSource(_Answer):
    """A database that questions are asked of."""

    slug: str
    title: str
    kind: str
    is_public: bool
    links: SourceLinks


class DataSourceList(_Answer):
    items: list[DataSource]
    next: None


class Column(_Answer):
    name: str
    type: str
    role: str
    unit: str | None
    references: str | None = Field(description="`table.column` that it refers to")


class Table(_Answer):
    name: str
    rows: int
    primary_key: list[str]
    columns: list[Column]


class DataSourceSchema(DataSource):
    """A source with its tables."""

    dialect: str
    tables: list[Table]


class ChartLinks(_Answer):
    self: str
    json_: str = Field(alias="json")
    png: str
    svg: str
    csv: str
    page: str


class ChartSummary(_Answer):
    """A saved chart in a list."""

    id: UUID
    title: str
    question: str
    source: str | None
    chart_type: str
    follows: UUID | None = Field(description="the chart whose plan the question changed")
    created_at: datetime
    links: ChartLinks


class SavedChart(ChartSummary):
    """A saved chart with all that backs it."""

    answer: str
    spec: Object = Field(description="Vega-Lite, with its data")
    sql: str
    dialect: str
    plan: Object
    receipt: Object
    checks: list[Object]
    warnings: list[JsonValue]
    columns: list[Object]
    rows: list[list[JsonValue]]
    truncated: bool
    run: UUID | None = Field(description="the run that made it")


class ChartPage(_Answer):
    items: list[ChartSummary]
    next: str | None = Field(description="the address of the next page")


ANSWERS: list[type[BaseModel]] = [DataSourceList, DataSourceSchema, ChartPage, SavedChart]


def paths() -> Description:
    """Describe each address below the prefix where `charts.urls` is included."""
    slug = [parameter("slug", "path", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, "the source")]
    chart = [parameter("id", "path", {"type": "string", "format": "uuid"}, "the chart")]
    return {
        "/sources": {"get": call("The data sources that the caller may ask", answer("DataSourceList"))},
        "/sources/{slug}/schema": {
            "get": call("The tables of a source", answer("DataSourceSchema"), 404, 503, parameters=slug)
        },
        "/charts": {
            "get": call("The caller's charts, newest first", answer("ChartPage"), 422, parameters=query(ChartFilter))
        },
        "/charts/{id}": {"get": call("A chart", answer("SavedChart"), 404, parameters=chart)},
        "/charts/{id}.json": {"get": call("A chart", answer("SavedChart"), 404, parameters=chart)},
        "/charts/{id}.png": {"get": call("Its picture", _file("image/png"), 404, 503, parameters=chart)},
        "/charts/{id}.svg": {"get": call("Its picture, scalable", _file("image/svg+xml"), 404, 503, parameters=chart)},
        "/charts/{id}.csv": {"get": call("Its rows", _file("text/csv"), 404, parameters=chart)},
    }


def schemas() -> Description:
    """Describe the answers."""
    _references, definitions = models_json_schema([(model, "validation") for model in ANSWERS], ref_template=REF)
    found: Description = definitions["$defs"]
    return found


def _file(media: str) -> Description:
    return {"200": {"description": "OK", "content": {media: {"schema": {"type": "string", "contentMediaType": media}}}}}
