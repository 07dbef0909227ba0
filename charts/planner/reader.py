"""Read a question into a frame: walk over mentions and cues from left to right and give each its part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from . import wordlists
from .cues import Cue, find_cues
from .frame import Frame, Top
from .lexicon import Lexicon
from .linking import Item, Mention, cover, named
from .placing import Placing
from .rewrite import rewrite
from .text import Token, base, tokenize, word_set
from .times import TimeHit
from .wishes import BREAKS, OrderWish

TOP_WORDS = word_set("first last")


def read(question: str, lexicon: Lexicon, today: date) -> Frame:
    """Return the frame of a question; words that could not be placed are in `unknown`."""
    tokens, mended = tokens_of(question, lexicon)
    reader = Reader(tokens, mended, lexicon, today)
    reader.walk()
    return reader.frame


def tokens_of(question: str, lexicon: Lexicon) -> tuple[list[Token], list[tuple[str, str]]]:
    """Return the tokens of a question in plainer words, and which of them were taken for typing errors of what."""
    return _mended(rewrite(tokenize(question), lexicon), lexicon)


def _mended(tokens: list[Token], lexicon: Lexicon) -> tuple[list[Token], list[tuple[str, str]]]:
    mended = []
    for index, token in enumerate(tokens):
        if token.kind != "word" or token.number is not None:
            continue
        better = lexicon.speller.mend(token.text)
        if better is not None:
            tokens[index] = replace(token, text=better, base=base(better))
            mended.append((token.raw, better))
    return tokens, mended


class Reader(Placing):
    """Reads one question; the result is `frame`."""

    def _read_orders(self) -> None:
        for wish in self.order_wishes:
            target = frozenset(wish.target)
            elsewhere = frozenset(i for i in range(len(self.tokens)) if i not in target)
            found = cover(self.tokens, list(find_cues(self.tokens)), elsewhere, self.lexicon)
            mentions = [item for item in found if isinstance(item, Mention) and item.names]
            self.frame.orders.append((wish, mentions, self._order_kind(wish, found)))

    def _order_kind(self, wish: OrderWish, found: Sequence[Item]) -> str:
        for item in found:
            if isinstance(item, Cue) and item.kind == "axis":
                return str(item.value)
        if any(isinstance(item, Cue) and item.kind == "aggregate" for item in found):
            return "y"
        if any(isinstance(item, Cue) and item.kind == "grain" for item in found):
            return "x"
        words = {self.tokens[i].base for i in wish.target}
        if {"by", "bar"} <= words:
            return "x"
        content = {word for word in words if word not in wordlists.FILLER or word in ("name", "label")}
        if content and content <= {"name", "label"}:
            return "name"
        if words & {"number", "value", "total", "amount", "count", "result", "quantity", "bar", "frequency"}:
            return "y"
        return ""

    def walk(self) -> None:
        """Read the whole question; what could not be placed is noted at the end."""
        self._read_items()
        self._read_orders()
        self._note_alternatives()
        self._note_leftovers()

    def _note_alternatives(self) -> None:
        """A plan joins its conditions by 'and'; 'or' stands only between values of one column."""
        values = [hit.mention.start for hit in self.frame.values]
        others = [comparison.at for comparison in self.frame.comparisons]
        others += [absence.mention.start for absence in self.frame.absences]
        for index, token in enumerate(self.tokens):
            if token.text != "or" or index in self.blocked or index in self.consumed:
                continue
            before = max((at for at in (*values, *others) if at < index), default=None)
            after = min((at for at in (*values, *others) if at > index), default=None)
            if before is not None and after is not None and (before in others or after in others):
                self.frame.unsupported = "one condition or another"

    def _read_items(self) -> None:
        index = self._read_records()
        times = {hit.start: hit for hit in self.frame.times}
        while index < len(self.tokens):
            item = self.by_start.get(index)
            if index in times:
                self._time(times[index])
                index = times[index].end
            elif item is not None:
                index = self._item(item)
            else:
                self._word(index)
                index += 1

    def _read_records(self) -> int:
        """Read 'for those records from products and each product's manufacturer,': which rows the question is about."""
        words = [token.text for token in self.tokens[:8]]
        place = next((i for i, word in enumerate(words) if word in ("record", "records", "row", "rows")), None)
        if (
            place is None
            or words[0] != "for"
            or len(words) <= place + 1
            or words[place + 1] not in ("from", "in", "of")
        ):
            return 0
        end = next((i for i, token in enumerate(self.tokens) if token.text in (",", ";", ".")), 0)
        named_tables = [
            item for item in self.items if isinstance(item, Mention) and item.start < end and named(item, "table")
        ]
        if not named_tables:
            return 0
        self.frame.bare.extend(replace(mention, names=named(mention, "table")) for mention in named_tables)
        self.frame.records_of_both = len(named_tables) > 1
        return end

    def _item(self, item: Item) -> int:
        if isinstance(item, Mention):
            return self._mention(item)
        handler = getattr(self, f"_on_{item.kind}")
        end: int | None = handler(item)
        return end or item.end

    def _time(self, hit: TimeHit) -> None:
        last = self.last_mention
        if last is not None and last in self.frame.bare and last.end == hit.start and self._is_time(last):
            self.frame.bare.remove(last)
            self.frame.timed_by.append(last)
        self.grouping = False
        self.negation = None

    def _word(self, index: int) -> None:
        token = self.tokens[index]
        if index in self.blocked:
            return
        if token.kind == "mark" and token.text in BREAKS:
            self._break(token)
        elif token.number is not None or token.kind == "number":
            self._number(index)
        elif token.text == "who":
            self.frame.who = True
        elif token.text in TOP_WORDS and self._number_after(index):
            self.consumed.add(index)
            self.frame.tops.append(Top(int(self._number_after(index) or 1), token.text == "first", at=index))
        elif token.text == "them" and self.aggregates:
            self.frame.count_them = True
            self.aggregates = []

    def _break(self, token: Token) -> None:
        if token.text == ",":
            return
        if token.text not in "()":
            self.aggregates, self.grouping, self.negation, self.listing = [], False, None, ""

    def _note_leftovers(self) -> None:
        explained = self.blocked | self.consumed
        for item in self.items:
            explained.update(range(item.start, item.end))
        for index, token in enumerate(self.tokens):
            if index in explained or token.kind in ("mark", "date"):
                continue
            shouted = token.raw.isupper() and len(token.raw) == 2 and not self.tokens[0].raw.isupper()
            filler = token.text in wordlists.FILLER and token.kind == "word" and not shouted
            if filler or (token.number is not None and token.kind != "number"):
                self.frame.ignored.append(token.raw)
            else:
                self.frame.unknown.append(token)
