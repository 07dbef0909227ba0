"""Conditions on time: 'since May', 'not in 2024', 'the year before', 'Q2' of the year that the chart shows."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, timedelta

from ...plan import Filter, Scalar
from ..draft import CannotPlan
from ..promises import NEGATIONS
from ..times import MONTH_NUMBER, TimeHit
from .editing import AskBack
from .merging import Merging

QUARTERS = ("q1", "q2", "q3", "q4", "quarter")
MOVED = {"year": 12, "quarter": 3, "month": 1}


class Timing(Merging):
    """Changes the times that the chart is limited to."""

    def _leave_out_times(self) -> None:
        """'without 2025' cuts a stretch of time at one of its ends; a hole in the middle cannot be asked."""
        for hit in [hit for hit in self.frame.times if self._is_negated(hit)]:
            self.frame.times.remove(hit)
            spans = [each for each in self.conditions if self.is_time_filter(each) and each.operator == "between"]
            cut = _cut(spans[0], hit) if spans and hit.operator in ("in", "between") else None
            if cut is None:
                raise CannotPlan(
                    f"“{hit.phrase}” cannot be left out: a chart shows one stretch of time, from a day to a day"
                )
            self._replace(spans, [cut])

    def _is_negated(self, hit: TimeHit) -> bool:
        before = [
            token.text
            for token in self.frame.tokens[: hit.start]
            if token.text not in ("the", "in", "from", "year", "of")
        ]
        return before[-1:] != [] and before[-1] in NEGATIONS

    def _place_in_year(self) -> None:
        """'only March' in a chart of 2023 is March 2023; 'since March' may as well go on to now."""
        year = self._year_shown()
        if year is None:
            return
        for index, hit in enumerate(self.frame.times):
            if not _is_part_of_a_year(hit) or hit.first.year == year:
                continue
            if hit.operator != "in":
                raise AskBack(
                    f"“{hit.phrase}” may be that of {year}, or of {hit.first.year}.",
                    [f"{hit.phrase} {year}", f"{hit.phrase} {hit.first.year}"],
                )
            self.frame.times[index] = _in_year(hit, year)

    def _year_shown(self) -> int | None:
        for filter in self.conditions:
            if self.is_time_filter(filter) and filter.operator == "between" and isinstance(filter.values[0], str):
                years = {str(value)[:4] for value in filter.values}
                return int(years.pop()) if len(years) == 1 else None
        return None

    def _shift(self) -> bool:
        """Move the time of the chart by one unit."""
        shift = self.fragment.shift
        if shift is None:
            return True
        times = [filter for filter in self.conditions if self.is_time_filter(filter)]
        if not times:
            return False
        for filter in times:
            values = tuple(_moved(value, shift.unit, shift.steps) for value in filter.values)
            if shift.vague and shift.steps < 0:
                self._ask_which_before(str(values[0]))
            self._replace([filter], [filter.model_copy(update={"values": values, "phrase": shift.phrase})])
        return True

    def _ask_which_before(self, first: str) -> None:
        """'the previous year' of a chart of 2024 may be 2023, or the year before this one."""
        shift = self.fragment.shift
        calendar = self.today.year - 1
        if shift is not None and shift.unit == "year" and first[:4] != str(calendar):
            raise AskBack(
                f"“{shift.phrase}” may be the year before the chart's, or last year.",
                [f"only {first[:4]}", f"only {calendar}"],
            )

    def _drop_time_groups(self) -> None:
        places = [i for i, dimension in enumerate(self.draft.dimensions) if self.is_timed(dimension)]
        if not places:
            raise CannotPlan("the chart is not grouped by time")
        self.frame.groups = [group for group in self.frame.groups if not group.time]
        self.drop_groups(places)


def _cut(filter: Filter, hit: TimeHit) -> Filter | None:
    """Return a stretch of time without one of its ends."""
    if isinstance(filter.values[0], int | float):
        return None  # years as numbers
    start, end = date.fromisoformat(str(filter.values[0])[:10]), date.fromisoformat(str(filter.values[-1])[:10])
    if start < hit.first <= end <= hit.last:
        return filter.model_copy(update={"values": (start.isoformat(), (hit.first - timedelta(days=1)).isoformat())})
    if hit.first <= start <= hit.last < end:
        return filter.model_copy(update={"values": ((hit.last + timedelta(days=1)).isoformat(), end.isoformat())})
    return None


def _is_part_of_a_year(hit: TimeHit) -> bool:
    """Tell whether a month or quarter was named without its year."""
    words = hit.phrase.lower().split()
    named = any(word in MONTH_NUMBER or word in QUARTERS for word in words)
    dated = any(word[:4].isdigit() and len(word) >= 4 for word in words)
    return named and not dated and not set(words) & {"last", "this", "past"}


def _in_year(hit: TimeHit, year: int) -> TimeHit:
    return replace(hit, first=_day(year, hit.first), last=_day(year, hit.last))


def _day(year: int, day: date) -> date:
    last = monthrange(day.year, day.month)[1] == day.day
    longest = monthrange(year, day.month)[1]
    return date(year, day.month, longest if last else min(day.day, longest))


def _moved(value: Scalar, unit: str, steps: int) -> Scalar:
    """Return a day moved by whole units; the last day of a month stays the last."""
    if isinstance(value, int | float):
        return value + steps
    day = date.fromisoformat(str(value)[:10])
    if unit == "week":
        return (day + timedelta(weeks=steps)).isoformat()
    index = day.year * 12 + day.month - 1 + steps * MOVED[unit]
    year, month = index // 12, index % 12 + 1
    if not 1 <= year <= 9999:
        raise CannotPlan("there is no such time")
    longest = monthrange(year, month)[1]
    ends = monthrange(day.year, day.month)[1] == day.day
    return date(year, month, longest if ends else min(day.day, longest)).isoformat()
