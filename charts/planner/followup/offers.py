"""Follow-ups that a chart can take, for someone whose follow-up was not understood."""

from __future__ import annotations

from collections.abc import Iterator

from ...plan import ChartType, Grain, Plan
from ...profile import Profile, Role
from ...sql.joins import distance, is_to_one
from ..names import column_words

FEW = 30


def offers(plan: Plan, profile: Profile) -> Iterator[str]:
    """Yield follow-ups, the most telling first; each has yet to prove that it works."""
    timed = any(dimension.grain is not None for dimension in plan.dimensions)
    grouped = [dimension for dimension in plan.dimensions if dimension.grain is None]
    yield from list(_values(plan, profile))[:1]
    yield from list(_groupings(plan, profile))[:2]
    if timed:
        yield "per quarter" if plan.dimensions[0].grain is not Grain.QUARTER else "per month"
        yield "only the last 12 months"
    if plan.limit is not None:
        yield "all of them"
    elif grouped and len(plan.dimensions) == 1:
        yield "top 5"
    if plan.filters:
        yield "without the filters"
    if plan.measures:
        yield "as a bar chart" if timed and plan.chart is not ChartType.BAR else "as a table"


def _groupings(plan: Plan, profile: Profile) -> Iterator[str]:
    used = {dimension.of for dimension in plan.dimensions}
    word = "also by" if len(plan.dimensions) == 1 and plan.dimensions[0].grain is not None else "by"
    end = "" if word == "also by" or not plan.dimensions else " instead"
    for table in sorted(profile.tables, key=lambda table: distance(profile, plan.table, table.name)):
        if not is_to_one(profile, plan.table, table.name):
            continue
        for column in table.columns:
            if (
                column.role is Role.CATEGORY
                and 1 < column.distinct <= FEW
                and all(of.column != column.name for of in used)
            ):
                yield f"{word} {column_words(column)}{end}"


def _values(plan: Plan, profile: Profile) -> Iterator[str]:
    for table in sorted(profile.tables, key=lambda table: distance(profile, plan.table, table.name)):
        if not is_to_one(profile, plan.table, table.name):
            continue
        for column in table.columns:
            limited = any(getattr(filter.of, "column", "") == column.name for filter in plan.filters)
            if column.role is Role.CATEGORY and 1 < column.distinct <= FEW and column.values and not limited:
                yield f"only {column.values[0]}"
