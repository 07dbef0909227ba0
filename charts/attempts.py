"""Running a plan: compile, guard, execute, check, and again with what the checks repaired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from progress import OperationFailed, Progress

from .checks import CheckResult, Outcome, partial_periods, repaired_plan, run_checks
from .figures import count_noun
from .guard import check_sql
from .plan import Plan
from .profile import Profile
from .query import Cell, OutputColumn, Query, Result
from .receipt import check_json, fitting
from .sources import Source
from .sql import compile_plan

MAX_ROWS = 5000
QUERY_SECONDS = 30.0
MAX_REPAIRS = 2
NO_DATA = frozenset({"empty", "stale-now", "all-null"})  # checks whose failure says that there is nothing to show


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A plan that ran and whose result passed. `shown` is the result with the changes that the checks made for drawing."""

    plan: Plan
    query: Query
    ran: Result
    shown: Result
    checks: tuple[CheckResult, ...]
    attempts: tuple[dict[str, Any], ...]  # for the receipt: the SQL of each, its rows and milliseconds

    @property
    def partial(self) -> frozenset[Cell]:
        return partial_periods(self.checks)

    @property
    def warnings(self) -> list[str]:
        return [line.message for line in self.checks if line.outcome in (Outcome.WARN, Outcome.REPAIR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A source whose every query passes the guard, and stops when `cancelled()` says so."""

    source: Source
    profile: Profile
    cancelled: Callable[[], bool]

    def execute(self, sql: str, columns: Sequence[OutputColumn]) -> Result:
        self._check(sql)
        return self.source.execute(sql, columns, max_rows=MAX_ROWS, timeout=QUERY_SECONDS, cancelled=self.cancelled)

    def scalar(self, sql: str) -> Cell:
        self._check(sql)
        return self.source.scalar(sql, timeout=QUERY_SECONDS, cancelled=self.cancelled)

    def _check(self, sql: str) -> None:
        check_sql(sql, dialect=self.profile.dialect, tables=[table.name for table in self.profile.tables])


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs plans on one source and reports the stages."""

    progress: Progress
    profile: Profile
    source: Guarded

    async def run(self, plan: Plan) -> Answer:
        """Return the answer to `plan`, repaired where a check asks for it.

        Raises OperationFailed with the SQL tried where the query, or a check without repair, fails.
        """
        mended: list[CheckResult] = []
        attempts: list[dict[str, Any]] = []
        for repair in range(MAX_REPAIRS + 1):
            query = await self._compile(plan, repair)
            ran = await self._execute(query)
            lines = await self._check(plan, query, ran)
            attempts.append({"sql": query.sql, "rows": len(ran.rows), "milliseconds": ran.milliseconds})
            better = repaired_plan(lines)
            if better is None or better == plan or repair == MAX_REPAIRS:
                break
            mended += [line for line in lines if line.plan is not None]
            plan = better
        checks = (*mended, *map(_without_repair, lines))
        _raise_failure(checks, query)
        shown = next((line.result for line in reversed(lines) if line.result is not None), ran)
        return Answer(plan=plan, query=query, ran=ran, shown=shown, checks=checks, attempts=tuple(attempts))

    async def _compile(self, plan: Plan, repair: int) -> Query:
        metadata: dict[str, Any] = {"repair": repair} if repair else {}
        message = f"Writing the query again, repair {repair} of {MAX_REPAIRS}" if repair else "Writing the query"
        self.progress.state("generating_query", message, metadata=metadata)
        try:
            query = await self.progress.in_thread(compile_plan, plan, self.profile)
        except (KeyError, ValueError) as error:
            raise OperationFailed(f"No query can answer this: {error.args[0]}.", code="query_failed") from error
        self.progress(
            message=f"The query reads {count_noun(len(query.tables), 'table')}",
            metadata=fitting(
                {**metadata, "dialect": query.dialect, "sql": query.sql, "plan": plan.model_dump(mode="json")}
            ),
        )
        return query

    async def _execute(self, query: Query) -> Result:
        self.progress.state("executing_query", "Running the query")
        try:
            ran = await self.progress.in_thread(self.source.execute, query.sql, query.columns)
        except OperationFailed as error:
            error.metadata |= {"sql": query.sql, "dialect": query.dialect}
            raise
        findings = {"rowCount": len(ran.rows), "truncated": ran.truncated, "milliseconds": ran.milliseconds}
        self.progress(message=f"{count_noun(len(ran.rows), 'row')} found", metadata=findings)
        return ran

    async def _check(self, plan: Plan, query: Query, ran: Result) -> list[CheckResult]:
        self.progress.state("validating_results", "Checking the result")
        lines = await self.progress.in_thread(run_checks, plan, self.profile, query, ran, count=self.source.scalar)
        notable = [check_json(line) for line in lines if line.outcome is not Outcome.PASS]
        message = f"{count_noun(len(lines), 'check')} made"
        self.progress(message=message, metadata=fitting({"made": len(lines), "checks": notable}))
        return lines


def _without_repair(line: CheckResult) -> CheckResult:
    """A repair that there was no round left for is a warning."""
    return replace(line, outcome=Outcome.WARN) if line.outcome is Outcome.REPAIR else line


def _raise_failure(checks: Sequence[CheckResult], query: Query) -> None:
    failures = [line for line in checks if line.outcome is Outcome.FAIL]
    if not failures:
        return
    raise OperationFailed(
        failures[0].message,
        code="no_data" if failures[0].name in NO_DATA else "query_failed",
        metadata=fitting(
            {
                "sql": query.sql,
                "dialect": query.dialect,
                "check": failures[0].name,
                "checks": list(map(check_json, failures)),
            }
        ),
    )
