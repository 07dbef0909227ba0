"""Whether the chart type suits the numbers, and whether the picture is honest and well formed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..channels import assign_channels, distinct, numbers
from ..choice import Choice
from ..figures import cell_text, figure
from ..plan import ChartType
from ..spec import build_spec
from ..spec.vegalite import SpecRefused, validate_spec
from .report import CheckResult, Evidence, changed, failed, passed, warned

LONG_LABEL, MANY_BARS = 20, 12
BARS = (ChartType.BAR, ChartType.STACKED_BAR)
ONE_SLICE = 0.95


def check_few_points(evidence: Evidence) -> CheckResult:
    return _refused(evidence.choice, "few-points", "There are enough points for the chart.")


def check_line_nominal(evidence: Evidence) -> CheckResult:
    return _refused(evidence.choice, "line-nominal", "No line joins groups that have no order.")


def check_neg_pie(evidence: Evidence) -> CheckResult:
    return _refused(evidence.choice, "neg-pie", "No value below zero is drawn as a slice or an area.")


def _refused(choice: Choice, check: str, fine: str) -> CheckResult:
    """Report what the choice of the chart has already refused by this rule."""
    messages = [refusal.message for refusal in choice.refused if refusal.check == check]
    return changed(f"{' '.join(messages)} Drawn as a {choice.type.value} chart.") if messages else passed(fine)


def check_one_slice(evidence: Evidence) -> CheckResult:
    """Warn of a pie that is nearly one slice, where it was asked for; else another chart was chosen."""
    choice, result = evidence.choice, evidence.result
    if choice.type is not ChartType.PIE:
        return _refused(choice, "one-slice", "The chart is not a pie.")
    channels = assign_channels(evidence.plan, result)
    values = numbers(result, channels.y[0])
    share = max(values) / sum(values)
    if share <= ONE_SLICE:
        return passed("No slice hides the others.", largest=share)
    return warned(f"One slice is {share:.0%} of the pie; bars would show the small ones better.", largest=share)


def check_stack_mean(evidence: Evidence) -> CheckResult:
    """Say where bars stand side by side, as their numbers cannot be stacked."""
    refused = [refusal.message for refusal in evidence.choice.refused if refusal.check == "stack-mean"]
    channels = assign_channels(evidence.plan, evidence.result)
    mean = [evidence.result.columns[index].label for index in channels.y if not evidence.result.columns[index].additive]
    if evidence.choice.type is ChartType.STACKED_BAR and mean:
        return changed(f"{mean[0]} cannot be added up, so the bars stand side by side.")
    return changed(" ".join(refused)) if refused else passed("Nothing is stacked that cannot be added up.")


def check_long_label(evidence: Evidence) -> CheckResult:
    """Say where bars lie, so that their names can be read."""
    result = evidence.result
    channels = assign_channels(evidence.plan, result)
    if evidence.choice.type not in BARS or channels.x is None:
        return passed("There are no bars to name.")
    labels = [cell_text(cell, result.columns[channels.x]) for cell in distinct(result, channels.x)]
    longest = max(map(len, labels), default=0)
    if longest > LONG_LABEL or (len(labels) > MANY_BARS and result.columns[channels.x].kind == "nominal"):
        return changed("The bars lie, so that their names can be read.", longest=longest, bars=len(labels))
    return passed("The names fit below the bars.", longest=longest, bars=len(labels))


def check_zero_base(evidence: Evidence) -> CheckResult:
    """Prove that bars and areas start at 0, so that twice the length is twice the number."""
    spec = _spec(evidence)
    if faults := list(baseline_faults(spec)):
        return failed(f"The axis of {faults[0]} does not start at 0, which would mislead.")
    channels = assign_channels(evidence.plan, evidence.result, evidence.choice.type)
    values = [value for index in channels.y for value in numbers(evidence.result, index)]
    if evidence.choice.type not in (*BARS, ChartType.AREA) or not values or min(values) <= 0:
        return passed("No length in the chart misleads.")
    if min(values) < 0.8 * max(values) or len(values) < 2:
        return passed("The axis starts at 0.")
    column = evidence.result.columns[channels.y[0]]
    low, high = figure(min(values), column), figure(max(values), column)
    return passed(
        f"The axis starts at 0 although all values lie between {low} and {high}.", low=min(values), high=max(values)
    )


def baseline_faults(spec: dict[str, Any]) -> Iterator[str]:
    """Iterate over the titles of axes on which bars or areas would not start at 0."""
    for view in [spec, *spec.get("vconcat", ())]:
        shared = view.get("encoding") or {}
        for layer in view.get("layer") or [view]:
            mark = (layer.get("mark") or {}).get("type")
            encoding = shared | (layer.get("encoding") or {})
            yield from (_title(part) for part in _lengths(mark, encoding) if not (part.get("scale") or {}).get("zero"))


def _lengths(mark: str | None, encoding: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the encodings whose length from the axis carries the number."""
    if mark not in ("bar", "area"):
        return []
    axes = [encoding[name] for name in ("x", "y") if encoding.get(name)]
    return [
        part
        for part in axes
        if part.get("type") == "quantitative" and part.get("bin") != "binned" and not _is_x(mark, part, axes)
    ]


def _is_x(mark: str, part: dict[str, Any], axes: list[dict[str, Any]]) -> bool:
    """Tell whether `part` is the axis that an area runs along."""
    return mark == "area" and part is axes[0]


def _title(part: dict[str, Any]) -> str:
    return str((part.get("axis") or {}).get("title") or part.get("field"))


def check_spec(evidence: Evidence) -> CheckResult:
    """Prove that the chart holds nothing but its data and the closed set of drawing instructions."""
    spec = _spec(evidence)
    try:
        validate_spec(spec)
    except SpecRefused as error:
        return failed(f"The chart could not be built safely: {error}")
    return passed(
        "The chart holds its own data and nothing that could be run or fetched.", rows=len(spec["data"]["values"])
    )


def _spec(evidence: Evidence) -> dict[str, Any]:
    return build_spec(evidence.plan, evidence.result, evidence.choice, partial=evidence.partial)
