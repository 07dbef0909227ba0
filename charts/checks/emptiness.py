"""No rows: find the condition that nothing fits, and mend it or say what there is."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from ..figures import listed, plain
from ..periods import day_label, parse_period, period_label
from ..phrases import column_words, expression_words, filter_words, having_words
from ..plan import Dimension, Filter, Grain, Having, Plan, Scalar
from ..profile import ColumnProfile, Type
from .report import CheckResult, Evidence, failed, passed, repaired

NAMING = ("=", "in")  # operators whose values must exist
TIMES = (Type.DATE, Type.DATETIME)


def check_empty(evidence: Evidence) -> CheckResult:
    """Fail an empty result with what exists instead; repair a name that is nearly right."""
    plan = evidence.plan
    if not _is_empty(evidence):
        return passed("The answer has rows.", rows=len(evidence.ran.rows))
    for filter in plan.filters:
        if close := _close_values(filter, evidence.profile_of(filter.of)):
            return _mended(evidence, filter, close)
    if not plan.filters and not plan.having:
        return failed(f"{column_words(plan.table).capitalize()} holds no rows that could answer this.", rows=0)
    if plan.having and evidence.rows_of(plan.table, *plan.filters):
        return _nothing_reaches(evidence, plan.having[0])
    culprit = _culprit(evidence)
    if culprit is None:
        return passed("The number is 0 or empty, and every condition names something that exists.", rows=0)
    return _nothing_fits(evidence, culprit)


def _is_empty(evidence: Evidence) -> bool:
    """Tell whether there are no rows, or just one whose numbers are all 0 or NULL."""
    rows = evidence.ran.rows
    if not rows:
        return True
    only_numbers = not evidence.plan.dimensions and bool(evidence.plan.measures)
    return len(rows) == 1 and only_numbers and bool(evidence.plan.filters) and not any(rows[0])


def _culprit(evidence: Evidence) -> Filter | None:
    """Return the condition that nothing fits alone, else the one without which there are most rows.

    None where the answer is a number and rows do fit the conditions: then it is 0 for good reason.
    """
    plan, filters = evidence.plan, evidence.plan.filters
    for filter in filters:
        if not evidence.rows_of(plan.table, filter):
            return filter
    if evidence.ran.rows and (len(filters) == 1 or evidence.rows_of(plan.table, *filters)):
        return None
    without = {at: evidence.rows_of(plan.table, *filters[:at], *filters[at + 1 :]) for at in range(len(filters))}
    return filters[max(without, key=without.__getitem__)] if without else None


def _mended(evidence: Evidence, filter: Filter, close: dict[Scalar, str]) -> CheckResult:
    values = tuple(close.get(value, value) for value in filter.values)
    mended = filter.model_copy(update={"values": values})
    filters = tuple(mended if item == filter else item for item in evidence.repaired.filters)
    pairs = " and ".join(f"'{new}' in place of '{old}'" for old, new in close.items())
    name = expression_words(filter.of)
    message = f"No {name} is called {listed([repr(str(value)) for value in close])}; taken was {pairs}."
    return repaired(message, evidence.repaired.model_copy(update={"filters": filters}), rows=0)


def _close_values(filter: Filter, column: ColumnProfile | None) -> dict[Scalar, str]:
    """Return the one existing value near each value of the filter that does not exist."""
    if column is None or filter.operator not in NAMING:
        return {}
    missing = [value for value in filter.values if isinstance(value, str) and value not in column.values]
    near = {value: closest(str(value), column.values) for value in missing}
    return {value: found for value, found in near.items() if found is not None}


def closest(word: str, values: Sequence[str]) -> str | None:
    """Return the value equal to `word` but for case, accents and blanks, else the only one within two typing errors."""
    folded = fold(word)
    same = [value for value in values if fold(value) == folded]
    if same:
        return same[0]
    allowed = 0 if len(folded) < 4 else 1 if len(folded) < 6 else 2
    for errors in range(1, allowed + 1):
        near = [value for value in values if edit_distance(fold(value), folded, errors) <= errors]
        if near:
            return near[0] if len(near) == 1 else None
    return None


def fold(text: str) -> str:
    """Return text without case, accents and outer blanks."""
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def edit_distance(a: str, b: str, most: int) -> int:
    """Return how many letters to add, drop, replace or swap with a neighbour; `most` + 1 for anything beyond `most`."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, sign in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (sign != other))
            if before and j > 1 and sign == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return min(last[-1], most + 1)


def _nothing_fits(evidence: Evidence, filter: Filter) -> CheckResult:
    column = evidence.profile_of(filter.of)
    others = [item for item in evidence.plan.filters if item is not filter]
    also = f" together with {' and '.join(map(filter_words, others))}" if others else ""
    message = f"Nothing fits “{filter_words(filter)}”{also}."
    if column is None or not filter.values:
        return failed(message, rows=0)
    if column.minimum is not None and column.type in (*TIMES, Type.INTEGER, Type.REAL):
        low, high = _bound(column, column.minimum), _bound(column, column.maximum)
        return failed(f"{message} {_name(column)} runs from {low} to {high}.", rows=0, minimum=low, maximum=high)
    if column.values:
        found = listed(sorted(column.values))
        return failed(f"{message} What exists: {found}.", rows=0, values=len(column.values))
    return failed(message, rows=0)


def _name(column: ColumnProfile) -> str:
    return column_words(column.name).capitalize()


def _bound(column: ColumnProfile, value: str | int | float | None) -> str:
    if isinstance(value, int | float):
        return str(value) if column.words[-1:] == ("year",) else plain(value)
    start = parse_period(value)
    return day_label(start.date()) if start else str(value)


def _nothing_reaches(evidence: Evidence, having: Having) -> CheckResult:
    """Say how far the groups do reach."""
    from sqlglot import exp, parse_one

    from ..sql import compile_plan

    plan = evidence.plan
    same_table = having.measure.table == plan.table
    dimensions = (Dimension(label="group", of=having.per),) if having.per else plan.dimensions
    filters = plan.filters if same_table else ()
    groups = Plan(
        question="", table=having.measure.table, measures=(having.measure,), dimensions=dimensions, filters=filters
    )
    inner = parse_one(compile_plan(groups, evidence.profile).sql, dialect=evidence.profile.dialect)
    least = having.operator in ("<", "<=")
    edge = (exp.Min if least else exp.Max)(this=exp.column(f"c{len(dimensions)}"))
    found = evidence.number(
        exp.select(edge).from_(exp.Subquery(this=inner, alias="groups")).sql(evidence.profile.dialect)
    )
    side = "lowest" if least else "highest"
    message = f"In no group {having_words(having)}; the {side} found is {plain(found)}."
    return failed(message, rows=0, **{side: found})


def check_stale_now(evidence: Evidence) -> CheckResult:
    """Fail a time that begins after the newest row, and name the last one that the data holds."""
    for filter in evidence.plan.filters:
        column = evidence.profile_of(filter.of)
        newest = parse_period(column.maximum) if column is not None and column.type in TIMES else None
        start = _lower_bound(filter)
        if newest is not None and start is not None and start.date() > newest.date():
            words = f"“{filter.phrase}”" if filter.phrase else f"“{filter_words(filter)}”"
            month = period_label(newest, Grain.MONTH)
            message = (
                f"{words} begins on {day_label(start.date())}, but the newest {column_words(filter.of.column)} is "  # type: ignore[union-attr]
                f"{day_label(newest.date())}. Ask for {month}, the last month in the data."
            )
            return failed(message, newest=newest.date().isoformat(), month=month)
    return passed("No condition asks for a time after the newest row.")


def _lower_bound(filter: Filter) -> datetime | None:
    if filter.operator in (">=", ">", "=", "between") and filter.values:
        return parse_period(filter.values[0]) if isinstance(filter.values[0], str) else None
    return None
