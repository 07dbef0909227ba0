"""Sums, averages and counts over rows that a join repeats: the SQL that ran is read, then the rows are counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..figures import count_noun
from ..phrases import column_words
from ..plan import Aggregate, Column, Measure
from ..profile import Profile
from .report import CheckResult, Evidence, failed, passed, repaired, with_measure

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Step:
    """A join seen from one side: to `alias`, whose `column` must be unique or rows repeat."""

    alias: str
    column: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """An aggregate over `rows` joined rows that hold only `things` different rows of its table and group."""

    table: str
    rows: float
    things: float
    counts_rows: bool


def check_fan_out(evidence: Evidence) -> CheckResult:
    """Refuse numbers inflated by a join; a count of rows is repaired to a count of different rows."""
    from sqlglot import exp, parse_one

    tree = parse_one(evidence.query.sql, dialect=evidence.query.dialect)
    looked_at = 0
    for select in tree.find_all(exp.Select):
        for aggregate in _aggregates(select):
            looked_at += 1
            found = _repetition(evidence, tree, select, aggregate)
            if found is not None and found.rows > found.things:
                return _inflated(evidence, found)
    if not looked_at:
        return passed("Nothing is added up over joined tables.")
    return passed("No join repeats the rows that are added up or counted.", aggregates=looked_at)


def _inflated(evidence: Evidence, found: Repeated) -> CheckResult:
    noun = column_words(found.table)
    numbers = {"joined": found.rows, "single": found.things}
    times = (
        f"The join repeats {noun}: {found.rows:,.0f} joined rows hold {count_noun(int(found.things), 'different one')}"
    )
    measure = _count_of_rows(evidence, found)
    if measure is not None:
        key = evidence.profile.table(found.table).primary_key[0]
        of = Column(table=found.table, column=key)
        distinct = measure.model_copy(update={"aggregate": Aggregate.COUNT_DISTINCT, "of": of})
        message = f"{times}, so each is counted once."
        return repaired(message, with_measure(evidence.repaired, measure, distinct), **numbers)
    advice = f"Group by something that belongs to {noun} themselves, or ask for the highest, the lowest or a count."
    return failed(f"{times}, so the number would be too high. {advice}", **numbers)


def _count_of_rows(evidence: Evidence, found: Repeated) -> Measure | None:
    if not found.counts_rows or len(evidence.profile.table(found.table).primary_key) != 1:
        return None
    counts = (
        measure
        for measure in evidence.repaired.measures
        if measure.aggregate is Aggregate.COUNT
        and measure.of is None
        and measure.table.casefold() == found.table.casefold()
    )
    return next(counts, None)


def _aggregates(select: exp.Select) -> Iterator[exp.Expr]:
    """Iterate over the aggregates of this SELECT alone that repeated rows would change."""
    from sqlglot import exp

    for expression in select.expressions:
        for node in expression.find_all(exp.Sum, exp.Avg, exp.Count):
            plain = not isinstance(node.this, exp.Distinct) and not isinstance(node.parent, exp.Window)
            if plain and node.find_ancestor(exp.Select) is select:
                yield node


def _repetition(evidence: Evidence, tree: exp.Expr, select: exp.Select, aggregate: exp.Expr) -> Repeated | None:
    """Count joined rows and different rows, where a join may repeat the rows of the aggregate's table."""
    from sqlglot import exp

    sources = _sources(select)
    if len(sources) < 2:
        return None
    owner = _owner(evidence, sources, aggregate)
    table = sources.get(owner or "")
    if owner is None or not table or not _may_repeat(evidence.profile, select, sources, owner):
        return None
    keys = _keys(evidence.profile, table)
    if not keys:
        return None
    key_columns = [
        exp.column(exp.to_identifier(key, quoted=True), table=exp.to_identifier(owner, quoted=True)) for key in keys
    ]
    present = exp.Is(this=key_columns[0].copy(), expression=exp.null()).not_()
    bare = _without_groups(tree, select).where(present)
    rows = bare.copy().select(exp.Count(this=exp.Star()), append=False)
    different = bare.copy().select(*_groups(select), *key_columns, append=False)
    different = different.select(
        *(exp.alias_(item, f"k{i}") for i, item in enumerate(different.expressions)), append=False
    )
    things = exp.select(exp.Count(this=exp.Star())).from_(different.distinct().subquery("things"))
    dialect = evidence.query.dialect
    counts_rows = isinstance(aggregate.this, exp.Star)
    return Repeated(table, evidence.number(rows.sql(dialect)), evidence.number(things.sql(dialect)), counts_rows)


def _sources(select: exp.Select) -> dict[str, str]:
    """Return the table behind each name in FROM and JOIN, "" where it is a subquery."""
    from sqlglot import exp

    source = select.args.get("from_") or select.args.get("from")
    parts = [source.this] if source else []
    parts += [join.this for join in select.args.get("joins") or ()]
    return {part.alias_or_name: part.name if isinstance(part, exp.Table) else "" for part in parts}


def _owner(evidence: Evidence, sources: Mapping[str, str], aggregate: exp.Expr) -> str | None:
    """Return the source whose rows the aggregate is over."""
    from sqlglot import exp

    column = aggregate.find(exp.Column)
    if column is not None and column.table:
        return str(column.table)
    if column is not None:
        owners = [name for name, table in sources.items() if table and _has(evidence.profile, table, column.name)]
        return owners[0] if len(owners) == 1 else None
    counted = {m.table.casefold() for m in evidence.plan.measures if m.aggregate is Aggregate.COUNT and m.of is None}
    named = [name for name, table in sources.items() if table.casefold() in counted]
    return named[0] if named else next(iter(sources))


def _may_repeat(profile: Profile, select: exp.Select, sources: Mapping[str, str], owner: str) -> bool:
    """Walk the joins out from `owner` and tell whether any step leads to many rows."""
    edges = _edges(select, sources)
    seen, frontier = {owner}, [owner]
    while frontier:
        for step in edges.get(frontier.pop(), ()):
            if step.alias in seen:
                continue
            if not _is_unique(profile, sources[step.alias], step.column):
                return True
            seen.add(step.alias)
            frontier.append(step.alias)
    return len(seen) < len(sources)  # something is joined by other means than equal columns


def _edges(select: exp.Select, sources: Mapping[str, str]) -> dict[str, list[Step]]:
    from sqlglot import exp

    edges: dict[str, list[Step]] = {}
    for join in select.args.get("joins") or ():
        for equal in join.find_all(exp.EQ):
            left, right = equal.this, equal.expression
            if (
                isinstance(left, exp.Column)
                and isinstance(right, exp.Column)
                and {left.table, right.table} <= set(sources)
            ):
                edges.setdefault(left.table, []).append(Step(right.table, right.name))
                edges.setdefault(right.table, []).append(Step(left.table, left.name))
    return edges


def _is_unique(profile: Profile, table: str, column: str) -> bool:
    if not table or not _has(profile, table, column):
        return False
    found = profile.table(table)
    return found.column(column).unique or [key.casefold() for key in found.primary_key] == [column.casefold()]


def _has(profile: Profile, table: str, column: str) -> bool:
    try:
        profile.column(table, column)
    except KeyError:
        return False
    return True


def _keys(profile: Profile, table: str) -> tuple[str, ...]:
    try:
        found = profile.table(table)
    except KeyError:
        return ()
    return found.primary_key or tuple(column.name for column in found.columns if column.unique)[:1]


def _without_groups(tree: exp.Expr, select: exp.Select) -> exp.Select:
    """Return the SELECT's tables, joins and conditions alone, with the WITH that they may need."""
    bare = select.copy()
    for part in ("group", "having", "order", "limit", "offset", "distinct", "windows", "qualify"):
        bare.set(part, None)
    for name in ("with_", "with"):
        if tree is not select and tree.args.get(name) is not None:
            bare.set(name, tree.args[name].copy())
    return bare


def _groups(select: exp.Select) -> list[exp.Expr]:
    """Return what the SELECT groups by; names and positions of its columns are replaced by what they stand for."""
    from sqlglot import exp

    group = select.args.get("group")
    if group is None:
        return []
    named = {item.alias: item.unalias() for item in select.expressions if item.alias}
    found = []
    for item in group.expressions:
        if isinstance(item, exp.Literal) and not item.is_string:
            item = select.expressions[int(item.this) - 1].unalias()
        elif isinstance(item, exp.Column) and not item.table and item.name in named:
            item = named[item.name]
        found.append(item.copy())
    return found
