"""Sums over groups, compared with the same sum asked for without groups: the cross-check that proves a chart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..channels import numbers, positions
from ..figures import figure
from .report import CheckResult, Evidence, failed, passed, warned

if TYPE_CHECKING:
    from sqlglot import exp

NOTHING = "There is no sum over groups to compare."


def check_recount(evidence: Evidence) -> CheckResult:
    """Fail sums over groups that differ from the whole; warn where rows belong to several groups."""
    from sqlglot import exp, parse_one

    if not _can_recount(evidence):
        return passed(NOTHING)
    tree = parse_one(evidence.query.sql, dialect=evidence.query.dialect)
    if not isinstance(tree, exp.Select) or tree.args.get("group") is None:
        return passed(NOTHING)
    lines = [
        _compare(evidence, tree, index, measure)
        for measure, index in enumerate(positions(evidence.ran, "measure"))
        if evidence.ran.columns[index].additive and not evidence.ran.columns[index].share
    ]
    wrong = [line for line in lines if line.outcome != "pass"]
    return (wrong or lines or [passed(NOTHING)])[0]


def _can_recount(evidence: Evidence) -> bool:
    plan, ran = evidence.plan, evidence.ran
    whole = plan.limit is None and not plan.having and not ran.truncated
    return whole and bool(ran.rows) and bool(plan.dimensions)


def _compare(evidence: Evidence, tree: exp.Select, index: int, measure: int) -> CheckResult:
    from sqlglot import exp

    column, parts = evidence.ran.columns[index], sum(numbers(evidence.ran, index))
    counts_different = bool(tree.expressions[index].find(exp.Distinct))
    rows_different = any(select.args.get("distinct") for select in tree.find_all(exp.Select))
    if rows_different:
        whole = _asked_alone(evidence, measure)
    else:
        whole = evidence.number(_ungrouped(tree, index).sql(evidence.query.dialect))
    if math.isclose(parts, whole, rel_tol=1e-6, abs_tol=0.01):
        return passed(f"The groups add up to {figure(whole, column)}, as all rows do.", parts=parts, whole=whole)
    message = (
        f"The groups add up to {figure(parts, column)}, but {column.label} over all rows is {figure(whole, column)}"
    )
    if counts_different or rows_different:  # a row may then be in several groups
        return warned(f"{message}: some rows belong to several groups, or to none.", parts=parts, whole=whole)
    return failed(f"{message}.", parts=parts, whole=whole)


def _ungrouped(tree: exp.Select, index: int) -> exp.Select:
    """Return the same SELECT with one number over all rows."""
    whole = tree.copy()
    for part in ("group", "order"):
        whole.set(part, None)
    return whole.select(whole.expressions[index].copy(), append=False)


def _asked_alone(evidence: Evidence, measure: int) -> float:
    """Return one measure of the plan over all rows, by a query of its own."""
    from ..sql import compile_plan

    alone = {"measures": (evidence.plan.measures[measure],), "dimensions": (), "order": ()}
    return evidence.number(compile_plan(evidence.plan.model_copy(update=alone), evidence.profile).sql)
