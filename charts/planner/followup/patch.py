"""Apply one clause of a follow-up to a plan: measures, groups, conditions, ranking, order, chart type, in this turn."""

from __future__ import annotations

from ...plan import Plan
from .. import turns as said
from ..draft import CannotPlan
from ..lexicon import Target
from ..linking import Mention
from ..promises import BEYOND, NEGATIONS
from .editing import AskBack
from .ordering import Ordering


class Patch(Ordering):
    """Makes the plan that follows."""

    def apply(self) -> Plan:
        verb = self.clause.verb
        if verb in ("unfilter", "all"):
            self._unfilter()
        elif verb == "unlimit":
            self._unlimit()
        elif verb == "unsort":
            self._unsort()
        elif verb == "ungroup":
            self._ungroup()
        elif verb == "unshare":
            self.unshare()
        elif verb == "together":
            self._together()
        elif verb == "flip":
            self._flip()
        else:
            self._set()
        return self._patched()

    def _set(self) -> None:
        self._check_words()
        self._ranked_not_grouped()
        self.set_measures()
        self.set_groups()
        self.set_filters()
        self._rank()
        self._sort()
        self._draw()
        left = [mention.phrase for mention in self.frame.bare]
        if left:
            raise CannotPlan(f"what is to be done with “{left[0]}” is not clear")
        if not self.edits:
            self._nothing()

    def _check_words(self) -> None:
        """Refuse what no plan can say, and words of the trade that would become nothing."""
        words = {token.text for token in self.frame.tokens}
        if beyond := words & BEYOND:
            raise CannotPlan(f"“{min(beyond)}” is more than can be computed here")
        denied = [token.text for token in self.frame.tokens if token.text in NEGATIONS]
        if len(denied) > 1 and not all(word == denied[0] for word in denied):
            raise CannotPlan(f"“{denied[0]}” and “{denied[1]}” together are not clear")
        grains = {dimension.grain for dimension in self.draft.dimensions if dimension.grain is not None}
        for cue in self.fragment.unplaced:
            if not (cue.kind == "grain" and cue.value in grains and self.frame.tops):  # 'the best 3 months'
                raise CannotPlan(f"what “{cue.phrase}” is to change is not clear")
        if self.fragment.aggregate is not None and "what" in words and not self.replaces:
            raise CannotPlan(
                "whether another number for each group is meant is not clear; say “the average instead” or the like"
            )

    def _ranked_not_grouped(self) -> None:
        """'top 5 by orders' ranks by a number, and of a ranking 'by quantity' asks for another."""
        grouped = any(token.text.startswith("group") for token in self.frame.tokens)
        for group in (
            list(self.frame.groups) if self.draft.limit is not None and not (self.frame.tops or grouped) else []
        ):
            target = self.meant(group.mention, "group")
            if target is not None and group.mention is not None and target.kind != "table" and self._is_number(target):
                self.frame.groups.remove(group)
                self.frame.bare.append(group.mention)
        for group in list(self.frame.groups) if self.frame.tops else []:
            target = self.meant(group.mention, "group")
            if target is None or group.mention is None or not self._is_number(target):
                continue
            if not self.measured_in(target):
                raise CannotPlan(f"the chart does not show {group.mention.phrase} to rank by")
            self.frame.groups.remove(group)
            self.frame.tops[0].mention = group.mention

    def _nothing(self) -> None:
        if self.clause.cues & {"back"}:
            raise CannotPlan("what is wanted back is not clear")
        raise CannotPlan("this does not say what to change")

    def _draw(self) -> None:
        if self.frame.chart is None:
            return
        self.edits += 1
        if self.adds:
            raise CannotPlan(f"a chart has one type; say “as a {self.frame.chart.value}” for another")
        if self.fragment.refused or self.clause.verb == "remove":
            if self.chart is not self.frame.chart:
                raise CannotPlan(
                    f"no {self.frame.chart.value} chart was asked for; name the chart type that is wanted instead"
                )
            self.chart = None
            return
        self.chart = self.frame.chart

    def _unfilter(self) -> None:
        """'all countries again', 'without the filter', 'for all years'."""
        self.edits += 1
        words = {token.text for token in self.frame.tokens[1:]}
        all_of_it = not words - said.GLUE - {"them", "it", "data", "rows", "again", "everything", "back"}
        mentions = self.frame.mentions + [hit.mention for hit in self.frame.values]
        if all_of_it:
            self._unfilter_all()
        elif mentions and not (self.frame.times and not self.frame.values):
            for mention in mentions:
                self._unfilter_one(mention.phrase, self._meant_by_filter(mention))
        elif self.frame.times or self.frame.groups or words & said.TIME_WORDS:
            self._unfilter_time()
        else:
            raise CannotPlan("which condition is meant is not clear")

    def _unfilter_all(self) -> None:
        conditions = [*self.conditions, *self.draft.having]
        if self.clause.verb == "all" and self.draft.limit is not None:
            self._show_all()
            return
        if not conditions:
            raise CannotPlan("the chart has no conditions; it shows all there is")
        if self.clause.verb == "all" and len(conditions) > 1:
            raise AskBack("The chart has several conditions.", ["without the filters", *self._unfilter_words()][:3])
        self.draft.filters = [filter for filter in self.draft.filters if self.is_hidden(filter)]
        self.draft.having = []

    def _unfilter_words(self) -> list[str]:
        from ...phrases import expression_words

        return [f"without the {expression_words(filter.of)} filter" for filter in self.conditions]

    def _meant_by_filter(self, mention: Mention) -> Target | None:
        filtered = {filter.of for filter in self.conditions}
        for found in (*mention.names, *mention.values):
            if found.target.kind in ("column", "value") and found.target.of in filtered:
                return Target("column", found.target.table, found.target.column)
        return self._target(mention)

    def _unfilter_one(self, phrase: str, target: Target | None) -> None:
        found = self.conditions_on(target)
        if target is not None and target.kind == "table" and len(found) > 1:
            raise AskBack("The chart has several conditions.", ["without the filters", *self._unfilter_words()][:3])
        if not found and target is not None and target.kind == "column" and self.lexicon.is_time(target):
            found = [filter for filter in self.conditions if self.is_time_filter(filter)]
        if found:
            self._replace(found, [])
            return
        if self.draft.limit is not None and self.shown_in(target):
            self._show_all()
            return
        raise CannotPlan(f"the chart has no condition on “{phrase}” that could be taken away")

    def _unfilter_time(self) -> None:
        times = [filter for filter in self.conditions if self.is_time_filter(filter)]
        if not times:
            raise CannotPlan("the chart is not limited to a time")
        self._replace(times, [])

    def _ungroup(self) -> None:
        """'without the country split', 'no grouping'."""
        self.edits += 1
        dimensions = self.draft.dimensions
        mentions = self.frame.mentions
        if not dimensions:
            raise CannotPlan("the chart is not grouped")
        if mentions:
            places = [place for mention in mentions for place in self.shown_in(self.meant(mention, "group"))]
            if not places:
                raise CannotPlan(f"the chart is not grouped by “{mentions[0].phrase}”")
            self.drop_groups(places)
        elif any(group.time for group in self.frame.groups):
            self._drop_time_groups()
        else:
            self.drop_groups([len(dimensions) - 1])

    def _together(self) -> None:
        """'in total' is one number."""
        self.edits += 1
        if not self.draft.dimensions:
            raise CannotPlan("the chart is not grouped: it shows the total already")
        if self.draft.limit is not None:
            raise CannotPlan(f"the total of the {self.draft.limit} shown cannot be asked; say “all of them” first")
        self.drop_groups(list(range(len(self.draft.dimensions))))
        self.chart = None

    def _patched(self) -> Plan:
        draft = self.draft
        ranked = draft.limit is not None and (draft.limit != self.base.limit or len(self.base.dimensions) < 2)
        if ranked and len(draft.dimensions) > 1:
            why = f"the chart shows {draft.limit} groups, and two groupings at once have no ranking"
            raise CannotPlan(f"{why}; say “all of them” first")
        table = draft.measures[0].table if draft.measures and not draft.raw else self.fact
        self._check_connected(table)
        return self.base.model_copy(
            update={
                "table": table, "measures": tuple(draft.measures), "dimensions": tuple(draft.dimensions),
                "details": tuple(draft.details),
                "filters": tuple(dict.fromkeys(draft.filters)),
                "having": tuple(draft.having), "order": tuple(draft.order), "limit": draft.limit,
                "chart": self.chart,
            }
        )  # fmt: skip
