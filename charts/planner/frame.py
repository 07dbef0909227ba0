"""The frame of a question: which mention plays which part, before tables and columns are settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..plan import Aggregate, ChartType, Grain
from .linking import Mention
from .text import Token
from .times import TimeHit
from .wishes import OrderWish


@dataclass(slots=True)
class Ask:
    """A number asked for: the aggregate named (None: to be chosen by what it is) of a column, derived measure or table."""

    aggregate: Aggregate | None
    mention: Mention | None
    at: int = 0
    hint: str = ""  # words of the measure, where an adjective named it: 'most expensive' is about a price


@dataclass(slots=True)
class Group:
    """Something to group by. With `grain` and no mention: the time of whatever is counted."""

    mention: Mention | None
    grain: Grain | None = None
    time: bool = False
    at: int = 0


@dataclass(slots=True)
class Comparison:
    """`left` operator numbers `right`: 'price over 100', 'more than 15 orders'."""

    operator: str
    numbers: tuple[float, ...]
    left: Mention | None
    right: Mention | None
    aggregate: Aggregate | None
    phrase: str
    texts: tuple[str, ...] = ()
    hint: str = ""
    at: int = 0


@dataclass(slots=True)
class ValueHit:
    mention: Mention
    negated: bool = False
    column: Mention | None = None  # 'the banking industry', 'status is open'


@dataclass(slots=True)
class Absence:
    """Something that is missing ('without orders', 'never shipped') or, with `present`, there."""

    mention: Mention
    phrase: str
    present: bool = False
    values: list[ValueHit] = field(default_factory=list)


@dataclass(slots=True)
class Top:
    limit: int | None
    descending: bool
    mention: Mention | None = None  # what it is measured by, where named
    aggregate: Aggregate | None = None
    hint: str = ""
    at: int = 0
    plural: bool = False


@dataclass(slots=True)
class Frame:
    tokens: Sequence[Token]
    asks: list[Ask] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    bare: list[Mention] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    values: list[ValueHit] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    tops: list[Top] = field(default_factory=list)
    times: list[TimeHit] = field(default_factory=list)
    orders: list[tuple[OrderWish, list[Mention], str]] = field(default_factory=list)
    chart: ChartType | None = None
    share: bool = False
    versus: bool = False
    relation: bool = False
    distribution: bool = False
    against_at: int | None = None
    records_of_both: bool = False
    count_them: bool = False
    who: bool = False
    unsupported: str = ""  # something understood that no plan can say
    timed_by: list[Mention] = field(default_factory=list)  # 'joined in 2025'
    measured_by: bool = False  # 'compare carriers by average days'
    unknown: list[Token] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    mended: list[tuple[str, str]] = field(default_factory=list)

    @property
    def mentions(self) -> list[Mention]:
        """Every mention that names something, in the order of the question."""
        found = [ask.mention for ask in self.asks] + [group.mention for group in self.groups] + list(self.bare)
        found += [absence.mention for absence in self.absences] + [top.mention for top in self.tops]
        found += [side for comparison in self.comparisons for side in (comparison.left, comparison.right)]
        found += [value.column for value in self.values] + list(self.timed_by)
        kept = {(mention.start, mention.end): mention for mention in found if mention is not None}
        return [kept[key] for key in sorted(kept)]
