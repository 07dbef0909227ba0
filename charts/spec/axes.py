"""Axes, legends and tooltips: the encodings that all plots share."""

from __future__ import annotations

from typing import Any

from ..channels import distinct, numbers
from ..figures import axis_title
from ..plan import Grain
from .frame import Frame

TIME_FORMATS = {
    Grain.YEAR: "%Y",
    Grain.QUARTER: "Q%q %Y",
    Grain.MONTH: "%b %Y",
    Grain.HOUR: "%-d %b %H:00",
}
DAY_FORMAT = "%-d %b %Y"
TICKS: dict[Grain, tuple[str, int]] = {Grain.YEAR: ("year", 1), Grain.QUARTER: ("month", 3), Grain.MONTH: ("month", 1)}
FEW_TICKS = 12
CROWDED = 45  # characters of labels that stand side by side on a phone


def group_axis(frame: Frame, index: int, *, lying: bool = False) -> dict[str, Any]:
    """Return the encoding of a column that groups: bands with labels, along x or (lying) along y."""
    labels = frame.ordered_labels(index)
    axis: dict[str, Any] = {"title": axis_title(frame.column(index)), "labelLimit": 220, "grid": False}
    if not lying:
        crowded = sum(len(label) + 2 for label in labels) > CROWDED
        axis |= {"labelAngle": -40 if crowded else 0, "labelLimit": 140}
        axis["labelOverlap"] = "greedy" if len(labels) > FEW_TICKS else False
    return {"field": frame.field(index), "type": "nominal", "sort": labels, "axis": axis}


def time_axis(frame: Frame, index: int) -> dict[str, Any]:
    """Return the encoding of a column that runs along time."""
    grain = frame.column(index).grain
    axis: dict[str, Any] = {"title": axis_title(frame.column(index)), "grid": False}
    axis |= {"labelOverlap": "greedy", "labelFlush": False, "labelSeparation": 8}
    axis["format"] = TIME_FORMATS.get(grain, DAY_FORMAT) if grain else DAY_FORMAT
    if grain in TICKS and len(distinct(frame.result, index)) <= FEW_TICKS:
        interval, step = TICKS[grain]
        axis["tickCount"] = {"interval": interval, "step": step}
    return {"field": frame.field(index), "type": "temporal", "axis": axis}


def number_axis(frame: Frame, index: int, *, zero: bool) -> dict[str, Any]:
    """Return the encoding of a column of numbers; `zero` makes the axis start there."""
    axis: dict[str, Any] = {"title": axis_title(frame.column(index)), "format": axis_format(frame, index)}
    if _whole(frame, index):
        axis["tickMinStep"] = 1
    return {"field": frame.field(index), "type": "quantitative", "axis": axis, "scale": {"zero": zero, "nice": True}}


def x_axis(frame: Frame, index: int) -> dict[str, Any]:
    """Return the encoding of x for lines: time, numbers or labels, as the column is."""
    if frame.draws_time(index):
        return time_axis(frame, index)
    return number_axis(frame, index, zero=False) if frame.draws_number(index) else group_axis(frame, index)


def axis_format(frame: Frame, index: int) -> str:
    if frame.column(index).share:
        return ".0%"
    if frame.is_years(index):
        return "d"
    values = [abs(value) for value in numbers(frame.result, index)]
    if max(values, default=0) >= 1_000_000:
        return "~s"
    return ",.0f" if _whole(frame, index) else ",f"


def colour(frame: Frame, index: int) -> dict[str, Any]:
    """Return the encoding of a column as colours with a legend."""
    labels = frame.ordered_labels(index)
    longest = max((len(label) for label in labels), default=0)
    columns = 4 if longest <= 8 else 3 if longest <= 14 else 2 if longest <= 24 else 1
    legend = {"title": axis_title(frame.column(index)), "columns": columns}
    return {"field": frame.field(index), "type": "nominal", "sort": labels, "legend": legend}


def tooltip(frame: Frame) -> list[dict[str, Any]]:
    """Return one line of tooltip for each column of the result, with the names people know."""
    return [_tooltip_line(frame, index) for index in range(min(len(frame.result.columns), 12))]


def _tooltip_line(frame: Frame, index: int) -> dict[str, Any]:
    line: dict[str, Any] = {"field": frame.field(index), "type": "nominal", "title": axis_title(frame.column(index))}
    column = frame.column(index)
    if frame.draws_time(index):
        format = TIME_FORMATS.get(column.grain, DAY_FORMAT) if column.grain else DAY_FORMAT
        return line | {"type": "temporal", "format": format}
    if column.part == "measure" or frame.draws_number(index):
        return line | {"type": "quantitative", "format": _tooltip_format(frame, index)}
    return line


def _tooltip_format(frame: Frame, index: int) -> str:
    if frame.column(index).share:
        return ".1%"
    if frame.is_years(index):
        return "d"
    return ",.0f" if _whole(frame, index) else ",.2f" if _large(frame, index) else ",.4~g"


def _whole(frame: Frame, index: int) -> bool:
    return all(value.is_integer() for value in numbers(frame.result, index))


def _large(frame: Frame, index: int) -> bool:
    return max((abs(value) for value in numbers(frame.result, index)), default=0) >= 10
