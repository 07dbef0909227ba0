"""Decide whether one SQL text may run: a single read-only SELECT over known tables, with known functions and no more.

Text is read twice. A scanner that follows the engine's own rules of quoting finds where literals, names and comments
end, and hands on a plain copy without comments and without escapes; sqlglot parses that copy, so that parser and engine
cannot disagree on what is a string. Then every node of the tree must be on a list: what no list names is refused. The
engine's own walls (read-only connection, limits of time, rows and memory) stand behind this and do not rely on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from .functions import ALLOWED_FUNCTIONS
from .scanner import DIALECTS, SQLRefused, plain_text
from .tree import check_tree

__all__ = ["ALLOWED_FUNCTIONS", "SQLRefused", "check_sql"]

MAX_LENGTH = 20_000  # characters
FIRST_WORDS = frozenset({"SELECT", "WITH", "VALUES", "FROM", "SUMMARIZE", "DESCRIBE", "PIVOT"})


def check_sql(sql: str, *, dialect: str, tables: Collection[str]) -> None:
    """Raise SQLRefused unless `sql` is one SELECT in `dialect` (sqlglot's name) that reads nothing but `tables`."""
    if dialect not in DIALECTS:
        raise SQLRefused(f"there is no guard for the dialect {dialect!r}")
    if len(sql) > MAX_LENGTH:
        raise SQLRefused(f"it is longer than {MAX_LENGTH:,} characters")
    plain = plain_text(sql, dialect)
    first = re.search(r"[^\s(]\w*", plain)
    if first is None:
        raise SQLRefused("it holds no statement")
    if first[0].upper() not in FIRST_WORDS:
        raise SQLRefused(f"only SELECT is allowed, not {first[0][:40]}")
    check_tree(plain, dialect, tables)
