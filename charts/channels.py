"""Which columns of a result take the axes and the colour of a chart."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import ChartType, Grain, Plan
from .query import Cell, OutputColumn, Result

CYCLIC = frozenset({Grain.WEEKDAY, Grain.MONTH_OF_YEAR})
SCATTERS = frozenset({ChartType.SCATTER, ChartType.GROUPING_SCATTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Positions of columns in the result: `x` and `series` (colour) group, `y` holds the numbers."""

    x: int | None = None
    series: int | None = None
    y: tuple[int, ...] = ()


def positions(result: Result, part: str) -> tuple[int, ...]:
    return tuple(index for index, column in enumerate(result.columns) if column.part == part)


def is_time(column: OutputColumn) -> bool:
    """Tell whether the column runs along one time axis; weekdays and months of the year fold it."""
    return column.grain not in CYCLIC and (column.kind == "temporal" or column.grain not in (None, Grain.HOUR))


def is_raw_pair(plan: Plan) -> bool:
    return len(plan.measures) == 2 and all(measure.aggregate is None for measure in plan.measures)


def assign_channels(plan: Plan, result: Result, chart: ChartType | None = None) -> Channels:
    """Give each column its channel; `chart` is the type to draw, None for what the plan alone says."""
    dimensions, measures = positions(result, "dimension"), positions(result, "measure")
    pair = len(measures) == 2 and (chart in SCATTERS or (chart is None and is_raw_pair(plan)))
    if pair:
        return Channels(x=measures[0], y=measures[1:], series=dimensions[0] if dimensions else None)
    if not dimensions:
        return Channels(y=measures)
    if len(dimensions) == 1:
        return Channels(x=dimensions[0], y=measures)
    first, second = dimensions[:2]
    if plan.chart is None and is_time(result.columns[second]) and not is_time(result.columns[first]):
        first, second = second, first  # time reads from left to right, whichever was named first
    return Channels(x=first, series=second, y=measures)


def distinct(result: Result, index: int | None) -> tuple[Cell, ...]:
    """Return the different cells of a column, in order of appearance."""
    return () if index is None else tuple(dict.fromkeys(row[index] for row in result.rows))


def numbers(result: Result, index: int) -> list[float]:
    """Return the numeric cells of a column."""
    cells = (row[index] for row in result.rows)
    return [float(cell) for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]
