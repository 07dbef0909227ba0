"""Read stretches of time from words: 'in March 2024', 'last 6 months', 'since May', 'Q3', 'between 2020 and 2022'."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from .text import Token, word_set

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
MONTH_NUMBER = {name: number for number, name in enumerate(MONTHS, 1)}
MONTH_NUMBER |= {name[:3]: number for name, number in MONTH_NUMBER.items()} | {"sept": 9}
ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": 4}
NUMBERS = {
    "a": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "couple of": 2,
}

MONTH = rf"(?:{'|'.join(sorted(MONTH_NUMBER, key=len, reverse=True))})"
YEAR = r"(?:19|20)\d\d"
DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
UNIT = r"(?:days?|weeks?|months?|quarters?|years?)"
NTH = "(?:first|second|third|fourth|last|1st|2nd|3rd|4th)"
QUARTER = rf"(?:q[1-4](?: of)?(?: {YEAR})?|{YEAR} q[1-4]|{NTH} quarter(?: of)?(?: {YEAR})?)"
HALF = rf"(?:h[12] {YEAR}|(?:first|second) half of {YEAR})"
POINT = (
    rf"(?:\d{{4}}-\d\d(?:-\d\d)?|{DAY}(?: of)? {MONTH}(?: ,)? {YEAR}|{MONTH} {DAY}(?: ,)? {YEAR}|{DAY} [./] \d\d? [./] {YEAR}"
    rf"|{MONTH}(?: of)?(?: ,)? {YEAR}|{QUARTER}|{HALF}|(?:the )?(?:year )?{YEAR}s?|{MONTH})"
)
RECENT = (
    rf"(?:(?:last|past|previous|recent) (?:\d+|{'|'.join(NUMBERS)}) {UNIT}"
    r"|(?:last|past|previous|prior|this|current) (?:day|week|month|quarter|year)"
    r"|yesterday|today|year to date|ytd|month to date|mtd)"
)
UNTIL_NOW = r"(?: on| onwards?| and later| until now| to now| to today| till now)"
SINCE = r"(?:since|starting(?: from| in)?|as of)"
TO = r"(?:and|to|until|till|through|up to|up until)"
INSIDE = r"(?:in|during|for|of|within|from|throughout|on|only|just)"
PATTERNS = (
    ("between", rf"(?:between|from|in the period from)(?: the)? (?P<a>{POINT}) {TO}(?: the)? (?P<b>{POINT})"),
    ("between", rf"(?:in |during |for )?(?P<a>{YEAR}) (?:to|until|through) (?P<b>{YEAR})"),
    (">=", rf"(?:since|starting(?: from| in)?|from) (?:the )?(?:start of |beginning of )?(?P<a>{POINT}){UNTIL_NOW}"),
    (">=", rf"{SINCE} (?:the )?(?:start of |beginning of )?(?P<a>{RECENT}|{POINT})"),
    (">", rf"(?:after|later than)(?: the)?(?: end of)? (?P<a>{RECENT}|{POINT})"),
    ("<", rf"(?:before|prior to|earlier than)(?: the)?(?: start of| beginning of)? (?P<a>{RECENT}|{POINT})"),
    ("<=", rf"(?:until|till|up to|up until|through)(?: the)?(?: end of)? (?P<a>{RECENT}|{POINT})"),
    ("in", rf"(?:(?:{INSIDE}|over) )?(?:the |only |just )?(?P<a>{RECENT})"),
    ("in", rf"{INSIDE}(?: the| only| just)? (?P<a>{POINT})"),
    ("in", rf"(?P<a>(?!{MONTH}\b){POINT})"),
    ("in", rf"(?P<a>{MONTH} {YEAR})"),
)
COMPILED = tuple((operator, re.compile(rf"\b{pattern}\b")) for operator, pattern in PATTERNS)
NO_YEAR_AFTER = word_set(
    "than over above under below least most exactly equal equals top first last by is = > < >= <= exceeding code number "
    "id zip room limit"
)


@dataclass(frozen=True, slots=True)
class TimeHit:
    """A stretch of time found in tokens `start` to `end` (exclusive). `first` and `last` are days, both inside the stretch."""

    start: int
    end: int
    operator: Literal["between", ">=", ">", "<", "<=", "in"]
    first: date
    last: date
    phrase: str
    valid: bool = True  # False for 31 February, and for a stretch that ends before it starts


def find_times(tokens: Sequence[Token], today: date) -> list[TimeHit]:
    """Return the stretches of time in a question, left to right; they do not overlap."""
    text, starts = _joined(tokens)
    hits: list[TimeHit] = []
    taken: set[int] = set()
    for operator, pattern in COMPILED:
        for match in pattern.finditer(text):
            hit = _hit(match, operator, starts, tokens, today)
            if hit is not None and not taken.intersection(range(hit.start, hit.end)):
                taken.update(range(hit.start, hit.end))
                hits.append(hit)
    return sorted(hits, key=lambda hit: hit.start)


def _joined(tokens: Sequence[Token]) -> tuple[str, list[int]]:
    parts, starts, position = [], [], 0
    for token in tokens:
        text = "\u0000" * max(1, len(token.text)) if token.kind == "quoted" else token.text
        starts.append(position)
        parts.append(text)
        position += len(text) + 1
    return " ".join(parts), starts


def _hit(
    match: re.Match[str], operator: str, starts: list[int], tokens: Sequence[Token], today: date
) -> TimeHit | None:
    inside = [index for index, at in enumerate(starts) if match.start() <= at < match.end()]
    if not inside:
        return None
    start, end = inside[0], inside[-1] + 1
    spoken = match.group("a")
    bare_year = re.fullmatch(YEAR, match.group()) is not None
    if bare_year and start and tokens[start - 1].text in NO_YEAR_AFTER:
        return None
    first = _stretch(spoken, today)
    last = _stretch(match.group("b"), today) if "b" in match.groupdict() else first
    if first is None or last is None or last[1] < first[0]:
        return TimeHit(start, end, operator, today, today, match.group().strip(), valid=False)  # type: ignore[arg-type]
    return TimeHit(start, end, operator, first[0], last[1], match.group().strip())  # type: ignore[arg-type]


def _stretch(words: str, today: date) -> tuple[date, date] | None:
    """Return the first and last day of what the words mean, or None when there is no such day."""
    for read in (_recent, _named):
        try:
            found = read(words, today)
        except (ValueError, IndexError, OverflowError):
            return None  # no such day
        if found:
            return found
    return None


def _recent(words: str, today: date) -> tuple[date, date] | None:
    if words in ("today", "yesterday"):
        day = today - timedelta(days=words == "yesterday")
        return day, day
    if words in ("ytd", "year to date"):
        return date(today.year, 1, 1), today
    if words in ("mtd", "month to date"):
        return today.replace(day=1), today
    match = re.fullmatch(
        rf"(last|past|previous|prior|recent|this|current) (?:(\d+|{'|'.join(NUMBERS)}) )?({UNIT})", words
    )
    if not match:
        return None
    which, number, unit = match.group(1), match.group(2), match.group(3).rstrip("s")
    count = 1 if number is None else NUMBERS.get(number) or int(number)
    if which in ("this", "current"):
        return _unit_start(today, unit), _unit_end(_unit_start(today, unit), unit)
    return _back(today, unit, min(count, 5000))


def _back(today: date, unit: str, count: int) -> tuple[date, date]:
    """Return the `count` whole units before the one that holds today; days run up to today."""
    if unit == "day":
        return (today - timedelta(days=count - 1), today) if count > 1 else (today - timedelta(days=1),) * 2
    current = _unit_start(today, unit)
    last = current - timedelta(days=1)
    if unit == "week":
        return current - timedelta(weeks=count), last
    months = count * {"month": 1, "quarter": 3, "year": 12}[unit]
    return _months_before(current, months), last


def _months_before(first: date, months: int) -> date:
    index = first.year * 12 + first.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _unit_start(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    starts: dict[str, Callable[[], date]] = {
        "day": lambda: day,
        "month": lambda: day.replace(day=1),
        "quarter": lambda: date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
        "year": lambda: date(day.year, 1, 1),
    }
    return starts[unit]()


def _unit_end(start: date, unit: str) -> date:
    if unit in ("day", "week"):
        return start + timedelta(days=6 * (unit == "week"))
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    return _months_before(start, -months) - timedelta(days=1)


def _named(words: str, today: date) -> tuple[date, date] | None:
    words = re.sub(r"\b(the|year|of|,)\b|,", " ", words)
    parts = words.split()
    text = " ".join(parts)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = date.fromisoformat(text)
        return day, day
    if re.fullmatch(r"\d{4}-\d\d", text):
        return _part_of_year([MONTHS[int(text[5:]) - 1]], int(text[:4]), today)
    if match := re.fullmatch(r"(\d\d?) [./] (\d\d?) [./] (\d{4})", text):
        day = date(int(match[3]), int(match[2]), int(match[1]))
        return day, day
    if match := re.fullmatch(rf"({YEAR})(s?)", text):
        year = int(match[1])
        return date(year, 1, 1), date(year + 9 if match[2] else year, 12, 31)
    year_word = next((part for part in parts if re.fullmatch(YEAR, part)), None)
    rest = [part for part in parts if part != year_word]
    return _part_of_year(rest, int(year_word) if year_word else None, today)


def _part_of_year(rest: list[str], year: int | None, today: date) -> tuple[date, date] | None:
    month = next((MONTH_NUMBER[part] for part in rest if part in MONTH_NUMBER), None)
    days = [int(found.group()) for part in rest if part not in MONTH_NUMBER and (found := re.match(r"\d+", part))]
    if month and days and year:
        day = date(year, month, days[0])
        return day, day
    if month:
        if year is None:
            year = today.year if month <= today.month else today.year - 1
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    quarter = next((int(part[1]) for part in rest if re.fullmatch("q[1-4]", part)), None)
    quarter = quarter or ("quarter" in rest and ORDINALS.get(rest[0])) or None
    if quarter:
        if year is None:
            year = today.year if quarter * 3 - 2 <= today.month else today.year - 1
        return date(year, quarter * 3 - 2, 1), _unit_end(date(year, quarter * 3 - 2, 1), "quarter")
    if year and (rest[:1] in (["h1"], ["first"]) or rest[:1] in (["h2"], ["second"])):
        second = rest[0] in ("h2", "second")
        return (date(year, 7, 1), date(year, 12, 31)) if second else (date(year, 1, 1), date(year, 6, 30))
    return None
