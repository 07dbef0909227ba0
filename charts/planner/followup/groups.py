"""Other groups: 'by region instead', 'also by category', 'per week', 'not by country', 'top 5 products'."""

from __future__ import annotations

from ...plan import Column, Dimension
from ...profile import Type
from ..draft import CannotPlan
from ..frame import Group
from ..lexicon import Target
from ..linking import Mention
from .editing import AskBack
from .measures import Remeasuring

MOST = 2  # groupings that one chart can show


class Regrouping(Remeasuring):
    """Changes the dimensions."""

    def set_groups(self) -> None:
        new = self._new_dimensions()
        if not new:
            return
        self.edits += 1
        if self.draft.details and not self.draft.measures:
            self.draft.details = []
            self._count_rows()
            self.draft.order, self.draft.limit = [], None
        for dimension in new:
            self._check_group(dimension)
        self._fit_in(new)
        self._time_first()

    def _new_dimensions(self) -> list[Dimension]:
        """Return what the clause groups by."""
        known, self.draft.dimensions = self.draft.dimensions, []
        entities, self.entities = self.entities, {}
        try:
            for group in self.frame.groups:
                if (grained := self._grained(group, known)) is not None:
                    self._add_dimension(grained, grained.label)
                else:
                    self._group(group)
            self._bare_groups(known)
            self.tied()
            return list(self.draft.dimensions)
        finally:
            self.draft.dimensions, self.entities = known, entities

    def _grained(self, group: Group, known: list[Dimension]) -> Dimension | None:
        """'per week' cuts the time that the chart already runs along."""
        timed = [dimension for dimension in known if dimension.grain is not None]
        if not group.time or not timed or (group.mention is not None and self._time_named(group.mention)):
            return None
        grain = group.grain
        if grain is None or self._year_column(group) is not None:
            return None
        return timed[0].model_copy(update={"grain": grain, "label": grain.value.replace("_", " ").capitalize()})

    def _time_named(self, mention: Mention) -> bool:
        target = self._target(mention, "time")
        return (
            target is not None
            and target.kind == "column"
            and self.resolver.column(target).type in (Type.DATE, Type.DATETIME)
        )

    def _bare_groups(self, known: list[Dimension]) -> None:
        """Group by what is named without 'by', where the clause says that it takes another's place or joins it."""
        beside = [hit.column for hit in self.frame.values]
        self.frame.bare = [mention for mention in self.frame.bare if mention not in beside]  # 'origin Paris'
        for mention in list(self.frame.bare):
            target = self.meant(mention, "group")
            if target is None or target.kind == "derived":
                continue
            if self.frame.tops and target.kind in ("table", "column"):
                self.frame.bare.remove(mention)
                if not self._is_shown(target, known):
                    self._group(Group(mention, at=mention.start))
                continue
            if self.narrows and (target.kind == "table" or self._is_shown(target, known)):
                self.frame.bare.remove(mention)  # 'only orders from Germany'
                self.frame.ignored.append(mention.phrase)
                continue
            if target.kind == "table":
                continue
            self.frame.bare.remove(mention)
            if not (self.replaces or self.adds or self.clause.displaced):
                raise AskBack(
                    f"“{mention.phrase}” may take the place of a grouping or be added to it.",
                    [f"by {mention.phrase} instead", f"also by {mention.phrase}"],
                )
            self._group(Group(mention, at=mention.start))

    def _is_shown(self, target: Target, known: list[Dimension]) -> bool:
        now, self.draft.dimensions = self.draft.dimensions, known
        try:
            return bool(self.shown_in(target))
        finally:
            self.draft.dimensions = now

    def _check_group(self, dimension: Dimension) -> None:
        for measure in self.draft.measures:
            self.fact, fact = measure.table, self.fact
            try:
                self._check_belongs(dimension.of.table, dimension.label)
            finally:
                self.fact = fact

    # Where they go

    def _fit_in(self, new: list[Dimension]) -> None:
        old = self.draft.dimensions
        if self.clause.displaced:
            self._displace(new)
        elif self.adds or self.fragment.splits or not old or (self.draft.raw and not old):
            self._join(new)
        elif len(new) > 1:
            self._regroup(list(range(len(old))), new)
        else:
            self._swap(new[0])

    def _join(self, new: list[Dimension]) -> None:
        old = self.draft.dimensions
        added = [dimension for dimension in new if not any(self._same(dimension, known) for known in old)]
        if not added:
            raise CannotPlan(f"the chart is already grouped by {new[0].label.lower()}")
        if any(self.is_timed(one) and self.is_timed(other) and one.of == other.of for one in added for other in old):
            raise AskBack(
                f"The chart already runs along time; {added[0].label.lower()} can take its place.",
                [f"per {added[0].label.lower()} instead"],
            )
        if len(old) + len(added) > MOST:
            names = [dimension.label.lower() for dimension in old]
            raise AskBack(
                f"A chart has {MOST} groupings at most, and this one has {' and '.join(names)}.",
                [f"by {self._by(added[0])} instead of {name}" for name in names],
            )
        if old and self.draft.limit is not None:
            raise CannotPlan(
                f"the chart shows {self.draft.limit} groups, and two groupings at once have no ranking; say “all of them” first"
            )
        self.draft.dimensions = [*old, *added]

    def _swap(self, new: Dimension) -> None:
        old = self.draft.dimensions
        if any(self._same(new, known) for known in old):
            if self.narrows:
                return  # 'only months over 1000'
            if len(old) == 1:
                raise CannotPlan(f"the chart is already grouped by {new.label.lower()}")
            if self.replaces:
                self._regroup([i for i, known in enumerate(old) if not self._same(new, known)], [])
                return
            raise CannotPlan(f"the chart is already grouped by {new.label.lower()}")
        alike = [index for index, known in enumerate(old) if self.is_timed(known) == self.is_timed(new)]
        if "and" in self.clause.cues and len(old) == 1 and not self.replaces and not (alike and self.is_timed(new)):
            raise self._swap_or_join(old[0], new)
        if len(alike) == 1:
            self._regroup(alike, [new])
        elif len(old) == 1 and (self.replaces or self.frame.tops):
            self._regroup([0], [new])
        elif len(old) == 1:
            raise self._swap_or_join(old[0], new)
        else:
            places = alike or range(len(old))
            raise AskBack(
                f"The chart has two groupings; which of them is to make room for {new.label.lower()}?",
                [f"by {self._by(new)} instead of {old[place].label.lower()}" for place in places],
            )

    def _swap_or_join(self, old: Dimension, new: Dimension) -> AskBack:
        return AskBack(
            f"“{self.clause.phrase}” may take the place of {old.label.lower()} or be added to it.",
            [f"by {self._by(new)} instead", f"also by {self._by(new)}"],
        )

    def _displace(self, new: list[Dimension]) -> None:
        mention = self.displaced_mention
        names = mention.names if mention is not None else ()
        places = next((found for name in names if (found := self.shown_in(name.target))), [])
        if not places and self.displaced is not None and (times := self.displaced.frame.groups):
            places = [
                i
                for i, known in enumerate(self.draft.dimensions)
                if any(group.time for group in times) and self.is_timed(known)
            ]
        if not places:
            words = " ".join(token.raw for token in self.clause.displaced)
            raise CannotPlan(f"the chart is not grouped by “{words}”")
        self._regroup(places, new)

    def _regroup(self, places: list[int], new: list[Dimension]) -> None:
        """Put `new` in the places of other dimensions; what hung on those goes with them."""
        old = self.draft.dimensions
        gone = [old[place] for place in places]
        kept = [dimension for i, dimension in enumerate(old) if i not in places]
        if any(self._same(dimension, known) for dimension in new for known in kept):
            raise CannotPlan(f"the chart is already grouped by {new[0].label.lower()}")
        at = places[0] if places else len(kept)
        kept[at:at] = new
        self.draft.dimensions = kept
        tables = {dimension.of.table for dimension in gone} | {d.key.table for d in gone if d.key}
        self.draft.filters = [
            filter
            for filter in self.draft.filters
            if not (self.is_hidden(filter) and isinstance(filter.of, Column) and filter.of.table in tables)
        ]
        self._leave_order(gone, new)

    def _leave_order(self, gone: list[Dimension], new: list[Dimension]) -> None:
        """A ranking of things is none of months, and an order by a name goes with the name."""
        timed = any(self.is_timed(dimension) for dimension in new) and not any(self.is_timed(each) for each in gone)
        alike = bool(new) and all(self.is_timed(d) for d in new) == all(self.is_timed(d) for d in gone)
        if timed or not new:
            self.draft.order, self.draft.limit = [], None
        elif not alike:
            self.draft.order = [order for order in self.draft.order if order.by != "dimension"]

    def drop_groups(self, places: list[int]) -> None:
        """Group no longer by these."""
        self._regroup(places, [])
        if not self.draft.dimensions:
            self.draft.order, self.draft.limit = [], None
            self.draft.having = [having for having in self.draft.having if having.per is not None]
            self.draft.measures = [measure.model_copy(update={"share": False}) for measure in self.draft.measures]
            if self.draft.raw and not self.draft.measures:
                raise CannotPlan("nothing would be left to show")

    def _same(self, one: Dimension, other: Dimension) -> bool:
        return one.of == other.of and one.grain == other.grain

    def _by(self, dimension: Dimension) -> str:
        if dimension.grain is not None and dimension.label.lower() == dimension.grain.value.replace("_", " "):
            return dimension.label.lower()
        return dimension.label.lower()
