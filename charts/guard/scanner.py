"""Read SQL text by the engine's own rules of quoting, and write it down so that it can be read in one way only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from progress.exceptions import OperationFailed

MAX_DEPTH = 60  # open parentheses

_ANYWHERE = r"""
    (?P<space>[ \t\r\n\f]+)
  | (?P<comment>--[^\n]*|/\*)
  | (?P<blob>[xX]'[0-9a-fA-F]*')
  | (?P<number>\.?\d[\w.]*)
  | (?P<end>;)
  | (?P<open>\()
  | (?P<close>\))
  | (?P<text>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")+")
"""
_SQLITE_NAMES = r"| (?P<backtick>`(?:[^`]|``)+`) | (?P<bracket>\[[^\]]+\])"
_POSTGRES_TEXTS = r"""
  | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<unicode>[uU]&'(?:[^']|'')*')
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
"""
_WORD = r"| (?P<word>[^\W\d][\w$]*)"
_GRAMMARS = {
    "sqlite": _ANYWHERE + _SQLITE_NAMES + _WORD + r"| (?P<symbol>[-+*/%<>=!~|&.,])",
    "postgres": _ANYWHERE + _POSTGRES_TEXTS + _WORD + r"| (?P<symbol>[-+*/%<>=!~|&.,:@\#?^\[\]])",
    "duckdb": _ANYWHERE + _POSTGRES_TEXTS + _WORD + r"| (?P<symbol>[-+*/%<>=!~|&.,:@\#?^\[\]{}])",
}
_TOKENS = {dialect: re.compile(grammar, re.VERBOSE | re.DOTALL) for dialect, grammar in _GRAMMARS.items()}
_COMMENT_MARK = re.compile(r"/\*|\*/")
DIALECTS = frozenset(_TOKENS)


class SQLRefused(OperationFailed):
    """The SQL was not run; the message says which part of it is not allowed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This SQL was not run: {reason}.", code="not_allowed")


def plain_text(sql: str, dialect: str) -> str:
    """Return `sql` with comments as blanks and each literal and name in standard quotes.

    Raises SQLRefused for a second statement, an open quote, deep nesting, and characters that do not belong in SQL.
    """
    return "".join(_pieces(sql, dialect))


def _pieces(sql: str, dialect: str) -> Iterator[str]:
    position, depth, ended = 0, 0, False
    while position < len(sql):
        match = _TOKENS[dialect].match(sql, position)
        if match is None:
            raise SQLRefused(_describe_character(sql, position))
        kind, text, position = str(match.lastgroup), match[0], match.end()
        if kind == "comment":
            position = _comment_end(sql, match, dialect)
            yield " "
            continue
        if ended and kind != "space":
            raise SQLRefused("it holds more than one statement")
        ended = ended or kind == "end"
        depth += (kind == "open") - (kind == "close")
        if depth > MAX_DEPTH:
            raise SQLRefused(f"it is nested more than {MAX_DEPTH} levels deep")
        yield _REWRITES[kind](text) if kind in _REWRITES else text


def _describe_character(sql: str, position: int) -> str:
    character = sql[position]
    if character in "'\"`[$":
        return f"the quotes that open at character {position + 1} do not close"
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    return f"the character {name} at position {position + 1} has no place outside of quotes"


def _comment_end(sql: str, opening: re.Match[str], dialect: str) -> int:
    if opening[0] != "/*":
        # PostgreSQL ends a line comment at CR too, SQLite does not: a CR would hide a statement from one of them.
        if "\r" in opening[0].removesuffix("\r"):
            raise SQLRefused("a comment holds a carriage return")
        return opening.end()
    depth = 1
    for mark in _COMMENT_MARK.finditer(sql, opening.end()):
        if mark[0] == "/*" and dialect == "duckdb":
            raise SQLRefused("a comment holds another comment")
        depth += -1 if mark[0] == "*/" else dialect == "postgres"
        if not depth:
            return mark.end()
    raise SQLRefused("a comment does not end")


def _word(text: str) -> str:
    # Letters that fold into ASCII make a keyword to one reader and a name to another.
    if not text.isascii() and (unicodedata.normalize("NFKC", text) != text or text.upper().isascii()):
        raise SQLRefused(f"the word {text!r} holds letters that only look like others")
    return text


def _literal(inner: str) -> str:
    return "'" + re.sub(r"['\\]", "\x1a", inner) + "'"


def _name(inner: str) -> str:
    return '"' + inner.replace('"', '""') + '"'


_REWRITES: dict[str, Callable[[str], str]] = {
    "space": lambda text: "\n" if "\n" in text else " ",
    "end": lambda text: " ",
    "word": _word,
    "text": lambda text: _literal(text[1:-1]),
    "escaped": lambda text: _literal(text[2:-1]),
    "unicode": lambda text: _literal(text[3:-1]),
    "dollar": lambda text: _literal(text.split("$", 2)[2].rsplit("$", 2)[0]),
    "backtick": lambda text: _name(text[1:-1].replace("``", "`")),
    "bracket": lambda text: _name(text[1:-1]),
}
