"""Another number in the chart, or a second one: 'orders instead', 'the average', 'as a share'."""

from __future__ import annotations

from ...plan import Aggregate, Dimension, Filter, Measure
from ...sql.expressions import columns_of
from ...sql.joins import path
from ..draft import CannotPlan
from ..frame import Ask
from ..lexicon import Target
from ..linking import Mention
from ..measuring import _shared
from ..names import AGGREGATE_WORDS, number_label, table_words
from ..resolve import is_measure, time_column
from .editing import AskBack, Editing

SAID = frozenset({"instead", "switch", "about", "now", "only"})  # words without which a number is not replaced
SUMMED = (Aggregate.COUNT, Aggregate.COUNT_DISTINCT, Aggregate.SUM)


class Remeasuring(Editing):
    """Changes the measures, and moves what hangs on the table that they stand on."""

    def set_measures(self) -> None:
        named = self._named_measures()
        if named:
            self.edits += 1
            self._place(named)
        elif self.fragment.aggregate is not None:
            self.edits += 1
            self._aggregate(self.fragment.aggregate)
        elif self.frame.count_them:
            self.edits += 1
            self._count()
        if self.frame.share:
            self.edits += 1
            self._share()

    def _named_measures(self) -> list[Ask]:
        asks = list(self.frame.asks)
        for mention in list(self.frame.bare):
            target = self.meant(mention)
            if any(comparison.left is mention for comparison in self.frame.comparisons):
                self.frame.bare.remove(mention)  # 'only quantity over 5'
                continue
            if target is None or not self._is_number(target) or self._only_qualifies(target):
                continue
            self.frame.bare.remove(mention)
            asks.append(Ask(None, mention, at=mention.start))
        return asks

    def _is_number(self, target: Target) -> bool:
        if target.kind == "column":
            return is_measure(self.resolver.column(target))
        return True

    def _only_qualifies(self, target: Target) -> bool:
        """'only orders from Germany': the rows that the chart is about, named along with a condition on them; 'top 5 products'."""
        if target.kind != "table":
            return False
        if self.frame.tops:
            return True
        tables = [measure.table for measure in self.draft.measures] or [self.fact]
        about = all(self.reaches(table, target.table) for table in tables)
        return about and self.narrows and not self.replaces_outright

    @property
    def replaces_outright(self) -> bool:
        return bool(self.clause.cues & {"instead", "switch"})

    def _place(self, asks: list[Ask]) -> None:
        old = list(self.draft.measures)
        share = bool(old) and all(measure.share for measure in old)
        displaced = self._displaced_measures()
        if "and" in self.clause.cues and old and not (self.adds or self.replaces or "only" in self.clause.cues):
            words = " ".join(token.raw for token in self.clause.tokens)
            raise AskBack(
                f"“{self.clause.phrase}” may take the place of {old[0].label.lower()} or be shown beside it.",
                [f"{words} instead", f"also {words}"],
            )
        if not (self.adds or displaced or self.clause.cues & SAID):
            words = asks[0].mention.phrase if asks[0].mention is not None else self.clause.phrase
            raise CannotPlan(f"what is to be done with “{words}” is not clear; say “{words} instead” or “also {words}”")
        self._ask_how_computed(asks, old)
        new = self._measures_of(asks)
        if self.adds:
            added = [measure for measure in new if measure not in old]
            if not added:
                raise CannotPlan(f"the chart already shows {new[0].label.lower()}")
            if self.draft.raw or not old:
                raise CannotPlan("the chart lists single rows, and a second number has no place there")
            if len(old) + len(added) > 4:
                raise CannotPlan("a chart holds four numbers at most")
            self.draft.measures = [*old, *added]
        elif displaced:
            first = displaced[0]
            kept = [measure for i, measure in enumerate(old) if i not in displaced]
            kept[first:first] = [measure for measure in new if measure not in kept]
            self.draft.measures = kept
        else:
            self.draft.measures = new
        if share and not self.frame.share:
            self.draft.measures = [_shared(measure) for measure in self.draft.measures]
        self._rest_on(self.draft.measures[0])

    def _measures_of(self, asks: list[Ask]) -> list[Measure]:
        self.draft.measures, links = [], len(self.draft.links)
        if self.draft.raw and all(ask.aggregate is None for ask in asks):
            for ask in asks:
                target = self._ask_target(ask)
                if target is None or target.kind == "table" or target.table != self.fact:
                    self.draft.raw = False
                    break
                self._add_measure(self._raw(target), ask.mention.phrase if ask.mention else ask.hint)
        if not self.draft.measures:
            self.draft.raw = False
            del self.draft.links[links:]
            for ask in asks:
                if ask.mention is None and not ask.hint:
                    raise CannotPlan("the number is not named")
                self._asked(self._usual_ask(ask))
        self.tied()
        if not self.draft.measures:
            raise CannotPlan("that is no number to show")
        self.draft.details = []
        return list(self.draft.measures)

    def _ask_how_computed(self, asks: list[Ask], old: list[Measure]) -> None:
        """'budget instead' of an average may be the average or the total."""
        extremes = (Aggregate.AVERAGE, Aggregate.MINIMUM, Aggregate.MAXIMUM)
        if self.draft.raw or not old or any(measure.aggregate not in extremes for measure in old):
            return
        for ask in asks:
            target = self.meant(ask.mention, "number") if ask.aggregate is None else None
            if target is None or target.kind == "table" or ask.mention is None:
                continue
            usual = self._measure_of(None, target)
            word = _words(old[0].aggregate or Aggregate.AVERAGE)
            if usual is not None and usual.aggregate is Aggregate.SUM:
                said = ask.mention.phrase
                raise AskBack(
                    f"The chart shows the {word}; of {said} the total may be meant as well.",
                    [f"{word} {said} instead", f"total {said} instead"],
                )

    def _usual_ask(self, ask: Ask) -> Ask:
        """A table named by itself is counted."""
        target = self.meant(ask.mention, "count") if ask.aggregate is None else None
        return (
            Ask(Aggregate.COUNT, ask.mention, ask.at, ask.hint)
            if target is not None and target.kind == "table"
            else ask
        )

    def _displaced_measures(self) -> list[int]:
        """Return the places of the measures that are to make room; those not named all do."""
        mention = self.displaced_mention
        if mention is None:
            return []
        places = next((found for name in mention.names if (found := self.measured_in(name.target))), [])
        if not places:
            raise CannotPlan(f"the chart does not show “{mention.phrase}”")
        return places

    @property
    def displaced_mention(self) -> Mention | None:
        return self.displaced.frame.mentions[0] if self.displaced and self.displaced.frame.mentions else None

    # What stands on the table

    def _rest_on(self, measure: Measure) -> None:
        """Let the plan stand on the rows of another measure: its own time, and conditions that it can reach."""
        old, new = self.fact, measure.table
        if old == new:
            return
        usual = time_column(self.profile, old)
        self.fact = new
        for index, dimension in enumerate(self.draft.dimensions):
            if dimension.grain is not None and (dimension.of == usual or not self.reaches(new, dimension.of.table)):
                self.draft.dimensions[index] = self._in_own_time(dimension)
            else:
                self._check_belongs(dimension.of.table, dimension.label)
        self.draft.filters = [self._filter_on(filter, usual == filter.of) for filter in self.draft.filters]

    def _in_own_time(self, dimension: Dimension) -> Dimension:
        of = time_column(self.profile, self.fact)
        if of is None:
            raise CannotPlan(f"{table_words(self.profile.table(self.fact))} have no time to go by")
        if of != dimension.of:
            self.draft.assumptions.append(f"The time is now that of {of.table}.{of.column}")
        return dimension.model_copy(update={"of": of})

    def _filter_on(self, filter: Filter, usual: bool) -> Filter:
        tables = {column.table for column in columns_of(filter.of)}
        if self.is_time_filter(filter) and (usual or not all(self.reaches(self.fact, table) for table in tables)):
            of = time_column(self.profile, self.fact)
            if of is None:
                raise CannotPlan(f"{table_words(self.profile.table(self.fact))} have no time to go by")
            return filter.model_copy(update={"of": of})
        if filter.operator in ("none", "some"):
            if self.fact in tables or any(path(self.profile, self.fact, table) is None for table in tables):
                raise CannotPlan(
                    f"the condition “{filter.phrase}” does not fit {table_words(self.profile.table(self.fact))}"
                )
            return filter
        for table in tables:
            self._check_belongs(table, filter.phrase)
        return filter

    def _check_belongs(self, table: str, what: str) -> None:
        """Refuse what the new rows only share an owner with: tickets have no channel of an order."""
        steps = path(self.profile, self.fact, table)
        words = table_words(self.profile.table(table))
        turns = [index for index, step in enumerate(steps or ()) if step.to_many]
        if steps is None or (turns and turns[0] > 0):
            raise CannotPlan(f"“{what}” belongs to {words}, not to {table_words(self.profile.table(self.fact))}")

    # How it is computed

    def _aggregate(self, aggregate: Aggregate) -> None:
        """'the average instead' of the number that the chart shows."""
        if aggregate is Aggregate.COUNT:
            self._count()
            return
        if not self.draft.measures:
            raise CannotPlan(f"the chart lists rows; the {_words(aggregate)} of which number is meant?")
        changed = [self._aggregated(measure, aggregate) for measure in self.draft.measures]
        if changed == self.draft.measures:
            raise CannotPlan(f"the chart already shows the {_words(aggregate)}")
        self.draft.measures, self.draft.raw = changed, False

    def _aggregated(self, measure: Measure, aggregate: Aggregate) -> Measure:
        if measure.of is None:
            target = Target("table", measure.table)
            try:
                found = self._measure_of(aggregate, target)
            except CannotPlan:
                found = None
            if found is None or aggregate is Aggregate.SUM:
                counted = table_words(self.profile.table(measure.table))
                raise CannotPlan(f"the chart counts {counted}; the {_words(aggregate)} of which number is meant?")
            return found
        if measure.divided_by is not None or measure.aggregate is Aggregate.COUNT_DISTINCT:
            raise CannotPlan(f"the {_words(aggregate)} of {measure.label.lower()} cannot be computed")
        if not self.draft.dimensions and measure.aggregate is None and len(self.draft.measures) > 1:
            raise CannotPlan("the chart shows single rows, not groups that could be averaged")
        what = measure.label
        for words in AGGREGATE_WORDS.values():
            if measure.aggregate is not None and what.lower().startswith(f"{words.lower()} "):
                what = what[len(words) + 1 :]
                break
        update = {
            "aggregate": aggregate,
            "label": number_label(aggregate, what),
            "share": measure.share and aggregate in SUMMED,
        }
        return measure.model_copy(update=update)

    def _count(self) -> None:
        self.draft.measures, self.draft.details, self.draft.raw = [], [], False
        self._count_rows()
        if not self.draft.dimensions:
            self.draft.order, self.draft.limit = [], None

    def _share(self) -> None:
        if not self.draft.measures or not self.draft.dimensions:
            raise CannotPlan("a share needs groups to be a share of; name them, as in “by country”")
        if any(measure.aggregate not in SUMMED or measure.divided_by for measure in self.draft.measures):
            raise CannotPlan(f"{self.draft.measures[0].label.lower()} has no shares: only counts and sums have")
        if all(measure.share for measure in self.draft.measures):
            raise CannotPlan("the chart already shows shares")
        self.draft.measures = [_shared(measure) for measure in self.draft.measures]

    def unshare(self) -> None:
        self.edits += 1
        if not any(measure.share for measure in self.draft.measures):
            raise CannotPlan("the chart shows no shares")
        self.draft.measures = [measure.model_copy(update={"share": False}) for measure in self.draft.measures]

    def drop_measures(self, places: list[int]) -> None:
        """Take measures out."""
        kept = [measure for i, measure in enumerate(self.draft.measures) if i not in places]
        if not kept:
            raise CannotPlan(f"without {self.draft.measures[places[0]].label.lower()} nothing would be left to show")
        self.draft.measures = kept
        self.draft.order = [order for order in self.draft.order if order.by != "measure" or order.index < len(kept)]
        self._rest_on(kept[0])


def _words(aggregate: Aggregate) -> str:
    return {"sum": "total", "avg": "average", "min": "lowest", "max": "highest"}.get(aggregate.value, "number")
