"""Conditions merged with those of the chart before: a new one replaces, joins or takes back what stands on its column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from ...plan import Column, Filter, Having, Scalar
from ..draft import CannotPlan
from ..frame import ValueHit
from ..lexicon import Target
from ..names import table_words
from ..resolve import TIMES
from ..text import word_set
from .editing import AskBack
from .groups import Regrouping

POSITIVE = ("=", "in", "contains", "starts", "ends")
NEGATIVE = ("!=", "not in")
LOWER, UPPER = (">", ">="), ("<", "<=")
LISTING = word_set("and or , & nor the in from for of either")


class Merging(Regrouping):
    """Reads values in columns, and puts new filters in their place among the old."""

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
                name = self.column_name(column_of(new))
                raise CannotPlan(
                    f"the chart shows only {listed(shown[0].values)}, and without {'them' if len(new.values) > 1 else 'it'} "
                    f"nothing is left; “without the {name} filter” shows all again"
                )
            missing = [value for value in new.values if value not in shown[0].values]
            if missing:
                raise CannotPlan(f"{listed(missing)} is not in the chart, which shows only {listed(shown[0].values)}")
            self._replace(old, [holding(shown[0], values)])
            return
        hidden = [filter for filter in old if filter.operator in NEGATIVE]
        values = tuple(dict.fromkeys([*(value for filter in hidden for value in filter.values), *new.values]))
        if hidden and values == hidden[0].values:
            raise CannotPlan(f"{listed(new.values)} is already left out")
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
            name = self.column_name(column_of(new))
            raise CannotPlan(f"the chart has no condition on {name}: {listed(new.values)} is in it already")
        values = tuple(dict.fromkeys([*shown[0].values, *new.values]))
        if values == shown[0].values:
            raise CannotPlan(f"{listed(new.values)} is in the chart already")
        self._replace(old, [holding(shown[0], values, new.phrase)])

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
                self._replace(now, [holding(now[0], tuple(dict.fromkeys([*rest, *now[0].values])))])

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


def column_of(filter: Filter) -> Column:
    """Return the column that a condition is on. Raises CannotPlan for one on something worked out."""
    if not isinstance(filter.of, Column):
        raise CannotPlan("the condition is not on a column")
    return filter.of


def holding(filter: Filter, values: Sequence[Scalar], phrase: str = "") -> Filter:
    """Return the condition with these values in place of its own, and a phrase beside its own."""
    operator: Literal["=", "in"] = "=" if len(values) == 1 else "in"
    phrase = f"{filter.phrase}, {phrase}" if phrase else filter.phrase
    return filter.model_copy(update={"operator": operator, "values": tuple(values), "phrase": phrase})


def _range(one: str, other: str) -> bool:
    return (one in LOWER and other in UPPER) or (one in UPPER and other in LOWER)


def _same_number(one: Having, other: Having) -> bool:
    return (
        one.measure.of == other.measure.of and one.measure.aggregate == other.measure.aggregate and one.per == other.per
    )


def listed(values: Sequence[Scalar]) -> str:
    return " and ".join(map(str, values))
