"""The HTTP API of sources and saved charts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from progress.api import next_page, read_cursor
from progress.database import in_database
from progress.owners import Owner, request_owner
from progress.problems import Problem, View, endpoint, invalid, not_found

from .models import Chart, Source, ensure_sample_source
from .profile import ForeignKey, Profile, TableProfile
from .profiling import profile_source
from .render import RenderFailed, render
from .sources import QueryFailed

PAGE = 50
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class ChartFilter(BaseModel):
    """Query of GET /api/charts."""

    model_config = ConfigDict(extra="forbid")
    source: str | None = Field(default=None, max_length=100)
    cursor: str | None = None
    limit: int = Field(default=PAGE, ge=1, le=200)


async def list_sources(request: HttpRequest) -> HttpResponseBase:
    """GET /api/sources"""
    owner = await request_owner(request)

    def read() -> list[dict[str, Any]]:
        ensure_sample_source()
        return [source.as_json() for source in Source.objects.visible_to(owner)]

    return JsonResponse({"items": await in_database(read), "next": None}, headers=PRIVATE)


async def show_schema(request: HttpRequest, slug: str) -> HttpResponseBase:
    """GET /api/sources/<slug>/schema"""
    visible = await _readable(request, Source.objects.filter(slug=slug), "charts.view_source", _visible_sources)
    source: Source = await _one(visible)
    try:
        profile = await asyncio.to_thread(lambda: profile_source(source.open()))
    except QueryFailed as error:
        raise Problem(503, error.message, code=error.code) from None
    return JsonResponse({**source.as_json(), **schema_json(profile)}, headers=PRIVATE)


def schema_json(profile: Profile) -> dict[str, Any]:
    """Return the tables of a source with the types and rows that were found."""
    return {
        "dialect": profile.dialect,
        "tables": [_table_json(table, profile.foreign_keys) for table in profile.tables],
    }


def _table_json(table: TableProfile, keys: tuple[ForeignKey, ...]) -> dict[str, Any]:
    references = {key.column: f"{key.to_table}.{key.to_column}" for key in keys if key.table == table.name}
    columns = [
        {
            "name": column.name,
            "type": column.type,
            "role": column.role,
            "unit": column.unit,
            "references": references.get(column.name),
        }
        for column in table.columns
    ]
    return {"name": table.name, "rows": table.rows, "primary_key": list(table.primary_key), "columns": columns}


async def list_charts(request: HttpRequest) -> HttpResponseBase:
    """GET /api/charts"""
    try:
        query = ChartFilter.model_validate(request.GET.dict())
    except ValidationError as error:
        raise invalid(error) from None
    owner = await request_owner(request)
    found = await in_database(_page, owner, query)
    items = found[: query.limit]
    more = next_page(request, items[-1]) if len(found) > query.limit else None
    return JsonResponse({"items": [chart.summary() for chart in items], "next": more}, headers=PRIVATE)


def _page(owner: Owner, query: ChartFilter) -> list[Chart]:
    charts = Chart.objects.for_owner(owner).select_related("source")
    if query.source:
        charts = charts.filter(source__slug=query.source)
    if query.cursor:
        at, pk = read_cursor(query.cursor)
        charts = charts.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
    shown = ("title", "question", "source", "chart_type", "follows", "created_at")
    return list(charts.only(*shown).order_by("-created_at", "-pk")[: query.limit + 1])


async def show_chart(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/charts/<id> and GET /api/charts/<id>.json"""
    return JsonResponse((await find_chart(request, pk)).as_json(), headers=PRIVATE)


async def chart_csv(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/charts/<id>.csv"""
    chart = await find_chart(request, pk)
    # The mark tells spreadsheets that the text is UTF-8.
    return _file("\ufeff" + chart.to_csv(), "text/csv; charset=utf-8", f"{chart.file_name}.csv")


async def chart_png(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/charts/<id>.png"""
    chart = await find_chart(request, pk)
    return _file(await _picture(chart, "png"), "image/png", f"{chart.file_name}.png", inline=True)


async def chart_svg(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/charts/<id>.svg"""
    chart = await find_chart(request, pk)
    return _file(await _picture(chart, "svg"), "image/svg+xml", f"{chart.file_name}.svg")


async def find_chart(request: HttpRequest, pk: UUID) -> Chart:
    """Return the caller's chart; staff who may view charts may read any. Raises Problem 404."""
    rows = Chart.objects.select_related("source").filter(pk=pk)
    chart: Chart = await _one(await _readable(request, rows, "charts.view_chart", _own_charts))
    return chart


async def _picture(chart: Chart, format: Any) -> bytes:
    try:
        return await render(chart.spec, format)
    except RenderFailed as error:
        raise Problem(503, error.message, code=error.code) from None


def _file(content: str | bytes, content_type: str, name: str, *, inline: bool = False) -> HttpResponse:
    # `name` is made of ASCII letters, digits, dashes and a dot: it needs no escaping.
    disposition = f'{"inline" if inline else "attachment"}; filename="{name}"'
    return HttpResponse(content, content_type=content_type, headers={**PRIVATE, "Content-Disposition": disposition})


def _visible_sources(rows: Any, owner: Owner) -> Any:
    return rows.visible_to(owner)


def _own_charts(rows: Any, owner: Owner) -> Any:
    return rows.for_owner(owner)


async def _readable(
    request: HttpRequest, rows: QuerySet[Any], permission: str, mine: Callable[[Any, Owner], Any]
) -> QuerySet[Any]:
    """Return those of `rows` that the caller may read: all of them for staff with the permission."""
    owner = await request_owner(request)
    user = await request.auser()
    if user.is_staff and await user.ahas_perm(permission):
        return rows
    found: QuerySet[Any] = mine(rows, owner)
    return found


async def _one(rows: QuerySet[Any]) -> Any:
    row: Model | None = await in_database(rows.first)
    if row is None:
        raise not_found()
    return row


sources_endpoint: View = endpoint(GET=list_sources)
schema_endpoint: View = endpoint(GET=show_schema)
charts_endpoint: View = endpoint(GET=list_charts)
chart_endpoint: View = endpoint(GET=show_chart)
csv_endpoint: View = endpoint(GET=chart_csv)
png_endpoint: View = endpoint(GET=chart_png)
svg_endpoint: View = endpoint(GET=chart_svg)
