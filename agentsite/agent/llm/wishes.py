"""What a message asks for, as the offline model reads it: a tool and its arguments, or an answer that needs no tool."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CHART, CALCULATE, SOURCES, TABLE, COLUMN, QUERY = (
    "make_chart",
    "calculate",
    "list_sources",
    "describe_table",
    "profile_column",
    "run_query",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool to call with these arguments; or, without a tool, an answer."""

    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    answer: str = ""


def wish_of(message: str) -> Wish:
    """Return what `message` asks for; what nothing else reads is a question for a chart."""
    if SQL.fullmatch(message) or SQL_IN_SMALL.fullmatch(message):
        return Wish(QUERY, {"sql": message.strip()})
    asked = OPENING.sub("", message.strip())
    text = " ".join(asked.split())
    for read in READERS:
        if (wish := read(text)) is not None:
            return wish
    return Wish(CHART, {"question": asked})


GREETING = re.compile(
    r"(hi|hello|hey|good (morning|afternoon|evening|day))( there| you| all)?[\s.!,:)]*", re.IGNORECASE
)
# A greeting before what is meant; HI without a comma may be a value, such as a state of the USA.
OPENING = re.compile(
    r"((hi|hello|hey|good (morning|afternoon|evening|day))( there| all)?\s*[,.!:;]+|(hello|hey)( there| all)?)\s+(?=\w)",
    re.IGNORECASE,
)
THANKS = re.compile(
    r"(ok(ay)?[,.! ]*)?(thanks|thank you|thx|great|perfect|cool|nice|well done|ok(ay)?)( a lot| so much| very much|, thanks"
    r"|, thank you)?[\s.!:)]*",
    re.IGNORECASE,
)
FAREWELL = re.compile(r"(bye|goodbye|see you|good night)( bye| later| then)?[\s.!:)]*", re.IGNORECASE)
WELL_BEING = re.compile(r"how are you( today| doing)?[\s.!?]*", re.IGNORECASE)
HELP = re.compile(
    r"(help( me)?|what can (you|i) (do|ask)( here| for me)?|who are you|what are you|what is this|how does this work"
    r"|what do you (do|know))[\s.!?]*",
    re.IGNORECASE,
)


def _small_talk(text: str) -> Wish | None:
    if GREETING.fullmatch(text):
        return Wish(
            answer="Hello. Ask something of the data, such as a number per month, and the answer comes with a chart."
        )
    if THANKS.fullmatch(text):
        return Wish(
            answer="You're welcome. The last chart can be changed too: “only” a year, “as a line”, “by” something else."
        )
    if FAREWELL.fullmatch(text):
        return Wish(answer="Goodbye. This conversation stays here, with its charts.")
    if WELL_BEING.fullmatch(text):
        return Wish(
            answer="There is no language model here, so nobody to be well or unwell: but questions about the data work."
        )
    if HELP.fullmatch(text):
        return Wish(SOURCES)
    return None


THERE = r"( (are|is) there| do you have| do we have| can i ask| exist| are available| is available)?( here)?[\s.?!]*"
LIST_SOURCES = re.compile(
    r"(please )?(list|show|which|what)( me)?( all)?( of)?( the| my)?( data)? ?(sources|databases|data ?sets|data)"
    + THERE,
    re.IGNORECASE,
)
LIST_TABLES = re.compile(
    r"(please )?((list|show|which|what)( me)?( all)?( of)?( the| my)? tables|what('s| is) in (the|this|my) (data(base)?|source))"
    + THERE,
    re.IGNORECASE,
)


def _sources(text: str) -> Wish | None:
    return Wish(SOURCES) if LIST_SOURCES.fullmatch(text) or LIST_TABLES.fullmatch(text) else None


NAME = r"[“\"'`]?(?P<{}>[\w][\w .-]{{0,62}}?)[”\"'`]?"
DESCRIBE = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(please )?(describe|explain)( to me)? (the )?(table )?" + NAME.format("table") + r"( table)?[.?!]*",
        r"(which|what) columns (does|do) (the )?(table )?" + NAME.format("table") + r"( table)? have[.?!]*",
        r"(which|what|list|show)( me)?( are)?( the)? (columns|fields)( are)? (of|in) (the )?(table )?"
        + NAME.format("table")
        + r"( table)?[.?!]*",
        r"what('s| is) in (the )?(table " + NAME.format("table") + r"|" + NAME.format("other") + r" table)[.?!]*",
        r"(the )?(schema|structure) of (the )?(table )?" + NAME.format("table") + r"( table)?[.?!]*",
    )
]
PROFILE = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(please )?profile (the )?(column )?" + NAME.format("column") + r"( column)? (of|in) (the )?(table )?"
        + NAME.format("table") + r"( table)?[.?!]*",
        r"(please )?profile (the )?(column )?(?P<table>\w+)\.(?P<column>\w+)[.?!]*",
        r"(which|what) values (does|are in|has) (the )?(column )?" + NAME.format("column") + r"( column)? (of|in) (the )?(table )?"
        + NAME.format("table") + r"( table)?( have)?[.?!]*",
    )
]  # fmt: skip


def _table(text: str) -> Wish | None:
    for pattern in PROFILE:
        if found := pattern.fullmatch(text):
            return Wish(COLUMN, {"table": found["table"], "column": found["column"]})
    for pattern in DESCRIBE:
        if found := pattern.fullmatch(text):
            named = found.groupdict()
            return Wish(TABLE, {"table": named["table"] or named.get("other") or ""})
    return None


ASKED = re.compile(
    r"(please )?(what('s| is)|how much is|calculate|compute|work out)?\s*(?P<rest>.+?)[\s=?.!]*", re.IGNORECASE
)
PERCENT_OF = re.compile(r"(?P<part>[\d.,]+) ?(%|percent) of (?P<whole>[\d.,]+)", re.IGNORECASE)
WORDS = [(re.compile(rf"\b{word}\b", re.IGNORECASE), sign) for word, sign in (("plus", "+"), ("minus", "-"), ("times", "*"),
         ("multiplied by", "*"), ("divided by", "/"), ("over", "/"), ("to the power of", "**"))]  # fmt: skip
FUNCTIONS = r"(?:abs|ceil|floor|max|mean|min|round|sqrt|sum)"
ARITHMETIC = re.compile(rf"(?:[\d.,+\-*/%^()×÷−·\s]|{FUNCTIONS}\b)+", re.IGNORECASE)  # noqa: RUF001 - as people write
SIGN = re.compile(r"[+\-*/%^×÷−·(]")  # noqa: RUF001
PERIOD = re.compile(r"\d{4}( ?[-–/] ?\d{1,4})+")  # noqa: RUF001 - a date, or from one year to another
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")


def _arithmetic(text: str) -> Wish | None:
    if PERIOD.fullmatch(text):
        return None
    asked = ASKED.fullmatch(text)
    rest = asked["rest"] if asked else text
    if found := PERCENT_OF.fullmatch(rest):
        part, whole = (THOUSANDS.sub("", found[name]) for name in ("part", "whole"))
        return Wish(CALCULATE, {"expression": f"{part} * {whole} / 100"})
    for word, sign in WORDS:
        rest = word.sub(sign, rest)
    if not ARITHMETIC.fullmatch(rest) or not re.search(r"\d", rest) or not SIGN.search(rest.strip(" -−")):  # noqa: RUF001
        return None
    return Wish(CALCULATE, {"expression": THOUSANDS.sub("", rest).strip()})


SQL = re.compile(r"\s*(SELECT\b.+\bFROM\b|WITH\b.+\bAS\s*\().+", re.DOTALL)
SQL_IN_SMALL = re.compile(r"\s*(select\b.*[*(,].*\bfrom\b|with\b.+\bas\s*\(\s*select\b).+", re.DOTALL)


READERS: tuple[Callable[[str], Wish | None], ...] = (_small_talk, _arithmetic, _sources, _table)
