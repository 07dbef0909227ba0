"""The shape of a result: one number, no number, more rows than were fetched."""

from __future__ import annotations

from ..channels import positions
from ..figures import count_noun
from ..phrases import column_words
from ..plan import Aggregate, ChartType, Grain, Measure, Order
from .report import CheckResult, Evidence, changed, passed, repaired, warned

TOP = 20  # how many groups take the place of too many
COARSER = {
    Grain.HOUR: Grain.DAY,
    Grain.DAY: Grain.WEEK,
    Grain.WEEK: Grain.MONTH,
    Grain.MONTH: Grain.QUARTER,
    Grain.QUARTER: Grain.YEAR,
}


def check_single(evidence: Evidence) -> CheckResult:
    """Show one row as a number or a table, as it has nothing to compare."""
    rows = len(evidence.ran.rows)
    if rows != 1:
        return passed(f"There are {count_noun(rows, 'row')} to compare.", rows=rows)
    chart = evidence.choice.type
    if chart in (ChartType.NUMBER, ChartType.TABLE):
        return changed(f"There is one row only, so it is shown as a {chart.value}.", rows=rows)
    return passed(f"There is one row; a {chart.value} chart was asked for.", rows=rows)


def check_no_measure(evidence: Evidence) -> CheckResult:
    """Count the rows of each group where a chart was asked for and the plan has no number."""
    plan = evidence.repaired
    if positions(evidence.ran, "measure"):
        return passed("There is a number to draw.")
    if not plan.dimensions or plan.chart in (None, ChartType.TABLE):
        return passed("There is no number to draw, so the rows are shown as a table.")
    noun = column_words(plan.table)
    count = Measure(label=f"Number of {noun}", table=plan.table, aggregate=Aggregate.COUNT)
    mended = plan.model_copy(update={"measures": (count,), "details": ()})
    return repaired(f"There was no number to draw, so the rows of {noun} in each group are counted.", mended)


def check_truncated(evidence: Evidence) -> CheckResult:
    """Take fewer groups where the row limit cut them; say so where it cut rows."""
    rows, plan = len(evidence.ran.rows), evidence.repaired
    if not evidence.ran.truncated:
        return passed(f"Nothing was cut off: {count_noun(rows, 'row')}.", rows=rows)
    grouped = plan.dimensions and plan.measures and all(measure.aggregate is not None for measure in plan.measures)
    if not grouped or len(plan.dimensions) != 1:
        return warned(f"Only the first {rows:,} rows are shown; there are more. No totals are given.", rows=rows)
    dimension = plan.dimensions[0]
    if dimension.grain in COARSER:
        coarser = dimension.model_copy(
            update={"grain": COARSER[dimension.grain], "label": COARSER[dimension.grain].value}
        )
        message = f"There are more than {rows:,} {dimension.grain.value}s, so time is cut by {COARSER[dimension.grain].value}."
        return repaired(message, plan.model_copy(update={"dimensions": (coarser,)}), rows=rows)
    top = {"order": (Order(by="measure", index=0, descending=True),), "limit": TOP}
    message = f"There are more than {rows:,} groups, so the {TOP} with the highest {plan.measures[0].label} are shown."
    return repaired(message, plan.model_copy(update=top), rows=rows)
