"""Calls that one value can make as long as somebody likes: no clock is looked at within a call, and no limit of size within some.

SQLite alone runs within this process. The other engines end a call themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .scanner import SQLRefused

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

SOUGHT = 100  # characters; to seek a text in another takes time with the product of their lengths
_SEEKING = frozenset({"trim", "ltrim", "rtrim", "instr", "replace", "unhex"})
_PRINTING = frozenset({"printf", "format"})
# A width or precision that is given as a value, or has more than three digits.
_WIDE = re.compile(r"%[^%a-zA-Z]*(?:\*|\d{4})")


def check_cost(node: Expr, dialect: str) -> None:
    """Raise SQLRefused for a call whose time or memory its arguments do not bound."""
    if dialect != "sqlite" or type(node).__name__ not in ("Anonymous", "Trim"):
        return
    name = "trim" if type(node).__name__ == "Trim" else node.name.lower()
    if name in _SEEKING and (sought := _sought(node)) is not None and not _is_short(sought):
        raise SQLRefused(f"{name}() needs a text of at most {SOUGHT} characters in quotes as what to look for")
    if name in _PRINTING and (not node.expressions or not _is_plain_format(node.expressions[0])):
        raise SQLRefused(f"{name}() needs its format in quotes, with no width above 999 and no *")


def _sought(call: Expr) -> Expr | None:
    if type(call).__name__ == "Trim":
        found: Expr | None = call.args.get("expression")
        return found
    return call.expressions[1] if len(call.expressions) > 1 else None


def _is_short(text: Expr) -> bool:
    return type(text).__name__ == "Literal" and len(text.name) <= SOUGHT


def _is_plain_format(text: Expr) -> bool:
    return type(text).__name__ == "Literal" and _WIDE.search(text.name) is None
