"""Questions to start with."""

from __future__ import annotations

from charts.models import SAMPLE_SLUG, Source

SAMPLE = (
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


def starters_for(source: Source) -> tuple[str, ...]:
    """Return questions that work on `source`."""
    return SAMPLE if source.slug == SAMPLE_SLUG else ()
