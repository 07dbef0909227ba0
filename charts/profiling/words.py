"""Names of tables and columns in plain lower-case words: `ship_dt` gives ship, date."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from .lexicon import ABBREVIATIONS, COMMON

Words = tuple[str, ...]

KEYS = (["id"], ["name"], ["number"], ["num"], ["no"], ["code"], ["key"])
KINDS = {"tbl", "tb", "dim", "fact", "fct", "stg", "vw", "ref"}  # of table names: they say what kind of table it is

_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-ZÀ-ÖØ-Þ])(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])")


def tokens(name: str) -> list[str]:
    """Split at anything but letters, at capitals and at digits; lower case."""
    parts = [part.lower() for token in _TOKEN.findall(name) for part in _HUMP.split(token)]
    for index in range(len(parts) - 1, 0, -1):
        if len(parts[index - 1]) == 1 and parts[index - 1] + parts[index] in ABBREVIATIONS:  # LName
            parts[index - 1 : index + 1] = [parts[index - 1] + parts[index]]
    return parts


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """Return the singular of a regular English plural; other words as they are."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class Vocabulary:
    """The words of one schema, which tell where its glued names part and what its prefixes stand for."""

    def __init__(self, tables: Mapping[str, Sequence[str]]) -> None:
        self.tables = {table: tokens(table) for table in tables}
        named = {singular(token) for parts in self.tables.values() for token in parts if len(token) > 2}
        self.words = COMMON | named | {form for word in named for form in _forms(word)}
        self.named = named
        self.pieces = frozenset(self.words | {short for short in ABBREVIATIONS if len(short) > 2})
        self.short = dict(self._learn(tables))

    def table(self, name: str) -> Words:
        parts = self.tables[name]
        return self._expand(parts[1:] if len(parts) > 1 and parts[0] in KINDS else parts, parts)

    def column(self, table: str, name: str) -> Words:
        return self._expand(tokens(name), self.tables[table])

    def _learn(self, tables: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, str]]:
        """Yield prefixes that columns of a table share, or its key has, and that shorten its name: STU_NUM, STUDENT."""
        for table, columns in tables.items():
            split = [parts for parts in map(tokens, columns) if len(parts) > 1]
            firsts = Counter(parts[0] for parts in split)
            firsts.update(parts[0] for parts in split if parts[1:] in KEYS)
            for first, count in firsts.items():
                for word in map(singular, self.tables[table]):
                    if count > 1 and first not in self.named and first not in ABBREVIATIONS and _shortens(first, word):
                        yield first, word

    def _expand(self, parts: Sequence[str], table: Sequence[str]) -> Words:
        words: list[str] = []
        for index, part in enumerate(parts):
            if part == "no" and parts[index + 1 : index + 2] not in ([], ["of"]):
                words.append(part)  # no_discounts
            elif part in self.short:
                words.append(self.short[part])
            elif part in ABBREVIATIONS:
                words.extend(ABBREVIATIONS[part])
            elif part in self.words or singular(part) in self.words:
                words.append(part)
            elif len(part) == 1 and parts[1:] in KEYS:
                words.append(self._initial(part, table) or part)
            else:
                words.extend(self._parted(part, table))
        return tuple(words)

    def _parted(self, part: str, table: Sequence[str]) -> Sequence[str]:
        """Split a glued name: `authorname` where the schema speaks of authors, `bname` in a table of banks."""
        whole = _segment(part, self.pieces)
        if whole and max(map(len, whole)) > 2:
            return [word for piece in whole for word in ABBREVIATIONS.get(piece, (piece,))]
        if number := re.fullmatch("([b-df-hj-np-tv-z]{1,3})no", part):  # dno, flno
            return [number[1], "number"]
        initial = self._initial(part[0], table) if part[1:] in ("id", "name") else None
        return [initial, part[1:]] if initial else [part]

    def _initial(self, letter: str, table: Sequence[str]) -> str | None:
        """Return the word that a letter before `id` or `name` stands for: the own table's, else the only table's."""
        if table and table[0].startswith(letter):
            return singular(table[0])
        others = {singular(parts[0]) for parts in self.tables.values() if parts and parts[0].startswith(letter)}
        return others.pop() if len(others) == 1 else None


def _forms(word: str) -> set[str]:
    stem = word.removesuffix("e")
    return {word + "s", stem + "ed", stem + "ing"}


def _shortens(short: str, word: str) -> bool:
    if len(short) < 2 or len(word) < len(short) + 2 or word[0] != short[0]:
        return False
    if word.startswith(short):
        return len(short) > 2
    letters = iter(word)
    return not set(short) & set("aeiou") and all(letter in letters for letter in short)


@lru_cache(maxsize=4096)
def _segment(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the fewest known words, two at least, that `text` is made of; empty where there are none."""
    best: list[tuple[str, ...] | None] = [()] + [None] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(end - 1):  # a piece has two letters or more
            head, piece = best[start], text[start:end]
            current = best[end]
            if head is not None and piece in known and (current is None or len(head) + 1 < len(current)):
                best[end] = (*head, piece)
    return best[-1] or ()
