"""Whether the numbers mean what they seem to: keys added up, rates added up, empty cells."""

from __future__ import annotations

from ..channels import assign_channels, numbers, positions
from ..figures import CURRENCIES, NONE, count_noun, figure
from ..phrases import column_words
from ..plan import Aggregate, Complement, Expression, Measure, Product
from ..profile import ColumnProfile, Role
from .report import CheckResult, Evidence, failed, passed, repaired, warned, with_measure, with_rows

ADDING = (Aggregate.SUM, Aggregate.AVERAGE)
CODES = frozenset({"code", "postcode", "zip", "phone", "telephone", "fax", "ssn", "isbn"})
PRICES = frozenset({"price", "cost", "fee", "fare", "salary", "wage", "pay", "amount", "value"})
MOSTLY_NULL = 0.5


def check_id_agg(evidence: Evidence) -> CheckResult:
    """Count rows where keys, codes or years would be added up or averaged."""
    plan, messages = evidence.repaired, []
    for measure in plan.measures:
        column = next((found for found in _columns(evidence, measure.of) if _is_code(found, measure)), None)
        if measure.aggregate not in ADDING or column is None:
            continue
        name, verb = column_words(column.name), "summed" if measure.aggregate is Aggregate.SUM else "averaged"
        if evidence.profile_of(measure.of) is None:
            return failed(f"{name} is a number that names a thing; it cannot be {verb}. Ask for a count instead.")
        rows = column_words(measure.table)
        count = Measure(label=f"Number of {rows}", table=measure.table, aggregate=Aggregate.COUNT, share=measure.share)
        plan = with_measure(plan, measure, count)
        messages.append(f"{name} names a thing and cannot be {verb}, so the rows of {rows} are counted.")
    return repaired(" ".join(messages), plan) if messages else passed("No key, code or year is added up.")


def _columns(evidence: Evidence, expression: Expression | None) -> list[ColumnProfile]:
    if isinstance(expression, Product):
        return [found for factor in expression.factors for found in _columns(evidence, factor)]
    if isinstance(expression, Complement):
        return _columns(evidence, expression.of)
    found = evidence.profile_of(expression)
    return [found] if found is not None else []


def _is_code(column: ColumnProfile, measure: Measure) -> bool:
    last = (column.words or tuple(column_words(column.name).casefold().split()))[-1:]
    if column.role is Role.ID or (last and last[0] in CODES):
        return True
    return measure.aggregate is Aggregate.SUM and bool(last) and last[0] == "year"


def check_rate_sum(evidence: Evidence) -> CheckResult:
    """Average rates, ages and ratings that would be summed; sums of prices are left, with a warning."""
    plan, messages, warnings = evidence.repaired, [], []
    for measure in plan.measures:
        column = evidence.profile_of(measure.of)
        if measure.aggregate is not Aggregate.SUM or column is None or column.role is not Role.INTENSIVE:
            continue
        name = column_words(column.name)
        if column.unit in CURRENCIES or PRICES & set(column.words):
            warnings.append(
                f"{name} is a value for each row and was added up; ask for the average {name} if that is meant."
            )
            continue
        average = measure.model_copy(update={"aggregate": Aggregate.AVERAGE, "label": f"Average {name}"})
        plan = with_measure(plan, measure, average)
        messages.append(f"Adding up {name} gives nothing real, so its average is shown.")
    if messages:
        return repaired(" ".join(messages), plan)
    return warned(" ".join(warnings)) if warnings else passed("No rate, age or rating is added up.")


def check_all_null(evidence: Evidence) -> CheckResult:
    """Fail numbers that are all empty, warn of those that mostly are."""
    rows, found = evidence.ran.rows, []
    for index in positions(evidence.ran, "measure"):
        empty = sum(row[index] is None for row in rows)
        label = evidence.ran.columns[index].label
        if rows and empty == len(rows):
            return failed(
                f"{label} is empty in {count_noun(empty, 'row')} of {len(rows):,}: there is nothing to draw.",
                empty=empty,
            )
        if rows and empty > MOSTLY_NULL * len(rows):
            found.append(f"{label} is empty for {empty:,} of {len(rows):,} ({empty / len(rows):.0%}).")
    return warned(" ".join(found)) if found else passed("The numbers are there.")


def check_constant(evidence: Evidence) -> CheckResult:
    """Warn where every number is the same."""
    for index in positions(evidence.result, "measure"):
        values = numbers(evidence.result, index)
        if len(values) > 2 and len(set(values)) == 1:
            text = figure(values[0], evidence.result.columns[index])
            return warned(f"Every {evidence.result.columns[index].label} is {text}.", value=values[0])
    return passed("The numbers differ.")


def check_null_label(evidence: Evidence) -> CheckResult:
    """Say what stands under "(none)"; rows without a date cannot stand on a time axis."""
    result = evidence.result
    channels = assign_channels(evidence.plan, result)
    for index in (channels.x, channels.series):
        if index is None or result.columns[index].part != "dimension":
            continue
        nameless = [row for row in result.rows if row[index] is None or row[index] == ""]
        if nameless:
            label = result.columns[index].label
            text = f"“{NONE}” stands for rows without {label}"
            y = channels.y[0] if channels.y else None
            if y is not None and result.columns[y].additive:
                amount = sum(numbers(with_rows(result, tuple(nameless)), y))
                return warned(f"{text}: {figure(amount, result.columns[y])} in all.", rows=len(nameless), amount=amount)
            return warned(f"{text}.", rows=len(nameless))
    return passed("Every group has a name.")
