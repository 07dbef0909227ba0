"""The chart type: an explicit wish where it is legal, else what the types of the columns call for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .channels import (
    CYCLIC,
    SCATTERS,
    Channels,
    assign_channels,
    distinct,
    is_raw_pair,
    is_time,
    numbers,
    positions,
)
from .figures import count_noun
from .plan import ChartType, Grain, Plan
from .query import Result

MAX_SLICES = 7
MAX_SERIES = 8  # lines that an eye can follow
MAX_STACKED_PERIODS = 12
MIN_LINE_POINTS = 3
MIN_SCATTER_POINTS = 5
MAX_PANELS = 4

ONE_SERIES = {
    ChartType.STACKED_BAR: ChartType.BAR,
    ChartType.GROUPING_LINE: ChartType.LINE,
    ChartType.GROUPING_SCATTER: ChartType.SCATTER,
}
MANY_SERIES = {one: many for many, one in ONE_SERIES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a chart type cannot show a result; `check` is the id of the rule in the receipt."""

    type: ChartType
    check: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    type: ChartType
    reasons: tuple[str, ...]
    alternatives: tuple[ChartType, ...] = ()  # legal too, best first
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A result as the rules see it."""

    plan: Plan
    result: Result
    channels: Channels

    @property
    def groups(self) -> int:
        return len(distinct(self.result, self.channels.x))

    @property
    def values(self) -> list[float]:
        return [value for index in self.channels.y for value in numbers(self.result, index)]

    @property
    def additive(self) -> bool:
        return bool(self.channels.y) and all(self.result.columns[index].additive for index in self.channels.y)

    @property
    def shared(self) -> bool:
        return any(self.result.columns[index].share for index in self.channels.y)

    @property
    def along_time(self) -> bool:
        return self.channels.x is not None and is_time(self.result.columns[self.channels.x])

    @property
    def ordered(self) -> bool:
        if self.channels.x is None:
            return False
        column = self.result.columns[self.channels.x]
        return column.kind != "nominal" or column.grain in CYCLIC

    @property
    def wished(self) -> bool:
        return self.plan.chart is not None


def choose_chart(plan: Plan, result: Result) -> Choice:
    """Choose the chart type of a result, with the reasons, what was refused and why, and up to two alternatives."""
    subject = Subject(plan, result, assign_channels(plan, result))
    ranked = _ranked(subject)
    refused: list[Refusal] = []
    legal: list[ChartType] = []
    for chart in ranked:
        refusal = refuse(chart, subject)
        if refusal is None:
            legal.append(chart)
        elif not legal:
            refused.append(refusal)
    chosen = legal[0]
    reasons = (*(refusal.message for refusal in refused), _reason(chosen, subject))
    return Choice(type=chosen, reasons=reasons, alternatives=tuple(legal[1:3]), refused=tuple(refused))


def _ranked(subject: Subject) -> list[ChartType]:
    """Return every type to try, best first; a table ends the list as it can show anything."""
    charts: list[ChartType] = []
    if subject.plan.chart is not None:
        charts.append(_fit_series(subject.plan.chart, subject))
    charts += _natural(subject)
    return list(dict.fromkeys([*charts, ChartType.TABLE]))


def _fit_series(chart: ChartType, subject: Subject) -> ChartType:
    """Turn "line" into "grouping line" where there is a second grouping, and back where there is none."""
    if chart is ChartType.PIE:
        return chart
    if chart in SCATTERS:
        has_series = _scatter_series(subject, wished=chart is ChartType.GROUPING_SCATTER)
    else:
        has_series = subject.channels.series is not None
    return (MANY_SERIES if has_series else ONE_SERIES).get(chart, chart)


def _scatter_series(subject: Subject, *, wished: bool) -> bool:
    """Tell whether points get colours: few groups do, names of single points do not unless that was asked for."""
    series = assign_channels(subject.plan, subject.result, ChartType.SCATTER).series
    groups, points = len(distinct(subject.result, series)), len(subject.result.rows)
    return series is not None and (wished or (groups <= max(MAX_SERIES, points // 3) and groups < points))


def _natural(subject: Subject) -> list[ChartType]:
    result, channels = subject.result, subject.channels
    if not channels.y or len(positions(result, "dimension")) > 2:
        return [ChartType.TABLE]
    if len(result.rows) == 1 and len(channels.y) == 1:
        return [ChartType.NUMBER, ChartType.BAR]
    if is_raw_pair(subject.plan):
        return [_fit_series(ChartType.SCATTER, subject), ChartType.TABLE]
    if channels.x is None:
        return [ChartType.HISTOGRAM, ChartType.TABLE]
    if channels.series is not None:
        return _two_groupings(subject)
    return _one_grouping(subject)


def _one_grouping(subject: Subject) -> list[ChartType]:
    if subject.plan.dimensions and subject.plan.dimensions[0].bins:
        return [ChartType.HISTOGRAM, ChartType.BAR]
    if subject.along_time:
        return [ChartType.LINE, ChartType.BAR, ChartType.AREA]
    if subject.result.columns[subject.channels.y[0]].share:
        return [ChartType.PIE, ChartType.BAR]
    rest = ChartType.LINE if subject.ordered else ChartType.PIE
    return [ChartType.BAR, rest]


def _two_groupings(subject: Subject) -> list[ChartType]:
    lines, bars = ChartType.GROUPING_LINE, ChartType.STACKED_BAR
    if not subject.along_time:
        return [bars, lines]
    grain = subject.result.columns[subject.channels.x or 0].grain
    coarse = grain in (Grain.YEAR, Grain.QUARTER) and subject.groups <= MAX_STACKED_PERIODS
    return [bars, lines, ChartType.AREA] if coarse and subject.additive else [lines, bars, ChartType.AREA]


def refuse(chart: ChartType, subject: Subject) -> Refusal | None:
    """Return why `chart` cannot show the subject, or None where it can."""
    if chart is ChartType.TABLE:
        return None
    found = ("no-measure", "there is no number to draw") if not subject.channels.y else RULES[chart](subject)
    if found is None:
        return None
    check, why = found
    return Refusal(type=chart, check=check, message=f"Not drawn as a {chart.value} chart: {why}.")


Rule = Callable[[Subject], tuple[str, str] | None]


def _bar(subject: Subject) -> tuple[str, str] | None:
    if subject.channels.x is None:
        return "single", "bars need something to group by"
    if len(subject.channels.y) > MAX_PANELS:
        return "wide", f"{len(subject.channels.y)} measures do not fit one chart"
    return None


def _stacked(subject: Subject) -> tuple[str, str] | None:
    if subject.channels.series is None:
        return "single", "stacks need two groupings"
    return _bar(subject)


def _line(subject: Subject) -> tuple[str, str] | None:
    if found := _bar(subject):
        return found
    if not subject.ordered:
        label = subject.result.columns[subject.channels.x or 0].label
        return "line-nominal", f"{label} has no order that a line could follow"
    least = 2 if subject.wished else MIN_LINE_POINTS
    if subject.groups < least:
        return "few-points", f"{count_noun(subject.groups, 'point')} would not make a line"
    return None


def _grouping_line(subject: Subject) -> tuple[str, str] | None:
    return ("single", "several lines need two groupings") if subject.channels.series is None else _line(subject)


def _area(subject: Subject) -> tuple[str, str] | None:
    if found := _line(subject):
        return found
    if any(value < 0 for value in subject.values):
        return "neg-pie", "an area cannot show values below zero"
    if subject.channels.series is not None and not subject.additive:
        return "stack-mean", "averages and the like cannot be stacked"
    return None


def _pie(subject: Subject) -> tuple[str, str] | None:
    if subject.channels.x is None or subject.channels.series is not None or len(subject.channels.y) != 1:
        return "single", "a pie shows one number for each group of one kind"
    if subject.plan.chart is not ChartType.PIE and not (subject.additive or subject.shared):
        return "stack-mean", "slices must add up to a whole"
    if any(value < 0 for value in subject.values):
        return "neg-pie", f"a slice cannot be below zero, and the lowest value is {min(subject.values):,g}"
    if not sum(subject.values):
        return "neg-pie", "the values add up to zero"
    if subject.groups > MAX_SLICES:
        return "many-cats", f"{subject.groups} slices cannot be told apart (at most {MAX_SLICES})"
    if subject.groups == 1 and not subject.wished:
        return "one-slice", "one slice says nothing"
    if not subject.wished and max(subject.values) > 0.95 * sum(subject.values):
        return "one-slice", "one slice would fill more than 95 %"
    return None


def _scatter(subject: Subject) -> tuple[str, str] | None:
    columns = subject.result.columns
    channels = assign_channels(subject.plan, subject.result, ChartType.SCATTER)
    if channels.x is None or columns[channels.x].kind in ("nominal", "ordinal") or len(channels.y) != 1:
        return "single", "points need two numbers each"
    least = 1 if subject.wished else MIN_SCATTER_POINTS
    if len(subject.result.rows) < least:
        return "few-points", f"{count_noun(len(subject.result.rows), 'point')} would show no pattern"
    return None


def _histogram(subject: Subject) -> tuple[str, str] | None:
    binned = bool(subject.plan.dimensions) and subject.plan.dimensions[0].bins is not None
    raw = len(subject.plan.measures) == 1 and subject.plan.measures[0].aggregate is None and not subject.plan.dimensions
    if not binned and not raw:
        return "single", "a histogram shows how one column of numbers is spread"
    if raw and len(set(subject.values)) < MIN_LINE_POINTS:
        return "few-points", f"{count_noun(len(set(subject.values)), 'different value')} would show no spread"
    return None


def _number(subject: Subject) -> tuple[str, str] | None:
    if len(subject.result.rows) == 1 and len(subject.channels.y) == 1:
        return None
    return "single", f"there are {count_noun(len(subject.result.rows), 'row')}, not one number"


RULES: dict[ChartType, Rule] = {
    ChartType.BAR: _bar,
    ChartType.STACKED_BAR: _stacked,
    ChartType.LINE: _line,
    ChartType.GROUPING_LINE: _grouping_line,
    ChartType.AREA: _area,
    ChartType.PIE: _pie,
    ChartType.SCATTER: _scatter,
    ChartType.GROUPING_SCATTER: _scatter,
    ChartType.HISTOGRAM: _histogram,
    ChartType.NUMBER: _number,
}


REASONS = {
    ChartType.BAR: "Bars compare one number across groups",
    ChartType.STACKED_BAR: "Stacked bars compare totals and show their parts",
    ChartType.LINE: "A line shows the course over time",
    ChartType.GROUPING_LINE: "One line for each group shows their courses side by side",
    ChartType.AREA: "An area shows the course over time and the sum below it",
    ChartType.PIE: "A pie shows the shares of a whole",
    ChartType.SCATTER: "Points show how two numbers go together",
    ChartType.GROUPING_SCATTER: "Points in colours show how two numbers go together in each group",
    ChartType.HISTOGRAM: "A histogram shows how the values are spread",
    ChartType.NUMBER: "The answer is one number",
    ChartType.TABLE: "A table shows the rows as they are",
}


def _reason(chart: ChartType, subject: Subject) -> str:
    if subject.plan.chart is not None and _fit_series(subject.plan.chart, subject) is chart:
        return f"Asked for: {chart.value}."
    if chart is ChartType.STACKED_BAR and not subject.additive:
        return "Bars side by side compare the groups; averages and the like cannot be stacked."
    return f"{REASONS[chart]}."
