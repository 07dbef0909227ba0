"""Mend typing errors: a word that nothing knows becomes the closest word that something knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache

from . import turns, vocabulary, wordlists
from .text import NUMBER_WORDS, base, word_set

ENGLISH_TEXTS = (
    *vocabulary.CHARTS.values(), *vocabulary.AGGREGATES.values(), *vocabulary.GRAINS.values(), *vocabulary.OPERATORS.values(),
    vocabulary.GROUPING, vocabulary.DISTRIBUTION, vocabulary.SHARES, vocabulary.AGAINST, vocabulary.RELATION, vocabulary.COMPARING,
    vocabulary.NEGATIONS, vocabulary.ASCENDING, vocabulary.DESCENDING, vocabulary.OVER_TIME, vocabulary.FIRST_IS_MOST,
    vocabulary.FIRST_IS_LEAST,
)  # fmt: skip


@lru_cache(maxsize=1)
def english() -> frozenset[str]:
    """Return every word that the planner itself knows."""
    words = {word for text in ENGLISH_TEXTS for phrase in vocabulary.phrases(text) for word in phrase}
    words.update(
        wordlists.FILLER,
        vocabulary.AFTER_AS,
        wordlists.NATIONS,
        vocabulary.ORDER_VERBS,
        NUMBER_WORDS,
    )
    words.update(word for phrase in vocabulary.SUPERLATIVES for word in phrase.split())
    words.update(wordlists.BOTHER, wordlists.DESTRUCTIVE, turns.words())
    words.update(
        word_set(
            "last past previous next this since until before after quarter today yesterday half recent latest newest"
        )
    )
    words.update(word_set("january february march april may june july august september october november december"))
    words.update(
        word_set(
            "jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday"
        )
    )
    return frozenset(words)


class Speller:
    """Knows every word that can mean something in one source."""

    def __init__(self, names: Collection[str], synonyms: Iterable[str], values: Iterable[tuple[str, ...]]) -> None:
        self.known = set(english()) | set(names) | set(synonyms)
        value_words = {word for words in values for word in words}
        self.by_length: dict[int, list[str]] = defaultdict(list)
        for word in sorted(
            self.known | ({word for word in value_words if len(word) >= 5} if len(value_words) < 5000 else set())
        ):
            if len(word) >= 4 and word.isalpha():
                self.by_length[len(word)].append(word)
        self.known |= value_words
        self.names = set(names)
        self._mended: dict[str, str | None] = {}

    def mend(self, word: str) -> str | None:
        """Return the one word that was probably meant, or None when the word is known, short, or like nothing."""
        if len(word) < 4 or not word.isalpha() or word in self.known or base(word) in self.known:
            return None
        if word not in self._mended:
            if len(self._mended) > 10_000:
                self._mended.clear()
            self._mended[word] = self._closest(word) or (self._closest(base(word)) if base(word) != word else None)
        return self._mended[word]

    def _closest(self, word: str) -> str | None:
        allowed = 1 if len(word) < 7 else 2
        best: list[tuple[int, bool, str]] = []
        for length in range(len(word) - allowed, len(word) + allowed + 1):
            for known in self.by_length.get(length, ()):
                if known[0] != word[0] and sorted(known[:2]) != sorted(word[:2]):
                    continue
                distance = edits(word, known, allowed)
                if distance <= allowed:
                    best.append((distance, known not in self.names, known))
        if not best:
            return None
        best.sort()
        return best[0][2]


def edits(one: str, other: str, limit: int) -> int:
    """Return the edit distance, a swap of neighbours counting one; anything above `limit` may come back as limit + 1."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        current = [i]
        for j, against in enumerate(other, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, row = row, current
    return row[-1]
