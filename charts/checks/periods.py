"""Periods that the data covers only in part, and periods without rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product

from ..channels import assign_channels, distinct
from ..figures import count_noun, listed
from ..periods import day_label, format_like, parse_period, period_end, period_label, period_steps
from ..plan import ChartType, Dimension, Filter
from ..profile import ColumnProfile
from ..query import Cell, Result
from .report import CheckResult, Evidence, changed, passed, warned

MAX_PERIODS = 2000
MAX_ROWS = 5000
BARS = (ChartType.BAR, ChartType.STACKED_BAR)
QUIET = 3  # times the usual gap between rows is still no sign of missing data


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The time along which a result runs."""

    index: int  # of the column
    dimension: Dimension
    cells: tuple[Cell, ...]  # in the order of time
    starts: tuple[datetime, ...]


def _time_axis(evidence: Evidence) -> TimeAxis | None:
    result, plan = evidence.result, evidence.plan
    x = assign_channels(plan, result).x
    if x is None or x >= len(plan.dimensions) or plan.dimensions[x].grain is None:
        return None
    cells = [cell for cell in distinct(result, x) if cell is not None]
    starts = [parse_period(cell) for cell in cells]
    if not cells or None in starts or result.columns[x].kind != "temporal":
        return None
    pairs = sorted(zip(starts, cells, strict=True), key=lambda pair: str(pair[0]))
    found = tuple(start for start, _ in pairs if start is not None)
    return TimeAxis(x, plan.dimensions[x], tuple(cell for _, cell in pairs), found)


def check_gap(evidence: Evidence) -> CheckResult:
    """Put periods without rows on the axis: 0 for counts and sums, a break for averages."""
    axis, plan, result = _time_axis(evidence), evidence.plan, evidence.result
    if axis is None or plan.limit or plan.having or result.truncated:
        return passed("There is no time axis that could have gaps.")
    grain = axis.dimension.grain
    steps = [
        start
        for start, _ in zip(period_steps(axis.starts[0], axis.starts[-1], grain), range(MAX_PERIODS), strict=False)
    ]
    missing = sorted(set(steps) - set(axis.starts))
    filled = _filled(result, axis, steps)
    if steps[-1] != axis.starts[-1] or len(filled.rows) > MAX_ROWS or len(filled.rows) == len(result.rows):
        return passed("No period between the first and the last is missing.")
    if not missing:
        added = count_noun(len(filled.rows) - len(result.rows), "place")
        return changed(f"Some groups have no rows in some periods: {added} shown as {_filler(result)}.", filled)
    names = listed([period_label(start, grain) for start in missing], 4)
    message = f"No rows in {count_noun(len(missing), 'period')} ({names})"
    by_value = any(order.by == "measure" for order in plan.order)
    if by_value or (evidence.choice.type in BARS and len(missing) > len(axis.cells)):
        return warned(f"{message}: not shown.", missing=len(missing))
    return changed(f"{message}: shown as {_filler(result)}.", filled, missing=len(missing))


def _filler(result: Result) -> str:
    return "0" if all(column.additive for column in result.columns if column.part == "measure") else "a gap"


def _filled(result: Result, axis: TimeAxis, steps: list[datetime]) -> Result:
    """Return the result with a row for each period and series, in the order of time."""
    known = {row[: _width(result)] for row in result.rows}
    groups = [list(distinct(result, index)) for index in range(_width(result))]
    groups[axis.index] = [format_like(start, axis.cells[0]) for start in steps]
    numbers: tuple[Cell, ...] = tuple(0 if column.additive else None for column in result.columns[_width(result) :])
    added = [(*labels, *numbers) for labels in product(*groups) if labels not in known]
    falling = bool(result.rows) and _falls(result, axis)
    rows = sorted([*result.rows, *added], key=lambda row: _moment(row[axis.index]), reverse=falling)
    return replace(result, rows=tuple(rows))


def _width(result: Result) -> int:
    return sum(column.part == "dimension" for column in result.columns)


def _falls(result: Result, axis: TimeAxis) -> bool:
    moments = [_moment(row[axis.index]) for row in result.rows if row[axis.index] is not None]
    return moments[0] > moments[-1]


def _moment(cell: Cell) -> datetime:
    return parse_period(cell) or datetime.max


def check_partial_period(evidence: Evidence) -> CheckResult:
    """Mark the first and last period where the data, or the question, covers only a part of them."""
    axis = _time_axis(evidence)
    column = evidence.profile_of(axis.dimension.of) if axis is not None else None
    if axis is None or column is None or axis.dimension.grain is None:
        return passed("There is no period that could be incomplete.")
    since, until = _covered(evidence, column, axis)
    grain, notes = axis.dimension.grain, []
    numbers: dict[str, Cell] = {}
    if since is not None and axis.starts[0] < since < period_end(axis.starts[0], grain):
        numbers["first"] = axis.cells[0]
        notes.append(f"{period_label(axis.starts[0], grain)} has data only from {day_label(since.date())}.")
    end = period_end(axis.starts[-1], grain)
    if until is not None and axis.starts[-1] <= until < end:
        numbers["last"] = axis.cells[-1]
        notes.append(
            f"{period_label(axis.starts[-1], grain)} is not complete: data until {day_label(_last_day(until))}."
        )
    if not notes:
        return passed("The first and the last period are complete.")
    return replace(warned(" ".join(notes)), numbers=numbers)


def _last_day(until: datetime) -> datetime:
    return until - timedelta(days=1) if until.time() == datetime.min.time() else until


def _covered(evidence: Evidence, column: ColumnProfile, axis: TimeAxis) -> tuple[datetime | None, datetime | None]:
    """Return from when and until when (excluded) there is data, None where the edge periods count as complete."""
    oldest, newest = parse_period(column.minimum), parse_period(column.maximum)
    quiet = _quiet(column, oldest, newest)
    since = oldest if oldest and oldest - axis.starts[0] > quiet else None
    end = period_end(axis.starts[-1], axis.dimension.grain)
    until = _next_day(newest) if newest and end - _next_day(newest) > quiet else None
    today = datetime.combine(evidence.today, datetime.min.time())
    if newest and until is None and axis.starts[-1] <= today < end and newest < end:
        until = _next_day(newest)  # the period is still running, however near its end
    lower, upper = _asked(evidence.plan.filters, axis.dimension)
    since = max(filter(None, (since, lower)), default=None)
    until = min(filter(None, (until, upper)), default=None)
    return since, until


def _next_day(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), datetime.min.time()) + timedelta(days=1)


def _quiet(column: ColumnProfile, oldest: datetime | None, newest: datetime | None) -> timedelta:
    """Return how long without rows is usual in this column: at least a day."""
    if oldest is None or newest is None or column.distinct < 2:
        return timedelta(days=1)
    return max(timedelta(days=1), QUIET * (newest - oldest) / (column.distinct - 1))


def _asked(filters: tuple[Filter, ...], dimension: Dimension) -> tuple[datetime | None, datetime | None]:
    """Return the range of time the question asks for, its end excluded."""
    lower = upper = None
    for condition in filters:
        if condition.of != dimension.of or not condition.values:
            continue
        first, last = parse_period(str(condition.values[0])), parse_period(str(condition.values[-1]))
        if condition.operator in (">=", "between", "="):
            lower = first
        if condition.operator in ("<=", "between", "=") and last is not None:
            upper = _next_day(last)
        if condition.operator == ">" and first is not None:
            lower = _next_day(first)
        if condition.operator == "<":
            upper = last
    return lower, upper
