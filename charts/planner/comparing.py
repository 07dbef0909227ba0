"""Read comparisons: more than 15 orders, price over 100, name starts with A, shipped is empty."""

from __future__ import annotations

from dataclasses import replace

from ..plan import Aggregate
from . import vocabulary
from .cues import Cue
from .dividing import Dividing
from .frame import Absence, Comparison
from .linking import Mention, named
from .scan import LINKING_WORDS
from .text import word_set

HINTS = {"old": "age", "older": "age", "younger": "age", "longer": "length duration", "expensive": "price", "cheaper": "price",
         "costlier": "price", "heavier": "weight", "taller": "height", "lighter": "weight", "shorter": "length height"}  # fmt: skip
CONDITION_BEFORE = word_set("with whose where have has having and or a an the their its if when that")


class Comparing(Dividing):
    """Fills the comparisons of the frame."""

    def _on_operator(self, cue: Cue) -> int | None:
        numbers, texts, end = self._operands(cue)
        if cue.value in ("=", "!=") and not numbers:
            if cue.value == "!=":
                self.negation = cue
            return None
        if cue.value == "between" and len(numbers) < 2:
            if not numbers:
                self.frame.relation = self.frame.relation or not self.frame.values
            return None
        if cue.phrase in vocabulary.SUFFIX_OPERATORS:
            number = self._number_at(cue.start - 1)
            if number is None:
                return None
            numbers, end = [number], cue.end
        if not numbers and not texts:
            self._compared_with_average(cue)
            if cue.value in ("starts", "ends"):
                self.frame.unsupported = f"“{cue.phrase}” without saying what"
            return None
        return self._compare(cue, numbers, texts, end)

    def _compare(self, cue: Cue, numbers: list[float], texts: list[str], end: int) -> int:
        left = self.last_mention if self.last_mention and self._links(self.last_mention.end, cue.start) else None
        aggregate = next((ask.aggregate for ask in self.frame.asks if left is not None and ask.mention is left), None)
        self._take_left(left, cue)
        right = self._operand_noun(end)
        if end < len(self.tokens) and self.tokens[end].text in ("times", "time") and self.last_mention is not None:
            left, right = None, self._counted_times(self.last_mention, end)
        self._forget_ask(left)
        if cue.start and self.tokens[cue.start - 1].text == "or" and self.frame.comparisons:
            self.frame.unsupported = "one condition or another"
        comparison = Comparison(
            self._operator(cue), tuple(numbers), left, right, aggregate or (self.aggregates[-1] if self.aggregates else None),
            " ".join(self.tokens[i].raw for i in range(cue.start, end)), tuple(texts),
            next((HINTS[word] for word in cue.phrase.split() if word in HINTS), ""), cue.start,
        )  # fmt: skip
        self.frame.comparisons.append(comparison)
        self.consumed.update(range(cue.start, end))
        self.aggregates = []
        if right is not None:
            self.eaten.add(right.start)
        return end

    def _counted_times(self, verb: Mention, at: int) -> Mention:
        """'ordered more than 15 times' counts orders."""
        if verb in self.frame.bare:
            self.frame.bare.remove(verb)
        self.eaten.add(at)
        self.consumed.add(at)
        return replace(verb, names=named(verb, "table") or verb.names)

    def _compared_with_average(self, cue: Cue) -> None:
        if cue.value not in ("contains", "starts", "ends") and any(
            isinstance(item, Cue) and item.kind == "aggregate" and cue.end <= item.start <= cue.end + 2
            for item in self.items
        ):
            words = " ".join(self.tokens[i].raw for i in range(cue.start, min(cue.end + 2, len(self.tokens))))
            self.frame.unsupported = f"a comparison with another number of the data (“{words}”)"

    def _forget_ask(self, left: Mention | None) -> None:
        """'customers whose number of orders is over 15' asks for the number only to compare it."""
        for ask in self.frame.asks:
            if left is None or ask.mention is not left:
                continue
            before = {self.tokens[i].text for i in range(max(0, left.start - 5), left.start)}
            if {"whose", "with", "where", "having", "have"} & before or (
                self.frame.bare and ask.aggregate is Aggregate.COUNT
            ):
                self.frame.asks.remove(ask)
                return

    def _operator(self, cue: Cue) -> str:
        flipped = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "=": "!="}
        if self.negation is not None and self.negation.phrase in ("not", "no") and cue.value in flipped:
            self.negation = None
            return flipped[cue.value]
        return str(cue.value)

    def _take_left(self, left: Mention | None, cue: Cue) -> None:
        """A bare column right before a comparison belongs to it alone, unless other words asked for it too."""
        if left is None or left not in self.frame.bare:
            return
        before = self.tokens[left.start - 1].text if left.start else ""
        alone = len(self.frame.bare) == 1 and not self.frame.asks
        if (before in CONDITION_BEFORE and not alone) or before in ("whose", "where", "with", "having"):
            self.frame.bare.remove(left)

    def _operands(self, cue: Cue) -> tuple[list[float], list[str], int]:
        """Return the numbers or quoted texts after an operator, and where they end."""
        numbers: list[float] = []
        texts: list[str] = []
        index, end = cue.end, cue.end
        wanted = 2 if cue.value == "between" else 1
        while index < len(self.tokens) and index < cue.end + 7 and len(numbers) + len(texts) < wanted:
            token = self.tokens[index]
            if self._number_at(index) is not None:
                numbers.append(self._scaled(index))
                end = index + 1 + (self._scaled(index) != token.number)
            elif (token.kind == "quoted" and cue.value in ("contains", "starts", "ends")) or (
                cue.value in ("contains", "starts", "ends")
                and (
                    token.text not in LINKING_WORDS | {"letter", "with"}
                    or (token.raw.isupper() and index > cue.end - 1)
                )
            ):
                texts.append(token.raw)
                end = index + 1
            elif token.text not in LINKING_WORDS and token.text not in ("and", "to", "$", "€", "£", "letter", "or"):
                break
            index += 1
        return numbers, texts, end

    def _scaled(self, index: int) -> float:
        number = self._number_at(index) or 0.0
        after = self.tokens[index + 1].text if index + 1 < len(self.tokens) else ""
        return number * {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}.get(after, 1.0)

    def _operand_noun(self, index: int) -> Mention | None:
        """Return what a comparison counts: 'more than 15 orders', '10 different products'."""
        while index < len(self.tokens) and self.tokens[index].text in (
            "different",
            "distinct",
            "of",
            "the",
            "%",
            "$",
            "€",
            "£",
        ):
            index += 1
        item = self.by_start.get(index)
        return item if isinstance(item, Mention) and item.names else None

    def _on_empty(self, cue: Cue) -> int | None:
        last = self.last_mention
        if last is None or not self._links(last.end, cue.start):
            return None
        if last in self.frame.bare:
            self.frame.bare.remove(last)
        phrase = " ".join(self.tokens[i].raw for i in range(last.start, cue.end))
        self.frame.absences.append(Absence(last, phrase, present=self.negation is not None))
        self.negation = None
        return None
