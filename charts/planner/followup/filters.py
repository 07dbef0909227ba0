"""Other conditions: 'only Germany', 'without returns', 'since May', 'the year before', 'all countries again'."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from ...plan import Column, Dimension, Filter, Grain, Having, Scalar
from ...sql.labels import column_label
from ..draft import CannotPlan
from ..frame import ValueHit
from ..lexicon import Target
from ..names import table_words
from ..promises import NEGATIONS
from ..resolve import TIMES
from ..text import word_set
from ..times import MONTH_NUMBER, TimeHit
from .editing import AskBack
from .groups import MOST, Regrouping

POSITIVE = ("=", "in", "contains", "starts", "ends")
NEGATIVE = ("!=", "not in")
LOWER, UPPER = (">", ">="), ("<", "<=")
LISTING = word_set("and or , & nor the in from for of either")
QUARTERS = ("q1", "q2", "q3", "q4", "quarter")
MOVED = {"year": 12, "quarter": 3, "month": 1}


class Narrowing(Regrouping):
    """Changes the filters."""

    def set_filters(self) -> None:
        if not self.narrows:
            return
        self.edits += 1
        if self.fragment.shift is not None and self.frame.versus:
            self._compare_shifted()
            return
        if self.fragment.shift is not None and not self._shift():
            raise CannotPlan(
                f"“{self.fragment.shift.phrase}” does not say before or after what: the chart is not limited to a time"
            )
        self._carry_negation()
        self._settle_values()
        self._place_in_year()
        if self.frame.versus:
            self._compare()
            return
        self._take_parts()
        self._leave_out_times()
        for filter in self._new_filters():
            self._merge(filter)
        self._displaced_value()
        self._lines_of_values()

    # Values

    def _lines_of_values(self) -> None:
        """Several values along time are a line each, as they are in a question that is asked in full."""
        if len(self.draft.dimensions) != 1 or self.draft.dimensions[0].grain is None or self.draft.limit is not None:
            return
        for filter in self.draft.filters:
            if filter.operator == "in" and filter not in self.base.filters and isinstance(filter.of, Column):
                self._beside(Dimension(label=column_label(self.profile, filter.of), of=filter.of))
                return

    def _carry_negation(self) -> None:
        """'without Germany and France' leaves out both."""
        hits = sorted(self.frame.values, key=lambda hit: hit.mention.start)
        for before, hit in pairwise(hits):
            between = [token.text for token in self.frame.tokens[before.mention.end : hit.mention.start]]
            if before.negated and set(between) <= LISTING:
                hit.negated = True

    def _settle_values(self) -> None:
        """Read values in the columns that the chart already speaks of; ask where two columns hold a value equally well."""
        used = self.used_columns()
        before: ValueHit | None = None
        for hit in sorted(self.frame.values, key=lambda hit: hit.mention.start):
            span = (hit.mention.start, hit.mention.end)
            targets = [found.target for found in hit.mention.values]
            like, before = self._like_the_one_before(hit, before), hit
            if hit.column is not None:
                continue  # 'origin Berlin'
            if like is not None:
                self.settled[span] = like
                continue
            own = [target for target in targets if target.of in used]
            if len({target.of for target in own}) == 1 and not self._has_twin(hit, own[0]):
                self.settled[span] = own[0]
                continue
            own = [] if len({target.of for target in own}) == 1 else own
            best = self.resolver.choose_value(hit.mention)
            rivals = own or [target for target in targets if best is not None and self._as_good(hit, target, best)]
            columns = {target.of: target for target in rivals}
            if len(columns) > 1:
                words = [f"{self._owner_words(of)} {hit.mention.phrase}" for of in list(columns)[:3]]
                raise AskBack(
                    f"“{hit.mention.phrase}” is found in several columns.", self._reworded(hit.mention, words)
                )

    def _like_the_one_before(self, hit: ValueHit, before: ValueHit | None) -> Target | None:
        """'origin Rome or Oslo' names two values of one column."""
        if before is None:
            return None
        between = {token.text for token in self.frame.tokens[before.mention.end : hit.mention.start]}
        one = self.resolver.choose_value(before.mention, before.column)
        if one is None or not between <= LISTING:
            return None
        return next((found.target for found in hit.mention.values if found.target.of == one.of), None)

    def _has_twin(self, hit: ValueHit, target: Target) -> bool:
        """Tell whether another column of the same table holds the value, and no condition on either says which is meant."""
        twins = [
            t for t in (found.target for found in hit.mention.values) if t.table == target.table and t.of != target.of
        ]
        before = [token.text for token in self.frame.tokens[: hit.mention.start]]
        directed = before[-1:] != [] and before[-1] in ("from", "to", "into", "towards")
        return bool(twins) and (directed or not any(filter.of == target.of for filter in self.conditions))

    def _as_good(self, hit: ValueHit, target: Target, best: Target) -> bool:
        scores = {found.target: found.score for found in hit.mention.values}
        near = abs(scores[target] - scores[best]) < 0.05
        return near and self.resolver._context(hit.mention, target) >= self.resolver._context(hit.mention, best) - 0.03

    def _owner_words(self, of: Column) -> str:
        alike = [c for table in self.profile.tables for c in table.columns if c.name == of.column]
        name = self.column_name(of)
        return name if len(alike) == 1 else f"{table_words(self.profile.table(of.table))} {name}"

    def _new_filters(self) -> list[Filter]:
        """Return the conditions of the clause by itself."""
        filters, having = self.draft.filters, self.draft.having
        self.draft.filters, self.draft.having = [], []
        try:
            self._conditions()
            if self.draft.having and self.draft.raw:
                raise CannotPlan(
                    f"“{self.draft.having[0].phrase}” does not say of which column; the chart shows single rows"
                )
            self.tied()
            return list(self.draft.filters)
        finally:
            self.draft.filters, self.draft.having = filters, self._merged_having(having)

    def _merged_having(self, old: list[Having]) -> list[Having]:
        new = self.draft.having
        kept = [
            each
            for each in old
            if not any(_same_number(each, other) and not _range(each.operator, other.operator) for other in new)
        ]
        return [*kept, *(each for each in new if each not in kept)]

    def _merge(self, new: Filter) -> None:
        """Let a condition take the place of those on the same column, add to them, or take away from them."""
        old = [filter for filter in self.conditions if filter.of == new.of]
        if self._joins_or_replaces(new, old):
            raise AskBack(
                f"“{self.clause.phrase}” may take the place of the condition before or join it.",
                [f"what about {new.phrase}", f"also {new.phrase}"],
            )
        if new.operator in NEGATIVE:
            self._leave_out(new, old)
        elif new.operator in POSITIVE and (self.adds or self._brings_back(new, old)):
            self._let_in(new, old)
        elif new.operator in (*LOWER, *UPPER) and not self.is_time_filter(new):
            self._bound(new, old)
        else:
            if self.adds and self.is_time_filter(new):
                new = self._longer(new, old)
            self._replace(old, [new])

    def _joins_or_replaces(self, new: Filter, old: list[Filter]) -> bool:
        """'and Spain' beside Germany is one of two things; 'and for Spain?' and 'Spain too' are not."""
        shown = [filter for filter in old if filter.operator in ("=", "in", "between")]
        positive = new.operator in ("=", "in") or (new.operator == "between" and self.is_time_filter(new))
        return (
            bool(shown)
            and positive
            and "and" in self.clause.cues
            and not self.adds
            and not self.clause.cues & {"only", "about"}
        )

    def _brings_back(self, new: Filter, old: list[Filter]) -> bool:
        """'with Germany again' takes back that it was left out."""
        left_out = {value for filter in old if filter.operator in NEGATIVE for value in filter.values}
        return "back" in self.clause.cues and set(new.values) <= left_out

    def _replace(self, old: Sequence[Filter], new: Sequence[Filter]) -> None:
        filters = self.draft.filters
        at = min((filters.index(filter) for filter in old), default=len(filters))
        kept = [filter for filter in filters if filter not in old]
        kept[at:at] = [filter for filter in new if filter not in kept]
        self.draft.filters = kept

    def _leave_out(self, new: Filter, old: list[Filter]) -> None:
        shown = [filter for filter in old if filter.operator in ("=", "in")]
        if shown:
            values = tuple(value for value in shown[0].values if value not in new.values)
            if not values:
                name = self.column_name(_column(new))
                raise CannotPlan(
                    f"the chart shows only {_listed(shown[0].values)}, and without {'them' if len(new.values) > 1 else 'it'} "
                    f"nothing is left; “without the {name} filter” shows all again"
                )
            missing = [value for value in new.values if value not in shown[0].values]
            if missing:
                raise CannotPlan(f"{_listed(missing)} is not in the chart, which shows only {_listed(shown[0].values)}")
            self._replace(old, [_positive(shown[0], values)])
            return
        hidden = [filter for filter in old if filter.operator in NEGATIVE]
        values = tuple(dict.fromkeys([*(value for filter in hidden for value in filter.values), *new.values]))
        if hidden and values == hidden[0].values:
            raise CannotPlan(f"{_listed(new.values)} is already left out")
        operator: Literal["!=", "not in"] = "!=" if len(values) == 1 else "not in"
        phrase = ", ".join(filter.phrase for filter in (*hidden, new))
        self._replace(hidden, [new.model_copy(update={"operator": operator, "values": values, "phrase": phrase})])

    def _let_in(self, new: Filter, old: list[Filter]) -> None:
        """'also Spain' adds to what is shown, or takes back that it was left out."""
        shown = [filter for filter in old if filter.operator in ("=", "in")]
        hidden = [filter for filter in old if filter.operator in NEGATIVE]
        if hidden and any(value in hidden[0].values for value in new.values):
            values = tuple(value for value in hidden[0].values if value not in new.values)
            operator: Literal["!=", "not in"] = "!=" if len(values) == 1 else "not in"
            self._replace(
                hidden, [hidden[0].model_copy(update={"operator": operator, "values": values})] if values else []
            )
            return
        if not shown:
            name = self.column_name(_column(new))
            raise CannotPlan(f"the chart has no condition on {name}: {_listed(new.values)} is in it already")
        values = tuple(dict.fromkeys([*shown[0].values, *new.values]))
        if values == shown[0].values:
            raise CannotPlan(f"{_listed(new.values)} is in the chart already")
        self._replace(old, [_positive(shown[0], values, new.phrase)])

    def _bound(self, new: Filter, old: list[Filter]) -> None:
        """'over 30' beside 'under 50' makes a range; another lower bound takes the place of the first."""
        opposite = [filter for filter in old if _range(filter.operator, new.operator)]
        for filter in opposite:
            low, high = (new, filter) if new.operator in LOWER else (filter, new)
            if float(low.values[0]) >= float(high.values[0]):
                raise CannotPlan(f"“{new.phrase}” and “{filter.phrase}” leave nothing")
        self._replace([filter for filter in old if filter not in opposite], [new])

    def _displaced_value(self) -> None:
        """'France instead of Germany' where Germany is one of several."""
        values = self.displaced.frame.values if self.displaced else []
        if not values:
            return
        gone = {found.target.value for hit in values for found in hit.mention.values}
        before = [
            filter for filter in self.base.filters if filter.operator in ("=", "in") and set(filter.values) & gone
        ]
        if not before:
            raise CannotPlan(f"“{values[0].mention.phrase}” is no condition of the chart")
        for filter in before:
            rest = tuple(value for value in filter.values if value not in gone)
            now = [each for each in self.draft.filters if each.of == filter.of and each.operator in ("=", "in")]
            if rest and now:
                self._replace(now, [_positive(now[0], tuple(dict.fromkeys([*rest, *now[0].values])))])

    # Times

    def _filtered_time(self) -> Column | None:
        """A stretch of time limits what the chart's own stretch limits."""
        own = [filter.of for filter in self.conditions if self.is_time_filter(filter) and isinstance(filter.of, Column)]
        known = own or [
            filter.of for filter in self.base.filters if self.is_time_filter(filter) and isinstance(filter.of, Column)
        ]
        known = [of for of in known if self.reaches(self.fact, of.table)]
        if known and self.profile.column(known[0].table, known[0].column).type not in TIMES:
            return None  # years as numbers
        named = self.frame.timed_by or any(group.mention for group in self.frame.groups)
        return known[0] if known and not named else super()._filtered_time()

    def _time_filters(self) -> None:
        hits = [hit for hit in self.frame.times if hit.operator == "in"]
        for before, hit in pairwise(hits):
            if hit.first > before.last + timedelta(days=1) or hit.last < before.first - timedelta(days=1):
                raise CannotPlan(
                    f"“{before.phrase}” and “{hit.phrase}” do not follow each other, and a chart shows one stretch of time"
                )
        super()._time_filters()

    def _longer(self, new: Filter, old: list[Filter]) -> Filter:
        """'also 2024' beside 2023 is one stretch of two years."""
        spans = [filter for filter in old if filter.operator == "between" and len(filter.values) == 2]
        if not spans or new.operator != "between" or isinstance(new.values[0], int):
            raise CannotPlan(f"“{new.phrase}” cannot be added to the time of the chart; say from when to when")
        firsts, lasts = [str(f.values[0]) for f in (*spans, new)], [str(f.values[1]) for f in (*spans, new)]
        gap = max(date.fromisoformat(first) for first in firsts) - min(date.fromisoformat(last) for last in lasts)
        if gap > timedelta(days=1):
            raise CannotPlan(
                f"“{new.phrase}” does not follow the time of the chart, and a chart shows one stretch of time"
            )
        phrase = f"{spans[0].phrase} and {new.phrase}"
        return new.model_copy(update={"values": (min(firsts), max(lasts)), "phrase": phrase})

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

    # Side by side

    def _compare(self) -> None:
        """'compare with France' shows what is there beside what is named."""
        if self.frame.times:
            self._compare_times()
            return
        new = [
            filter for filter in self._new_filters() if filter.operator in ("=", "in") and isinstance(filter.of, Column)
        ]
        if len(new) != 1 or len(new[0].values) != len(self.frame.values):
            raise CannotPlan("what is to be compared is not clear")
        of = _column(new[0])
        old = [filter for filter in self.conditions if filter.of == of and filter.operator in ("=", "in")]
        values = tuple(dict.fromkeys([*(value for filter in old for value in filter.values), *new[0].values]))
        if len(values) < 2:
            raise CannotPlan(
                f"there is nothing to compare {_listed(values)} with: the chart has no condition on {self.column_name(of)}"
            )
        self._replace([filter for filter in self.conditions if filter.of == of], [_positive(new[0], values)])
        if all(dimension.of != of for dimension in self.draft.dimensions):
            self._beside(Dimension(label=column_label(self.profile, of), of=of))

    def _beside(self, dimension: Dimension) -> None:
        if len(self.draft.dimensions) >= MOST:
            raise CannotPlan(
                f"a chart has {MOST} groupings at most, so that {dimension.label.lower()} has no place in it"
            )
        if self.draft.limit is not None:
            raise CannotPlan("a ranking cannot be compared; say “all of them” first")
        if self.draft.details:
            self.draft.details = []
            self._count_rows()
        self.draft.dimensions.append(dimension)
        self._time_first()

    def _compare_shifted(self) -> None:
        """'compare with the year before'."""
        before = list(self.draft.filters)
        if not self._shift():
            raise CannotPlan("there is nothing to compare with: the chart is not limited to a time")
        moved = next(filter for filter in self.conditions if self.is_time_filter(filter))
        self.draft.filters = before
        self._lay_beside([filter for filter in before if self.is_time_filter(filter)], moved)

    def _compare_times(self) -> None:
        old = [filter for filter in self.conditions if self.is_time_filter(filter)]
        new = next((filter for filter in self._new_filters() if self.is_time_filter(filter)), None)
        if new is None or new.operator != "between" or isinstance(new.values[0], int):
            raise CannotPlan("what is to be compared is not clear")
        own = [hit for hit in self.frame.times if hit.operator == "in"]
        if len(own) < 2 and not old:
            raise CannotPlan(f"there is nothing to compare “{new.phrase}” with: the chart is not limited to a time")
        self._lay_beside(old if len(own) < 2 else [], new)

    def _lay_beside(self, old: list[Filter], new: Filter) -> None:
        """Show two stretches of time as two series."""
        joined = self._longer(new, old) if old else new
        old = [filter for filter in self.conditions if self.is_time_filter(filter)]
        if any(str(value)[4:] not in ("-01-01", "-12-31") for value in joined.values):
            raise CannotPlan("only whole years that follow each other can be laid side by side")
        self._replace(old, [joined])
        timed = [dimension for dimension in self.draft.dimensions if dimension.grain is not None]
        if any(dimension.grain is Grain.YEAR for dimension in timed):
            return
        if timed and not self._years_over_months():
            raise CannotPlan("years can be laid over each other by month only")
        if not timed:
            self._beside(Dimension(label="Year", of=_column(joined), grain=Grain.YEAR))

    # What is taken away

    def _take_parts(self) -> None:
        """'without country': what the chart is grouped or limited by is no condition that could be missing."""
        for absence in list(self.frame.absences):
            target = self.meant(absence.mention, "absent")
            places, measures = self.shown_in(target), self.measured_in(target)
            filtered = self.conditions_on(target) if target is not None and target.kind == "column" else []
            grouped = [token.text for token in self.frame.tokens[: absence.mention.start]][-1:] in (
                ["by"],
                ["per"],
                ["each"],
            )
            if not (places or filtered or measures or grouped):
                self._check_can_lack(absence.mention.phrase, target)
            if target is None or not (places or filtered or (measures and len(self.draft.measures) > 1) or grouped):
                continue
            self.frame.absences.remove(absence)
            if grouped and not places:
                raise CannotPlan(f"the chart is not grouped by {absence.mention.phrase}")
            if places and filtered and not grouped:
                raise AskBack(
                    f"The chart is grouped by {absence.mention.phrase} and limited to some of it.",
                    [f"not by {absence.mention.phrase}", f"without the {absence.mention.phrase} filter"],
                )
            if places:
                self.drop_groups(places)
            elif filtered:
                self._replace(filtered, [])
            else:
                self.drop_measures(measures)
        if self.fragment.refused and any(group.time for group in self.frame.groups):
            self._drop_time_groups()

    def _check_can_lack(self, phrase: str, target: Target | None) -> None:
        """'without returns' is a condition; 'remove the genre' of a chart that has none, or where none is missing, is a mistake."""
        whole = target is not None and target.kind == "column" and not self.resolver.column(target).nulls
        if target is None or whole or "drop" in self.clause.cues:
            raise CannotPlan(f"the chart has no “{phrase}” that could be taken away")

    def _drop_time_groups(self) -> None:
        places = [i for i, dimension in enumerate(self.draft.dimensions) if self.is_timed(dimension)]
        if not places:
            raise CannotPlan("the chart is not grouped by time")
        self.frame.groups = [group for group in self.frame.groups if not group.time]
        self.drop_groups(places)

    def conditions_on(self, target: Target | None) -> list[Filter]:
        """Return the conditions on a column, or on any column of a table."""
        if target is None:
            return []
        found = []
        for filter in self.conditions:
            of = filter.of
            if isinstance(of, Column) and (of == target.of if target.kind == "column" else of.table == target.table):
                found.append(filter)
        return found


def _column(filter: Filter) -> Column:
    if not isinstance(filter.of, Column):
        raise CannotPlan("the condition is not on a column")
    return filter.of


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


def _positive(filter: Filter, values: Sequence[Scalar], phrase: str = "") -> Filter:
    operator: Literal["=", "in"] = "=" if len(values) == 1 else "in"
    phrase = f"{filter.phrase}, {phrase}" if phrase else filter.phrase
    return filter.model_copy(update={"operator": operator, "values": tuple(values), "phrase": phrase})


def _range(one: str, other: str) -> bool:
    return (one in LOWER and other in UPPER) or (one in UPPER and other in LOWER)


def _same_number(one: Having, other: Having) -> bool:
    return (
        one.measure.of == other.measure.of and one.measure.aggregate == other.measure.aggregate and one.per == other.per
    )


def _listed(values: Sequence[Scalar]) -> str:
    return " and ".join(map(str, values))


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
