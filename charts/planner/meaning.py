"""What the mentions of one question mean: tables, columns and derived measures, and the table that is counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from ..plan import (
    Column,
    Measure,
)
from ..profile import Profile, Role, Type
from ..sql.joins import distance, is_to_one
from .draft import COUNTS, PARTS, CannotPlan, Draft
from .frame import Ask, Frame
from .lexicon import Lexicon, Target
from .linking import Mention
from .resolve import TIMES, Resolver, Span, is_measure, is_number


class Meaning:
    """Knows the question, its source and what has been settled so far."""

    def __init__(
        self, question: str, frame: Frame, lexicon: Lexicon, today: date, settled: Mapping[Span, Target] | None = None
    ) -> None:
        self.question, self.frame, self.lexicon, self.today = question, frame, lexicon, today
        self.profile: Profile = lexicon.profile
        self.resolver = Resolver(self.profile, frame, settled)
        self.draft = Draft()
        self.tables: list[tuple[Mention, str]] = []  # named without a part, as are the next two
        self.numbers: list[tuple[Mention, Target]] = []
        self.others: list[tuple[Mention, Target]] = []
        self.fact = ""
        self.entities: dict[int, str] = {}  # the place of a dimension -> the table whose rows it names
        self.wants_entity = bool(frame.tops) or frame.chart in PARTS or frame.measured_by or frame.versus

    def _target(self, mention: Mention | None, want: str = "any") -> Target | None:
        return self.resolver.choose(mention, want)

    def _is_numeric(self, target: Target | None) -> bool:
        if target is None or target.kind == "table":
            return False
        return target.kind == "derived" or is_measure(self.resolver.column(target))

    def _is_spread(self, target: Target) -> bool:
        column = self.resolver.column(target)
        return column.type is Type.REAL or column.distinct > 20

    def _fact(self) -> str:
        """Return the table whose rows are counted or measured."""
        tables = [target.table for bare in self.frame.bare if (target := self._target(bare)) and target.kind == "table"]
        if self.frame.records_of_both and tables:
            return self._most_detailed(tables)
        for ask in self.frame.asks:
            target = self._ask_target(ask)
            if target is not None:
                return target.table
        tables = [target.table for bare in self.frame.bare if (target := self._target(bare)) and target.kind == "table"]
        columns = [target for bare in self.frame.bare if (target := self._target(bare)) and target.kind != "table"]
        numbers = [target.table for target in columns if self._is_numeric(target)]
        if numbers and not self.frame.count_them:
            return numbers[0]
        if tables:
            return self._most_detailed(tables)
        absent = [
            target.table
            for a in self.frame.absences
            if (target := self._target(a.mention, "absent")) and target.kind == "column"
        ]
        groups = [target.table for group in self.frame.groups if (target := self._target(group.mention, "group"))]
        values = [
            target.table for hit in self.frame.values if (target := self.resolver.choose_value(hit.mention, hit.column))
        ]
        compared = [
            target.table for c in self.frame.comparisons for m in (c.left, c.right) if (target := self._target(m))
        ]
        timed = [target.table for mention in self.frame.timed_by if (target := self._target(mention, "time"))]
        found = [*(target.table for target in columns), *groups, *timed, *absent, *compared, *values]
        if found:
            return self._most_detailed(found)
        if len(self.profile.tables) == 1:
            return self.profile.tables[0].name
        raise CannotPlan("no table")

    def _most_detailed(self, tables: list[str]) -> str:
        """Return the table from which the others can be looked up, the first named where there are several."""
        for table in tables:
            if all(is_to_one(self.profile, table, other) for other in tables):
                return table
        return tables[0]

    def _ask_target(self, ask: Ask) -> Target | None:
        if ask.mention is None:
            return self._hinted(ask.hint) if ask.hint else None
        want = "count" if ask.aggregate in COUNTS else "number"
        return self._target(ask.mention, want)

    def _hinted(self, hint: str) -> Target | None:
        """Return the column that an adjective speaks of, nearest to the tables named."""
        best: tuple[float, Target] | None = None
        anchors = self.resolver.anchors or {table.name for table in self.profile.tables}
        for place, word in enumerate(hint.split()):
            for match, score in self.lexicon.matches(word).items():
                for index in self.lexicon.by_word[match]:
                    form = self.lexicon.forms[index]
                    if form.target.kind == "table" or not self._is_numeric_or_time(form.target):
                        continue
                    far = min((distance(self.profile, anchor, form.target.table) for anchor in anchors), default=0.0)
                    worth = score - 0.15 * far - 0.1 * place - 0.05 * (len(form.words) - 1)
                    if far < 6 and (best is None or worth > best[0]):
                        best = (worth, form.target)
        return best[1] if best else None

    def _is_numeric_or_time(self, target: Target) -> bool:
        if target.kind == "derived":
            return True
        column = self.resolver.column(target)
        return (is_number(column) and column.role is not Role.ID) or column.type in TIMES

    def _measures_target(self, measure: Measure, target: Target) -> bool:
        if target.kind == "table":
            return measure.of is None and measure.table == target.table
        if target.derived is not None:
            return measure.of == target.derived.of
        return isinstance(measure.of, Column) and (measure.of.table, measure.of.column) == (target.table, target.column)

    def _is_counted(self, ask: Ask, target: Target) -> bool:
        return ask.aggregate in COUNTS or (ask.aggregate is None and not is_measure(self.resolver.column(target)))

    def _counted_columns(self) -> set[tuple[str, str]]:
        found = [
            target
            for ask in self.frame.asks
            if (target := self._ask_target(ask)) and target.kind == "column" and self._is_counted(ask, target)
        ]
        return {(target.table, target.column) for target in found}
