"""From a result and a chart type to a Vega-Lite specification with its data inside.

Field names are c0, c1, ...; what people called the columns stands in titles. A spec names no colours: see `theme`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..channels import numbers, positions
from ..choice import Choice
from ..figures import axis_title, cell_text, count_noun, join_words, label_of
from ..phrases import filter_words, having_words
from ..plan import ChartType, Plan
from ..query import Cell, Result
from .frame import Frame
from .plots import View, plot_area, plot_bars, plot_histogram, plot_line, plot_pie, plot_scatter
from .theme import theme, themed
from .vegalite import MAX_ROWS, SCHEMA, SpecRefused, validate_spec

__all__ = ["MAX_ROWS", "SpecRefused", "build_spec", "theme", "themed", "validate_spec"]

PANEL_WIDTH, PANEL_HEIGHT = 360, 180
PICTURE_ROWS, PICTURE_COLUMNS = 20, 6  # how much of a table goes into its picture
MAX_BINS = 12
PLOTS: dict[ChartType, Callable[[Frame, int], View]] = {
    ChartType.BAR: plot_bars,
    ChartType.STACKED_BAR: plot_bars,
    ChartType.LINE: plot_line,
    ChartType.GROUPING_LINE: plot_line,
    ChartType.AREA: plot_area,
    ChartType.PIE: plot_pie,
    ChartType.SCATTER: plot_scatter,
    ChartType.GROUPING_SCATTER: plot_scatter,
}


def build_spec(
    plan: Plan, result: Result, choice: Choice, *, partial: Collection[Cell] = (), notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Build the specification that draws `result` as `choice.type`.

    `partial` are the cells of x whose period is not complete; `notes` are lines that a picture must not go without.
    A number and a table are drawn as text, the table's first 20 rows and 6 columns, so that each chart has a picture.
    """
    cut = Result(columns=result.columns, rows=result.rows[:MAX_ROWS], truncated=result.truncated)
    frame = Frame(plan, cut, choice.type, partial)
    rows, view = _draw(frame)
    title: dict[str, Any] = {"text": _wrapped(chart_title(plan, result))}
    if lines := [line for note in (*_conditions(plan), *notes, *_cut_notes(frame)) for line in _wrapped(note, 80)]:
        title["subtitle"] = lines[:8]
    width = {} if "vconcat" in view else {"width": "container"}
    return {"$schema": SCHEMA, "title": title, "data": {"values": rows}, **width, **view}


def _draw(frame: Frame) -> tuple[list[dict[str, Any]], View]:
    measures = frame.channels.y
    if not frame.result.rows:
        return _text(["No rows"], "")
    if frame.chart is ChartType.NUMBER:
        return _number(frame)
    if frame.chart is ChartType.TABLE:
        return _table(frame)
    if frame.chart is ChartType.HISTOGRAM and frame.channels.x is None:
        view = plot_histogram(frame, measures[0], bin_values(numbers(frame.result, measures[0])))
        return frame.rows, view
    plot = PLOTS.get(frame.chart, plot_bars)
    if len(measures) == 1:
        view = plot(frame, measures[0])
        return frame.rows, view
    panels = [{**plot(frame, y), "width": PANEL_WIDTH} for y in measures]
    for panel in panels:
        if panel["height"] == 320:
            panel["height"] = PANEL_HEIGHT
    return frame.rows, {"vconcat": panels}


def chart_title(plan: Plan, result: Result) -> str:
    """Say what a chart shows: "Revenue by month and country"; for a list of rows, the question."""
    measures = [label_of(result.columns[index]) for index in positions(result, "measure")]
    if not measures:
        return plan.question[:1].upper() + plan.question[1:]
    dimensions = [result.columns[index].label for index in positions(result, "dimension")]
    if not dimensions and len(measures) == 1 and len(result.rows) > 1:
        return f"How {_small(measures[0])} is spread"
    by = f" by {join_words(_small(name) for name in dimensions)}" if dimensions else ""
    title = join_words([measures[0], *(_small(name) for name in measures[1:])]) + by
    return title[:1].upper() + title[1:]


def _small(label: str) -> str:
    """Write a label inside a sentence: "Month" as "month", but "VAT" as it is."""
    return label[:1].lower() + label[1:] if label[1:] == label[1:].lower() else label


def _conditions(plan: Plan) -> list[str]:
    asked = [each for each in plan.filters if each.phrase or each.operator != "not null"]
    clauses = [*map(filter_words, asked), *map(having_words, plan.having)]
    return [f"Only where {join_words(clauses)}"] if clauses else []


def _cut_notes(frame: Frame) -> list[str]:
    left_out = len(frame.result.rows) - PICTURE_ROWS
    if frame.chart is not ChartType.TABLE or left_out <= 0:
        return []
    return [f"The first {PICTURE_ROWS} of {count_noun(len(frame.result.rows), 'row')}"]


def _wrapped(text: str, width: int = 64) -> list[str]:
    return textwrap.wrap(text[:400], width)[:4] or [" "]


def bin_values(values: Sequence[float]) -> list[tuple[float, float, int]]:
    """Cut numbers into at most 12 bins of one round width: (from, to, how many); `to` belongs to the next bin."""
    low, high = min(values), max(values)
    step = _round_step((high - low) / MAX_BINS)
    if all(value.is_integer() for value in values):
        step = max(step, 1.0)
    first = math.floor(low / step + 1e-9)
    counts: dict[int, int] = dict.fromkeys(range(first, math.floor(high / step + 1e-9) + 1), 0)
    for value in values:
        counts[math.floor(value / step + 1e-9)] += 1
    return [(round(at * step, 10), round((at + 1) * step, 10), count) for at, count in counts.items()]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least * (1 - 1e-9))


def _number(frame: Frame) -> tuple[list[dict[str, Any]], View]:
    y, x = frame.channels.y[0], frame.channels.x
    row = frame.result.rows[0]
    caption = "" if x is None else cell_text(row[x], frame.column(x))
    return _text([cell_text(row[y], frame.column(y))], caption)


def _text(lines: Sequence[str], caption: str) -> tuple[list[dict[str, Any]], View]:
    big = {"type": "text", "fontSize": 44, "fontWeight": "bold", "dy": -12 if caption else 0}
    small = {"type": "text", "fontSize": 14, "dy": 28}
    layers = [
        {"mark": big, "encoding": {"text": {"field": "c0", "type": "nominal"}}},
        {"mark": small, "encoding": {"text": {"field": "c1", "type": "nominal"}}},
    ]
    return [{"c0": lines[0], "c1": caption}], {"height": 140, "layer": layers}


def _table(frame: Frame) -> tuple[list[dict[str, Any]], View]:
    """Write the first rows as text: c0 is the row, c1 the column, c2 what stands there."""
    names = _heads(frame.result)
    cells: list[dict[str, Any]] = [
        {"c0": number, "c1": name, "c2": textwrap.shorten(frame.text(index, row[index]), 40, placeholder="…")}
        for number, row in enumerate(frame.result.rows[:PICTURE_ROWS], 1)
        for index, name in enumerate(names)
    ]
    mark = {"type": "text", "align": "left", "limit": 600 / max(len(names), 1)}
    plain = {"grid": False, "ticks": False, "domain": False, "title": None}
    heads = {**plain, "orient": "top", "labelAngle": 0, "labelAlign": "left", "bandPosition": 0, "labelLimit": 110}
    encoding = {
        "y": {"field": "c0", "type": "ordinal", "axis": {**plain, "labels": False}},
        "x": {"field": "c1", "type": "nominal", "sort": names, "axis": heads, "bandPosition": 0},
        "text": {"field": "c2", "type": "nominal"},
    }
    return cells, {"height": {"step": 22}, "mark": mark, "encoding": encoding}


def _heads(result: Result) -> list[str]:
    """Return the titles of the table's columns, numbered where two are called the same."""
    heads: list[str] = []
    for column in result.columns[:PICTURE_COLUMNS]:
        name = axis_title(column)
        heads.append(name if name not in heads else f"{name} ({sum(head.startswith(name) for head in heads) + 1})")
    return heads
