"""A plan under change: the builder of full questions, started from what the chart already shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from ...plan import ChartType, Column, Dimension, Expression, Filter, Plan
from ...profile import Role, Type
from ...sql.expressions import columns_of
from ...sql.joins import is_to_one
from ..build import Builder
from ..draft import CannotPlan
from ..lexicon import Lexicon, Target
from ..linking import Mention
from ..names import column_words, table_words
from ..resolve import TIMES, Span
from ..times import TimeHit
from .clauses import Clause
from .fragment import Fragment


class AskBack(Exception):
    """A follow-up has several readings, each said as a follow-up that has one."""

    def __init__(self, why: str, readings: Iterable[str]) -> None:
        super().__init__(why)
        self.readings = tuple(dict.fromkeys(readings))


class Editing(Builder):
    """What one clause does to a plan. The draft starts as the plan and ends as the plan that follows."""

    def __init__(
        self, question: str, clause: Clause, fragment: Fragment, plan: Plan, lexicon: Lexicon, today: date
    ) -> None:
        super().__init__(question, fragment.frame, lexicon, today)
        self.clause, self.fragment, self.base = clause, fragment, plan
        self.frame.times = [replace(hit, phrase=self._said(hit)) for hit in self.frame.times]
        self.fact = plan.table
        self.chart: ChartType | None = plan.chart
        draft = self.draft
        draft.measures, draft.dimensions, draft.details = list(plan.measures), list(plan.dimensions), list(plan.details)
        draft.filters, draft.having, draft.order = list(plan.filters), list(plan.having), list(plan.order)
        draft.limit = plan.limit
        draft.raw = bool(plan.measures) and all(measure.aggregate is None for measure in plan.measures)
        self.settled: dict[Span, Target] = {}
        self.resolver.settled = self.settled
        self.resolver.anchors |= {column.table for column in self.used_columns()} | {plan.table}
        # The chart's own rows count as named, right before the clause.
        self.resolver.tables.append((-1, 0, plan.table))
        self.edits = 0  # how many parts the clause has spoken of, changed or not
        self.displaced: Fragment | None = None  # what is to make room

    # What the clause says

    def _said(self, hit: TimeHit) -> str:
        """Return a time in the words of the question."""
        tokens = self.frame.tokens
        return self.question[tokens[hit.start].start : tokens[hit.end - 1].end] or hit.phrase

    @property
    def replaces(self) -> bool:
        """Tell whether the clause says outright that something takes another's place."""
        return bool(self.clause.cues & {"instead", "switch", "about", "now"})

    @property
    def adds(self) -> bool:
        return self.clause.verb == "add"

    @property
    def narrows(self) -> bool:
        frame = self.frame
        return bool(frame.values or frame.times or frame.comparisons or frame.absences or self.fragment.shift)

    # What the chart shows

    def used_columns(self) -> set[Column]:
        found = {column for dimension in self.draft.dimensions for column in (dimension.of, dimension.key) if column}
        found |= {column for filter in self.draft.filters for column in columns_of(filter.of)}
        of: list[Expression] = [measure.of for measure in self.draft.measures if measure.of is not None]
        return found | {column for each in (*of, *self.draft.details) for column in columns_of(each)}

    def shown_in(self, target: Target | None) -> list[int]:
        """Return the places of the dimensions that a table or column means."""
        if target is None or target.kind == "derived":
            return []
        places = []
        for index, dimension in enumerate(self.draft.dimensions):
            columns = [column for column in (dimension.of, dimension.key) if column]
            if target.kind == "table":
                names = dimension.of.table == target.table and self._names_rows(dimension)
                if names or any(self._points_to(column, target.table) for column in columns):
                    places.append(index)
            elif any((column.table, column.column) == (target.table, target.column) for column in columns):
                places.append(index)
        return places

    def _names_rows(self, dimension: Dimension) -> bool:
        """Tell whether a dimension is a thing itself (a product by its name), not one of its properties."""
        column = self.profile.column(dimension.of.table, dimension.of.column)
        table = self.profile.table(dimension.of.table)
        return (
            dimension.key is not None
            or column.unique
            or column.role in (Role.LABEL, Role.ID)
            or table.display == column.name
        )

    def _points_to(self, column: Column, table: str) -> bool:
        return any(
            (key.table, key.column, key.to_table) == (column.table, column.column, table)
            for key in self.profile.foreign_keys
        )

    def measured_in(self, target: Target | None) -> list[int]:
        """Return the places of the measures that a table, column or derived number means."""
        if target is None:
            return []
        return [i for i, measure in enumerate(self.draft.measures) if self._measures_target(measure, target)]

    def is_timed(self, dimension: Dimension) -> bool:
        """Tell whether a dimension runs along time."""
        column = self.profile.column(dimension.of.table, dimension.of.column)
        years = column.type is Type.INTEGER and {"year", "season"} & set(column.words)
        return dimension.grain is not None or column.type in TIMES or bool(years)

    def is_time_filter(self, filter: Filter) -> bool:
        if not isinstance(filter.of, Column) or filter.operator in ("null", "not null", "none", "some"):
            return False
        column = self.profile.column(filter.of.table, filter.of.column)
        return column.type in TIMES or (column.type is Type.INTEGER and bool({"year", "season"} & set(column.words)))

    def is_hidden(self, filter: Filter) -> bool:
        """Tell whether the planner added a condition by itself, such as that a product ranked is known."""
        return filter.operator == "not null" and not filter.phrase

    @property
    def conditions(self) -> list[Filter]:
        return [filter for filter in self.draft.filters if not self.is_hidden(filter)]

    # Words for people

    def column_name(self, column: Column) -> str:
        return column_words(self.profile.column(column.table, column.column))

    def say(self, target: Target) -> str:
        if target.kind == "table":
            return table_words(self.profile.table(target.table))
        if target.derived is not None:
            return target.derived.name
        return self.column_name(target.of)

    def meant(self, mention: Mention | None, want: str = "any") -> Target | None:
        """Return what a mention means, in the chart's own columns and tables before any other."""
        if mention is None or not mention.names:
            return None
        used = self.used_columns()
        if (mention.start, mention.end) not in self.settled and want in ("any", "group", "absent"):
            own = [
                c.target for c in mention.names if c.target.kind == "column" and c.target.of in used and c.score >= 0.84
            ]
            if own:
                return own[0]
        return self._target(mention, want)

    def cannot(self, why: str) -> CannotPlan:
        return CannotPlan(why)

    def reaches(self, table: str, other: str) -> bool:
        return is_to_one(self.profile, table, other)

    def tied(self, want: Sequence[str] = ("group", "number", "count", "value", "time", "absent")) -> None:
        """Ask back where a word could mean a column of one table as well as of another."""
        for (start, end), (mention, targets) in self.resolver.ties.items():
            if (start, end) in self.settled or self._same_thing(targets):
                continue
            words = [
                f"{table_words(self.profile.table(t.table))} {self.say(t) if t.kind != 'table' else ''}".strip()
                for t in targets
            ]
            raise AskBack(f"“{mention.phrase}” could mean several things here.", self._reworded(mention, words[:3]))

    def _same_thing(self, targets: Sequence[Target]) -> bool:
        """Tell whether a key and the table that it points to are all that a word could mean."""
        tables = {target.table for target in targets if target.kind == "table"}
        keys = [target for target in targets if target.kind == "column"]
        return len(tables) == 1 and all(any(self._points_to(key.of, table) for table in tables) for key in keys)

    def _reworded(self, mention: Mention, words: Sequence[str]) -> list[str]:
        """Say the clause again with other words in the place of a mention."""
        start, end = self.frame.tokens[mention.start].start, self.frame.tokens[mention.end - 1].end
        return [self.question[:start] + each + self.question[end:] for each in words]
