"""Find the phrases that say what is asked: aggregates, groupings, comparisons, negations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import vocabulary
from .text import Token, word_set

LIGHT = word_set("of the a in for to")
WEAK = frozenset(
    ("amount of", "quantity of", "volume of", "quantities of", "total quantity of", "no of", "number")
)  # also names of columns


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase of the planner's own English, in tokens `start` to `end` (exclusive)."""

    start: int
    end: int
    kind: str
    value: Any = None
    phrase: str = ""

    @property
    def weight(self) -> float:
        words = self.phrase.split()
        length = sum(word not in LIGHT for word in words) or 1
        worth = 0.5 if self.phrase in WEAK else 1.02
        return worth * length + 0.13 * (length - 1)


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, ...], tuple[str, Any]]:
    table: dict[tuple[str, ...], tuple[str, Any]] = {}

    def add(kind: str, value: Any, text: str) -> None:
        for phrase in vocabulary.phrases(text):
            table.setdefault(phrase, (kind, value))

    add("duration", None, vocabulary.DURATIONS)
    for operator, text in vocabulary.OPERATORS.items():
        add("operator", operator, text)
    for aggregate, text in vocabulary.AGGREGATES.items():
        add("aggregate", aggregate, text)
    for grain, text in vocabulary.GRAINS.items():
        add("grain", grain, text)
    for words, about in vocabulary.SUPERLATIVES.items():
        add("superlative", about, words)
    add("over_time", None, vocabulary.OVER_TIME)
    add("group", None, vocabulary.GROUPING)
    add("distribution", None, vocabulary.DISTRIBUTION)
    add("share", None, vocabulary.SHARES)
    add("against", None, vocabulary.AGAINST)
    add("empty", None, vocabulary.EMPTY)
    add("relation", None, vocabulary.RELATION)
    add("compare", None, vocabulary.COMPARING)
    add("negation", None, vocabulary.NEGATIONS)
    add("top", True, vocabulary.FIRST_IS_MOST)
    add("top", False, vocabulary.FIRST_IS_LEAST)
    for axis in ("x", "y"):
        add("axis", axis, f"{axis} axis, {axis}, {axis}axis, the {axis} axis")
    return table


def find_cues(tokens: Sequence[Token]) -> Iterator[Cue]:
    """Yield every cue phrase; they may overlap."""
    table = _table()
    for start in range(len(tokens)):
        for end in range(start + 1, min(start + 6, len(tokens)) + 1):
            if tokens[end - 1].kind == "quoted":
                break
            words = tuple(token.text for token in tokens[start:end])
            if words in table:
                kind, value = table[words]
                yield Cue(start, end, kind, value, " ".join(words))
