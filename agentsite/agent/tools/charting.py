"""The tool that makes a chart: the whole of `chart_generation`, nested, with its checks and its receipt."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.urls import reverse
from pydantic import Field

from charts.models import Chart
from charts.operations import ChartGeneration
from charts.plan import ChartType
from progress.database import in_database

from .data import Slug, short
from .definition import ToolContext, tool

ROWS = 10  # of the chart's data


@tool(timeout=120.0)
async def make_chart(
    context: ToolContext,
    *,
    question: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S", description="in words, in English")],
    source: Slug = None,
    chart: Annotated[ChartType | None, Field(description="whatever the question says")] = None,
    follows: Annotated[
        UUID | None, Field(description="id of a chart that the question changes, such as by “only 2025” or “as a line”")
    ] = None,
) -> dict[str, Any]:
    """Answer a question about the data with a checked chart, save it, and return its answer and first rows.

    Ask it in plain words, such as "revenue per month in 2025"; it writes and checks the query itself.
    """
    generation = ChartGeneration(question=question, source=source, chart=chart, follows=follows)
    made = await context.progress.run(generation, weight=1.0)
    return await in_database(_account, UUID(made["chartId"]))


def _account(pk: UUID) -> dict[str, Any]:
    chart = Chart.objects.select_related("source").get(pk=pk)
    return {
        "id": str(pk),
        "source": chart.source.slug if chart.source else None,
        "title": chart.title,
        "url": chart.get_absolute_url(),
        "spec_url": reverse("charts:chart-json", args=[pk]),
        "png_url": reverse("charts:chart-png", args=[pk]),
        "chart_type": chart.chart_type,
        "answer": chart.answer,
        "warnings": chart.warnings,
        "columns": [column["label"] for column in chart.columns],
        "rows": [list(map(short, row)) for row in chart.rows[:ROWS]],
        "row_count": len(chart.rows),
        "truncated": chart.truncated,
    }
