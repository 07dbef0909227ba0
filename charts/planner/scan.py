"""Where the reading of a question stands: its tokens, what links them, and what the words so far left open."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from ..plan import Aggregate
from ..profile import Type
from .cues import Cue, find_cues
from .frame import Frame
from .lexicon import Lexicon, Target
from .linking import Mention, cover, link_span, named
from .text import Token, word_set
from .times import find_times
from .wishes import find_chart, find_orders

LINKING_WORDS = word_set(
    "is are was were be being of the a an that which has have had with whose in at its their there than value values by "
    "count number"
)


BETWEEN_TIME_AND_GRAIN = word_set(
    "by into and bin bins binned in the a per grouped group each , interval intervals it them split with"
)


class Scan:
    """The state of a walk over one question, from left to right."""

    def __init__(self, tokens: list[Token], mended: list[tuple[str, str]], lexicon: Lexicon, today: date) -> None:
        self.tokens, self.lexicon, self.today = tokens, lexicon, today
        self.frame = Frame(tokens, mended=mended)
        self.blocked: set[int] = set()
        self._take_wishes()
        self.frame.times = find_times([self._hidden(i) for i in range(len(tokens))], today)
        for hit in self.frame.times:
            self.blocked.update(range(hit.start, hit.end))
            if not hit.valid:
                self.frame.unsupported = f"“{hit.phrase}” is no time"
        self.times_at = {hit.start for hit in self.frame.times}
        cues = [cue for cue in find_cues(tokens) if not self.blocked.intersection(range(cue.start, cue.end))]
        self.items = cover(tokens, cues, frozenset(self.blocked), lexicon)
        self.by_start = {item.start: item for item in self.items}
        self.aggregates: list[Aggregate] = []
        self.grouping = False
        self.negation: Cue | None = None
        self.sharing = False
        self.listing = ""  # what a following "and" continues: "group", "ask", ""
        self.last_mention: Mention | None = None
        self.extreme_word = ""  # the last word that asked for an aggregate
        self.consumed: set[int] = set()
        self.eaten: set[int] = set()  # where mentions start that another part has taken
        self.ranked_at = -1  # a word like "best" whose number has been read already

    def _hidden(self, index: int) -> Token:
        token = self.tokens[index]
        return replace(token, kind="quoted") if index in self.blocked else token

    def _take_wishes(self) -> None:
        charts = find_chart(self.tokens)
        for wish in charts:
            self.blocked.update(range(wish.start, wish.end))
        if charts:
            self.frame.chart = charts[0].chart
        self.order_wishes = find_orders(self.tokens, frozenset(self.blocked))
        for order in self.order_wishes:
            self.blocked.update(range(order.start, order.end))

    def _number_at(self, index: int) -> float | None:
        if not 0 <= index < len(self.tokens) or index in self.blocked:
            return None
        token = self.tokens[index]
        return token.number if token.kind in ("number", "word") else None

    def _number_after(self, index: int) -> float | None:
        return self._number_at(index + 1)

    def _adjacent(self, start: int, end: int) -> bool:
        between = [self.tokens[i].text for i in range(start, end) if i not in self.blocked]
        return len(between) <= 4 and set(between) <= BETWEEN_TIME_AND_GRAIN

    def _links(self, start: int, end: int) -> bool:
        between = [self.tokens[i].text for i in range(start, end) if i not in self.blocked]
        return len(between) <= 3 and all(word in LINKING_WORDS for word in between)

    def _item_at(self, index: int) -> int:
        return next((item.start for item in self.items if item.start <= index < item.end), index)

    def _is_plural(self, mention: Mention) -> bool:
        last = self.tokens[mention.end - 1]
        return last.base != last.text

    def _is_time(self, mention: Mention) -> bool:
        return any(
            self._column_type(candidate.target) in (Type.DATE, Type.DATETIME)
            for candidate in named(mention, "column")[:2]
        )

    def _column_type(self, target: Target) -> Type:
        return self.lexicon.profile.column(target.table, target.column).type

    def _as_mention(self, start: int, end: int) -> Mention | None:
        found = link_span(self.tokens[start:end], start, self.lexicon)
        return found[0] if found and found[0].names and found[0].score >= 0.85 else None
