"""Other conditions: 'only Germany', 'without returns', 'since May', 'the year before', 'all countries again'."""

from __future__ import annotations

from ...plan import Column, Dimension, Filter, Grain
from ...sql.labels import column_label
from ..draft import CannotPlan
from ..lexicon import Target
from .editing import AskBack
from .groups import MOST
from .merging import column_of, holding, listed
from .spans import Timing


class Narrowing(Timing):
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

    def _lines_of_values(self) -> None:
        """Several values along time are a line each, as they are in a question that is asked in full."""
        if len(self.draft.dimensions) != 1 or self.draft.dimensions[0].grain is None or self.draft.limit is not None:
            return
        for filter in self.draft.filters:
            if filter.operator == "in" and filter not in self.base.filters and isinstance(filter.of, Column):
                self._beside(Dimension(label=column_label(self.profile, filter.of), of=filter.of))
                return

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
        of = column_of(new[0])
        old = [filter for filter in self.conditions if filter.of == of and filter.operator in ("=", "in")]
        values = tuple(dict.fromkeys([*(value for filter in old for value in filter.values), *new[0].values]))
        if len(values) < 2:
            raise CannotPlan(
                f"there is nothing to compare {listed(values)} with: the chart has no condition on {self.column_name(of)}"
            )
        self._replace([filter for filter in self.conditions if filter.of == of], [holding(new[0], values)])
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
            self._beside(Dimension(label="Year", of=column_of(joined), grain=Grain.YEAR))

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
