"""Groups that come twice, and more groups than an eye can tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..channels import Channels, assign_channels, distinct
from ..choice import MAX_SERIES
from ..figures import count_noun
from ..plan import ChartType
from ..query import Cell, OutputColumn, Result
from ..spec.frame import OTHERS
from .report import CheckResult, Evidence, changed, passed, with_rows

MAX_BARS, TOP_BARS = 30, 20
MAX_COLOURS = 10
BARS = (ChartType.BAR, ChartType.STACKED_BAR)
GROUPED = (*BARS, ChartType.LINE, ChartType.GROUPING_LINE, ChartType.AREA, ChartType.PIE)
Row = tuple[Cell, ...]


def check_dup_x(evidence: Evidence) -> CheckResult:
    """Draw each group once: add up or average raw rows openly, and tell things of the same name apart."""
    result, channels = evidence.result, assign_channels(evidence.plan, evidence.result)
    if evidence.choice.type not in GROUPED or channels.x is None:
        return passed("Each row is drawn by itself.")
    keys = [index for index in (channels.x, channels.series) if index is not None]
    times = Counter(tuple(row[index] for index in keys) for row in result.rows)
    twice = {key: number for key, number in times.items() if number > 1}
    if not twice:
        return passed("Each group comes once.")
    label, extra = result.columns[channels.x].label, sum(twice.values()) - len(twice)
    if any(result.columns[index].aggregate is not None for index in channels.y):
        apart = _told_apart(result, channels.x, keys)
        return changed(
            f"Different things share a {label}: they are numbered to tell them apart.", apart, repeated=extra
        )
    folded, ways = _folded(result, keys, channels.y)
    message = f"{count_noun(len(twice), label)} had several rows: {' and '.join(ways)}."
    return changed(message, folded, repeated=extra)


def _told_apart(result: Result, x: int, keys: list[int]) -> Result:
    seen: Counter[Row] = Counter()
    rows = []
    for row in result.rows:
        key = tuple(row[index] for index in keys)
        seen[key] += 1
        rows.append(row if seen[key] == 1 else _put(row, x, f"{row[x]} ({seen[key]})"))
    return with_rows(result, tuple(rows))


def _folded(result: Result, keys: list[int], measures: tuple[int, ...]) -> tuple[Result, list[str]]:
    """Return one row for each group: sums of what may be added up, means of the rest; and words for that."""
    groups: dict[Row, list[Row]] = {}
    for row in result.rows:
        groups.setdefault(tuple(row[index] for index in keys), []).append(row)
    folded = []
    for rows in groups.values():
        row = rows[0]
        for index in measures:
            row = _put(row, index, _fold(rows, index, result.columns[index]))
        folded.append(row)
    ways = [
        f"{result.columns[i].label} was {'added up' if result.columns[i].additive else 'averaged'}" for i in measures
    ]
    return with_rows(result, tuple(folded)), ways


def _fold(rows: Iterable[Row], index: int, column: OutputColumn) -> Cell:
    values = [cell for row in rows if isinstance(cell := row[index], int | float)]
    if not values:
        return None
    total = sum(values)
    return total if column.additive else total / len(values)


def _put(row: Row, index: int, cell: Cell) -> Row:
    return (*row[:index], cell, *row[index + 1 :])


def check_many_cats(evidence: Evidence) -> CheckResult:
    """Keep the largest groups and put the rest together, where there are too many bars or colours."""
    choice, result, plan = evidence.choice, evidence.result, evidence.plan
    channels = assign_channels(plan, result, choice.type)
    refused = [refusal.message for refusal in choice.refused if refusal.check == "many-cats"]
    bars, colours = len(distinct(result, channels.x)), len(distinct(result, channels.series))
    messages = list(refused)
    if choice.type in BARS and bars > MAX_BARS and plan.limit is None and _is_named(result, channels):
        result, words = _top(result, channels, channels.x or 0, TOP_BARS)
        messages.append(f"{bars} bars are too many to read: {words}")
    most = MAX_SERIES if choice.type in (ChartType.GROUPING_LINE, ChartType.AREA) else MAX_COLOURS
    if choice.type is not ChartType.SCATTER and channels.series is not None and colours > most:
        result, words = _top(result, channels, channels.series, MAX_SERIES)
        messages.append(f"{colours} colours cannot be told apart: {words}")
    if not messages:
        return passed("There are few enough groups to tell apart.", groups=bars, colours=colours)
    return changed(" ".join(messages), result if result is not evidence.result else None, groups=bars, colours=colours)


def _is_named(result: Result, channels: Channels) -> bool:
    """Tell whether the groups are names; periods and numbers stay together whatever their number."""
    return channels.x is not None and result.columns[channels.x].kind == "nominal"


def _top(result: Result, channels: Channels, index: int, most: int) -> tuple[Result, str]:
    """Keep the `most` largest groups of a column; the rest become one group if their numbers can be added up."""
    totals: Counter[Cell] = Counter()
    for row in result.rows:
        value = row[channels.y[0]]
        totals[row[index]] += abs(value) if isinstance(value, int | float) else 0  # type: ignore[assignment]
    kept = {cell for cell, _ in totals.most_common(most)}
    rest = len(totals) - len(kept)
    top = tuple(row for row in result.rows if row[index] in kept)
    additive = all(result.columns[y].additive for y in channels.y)
    points = result.columns[channels.x or 0].part == "measure"
    if not additive and not points:
        return with_rows(result, top), f"the {most} highest are shown, {rest:,} more are left out."
    named = f"{OTHERS} ({rest:,})"
    others = tuple(_put(row, index, named) for row in result.rows if row[index] not in kept)
    if not points:
        keys = [at for at, column in enumerate(result.columns) if column.part == "dimension"]
        others = _folded(with_rows(result, others), keys, channels.y)[0].rows
    return with_rows(
        result, (*top, *others)
    ), f"the {most} highest are shown, the other {rest:,} together as “{named}”."
