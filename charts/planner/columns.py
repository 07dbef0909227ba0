"""Give columns and tables that stand alone in a question a part: numbers are measured, the rest is grouped by or listed."""

from __future__ import annotations

from ..plan import (
    Aggregate,
    ChartType,
    Dimension,
)
from ..profile import Role
from ..sql.joins import is_to_one
from ..sql.labels import column_label
from .draft import COUNTS, PARTS
from .frame import Ask
from .grouping import Grouping
from .lexicon import Target
from .linking import Candidate, Mention
from .resolve import NUMBERS, is_measure, is_number
from .text import base
from .wordlists import PERSONS


class Columns(Grouping):
    """Sorts what is named without a part."""

    def _bare(self) -> None:
        """Give columns that stand alone a part: numbers are measured, the rest is grouped by or listed."""
        numbers: list[tuple[Mention, Target]] = []
        others: list[tuple[Mention, Target]] = []
        self.tables = []
        for mention in self.frame.bare:
            target = self._target(mention)
            if target is None:
                continue
            if target.kind == "table":
                self.tables.append((mention, target.table))
            elif target.kind == "derived" or is_measure(self.resolver.column(target)):
                numbers.append((mention, target))
            else:
                others.append((mention, target))
        if self._draws_pairs() and len(numbers) < 2:
            moved = [pair for pair in others if is_number(self.resolver.column(pair[1]))]
            others = [pair for pair in others if pair not in moved]
            numbers = sorted(numbers + moved, key=lambda pair: pair[0].start)
        self.numbers, self.others = numbers, others
        asked = bool(self.frame.asks) or self.frame.count_them or self.frame.distribution
        if not asked and not numbers and len(others) == 2 and self.frame.chart in PARTS and not self.draft.dimensions:
            self._number_among_others()
        if self.others and (asked or self.numbers or (self.frame.chart in PARTS and not self.draft.dimensions)):
            self._label_of_key()
            self._others_as_dimensions()

    def _number_among_others(self) -> None:
        """A bar chart of names and codes needs a number: the codes, if they are numbers."""
        counted = [pair for pair in self.others if self.resolver.column(pair[1]).type in NUMBERS]
        if len(counted) == 1:
            self.numbers = counted
            self.others = [pair for pair in self.others if pair not in counted]

    def _draws_pairs(self) -> bool:
        return self.frame.relation or self.frame.chart in (ChartType.SCATTER, ChartType.GROUPING_SCATTER)

    def _entity_of_asks(self) -> None:
        """'top 10 products by revenue' groups by the products."""
        if self.draft.dimensions or not self.frame.asks or not self.tables or not self.wants_entity:
            return
        if any(
            (target := self._ask_target(ask)) and target.kind == "column" and self._is_counted(ask, target)
            for ask in self.frame.asks
        ):
            return  # 'the number of brands of lenses' groups by the brand
        counted = {
            target.table for ask in self.frame.asks if (target := self._ask_target(ask)) and target.kind == "table"
        }
        for mention, table in self.tables:
            if table not in counted:
                self._entity(table, mention)
                self._leave_out_unknown(table)
                return

    def _label_of_key(self) -> None:
        """'for each branch id, the names of branches': shown by the name, told apart by the key."""
        for index, dimension in enumerate(self.draft.dimensions):
            profile = self.profile.table(dimension.of.table)
            if profile.primary_key != (dimension.of.column,):
                continue
            for mention, target in self.others:
                if target.table == profile.name and self.resolver.column(target).role in (Role.LABEL, Role.CATEGORY):
                    update = {"of": target.of, "key": dimension.of, "label": column_label(self.profile, target.of)}
                    self.draft.dimensions[index] = dimension.model_copy(update=update)
                    self.others.remove((mention, target))
                    return

    def _others_as_dimensions(self) -> None:
        counted = [self._ask_target(ask) for ask in self.frame.asks if ask.aggregate in COUNTS]
        for mention, target in list(self.others):
            same = any(found and (found.table, found.column) == (target.table, target.column) for found in counted)
            if len(self.draft.dimensions) < 2 and not (same and self.draft.dimensions):
                column = self.resolver.column(target)
                if self.draft.dimensions and self._is_key_of(target, self.draft.dimensions[0]):
                    continue
                dimension = self._column_dimension(target)
                if (
                    self.draft.dimensions
                    and len(self.others) == 1
                    and column.role in (Role.LABEL, Role.ID)
                    and not self.frame.groups
                ):
                    continue
                self._add_dimension(dimension, mention.phrase)
                self.others.remove((mention, target))

    def _is_key_of(self, target: Target, dimension: Dimension) -> bool:
        return dimension.of.table == target.table and target.column in self.profile.table(target.table).primary_key

    def _measures_said_as_groups(self) -> None:
        """Read 'products by revenue' as revenue of each product."""
        frame = self.frame
        others = list[Mention | None](frame.bare) + [group.mention for group in frame.groups if group.mention]
        for group in list(frame.groups):
            target = self._target(group.mention, "group")
            if group.time or group.mention is None or not self._is_numeric(target) or len(others) < 2 or frame.asks:
                continue
            if target is not None and (target.kind == "derived" or self._is_spread(target) or frame.tops):
                frame.groups.remove(group)
                frame.asks.append(Ask(None, group.mention, at=group.at))
                self.wants_entity = True

    def _tops_as_asks(self) -> None:
        """'which month had the highest revenue' asks for revenue."""
        top = next((top for top in self.frame.tops if top.mention is not None), None)
        if top is None or self.frame.asks or not self.frame.groups:
            return
        extreme = top.aggregate in (None, Aggregate.MAXIMUM, Aggregate.MINIMUM)
        target = self._target(top.mention)
        counts = target is not None and target.kind == "table"
        self.frame.asks.append(
            Ask(Aggregate.COUNT if counts else None if extreme else top.aggregate, top.mention, at=top.at)
        )

    def _who(self) -> None:
        """'who ordered' asks for the persons that the rows belong to."""
        if not self.frame.who:
            return
        persons = [table.name for table in self.profile.tables if {base(word) for word in table.words} & PERSONS]
        compared = [target for c in self.frame.comparisons if (target := self._target(c.right, "count"))]
        persons = [
            person for person in persons if all(is_to_one(self.profile, target.table, person) for target in compared)
        ]
        if persons and compared:
            at = len(self.frame.tokens)
            self.frame.bare = [Mention(at, at + 1, "who", (Candidate(Target("table", persons[0]), 1.0),))]
