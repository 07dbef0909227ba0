"""Take the wishes about the chart out of a question: its type, and how it is to be sorted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..plan import ChartType
from . import vocabulary
from .text import Token, word_set

BEFORE_CHART = word_set("a an the in as with using by on through via of into form use to this following")
BREAKS = frozenset(",.;?!:")
NOUN_BEFORE = word_set("each every the per of an this any by")
WEAK = vocabulary.ORDER_VERBS - vocabulary.STRONG_ORDER_VERBS
BY = word_set("by on")


@dataclass(frozen=True, slots=True)
class ChartWish:
    start: int
    end: int
    chart: ChartType
    phrase: str


@dataclass(frozen=True, slots=True)
class OrderWish:
    """A wish for an order; `target` are the tokens that name what to sort by, none where it is left open."""

    start: int
    end: int
    descending: bool | None
    target: tuple[int, ...]
    direction: str = ""


@lru_cache(maxsize=1)
def _charts() -> dict[tuple[str, ...], ChartType]:
    return {phrase: chart for chart, text in vocabulary.CHARTS.items() for phrase in vocabulary.phrases(text)}


@lru_cache(maxsize=1)
def _directions() -> dict[tuple[str, ...], bool]:
    found = dict.fromkeys(vocabulary.phrases(vocabulary.ASCENDING), False)
    return found | dict.fromkeys(vocabulary.phrases(vocabulary.DESCENDING), True)


def find_chart(tokens: Sequence[Token]) -> list[ChartWish]:
    """Return the chart wishes, the most specific first."""
    found: list[ChartWish] = []
    charts = _charts()
    for start in range(len(tokens)):
        for end in range(min(start + 4, len(tokens)), start, -1):
            words = tuple(token.text for token in tokens[start:end])
            chart = charts.get(words)
            if chart is ChartType.TABLE and (
                not start or tokens[start - 1].text not in ("a", "as", "in", "into", "plain")
            ):
                chart = None
            if chart is None and end == start + 1 and _is_after_as(tokens, start):
                chart = vocabulary.AFTER_AS.get(words[0])
            if chart is not None:
                found.append(_with_glue(tokens, start, end, chart))
                break
    return sorted(found, key=lambda wish: -(wish.end - wish.start))


def _is_after_as(tokens: Sequence[Token], at: int) -> bool:
    before = [token.text for token in tokens[max(0, at - 2) : at]]
    return before[-1:] == ["as"] or before in (["as", "a"], ["in", "a"], ["as", "an"], ["into", "a"], ["with", "a"])


def _with_glue(tokens: Sequence[Token], start: int, end: int, chart: ChartType) -> ChartWish:
    phrase = " ".join(token.raw for token in tokens[start:end])
    first = start
    while first > 0 and tokens[first - 1].text in BEFORE_CHART:
        first -= 1
    return ChartWish(first, end, chart, phrase)


def find_orders(tokens: Sequence[Token], blocked: frozenset[int]) -> list[OrderWish]:
    """Return the wishes for an order, left to right."""
    wishes: list[OrderWish] = []
    for first, last in _segments(tokens):
        wish = _order_in(tokens, first, last, blocked)
        if wish is not None:
            wishes.append(wish)
    return wishes


def _segments(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    start = 0
    for index, token in enumerate(tokens):
        if token.kind == "mark" and token.text in BREAKS:
            if index > start:
                yield start, index
            start = index + 1
    if start < len(tokens):
        yield start, len(tokens)


def _order_in(tokens: Sequence[Token], first: int, last: int, blocked: frozenset[int]) -> OrderWish | None:
    spoken = [
        i
        for i in range(first, last)
        if i not in blocked and tokens[i].text not in ("the", "to-") and tokens[i].kind != "quoted"
    ]
    direction = _direction(tokens, spoken)
    if direction is None:
        return _undirected(tokens, spoken, last)
    at, end, descending = direction
    verb = _verb_before(tokens, first, at, spoken)
    start = verb if verb is not None else _preposition_before(tokens, at)
    stop = _stop(tokens, end, last)
    inside = [i for i in range(start, stop) if i not in blocked and not at <= i < end and i != verb]
    phrase = " ".join(tokens[i].text for i in range(at, end))
    return OrderWish(
        start, stop, descending, tuple(i for i in inside if tokens[i].text not in ("order", "ordering")), phrase
    )


def _direction(tokens: Sequence[Token], spoken: Sequence[int]) -> tuple[int, int, bool] | None:
    directions = _directions()
    best: tuple[int, int, bool] | None = None
    for place, at in enumerate(spoken):
        for length in range(min(6, len(spoken) - place), 0, -1):
            words = tuple(tokens[i].text for i in spoken[place : place + length])
            if words in directions:
                end = spoken[place + length - 1] + 1
                if best is None or end - at > best[1] - best[0]:
                    best = (at, end, directions[words])
                break
    return best


def _verb_before(tokens: Sequence[Token], first: int, at: int, spoken: Sequence[int]) -> int | None:
    before = [i for i in spoken if i < at]
    strong = [i for i in before if tokens[i].text in vocabulary.STRONG_ORDER_VERBS and not _is_noun(tokens, i, first)]
    if strong:
        return strong[0]
    joined = [i for i in before if tokens[i].text in WEAK and _opens_clause(tokens, i, first)]
    return joined[-1] if joined else None


def _is_noun(tokens: Sequence[Token], at: int, first: int) -> bool:
    return tokens[at].text in ("order", "rank") and at > first and tokens[at - 1].text in NOUN_BEFORE


def _opens_clause(tokens: Sequence[Token], at: int, first: int) -> bool:
    """Tell whether a verb like 'show' opens a clause of its own after the question proper."""
    if at == 0:
        return False
    before = tokens[at - 1].text
    if before in ("and", "then", "to", "you", "please", "also"):
        return at - 1 >= first
    return at == first and first > 0


def _preposition_before(tokens: Sequence[Token], at: int) -> int:
    while at > 0 and tokens[at - 1].text in ("in", "from", "by", "the", "an", "a", "with", "and", "of"):
        at -= 1
    return at


def _stop(tokens: Sequence[Token], end: int, last: int) -> int:
    """Return where the clause ends: it takes 'order', 'by the y axis', 'of price'; a new verb or grouping ends it."""
    for index in range(end, last):
        if tokens[index].text in (
            "for",
            "per",
            "show",
            "using",
            "use",
            "where",
            "draw",
            "plot",
            "visualize",
            "whose",
            "with",
        ) or (tokens[index].text == "and" and index + 1 < last and tokens[index + 1].text in WEAK):
            return index
    return last


def _undirected(tokens: Sequence[Token], spoken: Sequence[int], last: int) -> OrderWish | None:
    for place, at in enumerate(spoken[:-1]):
        if tokens[at].text not in vocabulary.STRONG_ORDER_VERBS or at == 0:
            continue
        by = next((i for i in spoken[place + 1 : place + 4] if tokens[i].text in BY), None)
        between = {tokens[i].text for i in spoken[place + 1 :] if by is not None and i < by}
        if by is None or between - {"it", "them", "result", "results", "bars", "all"} or _is_noun(tokens, at, 0):
            continue
        stop = _stop(tokens, by + 1, last)
        return OrderWish(at, stop, None, tuple(range(by + 1, stop)))
    return None
