"""A result made ready for drawing: safe field names, labels that people read, and the order of the groups."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from typing import Any

from ..channels import assign_channels, distinct, is_time, positions
from ..figures import cell_text
from ..periods import parse_period, period_label
from ..plan import ChartType, Order, Plan
from ..query import Cell, OutputColumn, Result
from .ordering import natural_order

MAX_LABEL = 120  # characters of one label that go into a picture
OTHERS = "All others"  # how the group that holds the small rest is called
YEARS = range(1500, 2201)


class Frame:
    """What a chart is drawn from. `partial` are the cells of x whose period the data covers only in part."""

    def __init__(self, plan: Plan, result: Result, chart: ChartType, partial: Collection[Cell] = ()) -> None:
        self.plan, self.result, self.chart = plan, result, chart
        self.channels = assign_channels(plan, result, chart)
        self.partial = frozenset(partial)

    def column(self, index: int) -> OutputColumn:
        return self.result.columns[index]

    def field(self, index: int) -> str:
        return f"c{index}"

    def spare(self, number: int) -> str:
        """Return the name of a field beside the result's columns."""
        return f"c{len(self.result.columns) + number}"

    def is_timed(self, index: int) -> bool:
        """Tell whether the column can be drawn along a time axis: every cell that is not NULL names a moment."""
        cells = [cell for cell in distinct(self.result, index) if cell is not None]
        return bool(cells) and is_time(self.column(index)) and all(parse_period(cell) is not None for cell in cells)

    def is_numeric(self, index: int) -> bool:
        cells = [cell for cell in distinct(self.result, index) if cell is not None]
        return bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)

    def is_years(self, index: int) -> bool:
        return self.is_numeric(index) and "year" in self.column(index).label.casefold() and all(
            cell in YEARS for cell in distinct(self.result, index) if cell is not None
        )  # fmt: skip

    def labels(self, index: int) -> dict[Cell, str]:
        """Return the label of each cell of a column; no two cells share one."""
        labels: dict[Cell, str] = {}
        taken: set[str] = set()
        for cell in distinct(self.result, index):
            text = self.text(index, cell)
            label = text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
            while label in taken:
                label += " "
            taken.add(label)
            labels[cell] = label
        return labels

    def text(self, index: int, cell: Cell) -> str:
        """Write a cell for a picture: months cut to three letters, "(none)" for NULL."""
        start = parse_period(cell) if is_time(self.column(index)) else None
        if start is not None:
            return period_label(start, self.column(index).grain, short=True)
        return cell_text(cell, self.column(index))

    def ordered_labels(self, index: int) -> list[str]:
        """Return the labels of a column in the order that was asked for, else in the order that reads best."""
        labels = self.labels(index)
        return [labels[cell] for cell in self._ordered(index)]

    def _ordered(self, index: int) -> list[Cell]:
        cells = list(distinct(self.result, index))
        asked = self._asked(index)
        if asked is not None and asked.by == "measure":
            return self._by_value(index, cells, asked.descending)
        if asked is not None:
            return cells
        if self.is_timed(index):
            return sorted(cells, key=lambda cell: parse_period(cell) or datetime.max)
        natural = natural_order(cells)
        if natural is not None or self.column(index).kind in ("ordinal", "temporal"):
            return natural or cells
        return self._by_value(index, cells, True)

    def _asked(self, index: int) -> Order | None:
        """Return the order asked for, if it says anything about this column."""
        order = self.plan.order[0] if self.plan.order else None
        if order is None or order.by == "detail":
            return order
        if order.by == "measure":
            return order if index == self.channels.x else None
        dimensions = positions(self.result, "dimension")
        return order if dimensions[order.index : order.index + 1] == (index,) else None

    def _by_value(self, index: int, cells: list[Cell], descending: bool) -> list[Cell]:
        if self.channels.series is None and self.plan.order:
            return cells
        totals = dict.fromkeys(cells, 0.0)
        for row in self.result.rows:
            value = row[self.channels.y[0]] if self.channels.y else 0
            totals[row[index]] += float(value) if isinstance(value, int | float) else 0.0
        ranked = sorted(cells, key=lambda cell: totals[cell], reverse=descending)
        return sorted(ranked, key=lambda cell: str(cell).startswith(OTHERS))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as Vega-Lite gets them: times for a time axis, labels for groups, numbers for measures."""
        writers = [self._writer(index) for index in range(len(self.result.columns))]
        return [
            {self.field(index): write(cell) for index, (write, cell) in enumerate(zip(writers, row, strict=True))}
            for row in self.result.rows
        ]

    def _writer(self, index: int) -> Any:
        if self.draws_time(index):
            return _moment
        if self.column(index).part == "measure" or self.draws_number(index):
            return _number
        return self.labels(index).__getitem__

    def draws_time(self, index: int) -> bool:
        """Tell whether the column is drawn along a time axis; bars stand on labels instead."""
        lines = (ChartType.LINE, ChartType.GROUPING_LINE, ChartType.AREA, ChartType.SCATTER, ChartType.GROUPING_SCATTER)
        return index == self.channels.x and self.chart in lines and self.is_timed(index)

    def draws_number(self, index: int) -> bool:
        """Tell whether a grouping column is drawn along an axis of numbers."""
        lines = (ChartType.LINE, ChartType.GROUPING_LINE, ChartType.AREA)
        drawn = index == self.channels.x and self.chart in lines and self.is_numeric(index)
        return drawn and (self.column(index).kind == "quantitative" or self.is_years(index))

    @property
    def long_labels(self) -> bool:
        """Tell whether the labels of x need lines of their own: bars then lie."""
        labels = self.labels(self.channels.x) if self.channels.x is not None else {}
        along = self.channels.x is not None and (
            self.is_timed(self.channels.x) or natural_order(list(labels)) is not None
        )
        return any(len(label) > 20 for label in labels.values()) or (len(labels) > 12 and not along)


def _moment(cell: Cell) -> str | None:
    # Without a zone, so that the browser shows the same day wherever it is.
    start = parse_period(cell)
    return None if start is None else start.isoformat()


def _number(cell: Cell) -> int | float | None:
    if isinstance(cell, bool):
        return int(cell)
    return cell if isinstance(cell, int | float) and abs(cell) != float("inf") and cell == cell else None
