"""What a follow-up kept of the plan before and what it changed, in words for the receipt."""

from __future__ import annotations

from collections.abc import Iterator

from ...phrases import filter_words, having_words
from ...plan import Dimension, Measure, Plan

Part = tuple[str, str]  # what it is, and how it is said


def compare(before: Plan, after: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what was kept and what was changed."""
    old, new = list(_parts(before)), list(_parts(after))
    kept = [text for part, text in new if (part, text) in old]
    gone = [(part, text) for part, text in old if (part, text) not in new]
    come = [(part, text) for part, text in new if (part, text) not in old]
    changed = []
    for part, text in come:
        rival = next((other for other in gone if other[0] == part), None)
        if rival is None:
            changed.append(f"Added: {text}")
            continue
        gone.remove(rival)
        changed.append(f"{_capital(text)}, instead of {rival[1]}")
    changed += [f"Gone: {text}" for _, text in gone]
    return tuple(_capital(text) for text in kept), tuple(changed)


def _parts(plan: Plan) -> Iterator[Part]:
    """Yield the parts of a plan by what may take whose place."""
    yield "measure", " and ".join(_measure(measure) for measure in plan.measures) or f"rows of {plan.table}"
    for dimension in plan.dimensions:
        yield "dimension", f"by {_dimension(dimension)}"
    for filter in plan.filters:
        if filter.phrase or filter.operator != "not null":
            yield f"filter {filter.of}", f"only where {filter_words(filter)}"
    for having in plan.having:
        yield f"having {having.measure.label} {having.operator}", f"only where {having_words(having)}"
    if plan.limit is not None:
        yield "limit", f"{plan.limit} at most"
    for order in plan.order[:1]:
        yield (
            "order",
            f"sorted by {_sorted(plan, order.by, order.index)}, {'high to low' if order.descending else 'low to high'}",
        )
    if plan.chart is not None:
        yield "chart", f"as {plan.chart.value}"


def _measure(measure: Measure) -> str:
    label = measure.label[:1].lower() + measure.label[1:]
    return f"share of {label}" if measure.share else label


def _dimension(dimension: Dimension) -> str:
    label = dimension.label.lower()
    grain = dimension.grain.value.replace("_", " ") if dimension.grain is not None else label
    return label if label == grain else f"{label} ({grain})"


def _sorted(plan: Plan, by: str, index: int) -> str:
    if by == "dimension" and index < len(plan.dimensions):
        return _dimension(plan.dimensions[index])
    if by == "measure" and index < len(plan.measures):
        return _measure(plan.measures[index])
    return "the rows"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
