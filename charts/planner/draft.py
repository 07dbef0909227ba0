"""A plan in the making, with the account of how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plan import Aggregate, ChartType, Dimension, Expression, Filter, Having, Link, Measure, Order

PLURAL_TOP = 10  # how many 'the best products' are
MAX_LIMIT = 5000  # what a plan allows
RAW_SHARE = 0.9  # labels that are this unique name single rows, not groups
COUNTS = (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)
PARTS = (
    ChartType.BAR, ChartType.PIE, ChartType.STACKED_BAR, ChartType.LINE, ChartType.GROUPING_LINE, ChartType.HISTOGRAM,
    ChartType.AREA,
)  # fmt: skip


class CannotPlan(Exception):
    """The frame does not make a plan; the message says what is missing, as part of a sentence."""


@dataclass
class Draft:
    """What has been settled so far."""

    measures: list[Measure] = field(default_factory=list)
    dimensions: list[Dimension] = field(default_factory=list)
    details: list[Expression] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    having: list[Having] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    links: list[Link] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    raw: bool = False
