"""Check a statement's syntax tree against lists of what a query may hold."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .costly import check_cost
from .functions import ALLOWED_FUNCTIONS
from .scanner import SQLRefused

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

# Calls with a syntax of their own. All others are read as plain calls, under the very name that the engine will see.
_SPECIAL_CALLS = ("CAST", "TRY_CAST", "EXTRACT", "SUBSTRING", "TRIM", "POSITION")
_ROOTS = frozenset({"Select", "Union", "Except", "Intersect", "Subquery", "Values"})
_CLAUSES = """
From Where Join Group Having Order Ordered Limit LimitOptions Offset Fetch With CTE Table TableAlias Lateral Distinct
Window WindowSpec Filter WithinGroup IgnoreNulls RespectNulls Rollup Cube GroupingSets
"""
_EXPRESSIONS = """
Anonymous Alias Column Identifier Star Tuple Paren Literal Null Boolean HexString RawString UnicodeString Var Interval
IntervalSpan DataType DataTypeParam Cast TryCast Case If Extract Substring Trim StrPosition CurrentDate CurrentTime
CurrentTimestamp Localtime Localtimestamp AtTimeZone Collate Add Sub Mul Div IntDiv Mod Pow Neg And Or Xor Not EQ NEQ GT
GTE LT LTE Is In Between Like ILike SimilarTo Escape Glob RegexpLike RegexpILike NullSafeEQ NullSafeNEQ Exists Any All
DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift BitwiseRightShift JSONExtract JSONExtractScalar
JSONBExtract JSONBExtractScalar JSONPath JSONPathRoot JSONPathKey JSONPathSubscript JSONPathWildcard
"""
_POSTGRES = """
Array ArrayContainsAll ArrayContainedBy ArrayOverlaps Bracket Slice Unnest JSONBContainsTopKey Overlaps
"""
_DUCKDB = """
Array ArrayContainsAll ArrayContainedBy ArrayOverlaps Bracket Comprehension Describe Dot Lambda Pivot PropertyEQ Qualify
Slice Struct Summarize TableSample ToMap Unnest
"""
_NODES = {
    "sqlite": _ROOTS | frozenset((_CLAUSES + _EXPRESSIONS).split()),
    "postgres": _ROOTS | frozenset((_CLAUSES + _EXPRESSIONS + _POSTGRES).split()),
    "duckdb": _ROOTS | frozenset((_CLAUSES + _EXPRESSIONS + _DUCKDB).split()),
}
_DUCKDB_ROOTS = _ROOTS | {"Summarize", "Describe", "Pivot"}
_REASONS = {
    "Insert": "it would write",
    "Update": "it would write",
    "Delete": "it would write",
    "Merge": "it would write",
    "Into": "SELECT INTO would write a table",
    "Lock": "it would lock rows",
    "Placeholder": "it has a parameter without a value",
    "Parameter": "it has a parameter without a value",
}
_DEFAULT_SCHEMA = {"sqlite": "main", "postgres": "public", "duckdb": "main"}
# Bare words that are answered with the name of a role, database or schema.
_ROLE_WORDS = frozenset(
    {"user", "session_user", "system_user", "current_role", "current_user", "current_catalog", "current_schema"}
)


def check_tree(plain: str, dialect: str, tables: Collection[str]) -> None:
    """Raise SQLRefused unless every node of the statement is allowed and every table is one of `tables`."""
    root = _parse(plain, dialect)
    if type(root).__name__ not in (_DUCKDB_ROOTS if dialect == "duckdb" else _ROOTS):
        raise SQLRefused("only SELECT is allowed")
    known = {name if dialect == "postgres" else _lower(name) for name in tables}
    for node in root.walk():
        _check_node(node, dialect, known)


@lru_cache
def _parser(dialect: str) -> Any:
    from sqlglot import Dialect

    instance = Dialect.get_or_raise(dialect)
    base = instance.parser_class
    special = {name: base.FUNCTION_PARSERS[name] for name in _SPECIAL_CALLS}
    return instance, type("GuardParser", (base,), {"FUNCTIONS": {}, "FUNCTION_PARSERS": special})


def _parse(plain: str, dialect: str) -> Expr:
    instance, parser = _parser(dialect)
    try:
        statements = parser(dialect=instance).parse(instance.tokenize(plain), plain)
    except RecursionError:
        raise SQLRefused("it is nested too deeply") from None
    except Exception as error:  # what cannot be read is refused, whatever tripped the parser
        places = getattr(error, "errors", None)
        reason = f": {places[0]['description'].rstrip('.')}, line {places[0]['line']}" if places else ""
        raise SQLRefused(f"it could not be read as {dialect} SQL{reason}") from error
    if len(statements) != 1 or statements[0] is None:
        raise SQLRefused("it holds more than one statement")
    root: Expr = statements[0]
    return root


def _check_node(node: Expr, dialect: str, known: set[str]) -> None:
    kind = type(node).__name__
    if kind not in _NODES[dialect]:
        raise SQLRefused(_REASONS.get(kind, f"{node.key.upper()} is not allowed"))
    if kind == "Anonymous" and node.name.lower() not in ALLOWED_FUNCTIONS[dialect]:
        raise SQLRefused(f"the function {node.name}() is not allowed")
    check_cost(node, dialect)
    if kind == "Table":
        _check_table(node, dialect, known)
    elif kind in ("Summarize", "Describe") and node.this.key not in ("table", "select"):
        raise SQLRefused(f"{kind.upper()} needs a table")
    elif kind == "DataType" and node.this.name == "USERDEFINED":
        raise SQLRefused(f"the type {node.args.get('kind')} is not allowed")
    elif kind == "In" and node.args.get("field") is not None and dialect != "duckdb":
        # SQLite reads a bare name here as a table.
        raise SQLRefused("IN needs a list or a SELECT in parentheses")
    elif kind == "Column" and dialect != "sqlite" and not node.args.get("table") and _is_role_word(node.this):
        raise SQLRefused(f"{node.name} is not allowed; quote it if it is a column")


def _is_role_word(identifier: Expr) -> bool:
    return not identifier.args.get("quoted") and identifier.name.lower() in _ROLE_WORDS


def _check_table(table: Expr, dialect: str, known: set[str]) -> None:
    name, schema = table.this, table.args.get("db")
    if type(name).__name__ == "Anonymous" and schema is None:
        return  # a call: its name is checked as a node of its own
    if type(name).__name__ != "Identifier" or table.args.get("catalog"):
        raise SQLRefused("a table must be named by its plain name")
    folded = _fold(name, dialect)
    if schema is None and folded in _common_tables(table, dialect):
        return
    if schema is not None and _fold(schema, dialect) != _DEFAULT_SCHEMA[dialect]:
        raise SQLRefused(f"the schema {schema.name} is not part of this source")
    if folded not in known:
        raise SQLRefused(f"there is no table {name.name} in this source")


def _common_tables(table: Expr, dialect: str) -> set[str]:
    """Return the names of the WITH tables that can be seen from where `table` stands."""
    names: set[str] = set()
    node = table
    while (parent := node.parent) is not None:
        visible: list[Expr] = []
        if type(parent).__name__ == "With":
            # In SQLite these tables all see each other. Elsewhere one that is not RECURSIVE sees only those before it,
            # and by its own name the real table.
            mutual = dialect == "sqlite" or parent.args.get("recursive")
            visible = parent.expressions if mutual else parent.expressions[: node.index]
        elif (clause := parent.args.get("with_")) is not None and clause is not node:
            visible = clause.expressions
        names |= {_fold(common.args["alias"].this, dialect) for common in visible}
        node = parent
    return names


def _fold(identifier: Expr, dialect: str) -> str:
    if dialect == "postgres" and identifier.args.get("quoted"):
        return identifier.name
    return _lower(identifier.name)


def _lower(name: str) -> str:
    """Lower A to Z alone, as the engines do: `str.lower` would also turn KELVIN SIGN into k."""
    return re.sub("[A-Z]", lambda letter: letter[0].lower(), name)
