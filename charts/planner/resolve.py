"""Settle which table or column a mention means, by how well it fits the words and the rest of the question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..plan import Column
from ..profile import ColumnProfile, Profile, Role, TableProfile, Type
from ..sql.joins import distance
from .frame import Frame
from .lexicon import Target
from .linking import Candidate, Mention
from .text import family

Span = tuple[int, int]
TIMES = (Type.DATE, Type.DATETIME)
NUMBERS = (Type.INTEGER, Type.REAL)
NEAR = 0.22  # what a table named next to a column adds to that column's score
TIE = 0.004
FAR = 0.6  # what a table that cannot be reached costs


class Resolver:
    """Chooses among the candidates of mentions, in the light of the tables that the question names."""

    def __init__(self, profile: Profile, frame: Frame, settled: Mapping[Span, Target] | None = None) -> None:
        self.profile = profile
        self.settled = settled or {}  # what the person chose when asked
        self.ties: dict[Span, tuple[Mention, list[Target]]] = {}  # what could as well have meant something else
        self.mentions = frame.mentions
        self.tables: list[tuple[int, int, str]] = []  # where each table is named
        absent = {id(absence.mention) for absence in frame.absences}
        for mention in self.mentions:
            if id(mention) in absent:
                continue  # what is missing says nothing of what is there
            best = mention.names[0] if mention.names else None
            if best is not None and best.target.kind == "table" and best.score >= 0.84:
                self.tables.append((mention.start, mention.end, best.target.table))
        self.anchors = {table for _, _, table in self.tables}
        self.anchors |= {
            m.names[0].target.table
            for m in self.mentions
            if len(m.names) == 1 and id(m) not in absent and m.names[0].score > 0.9
        }
        self.anchors |= {v.mention.values[0].target.table for v in frame.values if len(v.mention.values) == 1}
        self._chosen: dict[tuple[int, int, str], Target | None] = {}

    def choose(self, mention: Mention | None, want: str = "any") -> Target | None:
        """Return what a mention means when it is wanted as a "number", "group", "count", "time" or "any"; None if it can't be."""
        if mention is None or not mention.names:
            return None
        if (mention.start, mention.end) in self.settled:
            return self.settled[mention.start, mention.end]
        key = (mention.start, mention.end, want)
        if key not in self._chosen:
            self._chosen[key] = self._best(mention, mention.names, want)
        return self._chosen[key]

    def choose_value(self, mention: Mention, column: Mention | None = None) -> Target | None:
        """Return the value that a mention quotes, in the column that fits best."""
        if (mention.start, mention.end) in self.settled:
            return self.settled[mention.start, mention.end]
        hinted = [found for found in mention.values if column is not None and self._names_column(column, found.target)]
        return self._best(mention, hinted or mention.values, "value")

    def _names_column(self, column: Mention, value: Target) -> bool:
        return any((found.target.table, found.target.column) == (value.table, value.column) for found in column.names)

    def _best(self, mention: Mention, candidates: Iterable[Candidate], want: str) -> Target | None:
        scored = [
            (found.score + self._context(mention, found.target) + self._fit(found.target, want), i)
            for i, found in enumerate(candidates)
        ]
        scored = [(score, i) for score, i in scored if score > 0.25]
        if not scored:
            return None
        found = list(candidates)
        best = max(scored, key=lambda pair: (round(pair[0], 6), -pair[1]))
        equal = [found[i].target for score, i in scored if score >= best[0] - TIE]
        if len({target.table for target in equal}) > 1 and want != "any":
            self.ties[mention.start, mention.end] = (mention, equal)
        return found[best[1]].target

    def _context(self, mention: Mention, target: Target) -> float:
        near = 0.0
        for start, end, table in self.tables:
            if table == target.table and (start, end) != (mention.start, mention.end):
                gap = start - mention.end if start >= mention.end else (mention.start - end) * 1.2
                near = max(near, NEAR / (1 + 0.12 * max(gap, 0)))
        others = self.anchors - {target.table}
        if not others:
            return near
        ways = [distance(self.profile, other, target.table) for other in others]
        reach = min(ways)
        if target.table in self.anchors:
            return near + 0.03
        return near - (FAR if reach == float("inf") else min(0.05 * reach, 0.3))

    def _fit(self, target: Target, want: str) -> float:
        if want in ("any", "value"):
            return 0.0
        if want == "absent":
            return self._fit_absence(target)
        if target.kind == "table":
            return {"count": 0.05, "group": 0.0, "number": -0.5, "time": -1.0}.get(want, 0.0)
        if target.kind == "derived":
            return {"number": 0.05, "group": -0.3, "count": -0.3, "time": -1.0}.get(want, 0.0)
        column = self.column(target)
        if want == "number":
            return 0.05 if is_number(column) and column.role is not Role.ID else 0.0 if column.type in TIMES else -0.3
        if want == "time":
            return 0.3 if column.type in TIMES else -0.5
        if want == "group":
            return -0.1 if column.role in (Role.ADDITIVE, Role.INTENSIVE) else 0.0
        return 0.0

    def _fit_absence(self, target: Target) -> float:
        """What can be missing: rows of a table, or a value of a column that has gaps."""
        if target.kind != "column":
            return -1.0 if target.kind == "derived" else 0.0
        column = self.column(target)
        return (0.1 if column.nulls else -0.1) + 0.1 * (column.type in TIMES)

    def column(self, target: Target) -> ColumnProfile:
        return self.profile.column(target.table, target.column)


def is_number(column: ColumnProfile) -> bool:
    return column.type in NUMBERS or column.format in ("number", "percent")


def is_measure(column: ColumnProfile) -> bool:
    """Tell whether a column holds numbers that one adds up or averages."""
    return is_number(column) and column.role in (Role.ADDITIVE, Role.INTENSIVE)


def time_column(profile: Profile, fact: str, near: Iterable[str] = ()) -> Column | None:
    """Return the column that says when a row of `fact` happened: in the table itself, else in one that it belongs to."""
    best: tuple[float, Column] | None = None
    for table in profile.tables:
        way = distance(profile, fact, table.name)
        if way == float("inf"):
            continue
        for index, column in enumerate(table.columns):
            if column.type not in TIMES:
                continue
            price = way * 2 + _doubt(table, column) + index * 0.01
            if best is None or price < best[0]:
                best = (price, Column(table=table.name, column=column.name))
    return best[1] if best else None


def _doubt(table: TableProfile, column: ColumnProfile) -> float:
    """Return how unlikely a time column is to say when a row came to be."""
    doubt = column.nulls / column.rows if column.rows else 0.0
    names = {family(word) for word in column.words or (column.name,)}
    own = {family(word) for word in table.words}
    if names & own:
        doubt -= 0.5
    if names & {"end", "clos", "finish", "birth", "updat", "modifi", "expir", "deliver"} or "to" in column.words:
        doubt += 0.6
    return doubt


def display_column(table: TableProfile) -> ColumnProfile:
    """Return the column that names a row: its display column, else a label, else its key."""
    if table.display is not None:
        return table.column(table.display)
    for role in (Role.LABEL, Role.ID):
        for column in table.columns:
            if column.role is role:
                return column
    return table.columns[0]
