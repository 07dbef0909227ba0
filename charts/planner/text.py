"""Cut a question into tokens: words folded and reduced to their base form, numbers read, quotations kept whole."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

MAX_CHARACTERS = 2000  # a longer question is cut: what matters stands at its head
MAX_TOKENS = 200
MAX_DIGITS = 20

TOKEN = re.compile(
    r"""
    (?P<quoted>"[^"\n]{1,120}"|\u201c[^\u201d\n]{1,120}\u201d|(?<!\w)'[^'\n]{1,120}'(?!\w)|(?<!\w)\u2018[^\u2019\n]{1,120}\u2019(?!\w))
    | (?P<date>\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?|\d{4}-\d{2}(?![\d-]))
    | (?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:%|k\b|m\b)?(?![^\W_]))
    | (?P<word>[^\W_]+)(?P<owner>['\u2019]s\b|['\u2019]t\b|['\u2019](?=\s))?
    | (?P<mark><=|>=|!=|<>|[,.;:?!()<>=\#%€$£/&+*])
    """,
    re.VERBOSE,
)
NUMBER_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100, "thousand": 1000,
    "dozen": 12, "couple": 2,
}  # fmt: skip
IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "feet": "foot", "mice": "mouse",
    "lives": "life", "wives": "wife", "knives": "knife", "wolves": "wolf", "criteria": "criterion", "data": "data",
    "indices": "index", "matrices": "matrix", "analyses": "analysis", "bases": "base", "phases": "phase",
    "courses": "course", "houses": "house", "heroes": "hero", "movies": "movie", "series": "series",
    "species": "species", "status": "status", "statuses": "status", "sales": "sale", "news": "news", "gas": "gas",
    "buses": "bus", "campuses": "campus", "bonuses": "bonus", "viruses": "virus", "databases": "database",
    "purchases": "purchase", "expenses": "expense", "licenses": "license", "warehouses": "warehouse",
    "invoices": "invoice", "diagnoses": "diagnosis", "cookies": "cookie", "calories": "calorie", "ties": "tie",
    "has": "have", "had": "have", "was": "be", "were": "be", "is": "be", "are": "be", "been": "be", "sold": "sell",
    "bought": "buy", "made": "make", "spent": "spend", "paid": "paid", "took": "take", "gave": "give", "won": "win",
    "held": "hold", "taught": "teach", "us": "us", "this": "this", "does": "do", "did": "do", "yes": "yes",
    "always": "always", "perhaps": "perhaps", "plus": "plus", "versus": "versus", "minus": "minus", "address": "address",
}  # fmt: skip
SUFFIXES = (
    "ations", "ation", "ments", "ment", "ered", "eries", "ery", "ings", "ing", "ions", "ion", "ied", "ies", "ers", "er", "ed",
    "es", "s", "y", "e", "d",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the question. `text` is folded, `base` its singular; `start` and `end` point into the question."""

    text: str
    base: str
    raw: str
    start: int
    end: int
    kind: Literal["word", "number", "quoted", "date", "mark"] = "word"
    number: float | None = None
    owner: bool = False  # it ended in 's


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text written by hand."""
    return frozenset(text.split())


def fold(text: str) -> str:
    """Return lower case without accents or strange widths."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


@lru_cache(maxsize=20_000)
def base(word: str) -> str:
    """Return the singular of a folded word by rule."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1]


@lru_cache(maxsize=20_000)
def family(word: str) -> str:
    """Return what a word shares with its relatives: 'deliv' of delivery and delivered, 'ship' of shipped."""
    for suffix in SUFFIXES:
        root = word[: -len(suffix)]
        if word.endswith(suffix) and len(root) >= 4:
            doubled = root[-1] == root[-2] and root[-1] not in "aeiouls"
            return root[:-1] if doubled else root
    return word


def words_of(text: str) -> tuple[str, ...]:
    """Return the folded words of a name or value; marks are dropped."""
    return tuple(re.findall(r"[^\W_]+", fold(text)))


def tokenize(question: str) -> list[Token]:
    """Return the tokens of a question; what is neither word, number nor mark is skipped."""
    tokens = []
    for match in TOKEN.finditer(question[:MAX_CHARACTERS]):
        tokens.extend(_tokens_of(match))
        if len(tokens) >= MAX_TOKENS:
            break
    return tokens[:MAX_TOKENS]


def _tokens_of(match: re.Match[str]) -> list[Token]:
    start, end, raw = match.start(), match.end(), match.group()
    kind = match.lastgroup if match.lastgroup != "owner" else "word"
    if kind == "quoted":
        text = " ".join(words_of(raw[1:-1]))
        return [Token(text, text, raw[1:-1], start, end, "quoted")]
    if kind == "date":
        return [Token(raw, raw, raw, start, end, "date")]
    if kind == "number":
        return [Token(raw, raw, raw, start, end, "number", _number(raw))]
    if kind == "mark":
        return [Token(raw, raw, raw, start, end, "mark")]
    return _word(match)


def _word(match: re.Match[str]) -> list[Token]:
    owner = match.group("owner") or ""
    raw = match.group("word")
    start, end = match.start(), match.end()
    negated = owner[1:].lower() == "t"
    text = fold(raw)
    token = Token(text, base(text), raw, start, end, "word", NUMBER_WORDS.get(text), bool(owner) and not negated)
    return [token, Token("not", "not", "n't", end, end)] if negated else [token]


def _number(raw: str) -> float | None:
    """Return None for a number of more digits than a number in data has."""
    if len(raw) > MAX_DIGITS:
        return None
    scale = {"k": 1e3, "m": 1e6, "%": 1.0}.get(raw[-1].lower(), 1.0)
    return float(raw.rstrip("kKmM%").replace(",", "")) * scale
