"""A source at a glance: its tables, and questions to start with."""

from __future__ import annotations

from typing import Any

from charts.models import SAMPLE_SLUG, Source
from charts.profile import Profile, TableProfile
from progress.exceptions import OperationFailed

SAMPLE_QUESTIONS = (
    "Revenue per month",
    "Top 10 products by revenue",
    "Orders by country as a bar chart",
    "Revenue by category and year",
    "Average delivery days by carrier",
    "Share of orders per segment",
    "Orders that were never shipped",
    "Discount against quantity",
    "Monthly orders in Germany vs France",
    "Customers with more than 15 orders",
)


def glance(source: Source) -> dict[str, Any]:
    """Return `tables` with their rows and columns, and `starters`; both empty for a source that cannot be read."""
    from charts.profiling import profile_source

    try:
        profile = profile_source(source.open())
    except OperationFailed:
        return {"tables": [], "starters": ()}
    starters = SAMPLE_QUESTIONS if source.slug == SAMPLE_SLUG else _questions(profile)
    return {"tables": [_table(table) for table in profile.tables], "starters": starters}


def _questions(profile: Profile) -> tuple[str, ...]:
    from charts.planner import NotUnderstood, plan_question

    found = plan_question("", profile)  # no question is refused with questions that work
    return found.questions if isinstance(found, NotUnderstood) else ()


def _table(table: TableProfile) -> dict[str, Any]:
    columns = [{"name": column.name, "type": column.type} for column in table.columns]
    return {"name": table.name, "rows": table.rows, "columns": columns}
