"""What a check is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum

from ..choice import Choice, choose_chart
from ..plan import Column, Expression, Filter, Measure, Plan
from ..profile import ColumnProfile, Profile
from ..query import Cell, Query, Result

Count = Callable[[str], Cell | Result]  # runs a query of one row and column


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - not a password
    REPAIR = "repair"  # `plan` is to be compiled and run instead
    CHANGE = "change"  # the chart differs from what was asked for or found; `result` is what it draws
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One line of the receipt. `plan` comes with a repair, `result` with a change of what is drawn."""

    outcome: Outcome
    message: str
    name: str = ""  # the check's id; `run_checks` fills it in
    numbers: Mapping[str, Cell] = field(default_factory=dict)
    plan: Plan | None = None
    result: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the checks look at. `ran` is the result as the query gave it, `result` with the changes made so far."""

    plan: Plan
    profile: Profile
    query: Query
    ran: Result
    result: Result
    count: Count
    repaired: Plan  # the plan with the repairs made so far: what the next repair starts from
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    partial: frozenset[Cell] = frozenset()  # cells of x whose period is not complete

    @property
    def choice(self) -> Choice:
        return choose_chart(self.plan, self.result)

    def number(self, sql: str) -> float:
        """Run a query for one number; NULL counts as 0."""
        answer = self.count(sql)
        cell = answer.rows[0][0] if isinstance(answer, Result) else answer
        return float(cell) if isinstance(cell, int | float | str) else 0.0

    def profile_of(self, expression: Expression | None) -> ColumnProfile | None:
        """Return the profile of a plain column, None for anything else."""
        if not isinstance(expression, Column):
            return None
        try:
            return self.profile.column(expression.table, expression.column)
        except KeyError:
            return None

    def rows_of(self, table: str, *filters: Filter) -> float:
        """Count the rows of `table` that fit the filters."""
        from ..plan import Aggregate
        from ..sql import compile_plan

        measure = Measure(label="rows", table=table, aggregate=Aggregate.COUNT)
        return self.number(
            compile_plan(Plan(question="", table=table, measures=(measure,), filters=filters), self.profile).sql
        )


def passed(message: str, **numbers: Cell) -> CheckResult:
    return CheckResult(outcome=Outcome.PASS, message=message, numbers=numbers)


def warned(message: str, **numbers: Cell) -> CheckResult:
    return CheckResult(outcome=Outcome.WARN, message=message, numbers=numbers)


def failed(message: str, **numbers: Cell) -> CheckResult:
    return CheckResult(outcome=Outcome.FAIL, message=message, numbers=numbers)


def repaired(message: str, plan: Plan, **numbers: Cell) -> CheckResult:
    return CheckResult(outcome=Outcome.REPAIR, message=message, plan=plan, numbers=numbers)


def changed(message: str, result: Result | None = None, **numbers: Cell) -> CheckResult:
    return CheckResult(outcome=Outcome.CHANGE, message=message, result=result, numbers=numbers)


def with_measure(plan: Plan, old: Measure, new: Measure) -> Plan:
    """Return the plan with one measure in the place of another."""
    return plan.model_copy(update={"measures": tuple(new if item == old else item for item in plan.measures)})


def with_rows(result: Result, rows: tuple[tuple[Cell, ...], ...]) -> Result:
    return replace(result, rows=rows)
