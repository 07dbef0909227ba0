"""Checks that run on every result before it is drawn: each leaves a line in the chart's receipt, also when all is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from progress.exceptions import OperationFailed

from ..plan import Plan
from ..profile import Profile
from ..query import Cell, Query, Result
from . import emptiness, encoding, groups, joins, periods, recount, shape, text, truth
from .report import CheckResult, Count, Evidence, Outcome, warned

__all__ = ["CHECKS", "CheckResult", "Count", "Evidence", "Outcome", "partial_periods", "repaired_plan", "run_checks"]

CHECKS: Mapping[str, Callable[[Evidence], CheckResult]] = {
    # shape
    "stale-now": emptiness.check_stale_now,
    "empty": emptiness.check_empty,
    "single": shape.check_single,
    "no-measure": shape.check_no_measure,
    "truncated": shape.check_truncated,
    # truth
    "fan-out": joins.check_fan_out,
    "id-agg": truth.check_id_agg,
    "rate-sum": truth.check_rate_sum,
    "all-null": truth.check_all_null,
    "recount": recount.check_recount,
    # encoding, which may change what is drawn
    "text-number": text.check_text_number,
    "text-date": text.check_text_date,
    "year-int": text.check_year_int,
    "dup-x": groups.check_dup_x,
    "null-label": truth.check_null_label,
    "constant": truth.check_constant,
    "gap": periods.check_gap,
    "partial-period": periods.check_partial_period,
    "many-cats": groups.check_many_cats,
    "few-points": encoding.check_few_points,
    "line-nominal": encoding.check_line_nominal,
    "neg-pie": encoding.check_neg_pie,
    "one-slice": encoding.check_one_slice,
    "stack-mean": encoding.check_stack_mean,
    "long-label": encoding.check_long_label,
    "zero-base": encoding.check_zero_base,
    "spec": encoding.check_spec,
}


def run_checks(
    plan: Plan, profile: Profile, query: Query, result: Result, *, count: Count, today: date | None = None
) -> list[CheckResult]:
    """Run every check in order and return their lines.

    `count` runs one SELECT and gives its single value. Repairs and changes add up: the last plan, or the last result, of
    the list holds all of them. A check whose own query fails warns that it could not be made.
    """
    evidence = Evidence(
        plan=plan,
        profile=profile,
        query=query,
        ran=result,
        result=result,
        count=count,
        repaired=plan,
        today=today or datetime.now(UTC).date(),
    )
    lines: list[CheckResult] = []
    for name, check in CHECKS.items():
        line = replace(_run(check, evidence), name=name)
        lines.append(line)
        evidence = replace(
            evidence,
            repaired=line.plan or evidence.repaired,
            result=line.result or evidence.result,
            partial=evidence.partial | partial_periods([line]),
        )
    return lines


def _run(check: Callable[[Evidence], CheckResult], evidence: Evidence) -> CheckResult:
    try:
        return check(evidence)
    except OperationFailed as error:
        return warned(f"This could not be checked: {error.message}")


def partial_periods(lines: Sequence[CheckResult]) -> frozenset[Cell]:
    """Return the cells of x whose period is not complete, for `build_spec`."""
    found = [line for line in lines if line.name in ("", "partial-period")]
    return frozenset(line.numbers[key] for line in found for key in ("first", "last") if key in line.numbers)


def repaired_plan(lines: Sequence[CheckResult]) -> Plan | None:
    """Return the plan with every repair, or None where none was needed."""
    plans = [line.plan for line in lines if line.plan is not None]
    return plans[-1] if plans else None
