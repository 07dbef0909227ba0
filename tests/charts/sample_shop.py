"""The sample shop of the planner's tests, made once, and what a question about it gives."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from charts.choice import choose_chart
from charts.plan import Plan, Understanding
from charts.planner import Ambiguous, NotUnderstood, plan_question
from charts.profile import Profile
from charts.profiling import profile_source
from charts.query import Query, Result
from charts.sample import create_sample
from charts.sources.sqlite import SQLiteSource
from charts.sql import compile_plan

TODAY = date(2026, 11, 22)


@cache
def source() -> SQLiteSource:
    path = Path(mkdtemp()) / "shop.sqlite"
    create_sample(path, today=TODAY)
    return SQLiteSource(path, slug="shop")


@cache
def profile() -> Profile:
    return profile_source(source())


@dataclass(frozen=True)
class Answered:
    plan: Plan
    query: Query
    result: Result

    @property
    def chart(self) -> str:
        return choose_chart(self.plan, self.result).type.value

    @property
    def rows(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.result.rows]


def plan(question: str) -> Understanding | Ambiguous | NotUnderstood:
    return plan_question(question, profile(), today=TODAY)


def understood(question: str) -> Understanding:
    found = plan(question)
    assert isinstance(found, Understanding), found
    return found


def ask(question: str) -> Answered:
    return run(understood(question).plan)


def run(plan: Plan) -> Answered:
    query = compile_plan(plan, profile())
    return Answered(plan, query, source().execute(query.sql, query.columns, max_rows=50_000))


def gold(sql: str) -> list[tuple[object, ...]]:
    """Rows of a query written by hand."""
    with source().reader() as reader:
        return [tuple(row) for row in reader.rows(sql, max_rows=50_000)]


def same(rows: list[tuple[object, ...]], expected: list[tuple[object, ...]], *, ordered: bool = True) -> bool:
    """Whether the rows are the same; numbers may differ in the last digits."""
    if not ordered:
        rows, expected = sorted(rows, key=_sort_key), sorted(expected, key=_sort_key)
    return [_rounded(row) for row in rows] == [_rounded(row) for row in expected]


def _rounded(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(float(f"{cell:.9g}") if isinstance(cell, int | float) else cell for cell in row)


def _sort_key(row: tuple[object, ...]) -> str:
    return str(_rounded(row))
