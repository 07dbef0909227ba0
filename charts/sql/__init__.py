"""Compile a plan to SQL: one SELECT, built as a sqlglot tree, for SQLite, PostgreSQL or DuckDB."""

from __future__ import annotations

from ..plan import Plan
from ..profile import Profile
from ..query import Query
from .output import output_columns
from .statement import Statement

__all__ = ["compile_plan"]


def compile_plan(plan: Plan, profile: Profile) -> Query:
    """Return the query that answers `plan`.

    Raises KeyError for a table or column the source does not have, ValueError when its tables cannot be connected.
    """
    from sqlglot import exp

    tree = Statement(plan, profile).build()
    tables = dict.fromkeys(table.name for table in tree.find_all(exp.Table) if not table.args.get("pseudo"))
    sql = tree.sql(dialect=profile.dialect, pretty=True)
    return Query(sql=sql, dialect=profile.dialect, columns=output_columns(plan, profile), tables=tuple(tables))
