"""The answer in words: a few sentences whose numbers are computed from the rows, never written by a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import correlation, median

from .channels import SCATTERS, Channels, assign_channels, distinct, numbers
from .checks import CheckResult, Outcome, partial_periods
from .choice import Choice
from .figures import cell_text, count_noun, figure, join_words, label_of
from .periods import parse_period
from .plan import ChartType, Plan
from .query import Cell, OutputColumn, Result
from .spec.frame import OTHERS

MANY_TIES = 3
STRENGTHS = ((0.8, "closely"), (0.5, "clearly"), (0.2, "somewhat"), (0.0, "hardly"))
Point = tuple[Cell, float]


def answer_in_words(plan: Plan, result: Result, checks: Sequence[CheckResult], choice: Choice) -> str:
    """Say in one to three plain sentences what the rows show."""
    return " ".join(Answer(plan, result, checks, choice).sentences()[:3])


class Answer:
    """One result, told. Totals are told only of numbers that may be added up and whose rows are all there."""

    def __init__(self, plan: Plan, result: Result, checks: Sequence[CheckResult], choice: Choice) -> None:
        # A month without rows is a month of 0, and the lowest: the rows with the gaps filled tell the truth.
        filled = (line.result for line in checks if line.name == "gap" and line.result is not None)
        self.plan, self.result, self.chart = plan, next(filled, result), choice.type
        self.channels: Channels = assign_channels(plan, result, choice.type)
        self.partial = partial_periods(checks)
        self.notes = {line.name: line.message for line in checks if line.outcome is Outcome.WARN}

    def sentences(self) -> list[str]:
        rows, channels = self.result.rows, self.channels
        if not rows:
            return ["No rows fit the question."]
        if not channels.y or self.chart is ChartType.TABLE:
            return [self._rows()]
        if self.chart in SCATTERS and channels.x is not None:
            return [*self._pairs(), *self._cut()]
        if channels.x is None:
            return [self._single()] if len(rows) == 1 else [*self._spread(), *self._cut()]
        if len(rows) == 1:
            return [self._single_group(), *self._partial()]
        if channels.series is not None:
            return [*self._two_groupings(), *(self._cut() or self._partial())]
        return self._one_grouping()

    def _column(self) -> OutputColumn:
        return self.result.columns[self.channels.y[0]]

    def _rows(self) -> str:
        rows = len(self.result.rows)
        if self.result.truncated:
            return f"More than {rows:,} rows fit; the first {rows:,} are shown."
        return f"{count_noun(rows, 'row')} {'fits' if rows == 1 else 'fit'}."

    def _single(self) -> str:
        row = self.result.rows[0]
        told = [(self.result.columns[index], row[index]) for index in self.channels.y]
        clauses = [f"{_name(column)} is {_value(cell, column)}" for column, cell in told]
        return _sentence(join_words(clauses))

    def _single_group(self) -> str:
        row, x = self.result.rows[0], self.channels.x or 0
        group = f"{_name(self.result.columns[x])} {cell_text(row[x], self.result.columns[x])}"
        told = [(self.result.columns[index], row[index]) for index in self.channels.y]
        return _sentence(
            f"For {group}, {join_words(f'{_name(column)} is {_value(cell, column)}' for column, cell in told)}"
        )

    # One number per group

    def _one_grouping(self) -> list[str]:
        points = self._points()
        whole = [(cell, value) for cell, value in points if cell not in self.partial]
        told = [point for point in whole if not str(point[0]).startswith(OTHERS)]
        if not told:
            return [*self._partial(), *self._cut()]
        sentences = [self._extremes(told)]
        change = self._change(told) if self._along_time() else None
        total = self._total(points)
        honest = self._cut() or self._partial()
        return (
            [*sentences, *filter(None, (change or total,)), *honest]
            if honest
            else [*sentences, *filter(None, (change, total))]
        )

    def _points(self) -> list[Point]:
        x, y = self.channels.x or 0, self.channels.y[0]
        return [(row[x], float(cell)) for row in self.result.rows if isinstance(cell := row[y], int | float)]

    def _extremes(self, points: Sequence[Point]) -> str:
        column = self._column()
        values = [value for _, value in points]
        low, high = min(values), max(values)
        if low == high:
            return _sentence(f"{_name(column)} is {figure(high, column)} in every case")
        first = f"{_name(column)} is highest {self._where(points, high)} ({figure(high, column)})"
        bundled = any(str(cell).startswith(OTHERS) for cell, _ in self._points())
        if self.plan.limit is not None or self.result.truncated or bundled:
            return _sentence(first)
        return _sentence(f"{first} and lowest {self._where(points, low)} ({figure(low, column)})")

    def _where(self, points: Sequence[Point], value: float) -> str:
        """Name the groups that have `value`: "in March 2024", "for France and Spain"."""
        column = self.result.columns[self.channels.x or 0]
        names = [cell_text(cell, column) for cell, found in points if found == value]
        named = join_words(names) if len(names) <= MANY_TIES else f"{len(names):,} of {len(points):,}"
        return f"{'in' if self._along_time() else 'for'} {named}"

    def _along_time(self) -> bool:
        x = self.channels.x
        cells = [cell for cell in distinct(self.result, x) if cell is not None]
        timed = x is not None and self.result.columns[x].kind == "temporal"
        return timed and all(parse_period(cell) is not None for cell in cells)

    def _change(self, points: Sequence[Point]) -> str | None:
        """Tell the change from the first to the last full period."""
        dated = sorted(
            ((cell, value) for cell, value in points if cell is not None), key=lambda point: _moment(point[0])
        )
        if len(dated) < 3:
            return None
        (first, start), (last, end) = dated[0], dated[-1]
        column, x = self._column(), self.result.columns[self.channels.x or 0]
        span = f"From {cell_text(first, x)} to {cell_text(last, x)}"
        if start == end:
            return _sentence(f"{span} it came back to {figure(end, column)}")
        verb = "rose" if end > start else "fell"
        share = f" by {abs(end - start) / start:.0%}" if start > 0 and not column.share else ""
        return _sentence(
            f"{span} it {verb}{share.replace('%', ' %')}, from {figure(start, column)} to {figure(end, column)}"
        )

    def _total(self, points: Sequence[Point]) -> str | None:
        """Tell the sum, and what part of it the largest group is."""
        column = self._column()
        if not column.additive or column.share or self._has_gaps_in_the_whole():
            return None
        total = math.fsum(value for _, value in points)
        text = f"In all it is {figure(total, column)}"
        named = [point for point in points if not str(point[0]).startswith(OTHERS)]
        if self._along_time() or total <= 0 or min(value for _, value in points) < 0 or not named:
            return _sentence(text)
        top, value = max(named, key=lambda point: point[1])
        share = f"{value / total:.0%}".replace("%", " %")
        return _sentence(f"{text}; {cell_text(top, self.result.columns[self.channels.x or 0])} is {share} of that")

    def _has_gaps_in_the_whole(self) -> bool:
        """Tell whether rows are missing from the total, or counted in it twice."""
        return self.result.truncated or self.plan.limit is not None or bool(self.plan.having) or "recount" in self.notes

    # Two groupings, pairs, spread

    def _two_groupings(self) -> list[str]:
        column, x, series = self._column(), self.channels.x or 0, self.channels.series or 0
        y = self.channels.y[0]
        full = [row for row in self.result.rows if isinstance(row[y], int | float) and row[x] not in self.partial]
        if not full:
            return [self._rows()]
        top = max(full, key=lambda row: float(row[y] or 0))
        place = f"{cell_text(top[series], self.result.columns[series])}, {cell_text(top[x], self.result.columns[x])}"
        first = _sentence(f"{_name(column)} is highest for {place} ({_value(top[y], column)})")
        totals = self._series_totals(series, y)
        return [first, totals] if totals else [first]

    def _series_totals(self, series: int, y: int) -> str | None:
        column = self._column()
        if not column.additive or column.share or self._has_gaps_in_the_whole():
            return None
        totals: dict[Cell, float] = {}
        for row in self.result.rows:
            cell = row[y]
            totals[row[series]] = totals.get(row[series], 0.0) + (float(cell) if isinstance(cell, int | float) else 0.0)
        top, value = max(totals.items(), key=lambda item: item[1])
        whole = figure(math.fsum(totals.values()), column)
        name = cell_text(top, self.result.columns[series])
        return _sentence(f"In all, {name} has the most: {figure(value, column)} of {whole}")

    def _pairs(self) -> list[str]:
        x, y = self.channels.x or 0, self.channels.y[0]
        across, up = self.result.columns[x], self.result.columns[y]
        pairs = [(row[x], row[y]) for row in self.result.rows]
        found = [(float(a), float(b)) for a, b in pairs if isinstance(a, int | float) and isinstance(b, int | float)]
        if len(found) < 3:
            return [f"{count_noun(len(found), 'point')} {'is' if len(found) == 1 else 'are'} shown."]
        xs, ys = [a for a, _ in found], [b for _, b in found]
        span = f"{_name(across)} runs from {figure(min(xs), across)} to {figure(max(xs), across)}"
        spans = f"{span} and {_name(up)} from {figure(min(ys), up)} to {figure(max(ys), up)}"
        sentences = [_sentence(f"In {len(found):,} points {spans}")]
        if len(set(xs)) > 1 and len(set(ys)) > 1:
            r = correlation(xs, ys)
            word = next(word for least, word in STRENGTHS if abs(r) >= least)
            against = " in opposite directions" if r <= -0.2 else ""
            sentences.append(f"The two {word} go together{against} (correlation {r:.2f}).")
        return sentences

    def _spread(self) -> list[str]:
        y, column = self.channels.y[0], self._column()
        values = numbers(self.result, y)
        if not values:
            return [self._rows()]
        span = f"{_name(column)} runs from {figure(min(values), column)} to {figure(max(values), column)}"
        middle = figure(median(values), column)
        return [_sentence(f"{span} in {count_noun(len(values), 'row')}"), f"Half of the rows are at or below {middle}."]

    # Honesty

    def _cut(self) -> list[str]:
        if not self.result.truncated:
            return []
        return [f"Only the first {len(self.result.rows):,} rows were read; there are more, so no total is given."]

    def _partial(self) -> list[str]:
        return [self.notes["partial-period"]] if "partial-period" in self.notes else []


def _moment(cell: Cell) -> datetime:
    return parse_period(cell) or datetime.max


def _name(column: OutputColumn) -> str:
    """Write a column's label inside a sentence; "Number of orders" as "the number of orders"."""
    label = label_of(column)
    small = label[:1].lower() + label[1:] if label[1:] == label[1:].lower() else label
    return f"the {small}" if small.startswith(("number of", "share of")) else small


def _value(cell: Cell, column: OutputColumn) -> str:
    return "not known" if cell is None else cell_text(cell, column)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
