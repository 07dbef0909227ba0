"""What words can mean in one source: names of tables and columns, derived measures, and values found in the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..plan import Column
from ..profile import ColumnProfile, DerivedMeasure, Profile, Role, TableProfile, Type
from . import wordlists
from .spelling import Speller
from .text import NUMBER_WORDS, base, family, fold, word_set, words_of

LIGHT = word_set("of in the at on by to and for a is has")
GENERIC = word_set(
    "id code number no num name type date time amount value text description detail details total key by usd eur percent dollars "
    "dollar million millions billion billions thousand thousands meter meters km year at info full"
)
MAX_VALUE_WORDS = 8
MAX_PARTS = 60_000  # words of values that are remembered, so that 'Boeing' finds 'Boeing 747-400'


@dataclass(frozen=True, slots=True)
class Target:
    """Something in the source that words can mean."""

    kind: Literal["table", "column", "derived", "value"]
    table: str
    column: str = ""
    value: str = ""
    derived: DerivedMeasure | None = None
    partial: bool = False  # the words are a part of the value

    @property
    def of(self) -> Column:
        return Column(table=self.table, column=self.column)


@dataclass(frozen=True, slots=True)
class Form:
    """One way to say a target: its words with their weights."""

    words: tuple[str, ...]
    weights: tuple[float, ...]
    target: Target
    worth: float
    owner: int = 0  # how many of the first words are the table's, not the column's

    @property
    def total(self) -> float:
        return sum(self.weights)


class Lexicon:
    """Everything that can be named in a source. Made once per profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.forms: list[Form] = []
        self.by_word: dict[str, set[int]] = defaultdict(set)
        self.values: dict[tuple[str, ...], list[Target]] = defaultdict(list)
        self.joined_values: dict[str, list[Target]] = defaultdict(list)
        self.parts: dict[str, list[Target]] = defaultdict(list)
        self._add_names()
        self._add_values()
        self._synonyms = _synonym_index()
        self.families = _by_family(self.by_word)
        self._matches: dict[str, dict[str, float]] = {}
        self.suggested: tuple[str, ...] | None = None  # questions that work, once someone has asked for them
        self.speller = Speller(self.by_word, self._synonyms, self.values)

    # Names

    def _add_names(self) -> None:
        for table in self.profile.tables:
            target = Target("table", table.name)
            own = _bases(table.words or words_of(table.name))
            self._add_form(own, target, 1.0)
            if len(own) > 1:
                self._add_form(("".join(own),), target, 0.97)
            for column in table.columns:
                self._add_column(own, column)
            self._add_display_name(own, table)
        for derived in self.profile.derived:
            for words in derived.words:
                self._add_form(_bases(words), Target("derived", derived.table, derived=derived), 1.01)

    def _add_column(self, table: tuple[str, ...], column: ColumnProfile) -> None:
        target = Target("column", column.table, column.name)
        words = _bases(column.words or words_of(column.name))
        self._add_form(words, target, 1.0)
        literal = _bases(words_of(column.name))
        if literal != words:
            self._add_form(literal, target, 0.99)
        if len(words) > 1:
            self._add_form(("".join(literal),), target, 0.97)
        if column.type in (Type.DATE, Type.DATETIME) and "date" not in words:
            self._add_form((*(word for word in words if word not in LIGHT), "date"), target, 0.96)
        if words[: len(table)] == table and len(words) > len(table):
            self._add_form(words[len(table) :], target, 0.97)
        elif words[:1] != table[-1:]:
            self._add_form((*table, *words), target, 0.985, owner=len(table))
            if len(table) > 1:
                self._add_form((table[-1], *words), target, 0.97, owner=1)

    def _add_display_name(self, own: tuple[str, ...], table: TableProfile) -> None:
        """'company name' means the column that names a company, whatever it is called."""
        if table.display is not None and not any(words_of(column.name)[-1:] == ("name",) for column in table.columns):
            self._add_form((*own, "name"), Target("column", table.name, table.display), 0.97)

    def _add_form(self, words: tuple[str, ...], target: Target, worth: float, *, owner: int = 0) -> None:
        if not words:
            return
        weights = tuple(_weight(word) for word in words)
        if all(weight < 1 for weight in weights):
            weights = tuple(1.0 if word not in LIGHT else 0.1 for word in words)
        for word in words:
            self.by_word[word].add(len(self.forms))
        self.forms.append(Form(words, weights, target, worth, owner))

    # Values

    def _add_values(self) -> None:
        parts = 0
        for table in self.profile.tables:
            for column in table.columns:
                for value in _spoken_values(column):
                    words = words_of(value)
                    if not words or len(words) > MAX_VALUE_WORDS:
                        continue
                    target = Target("value", table.name, column.name, value)
                    self.values[words].append(target)
                    if len(words) > 1:
                        self.joined_values["".join(words)].append(target)
                    if len(words) > 1 and parts < MAX_PARTS and column.role is not Role.TEXT:
                        parts += len(words)
                        self._add_parts(words, table.name, column.name)

    def _add_parts(self, words: tuple[str, ...], table: str, column: str) -> None:
        for word in set(words):
            known = self.parts[word]
            if len(word) >= 3 and not any((part.table, part.column) == (table, column) for part in known):
                known.append(Target("value", table, column, word, partial=True))

    # Matching

    def matches(self, word: str) -> dict[str, float]:
        """Return the words of names that a word of the question may stand for, with scores."""
        known = self._matches.get(word)
        if known is None:
            known = self._matches[word] = self._find_matches(word)
            if len(self._matches) > 10_000:
                self._matches.clear()
        return known

    def _find_matches(self, word: str) -> dict[str, float]:
        found: dict[str, float] = {}
        singular = base(word)
        for candidate, score in self._similar(word, singular):
            if candidate in self.by_word and score > found.get(candidate, 0):
                found[candidate] = score
        return found

    def _similar(self, word: str, singular: str) -> Iterator[tuple[str, float]]:
        yield singular, 1.0
        yield word, 1.0
        for relative in self.families.get(family(singular), ()):
            yield relative, 0.9
        for other in self._synonyms.get(singular, ()):
            yield other, 0.86
        if len(word) >= 5:
            for name in self.by_word:
                if 3 <= len(name) < len(word) - 1 and word.startswith(name):
                    yield name, 0.8 if len(name) * 2 < len(word) else 0.84
        elif len(word) >= 3:
            for name in self.by_word:
                if len(name) > len(word) + 1 and name.startswith(word):
                    yield name, 0.8

    def is_time(self, target: Target) -> bool:
        """Tell whether a target is a column of dates or times."""
        if target.kind != "column":
            return False
        return self.profile.column(target.table, target.column).type in (Type.DATE, Type.DATETIME)

    def value_targets(self, words: tuple[str, ...]) -> list[Target]:
        """Return the values that are exactly these words, apart from case, accents, marks and plural."""
        found = self.values.get(words) or self.joined_values.get("".join(words)) or []
        if not found and len(words) == 1:
            found = self.values.get((base(words[0]),), [])
            nation = wordlists.NATIONS.get(words[0])
            if not found and nation:
                return self.values.get(tuple(nation.split()), []) or self.value_targets(tuple(nation.split()))
        if not found:
            found = self._same_nation(" ".join(words))
        if not found and len(words) > 1:
            found = self.values.get((*words[:-1], base(words[-1])), [])
        return found

    def _same_nation(self, words: str) -> list[Target]:
        for names in wordlists.SAME_NATION:
            if words in names:
                return next((found for name in names if (found := self.values.get(tuple(name.split())))), [])
        return []


def _bases(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(base(fold(word)) for word in words)


def _weight(word: str) -> float:
    return 0.1 if word in LIGHT else 0.6 if word in GENERIC or word.isdigit() else 1.0


def _by_family(words: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for word in words:
        groups[family(word)].append(word)
    return groups


@lru_cache(maxsize=1)
def _synonym_index() -> dict[str, set[str]]:
    index: dict[str, set[str]] = defaultdict(set)
    for line in wordlists.SYNONYMS:
        words = [base(word) for word in line.split()]
        for word in words:
            index[word].update(other for other in words if other != word)
    return index


def _spoken_values(column: ColumnProfile) -> Iterator[str]:
    """Yield the values that a question may quote; numbers and times are compared instead, and have no names."""
    if column.type in (Type.INTEGER, Type.REAL, Type.DATE, Type.DATETIME, Type.BINARY) or column.format:
        return
    for value in column.values:
        if isinstance(value, str) and value.strip() and value.casefold() not in NUMBER_WORDS and not value.isdigit():
            yield value


_made: dict[int, tuple[Profile, Lexicon]] = {}


def lexicon_of(profile: Profile) -> Lexicon:
    """Return the lexicon of a profile, made once and kept for the last profiles in use."""
    known = _made.get(id(profile))
    if known is None or known[0] is not profile:
        while len(_made) >= 16:
            _made.pop(next(iter(_made)), None)
        known = _made[id(profile)] = (profile, Lexicon(profile))
    return known[1]
