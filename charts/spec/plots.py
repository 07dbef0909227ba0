"""One function for each kind of plot: from a frame to a view of Vega-Lite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..channels import numbers
from ..plan import ChartType
from .axes import axis_format, colour, group_axis, number_axis, tooltip, x_axis
from .frame import Frame

View = dict[str, Any]

MANY_POINTS = 80  # a line with more shows no dots
OVERPLOT = 2000
BAR_HEIGHT = 24
PLOT_HEIGHT = 320
DASHES = [4, 3]


def plot_bars(frame: Frame, y: int) -> View:
    """Draw bars from a baseline of 0; side by side where the numbers of the groups cannot be added up."""
    x, series = frame.channels.x or 0, frame.channels.series
    lying = frame.long_labels
    band, amount = ("y", "x") if lying else ("x", "y")
    encoding: View = {band: group_axis(frame, x, lying=lying), "tooltip": tooltip(frame)}
    number: View = number_axis(frame, y, zero=True)
    if series is not None:
        encoding["color"] = colour(frame, series)
        beside = not frame.column(y).additive
        number["stack"] = False if beside else "zero"
        if not beside:
            encoding["order"] = _stack_order(frame, series)
        if beside:
            encoding[f"{band}Offset"] = {
                "field": frame.field(series),
                "type": "nominal",
                "sort": encoding["color"]["sort"],
            }
    size: View = {"height": {"step": BAR_HEIGHT}} if lying else {"height": PLOT_HEIGHT}
    bar = {"type": "bar"}
    if not _has_partial(frame):
        return {**size, "mark": bar, "encoding": {**encoding, amount: number}}
    solid, hollow = split_partial(frame, y)
    outline = {"type": "bar", "filled": False, "strokeDash": DASHES, "strokeWidth": 1.5}
    if series is not None:
        outline = {"type": "bar", "fillOpacity": 0.35}  # dashes around each part of a stack would tangle
    layers = [
        {"mark": bar, "encoding": {amount: {**number, "field": solid}}},
        {"mark": outline, "encoding": {amount: {**number, "field": hollow}}},
    ]
    return {**size, "encoding": encoding, "layer": layers}


def _stack_order(frame: Frame, series: int) -> View:
    """Add the rank of each row's series, so that stacks are built in the order of the legend."""
    ranks = {label: rank for rank, label in enumerate(frame.ordered_labels(series))}
    field = frame.spare(3 * len(frame.result.columns))
    for row in frame.rows:
        row[field] = ranks[row[frame.field(series)]]
    return {"field": field, "type": "quantitative"}


def plot_line(frame: Frame, y: int) -> View:
    """Draw a line for each series with its points; a period that is not complete is reached by a dashed segment."""
    x, series = frame.channels.x or 0, frame.channels.series
    encoding: View = {"x": x_axis(frame, x), "tooltip": tooltip(frame)}
    if series is not None:
        encoding["color"] = colour(frame, series)
    values = numbers(frame.result, y)
    zero = frame.column(y).additive or min(values, default=0) < 0.5 * max(values, default=0)
    number = number_axis(frame, y, zero=zero)
    points: View = {"type": "point", "filled": True, "size": 40, "opacity": 1}
    if len(frame.result.rows) > MANY_POINTS:
        points |= {"opacity": 0}  # still there for the tooltip
    if not _has_partial(frame):
        layers = [{"mark": {"type": "line"}, "encoding": {"y": number}}, {"mark": points, "encoding": {"y": number}}]
        return {"height": PLOT_HEIGHT, "encoding": encoding, "layer": layers}
    return {"height": PLOT_HEIGHT, "encoding": encoding, "layer": _dashed_layers(frame, y, number, points)}


def _dashed_layers(frame: Frame, y: int, number: View, points: View) -> list[View]:
    solid, hollow = split_partial(frame, y)
    bridge = bridge_partial(frame, y)
    ring = {"type": "point", "filled": False, "size": 60, "strokeWidth": 1.5, "opacity": 1}
    return [
        {"mark": {"type": "line"}, "encoding": {"y": {**number, "field": solid}}},
        {"mark": {"type": "line", "strokeDash": DASHES}, "encoding": {"y": {**number, "field": bridge}}},
        {"mark": points, "encoding": {"y": {**number, "field": solid}}},
        {"mark": ring, "encoding": {"y": {**number, "field": hollow}}},
    ]


def plot_area(frame: Frame, y: int) -> View:
    """Draw areas from a baseline of 0, stacked where there are several; a period that is not complete is paler."""
    encoding: View = {"x": x_axis(frame, frame.channels.x or 0), "tooltip": tooltip(frame)}
    if frame.channels.series is not None:
        encoding["color"] = colour(frame, frame.channels.series)
    number: View = {**number_axis(frame, y, zero=True), "stack": "zero"}
    area = {"type": "area", "opacity": 0.8}
    if not _has_partial(frame):
        return {"height": PLOT_HEIGHT, "mark": area, "encoding": {**encoding, "y": number}}
    solid, _ = split_partial(frame, y)
    layers = [
        {"mark": area, "encoding": {"y": {**number, "field": solid}}},
        {"mark": {**area, "opacity": 0.35}, "encoding": {"y": {**number, "field": bridge_partial(frame, y)}}},
    ]
    return {"height": PLOT_HEIGHT, "encoding": encoding, "layer": layers}


def plot_pie(frame: Frame, y: int) -> View:
    """Draw slices in display order, with their share of the sum beside those that are large enough to name."""
    x = frame.channels.x or 0
    total = sum(numbers(frame.result, y))
    order, share, shown = frame.spare(0), frame.spare(1), frame.spare(2)
    ranks = {label: rank for rank, label in enumerate(frame.ordered_labels(x))}
    for row in frame.rows:
        part = (row[frame.field(y)] or 0) / total if total else 0
        row |= {order: ranks[row[frame.field(x)]], share: part, shown: f"{part:.0%}" if part >= 0.03 else ""}
    lines = [*tooltip(frame), {"field": share, "type": "quantitative", "format": ".1%", "title": "Share"}]
    encoding: View = {
        "theta": {"field": frame.field(y), "type": "quantitative", "stack": True},
        "color": colour(frame, x),
        "order": {"field": order, "type": "quantitative"},
        "tooltip": lines,
    }
    text = {"text": {"field": shown, "type": "nominal"}}
    layers = [
        {"mark": {"type": "arc", "outerRadius": 120}},
        {
            "mark": {"type": "text", "radius": 138, "fontSize": 12},
            "encoding": {**text, "detail": {"field": frame.field(x)}, "color": None},
        },
    ]
    return {"height": PLOT_HEIGHT - 20, "encoding": encoding, "layer": layers}


def plot_scatter(frame: Frame, y: int) -> View:
    """Draw one point for each row, paler where there are many."""
    x, series = frame.channels.x or 0, frame.channels.series
    encoding: View = {
        "x": x_axis(frame, x) if frame.draws_time(x) else number_axis(frame, x, zero=False),
        "y": number_axis(frame, y, zero=False),
        "tooltip": tooltip(frame),
    }
    if series is not None and frame.chart is ChartType.GROUPING_SCATTER:
        encoding["color"] = colour(frame, series)
    opacity = 0.25 if len(frame.result.rows) > OVERPLOT else 0.7
    mark = {"type": "point", "filled": True, "size": 40, "opacity": opacity}
    return {"height": PLOT_HEIGHT + 40, "mark": mark, "encoding": encoding}


def plot_histogram(frame: Frame, y: int, bins: Sequence[tuple[float, float, int]]) -> View:
    """Draw how many rows fall into each of `bins` (from, to, rows); they take the place of the frame's rows."""
    low, high, rows = frame.spare(0), frame.spare(1), frame.spare(2)
    frame.rows[:] = [{low: start, high: end, rows: count} for start, end, count in bins]
    axis = number_axis(frame, y, zero=False)["axis"] | {"format": axis_format(frame, y), "grid": False}
    encoding: View = {
        "x": {
            "field": low,
            "type": "quantitative",
            "bin": "binned",
            "axis": axis,
            "scale": {"zero": False, "nice": False},
        },
        "x2": {"field": high},
        "y": {
            "field": rows,
            "type": "quantitative",
            "axis": {"title": "Number of rows", "format": ",.0f", "tickMinStep": 1},
            "scale": {"zero": True, "nice": True},
        },
        "tooltip": [
            {"field": low, "type": "quantitative", "title": "From", "format": ",.4~g"},
            {"field": high, "type": "quantitative", "title": "To", "format": ",.4~g"},
            {"field": rows, "type": "quantitative", "title": "Rows", "format": ",.0f"},
        ],
    }
    return {"height": PLOT_HEIGHT, "mark": {"type": "bar"}, "encoding": encoding}


def _has_partial(frame: Frame) -> bool:
    return any(_is_partial(frame, position) for position in range(len(frame.result.rows)))


def _is_partial(frame: Frame, position: int) -> bool:
    x = frame.channels.x
    return x is not None and frame.result.rows[position][x] in frame.partial


def split_partial(frame: Frame, y: int) -> tuple[str, str]:
    """Add the values of full periods and of partial ones as two fields of their own and return their names."""
    solid, hollow = frame.spare(3 * y), frame.spare(3 * y + 1)
    for position, row in enumerate(frame.rows):
        partial = _is_partial(frame, position)
        row[solid] = None if partial else row[frame.field(y)]
        row[hollow] = row[frame.field(y)] if partial else None
    return solid, hollow


def bridge_partial(frame: Frame, y: int) -> str:
    """Add a field with each partial period and its neighbour, which a dashed segment joins; return its name."""
    field, x = frame.spare(3 * y + 2), frame.channels.x or 0
    times = sorted(
        {row[frame.field(x)] for row in frame.rows if row[frame.field(x)] is not None}, key=_sortable(frame, x)
    )
    partial = {row[frame.field(x)] for position, row in enumerate(frame.rows) if _is_partial(frame, position)}
    near = {
        times[i]
        for at, time in enumerate(times)
        if time in partial
        for i in (at - 1, at, at + 1)
        if 0 <= i < len(times)
    }
    for row in frame.rows:
        row[field] = row[frame.field(y)] if row[frame.field(x)] in near else None
    return field


def _sortable(frame: Frame, x: int) -> Any:
    ranks = {label: rank for rank, label in enumerate(frame.ordered_labels(x))}
    return (lambda value: value) if frame.draws_time(x) or frame.draws_number(x) else ranks.__getitem__
