"""What a column's values are, as found: numbers and dates kept as text, epochs, years, times of day."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ..profile import Format, Type
from .lexicon import MOMENT, NAME, YEARLY

SAMPLE = 1000  # values that decide on a type; the extremes are of all values
MAJORITY = 0.95
MISSING = {"", "-", "--", "?", "n/a", "na", "nan", "nil", "none", "null", "unknown", "tbd"}

# What a declaration holds decides, the first that it does.
DECLARED = (
    ("BOOL", Type.BOOLEAN),
    ("INTERVAL", Type.TEXT),
    *((part, Type.INTEGER) for part in ("INT", "SERIAL")),
    *((part, Type.TEXT) for part in ("CHAR", "TEXT", "CLOB")),
    *((part, Type.BINARY) for part in ("BLOB", "BYTEA")),
    *((part, Type.REAL) for part in ("REAL", "FLOA", "DOUB", "NUM", "DEC", "MONEY")),
    *((part, Type.DATETIME) for part in ("TIMESTAMP", "DATETIME")),
    ("DATE", Type.DATE),
)

_TIME = r"(?:[T ]\s*(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s*[AaPp][Mm])?)\s*(?:Z|[+-]\d{2}:?\d{2})?)?"
_ISO = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])" + _TIME)
_YEAR_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])()")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _TIME)
_COMPACT = re.compile(r"((?:1[5-9]|2[01])\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + _TIME)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]+" + _MONTH + r",?[ -]+(\d{4})" + _TIME, re.I)
_MONTH_DAY = re.compile(_MONTH + r" +(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})" + _TIME, re.I)
_MONTH_YEAR = re.compile(_MONTH + r",?[ -]+(\d{4})", re.I)
_CLOCK = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s*[ap]m)?", re.I)
_SIGN = r"[€$£¥₹]|EUR|USD|GBP|CHF|SEK|PLN|JPY"
_MONEY = re.compile(rf"(-)?\s*({_SIGN})?\s*(-?\.?\d[\d.,'\s]*?)\s*({_SIGN}|%)?")
_POINT = re.compile(r"-?(?:\d{1,3}(?:[,' \u00a0\u202f]\d{3})+|\d*)(?:\.\d+)?")
_COMMA = re.compile(r"-?(?:\d{1,3}(?:[.' \u00a0\u202f]\d{3})+|\d+)(?:,\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    type: Type
    format: Format | None = None
    ambiguous: bool = False
    unit: str | None = None
    minimum: Any = None
    maximum: Any = None


def find_type(values: Sequence[Any], declared: str, words: Sequence[str]) -> Found:
    """Tell what `values`, distinct and without None, are; `declared` decides where there are none."""
    filled = [value for value in values if not (isinstance(value, str) and value.strip().lower() in MISSING)]
    if not filled:
        return Found(type=declared_type(declared))
    texts = [value for value in filled if isinstance(value, str)]
    if len(texts) > (1 - MAJORITY) * len(filled):
        named = bool(words) and words[-1] in NAME  # a name made of digits is a name
        return _of_text([str(value) for value in filled if not isinstance(value, bytes)], frozenset(words), named)
    return _of_values([value for value in filled if not isinstance(value, str)], declared, frozenset(words))


def declared_type(declared: str) -> Type:
    """Return the type that a declaration such as VARCHAR(20) means."""
    name = declared.upper()
    return next((type_ for part, type_ in DECLARED if part in name), Type.TEXT)


def _of_values(values: list[Any], declared: str, words: frozenset[str]) -> Found:
    kinds = Counter(map(type, values))
    kind = kinds.most_common(1)[0][0]
    if issubclass(kind, bool):
        return Found(type=Type.BOOLEAN)
    if issubclass(kind, date):  # datetime is a date
        ordered = sorted(str(value) for value in values if isinstance(value, date))
        found = Type.DATETIME if issubclass(kind, datetime) else Type.DATE
        return Found(type=found, minimum=ordered[0], maximum=ordered[-1])
    numbers = [value for value in values if isinstance(value, int | float | Decimal)]
    if len(numbers) < len(values):
        return Found(type=Type.BINARY if issubclass(kind, bytes) else Type.TEXT)
    whole = all(isinstance(value, int) for value in numbers)
    low, high = min(numbers), max(numbers)
    if not whole:
        low, high = float(low), float(high)
    return _of_numbers(numbers, Found(type=Type.INTEGER if whole else Type.REAL, minimum=low, maximum=high), words)


def _of_numbers(numbers: Sequence[Any], found: Found, words: frozenset[str]) -> Found:
    """Recognise years, dates and moments that are kept as numbers."""
    low, high = found.minimum, found.maximum
    if any(value % 1 for value in numbers):
        return found
    if low >= 1500 and high <= 2200 and words & YEARLY:
        return replace(found, type=Type.INTEGER, format="year", minimum=int(low), maximum=int(high))
    if not words & MOMENT:
        return found
    if all(_COMPACT.fullmatch(str(int(value))) for value in numbers[:SAMPLE]):
        low, high = (f"{int(value):08}" for value in (low, high))
        low, high = (f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in (low, high))
        return Found(type=Type.DATE, format="yyyymmdd", minimum=low, maximum=high)
    scales: tuple[tuple[Format, int], ...] = (("epoch", 1), ("epoch ms", 1000))
    for format_, scale in scales:
        if low / scale >= 3e8 and high / scale <= 4e9:
            low, high = (
                datetime.fromtimestamp(value / scale, UTC).isoformat(" ", "seconds")[:19] for value in (low, high)
            )
            return Found(type=Type.DATETIME, format=format_, minimum=low, maximum=high)
    return found


def _of_text(texts: list[str], words: frozenset[str], named: bool) -> Found:
    sample = texts[:: max(1, len(texts) // SAMPLE)]
    plain = Found(type=Type.TEXT, minimum=min(texts)[:200], maximum=max(texts)[:200])
    if named or not _mostly(sample, lambda text: any(letter.isdigit() for letter in text)):
        return plain
    if _mostly(sample, _ISO.fullmatch):
        timed = any(len(text) > 10 for text in sample)
        dated = [text for text in texts if _ISO.fullmatch(text)]
        return Found(type=Type.DATETIME if timed else Type.DATE, format="iso", minimum=min(dated), maximum=max(dated))
    if _mostly(sample, _CLOCK.fullmatch):
        return replace(plain, format="time")
    return _text_numbers(sample, texts, words) or _text_dates(sample, texts) or plain


def _mostly(texts: Sequence[str], test: Callable[[str], object]) -> bool:
    return sum(1 for text in texts if test(text.strip())) >= MAJORITY * len(texts)


def _text_numbers(sample: Sequence[str], texts: Sequence[str], words: frozenset[str]) -> Found | None:
    if _mostly(sample, _COMPACT.fullmatch) and words & MOMENT:
        return _dates(texts, "yyyymmdd", _COMPACT, (1, 2, 3))
    # A leading zero, or more digits than a number holds, marks a code.
    if any(re.match(r"0\d", text.strip()) or re.search(r"\d{16}", text) for text in sample):
        return None
    comma = not _mostly(sample, lambda text: number(text, comma=False) is not None)
    if comma and not _mostly(sample, lambda text: number(text, comma=True) is not None):
        return None
    numbers = [value for value in (number(text, comma=comma) for text in texts) if value is not None]
    signs = Counter(sign for text in sample for sign in re.findall(f"{_SIGN}|%", text))
    sign = signs.most_common(1)[0][0] if signs else None
    whole = all(value.is_integer() for value in numbers) and not any("." in text or "," in text for text in sample)
    low, high = (int(value) if whole else value for value in (min(numbers), max(numbers)))
    format_: Format = "percent" if sign == "%" else "number comma" if comma else "number"
    found = Found(type=Type.INTEGER if whole else Type.REAL, format=format_, unit=sign, minimum=low, maximum=high)
    if whole and not sign and low >= 1500 and high <= 2200:
        return replace(found, format="year")
    return found


def number(text: str, *, comma: bool) -> float | None:
    """Read a number with thousands, a currency's sign or %; `comma` parts the decimals. None where it is none."""
    match = _MONEY.fullmatch(text.strip())
    if not match:
        return None
    minus, _, body, _ = match.groups()
    if not (_COMMA if comma else _POINT).fullmatch(body):
        return None
    digits = re.sub(r"[.'\s]", "", body).replace(",", ".") if comma else re.sub(r"[,'\s]", "", body)
    return -float(digits) if minus else float(digits)


def _text_dates(sample: Sequence[str], texts: Sequence[str]) -> Found | None:
    if _mostly(sample, _YEAR_MONTH.fullmatch):
        return _dates(texts, "yyyy-mm", _YEAR_MONTH, (1, 2, 0))
    if _mostly(sample, _YEAR_FIRST.fullmatch):
        return _dates(texts, "ymd", _YEAR_FIRST, (1, 2, 3))
    if _mostly(sample, _YEAR_LAST.fullmatch):
        return _day_or_month_first(texts)
    if _mostly(sample, _DAY_MONTH.fullmatch):
        return _dates(texts, "d mon yyyy", _DAY_MONTH, (3, 2, 1))
    if _mostly(sample, _MONTH_DAY.fullmatch):
        return _dates(texts, "mon d yyyy", _MONTH_DAY, (3, 1, 2))
    if _mostly(sample, _MONTH_YEAR.fullmatch):
        return _dates(texts, "mon yyyy", _MONTH_YEAR, (2, 1, 0))
    return None


def _day_or_month_first(texts: Sequence[str]) -> Found | None:
    """Take the order that makes more of the values dates; where both do, the one that spans less time, and say so."""
    day = _dates(texts, "dmy", _YEAR_LAST, (3, 2, 1))
    month = _dates(texts, "mdy", _YEAR_LAST, (3, 1, 2))
    if day is None or month is None:
        return day or month
    dotted = all("." in text for text in texts[:SAMPLE])
    found = day if dotted or _span(day) <= _span(month) else month
    return replace(found, ambiguous=not dotted)


def _span(found: Found) -> int:
    return (date.fromisoformat(found.maximum[:10]) - date.fromisoformat(found.minimum[:10])).days


def _dates(
    texts: Sequence[str], format_: Format, pattern: re.Pattern[str], order: tuple[int, int, int]
) -> Found | None:
    """Read all texts as dates; `order` are the groups of year, month and day, 0 for none."""
    found = [moment for moment in (_moment(pattern.fullmatch(text.strip()), order) for text in texts) if moment]
    if len(found) < MAJORITY * len(texts):
        return None
    timed = any(len(moment) > 10 for moment in found)
    return Found(type=Type.DATETIME if timed else Type.DATE, format=format_, minimum=min(found), maximum=max(found))


def _moment(match: re.Match[str] | None, order: tuple[int, int, int]) -> str | None:
    if match is None:
        return None
    year, month, day = (match[group] if group else "1" for group in order)
    try:
        number_ = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
        text = date(int(year), number_, int(day)).isoformat()
    except ValueError:
        return None
    time = match[4] if match.re.groups > 3 else None
    return f"{text} {time}" if time else text
