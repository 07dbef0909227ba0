"""Read a question into a frame: walk over mentions and cues from left to right and give each its part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from ..plan import Aggregate, Grain
from ..profile import Role, Type
from . import vocabulary
from .cues import Cue, find_cues
from .frame import Absence, Ask, Comparison, Frame, Group, Top, ValueHit
from .lexicon import Lexicon, Target
from .linking import Item, Mention, _mention, cover, named
from .text import Token, tokenize
from .times import TimeHit, find_times
from .wishes import BREAKS, OrderWish, find_chart, find_orders

NUMERIC = (Type.INTEGER, Type.REAL)
LINKING_WORDS = frozenset("is are was were be being of the a an that which has have had with whose in at its their there than value values by".split())
TOP_WORDS = frozenset("first last".split())
ASKING = frozenset("which what who whose whom".split())
UNITS = frozenset("day days week weeks month months year years hour hours".split())
HINTS = {"old": "age", "older": "age", "younger": "age", "longer": "length duration", "expensive": "price", "cheaper": "price",
         "costlier": "price", "heavier": "weight", "taller": "height", "lighter": "weight", "shorter": "length height"}  # fmt: skip


def read(question: str, lexicon: Lexicon, today: date) -> Frame:
    """Return the frame of a question; words that could not be placed are in `unknown`."""
    tokens, mended = _mended(tokenize(question), lexicon)
    return Reader(tokens, mended, lexicon, today).frame


def _mended(tokens: list[Token], lexicon: Lexicon) -> tuple[list[Token], list[tuple[str, str]]]:
    from .text import base

    mended = []
    for index, token in enumerate(tokens):
        if token.kind != "word" or token.number is not None:
            continue
        better = lexicon.speller.mend(token.text)
        if better is not None:
            tokens[index] = replace(token, text=better, base=base(better))
            mended.append((token.raw, better))
    return tokens, mended


class Reader:
    def __init__(self, tokens: list[Token], mended: list[tuple[str, str]], lexicon: Lexicon, today: date) -> None:
        self.tokens, self.lexicon, self.today = tokens, lexicon, today
        self.frame = Frame(tokens, mended=mended)
        self.blocked: set[int] = set()
        self._take_wishes()
        self.frame.times = find_times([self._hidden(i) for i in range(len(tokens))], today)
        for hit in self.frame.times:
            self.blocked.update(range(hit.start, hit.end))
        cues = [cue for cue in find_cues(tokens) if not self.blocked.intersection(range(cue.start, cue.end))]
        self.items = cover(tokens, cues, frozenset(self.blocked), lexicon)
        self.by_start = {item.start: item for item in self.items}
        self.aggregates: list[Aggregate] = []
        self.grouping = False
        self.negation: Cue | None = None
        self.sharing = False
        self.listing = ""  # what a following "and" continues: "group", "ask", ""
        self.last_mention: Mention | None = None
        self.superlative: tuple[str, bool] | None = None
        self.axis = ""
        self._walk()
        self._read_orders()
        self._note_leftovers()

    def _hidden(self, index: int) -> Token:
        token = self.tokens[index]
        return replace(token, kind="quoted") if index in self.blocked else token

    # Wishes

    def _take_wishes(self) -> None:
        charts = find_chart(self.tokens)
        for wish in charts:
            self.blocked.update(range(wish.start, wish.end))
        if charts:
            self.frame.chart = charts[0].chart
        self.order_wishes = find_orders(self.tokens, frozenset(self.blocked))
        for order in self.order_wishes:
            self.blocked.update(range(order.start, order.end))

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
        if words & {"name", "alphabet", "label"} and not any(isinstance(item, Mention) for item in found):
            return "x"
        if words & {"number", "value", "total", "amount", "count", "result", "quantity", "bar", "frequency"}:
            return "y"
        return ""

    # The walk

    def _walk(self) -> None:
        index = 0
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

    def _item(self, item: Item) -> int:
        if isinstance(item, Mention):
            return self._mention(item)
        handler = getattr(self, f"_on_{item.kind}")
        end: int | None = handler(item)
        return end or item.end

    def _time(self, hit: TimeHit) -> None:
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
        elif token.text in TOP_WORDS and self._number_after(index):
            self.frame.tops.append(Top(int(self._number_after(index) or 1), token.text == "first", at=index))
        elif token.text == "them" and self.aggregates:
            self.frame.count_them = True
            self.aggregates = []

    def _break(self, token: Token) -> None:
        if token.text == ",":
            return
        if token.text not in "()":
            self.aggregates, self.grouping, self.negation, self.listing = [], False, None, ""

    # Numbers

    def _number_at(self, index: int) -> float | None:
        if not 0 <= index < len(self.tokens) or index in self.blocked:
            return None
        token = self.tokens[index]
        return token.number if token.kind in ("number", "word") else None

    def _number_after(self, index: int) -> float | None:
        return self._number_at(index + 1)

    def _number(self, index: int) -> None:
        """Read '10 best products', '5 countries with the most', or a number that equals a column: 'rating 5'."""
        number = self._number_at(index)
        if number is None or number != int(number) or not 1 <= number <= 1000:
            return
        after = self.by_start.get(index + 1)
        if isinstance(after, Cue) and (after.kind in ("top", "superlative") or self._is_extreme(after)):
            descending = self._is_descending(after)
            top = Top(int(number), descending, at=index, plural=True)
            if after.kind == "superlative":
                top.hint = after.value[0]
            self.frame.tops.append(top)
            self._skip_extreme = after.start
            return
        if isinstance(after, Mention) and named(after, "table") and self._extreme_later(index):
            self.frame.tops.append(Top(int(number), True, at=index, plural=True))

    _skip_extreme = -1

    def _extreme_later(self, index: int) -> bool:
        return any(
            isinstance(item, Cue) and item.start > index and (item.kind in ("top", "superlative") or self._is_extreme(item))
            for item in self.items
        )

    @staticmethod
    def _is_extreme(cue: Cue) -> bool:
        return cue.kind == "aggregate" and cue.value in (Aggregate.MAXIMUM, Aggregate.MINIMUM) and " of" not in cue.phrase

    def _is_descending(self, cue: Cue) -> bool:
        if cue.kind == "top":
            return bool(cue.value)
        if cue.kind == "superlative":
            return bool(cue.value[1])
        return cue.value is Aggregate.MAXIMUM

    # Cues

    def _on_aggregate(self, cue: Cue) -> int | None:
        if cue.start == self._skip_extreme:
            return None
        if self._is_extreme(cue):
            number = self._number_at(cue.end)
            if number is not None and number == int(number) and number >= 1:
                self.frame.tops.append(Top(int(number), cue.value is Aggregate.MAXIMUM, at=cue.start, plural=True))
                return cue.end + 1
            if self._names_the_best(cue):
                self._extreme_of(cue)
                return None
        if cue.value in (Aggregate.COUNT, Aggregate.COUNT_DISTINCT) and self._counts_them(cue):
            return None
        if self.aggregates and self.listing == "aggregate":
            self.aggregates.append(cue.value)
        elif self.aggregates and cue.value is Aggregate.COUNT:
            pass  # 'average number of', 'total count of': the first word decides
        else:
            self.aggregates = [cue.value]
        self.listing = "aggregate"
        self.grouping = False
        return None

    def _counts_them(self, cue: Cue) -> bool:
        """Read 'and count them', 'how many are there of each', 'and how many in each'."""
        rest = [self.tokens[i].text for i in range(cue.end, min(cue.end + 3, len(self.tokens))) if i not in self.blocked]
        if cue.phrase in ("count", "counts", "count of") and rest[:1] in (["them"], ["it"], ["these"]):
            self.frame.count_them = True
            return True
        if rest[:1] and rest[0] in ("of", "are", "in", "per", "for", "each", "by", "there") or not rest:
            following = next((item for item in self.items if item.start >= cue.end), None)
            if following is None or (isinstance(following, Cue) and following.kind == "group" and (cue.phrase != "how many" or True)):
                self.frame.count_them = True
                return following is None
        return False

    def _names_the_best(self, cue: Cue) -> bool:
        """Tell whether 'highest' singles out a group or row ('which product has the highest revenue') or is an aggregate."""
        before = [self.tokens[i].text for i in range(max(0, cue.start - 4), cue.start)]
        follower = next((item for item in self.items if item.start >= cue.end), None)
        if any(isinstance(item, Cue) and item.kind == "group" and item.start > cue.start for item in self.items):
            return cue.phrase == "most" and isinstance(follower, Mention) and bool(named(follower, "table"))
        asking = bool(self.tokens) and any(token.text in ASKING for token in self.tokens[:3]) and not self.frame.asks
        entity = bool(self.frame.bare or self.frame.groups)
        counted = isinstance(follower, Mention) and bool(named(follower, "table")) and cue.phrase in ("most", "fewest", "least")
        whose = bool({"with", "has", "have", "had", "by", "whose", "receive", "received"} & set(before))
        return entity and (counted or asking or whose)

    def _extreme_of(self, cue: Cue) -> None:
        follower = next((item for item in self.items if item.start >= cue.end), None)
        aggregate = None
        if isinstance(follower, Cue) and follower.kind == "aggregate":
            aggregate = follower.value
            follower = next((item for item in self.items if item.start >= follower.end), None)
        mention = follower if isinstance(follower, Mention) else None
        known = next((top for top in self.frame.tops if top.mention is None and not top.hint), None)
        top = known or Top(None, cue.value is Aggregate.MAXIMUM, at=cue.start)
        top.descending, top.mention, top.aggregate = cue.value is Aggregate.MAXIMUM, mention, aggregate
        if known is None:
            top.plural = any(self._is_plural(entity) for entity in self.frame.bare[-1:])
            self.frame.tops.append(top)
        if mention is not None:
            self._eaten.add(mention.start)

    @property
    def _eaten(self) -> set[int]:
        self.__dict__.setdefault("_eaten_set", set())
        return self.__dict__["_eaten_set"]

    def _is_plural(self, mention: Mention) -> bool:
        last = self.tokens[mention.end - 1]
        return last.base != last.text

    def _on_group(self, cue: Cue) -> int | None:
        if cue.phrase in ("different", "distinct", "unique", "various") and self.aggregates == [Aggregate.COUNT]:
            self.aggregates = [Aggregate.COUNT_DISTINCT]
            return None
        self.grouping = True
        self.listing = ""
        return None

    def _on_grain(self, cue: Cue) -> int | None:
        if self._number_at(cue.start - 1) is not None and not self.grouping:
            return None
        mention = self._as_mention(cue.start, cue.end)
        previous = self.last_mention
        group = Group(mention, cue.value, time=True, at=cue.start)
        of = self._time_named_after(cue.end)
        if of is not None:
            group.mention = of
        elif previous is not None and self._is_time(previous) and self._adjacent(previous.end, cue.start):
            group.mention = previous
            self.frame.bare = [bare for bare in self.frame.bare if bare is not previous]
            self.frame.groups = [known for known in self.frame.groups if known.mention is not previous]
        same = [known for known in self.frame.groups if known.time and known.grain is cue.value]
        if not same:
            self.frame.groups = [known for known in self.frame.groups if not (known.time and known.mention is None and known.grain is None)]
            self.frame.groups.append(group)
        self.grouping, self.listing, self.aggregates = False, "group", self.aggregates
        return of.end if of is not None else None

    def _time_named_after(self, index: int) -> Mention | None:
        """Return the time column in 'year of the order date'."""
        while index < len(self.tokens) and self.tokens[index].text in ("of", "the", "in", "they", "was", "were"):
            index += 1
        item = self.by_start.get(index)
        return item if isinstance(item, Mention) and self._is_time(item) else None

    def _adjacent(self, start: int, end: int) -> bool:
        between = [self.tokens[i].text for i in range(start, end) if i not in self.blocked]
        return len(between) <= 4 and all(
            word in ("by", "into", "and", "bin", "bins", "binned", "in", "the", "a", "per", "grouped", "group", "each", ",", "interval", "intervals", "it", "them", "split", "with")
            for word in between
        )

    def _is_time(self, mention: Mention) -> bool:
        return any(
            self._column_type(candidate.target) in (Type.DATE, Type.DATETIME) for candidate in named(mention, "column")[:2]
        )

    def _column_type(self, target: Target) -> Type:
        return self.lexicon.profile.column(target.table, target.column).type

    def _as_mention(self, start: int, end: int) -> Mention | None:
        found = _mention(self.tokens[start:end], start, self.lexicon)
        return found[0] if found and found[0].names and found[0].score >= 0.85 else None

    def _on_over_time(self, cue: Cue) -> int | None:
        if not any(group.time for group in self.frame.groups):
            self.frame.groups.append(Group(None, None, time=True, at=cue.start))
        return None

    def _on_distribution(self, cue: Cue) -> int | None:
        self.frame.distribution = True
        self.grouping = True
        return None

    def _on_share(self, cue: Cue) -> int | None:
        self.frame.share = True
        self.sharing = True
        return None

    def _on_against(self, cue: Cue) -> int | None:
        self.frame.versus = True
        self.frame.against_at = cue.start if cue.phrase == "against" else None
        self.grouping = False
        return None

    def _on_relation(self, cue: Cue) -> int | None:
        self.frame.relation = True
        return None

    def _on_compare(self, cue: Cue) -> int | None:
        self.frame.versus = True
        return None

    def _on_negation(self, cue: Cue) -> int | None:
        self.negation = cue
        return None

    def _on_top(self, cue: Cue) -> int | None:
        if cue.start == self._skip_extreme:
            return None
        number = self._number_at(cue.end)
        follower = self.by_start.get(cue.end)
        if number is not None:
            self.frame.tops.append(Top(int(number), bool(cue.value), at=cue.start, plural=True))
            return cue.end + 1
        if isinstance(follower, Cue) and follower.kind == "aggregate":
            return None
        plural = isinstance(follower, Mention) and self._is_plural(follower)
        self.frame.tops.append(Top(None, bool(cue.value), at=cue.start, plural=plural))
        return None

    def _on_superlative(self, cue: Cue) -> int | None:
        if cue.start == self._skip_extreme:
            return None
        hint, descending = cue.value
        known = next((top for top in self.frame.tops if top.mention is None and not top.hint), None)
        if known is not None:
            known.hint = hint
            known.descending = known.descending if self.tokens[cue.start].text in ("selling",) else descending
            return None
        if any(group.explicit for group in self.frame.groups) or self._group_later(cue):
            self.frame.asks.append(Ask(Aggregate.MAXIMUM if descending else Aggregate.MINIMUM, None, at=cue.start, hint=hint))
            return None
        follower = self.by_start.get(cue.end)
        plural = isinstance(follower, Mention) and self._is_plural(follower)
        self.frame.tops.append(Top(None, descending, hint=hint, at=cue.start, plural=plural))
        self.aggregates = []
        return None

    def _group_later(self, cue: Cue) -> bool:
        return any(isinstance(item, Cue) and item.kind == "group" and item.start > cue.start for item in self.items)

    def _on_axis(self, cue: Cue) -> int | None:
        self.axis = str(cue.value)
        if self.axis == "x":
            self.grouping = True
        return None

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
            return None
        left = self.last_mention if self.last_mention and self._links(self.last_mention.end, cue.start) else None
        right = self._operand_noun(end)
        aggregate = next((ask.aggregate for ask in self.frame.asks if left is not None and ask.mention is left), None)
        pending = self.aggregates[-1] if self.aggregates else None
        hint = next((HINTS[word] for word in cue.phrase.split() if word in HINTS), "")
        self._take_left(left, cue)
        comparison = Comparison(
            self._operator(cue), tuple(numbers), left, right, aggregate or pending,
            " ".join(self.tokens[i].raw for i in range(cue.start, end)), tuple(texts), hint,
        )  # fmt: skip
        self.frame.comparisons.append(comparison)
        self.aggregates = []
        if right is not None:
            self._eaten.add(right.start)
        return end

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
        condition = {"with", "whose", "where", "have", "has", "having", "and", "or", "a", "an", "the", "their", "its", "if", "when", "that"}
        if before in condition and len(self.frame.bare) > 1 or before in ("whose", "where", "with", "having"):
            self.frame.bare.remove(left)

    def _links(self, start: int, end: int) -> bool:
        between = [self.tokens[i].text for i in range(start, end) if i not in self.blocked]
        return len(between) <= 3 and all(word in LINKING_WORDS for word in between)

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
            elif token.kind == "quoted" and cue.value in ("contains", "starts", "ends"):
                texts.append(token.raw)
                end = index + 1
            elif cue.value in ("contains", "starts", "ends") and token.text not in LINKING_WORDS | {"letter", "with"}:
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
        while index < len(self.tokens) and self.tokens[index].text in ("different", "distinct", "of", "the", "%", "$", "€", "£"):
            index += 1
        item = self.by_start.get(index)
        return item if isinstance(item, Mention) and item.names else None

    # Mentions

    def _mention(self, mention: Mention) -> int:
        if mention.start in self._eaten:
            self.last_mention = mention
            return mention.end
        if self.negation is not None:
            self._negated(mention)
        elif self._is_value(mention):
            self._value(mention)
        elif not mention.names:
            return mention.end
        elif self.aggregates and not (self.grouping and self.listing != "aggregate"):
            self._asked(mention)
        elif self.sharing:
            self.sharing = False
            self.frame.asks.append(Ask(None, mention, at=mention.start))
            self.listing = "ask"
        elif self.grouping or self._continues(mention):
            self.frame.groups.append(Group(mention, at=mention.start))
            self.grouping, self.listing = False, "group"
            self.aggregates = []
        else:
            self.frame.bare.append(mention)
            self.listing = ""
        self.last_mention = mention
        return mention.end

    def _asked(self, mention: Mention) -> None:
        for aggregate in self.aggregates:
            self.frame.asks.append(Ask(aggregate, mention, at=mention.start))
        self.aggregates, self.listing, self.sharing = [], "ask", False

    def _continues(self, mention: Mention) -> bool:
        """Tell whether 'and' adds this mention to a list of groups: 'by category and year'."""
        if self.listing != "group" or self.last_mention is None and not self.frame.groups:
            return False
        before = self.tokens[mention.start - 1].text if mention.start else ""
        if before not in ("and", ",", "&", "then", "/"):
            return False
        best = mention.names[0].target
        if best.kind == "derived":
            return False
        if best.kind == "table":
            return True
        return self.lexicon.profile.column(best.table, best.column).role not in (Role.ADDITIVE, Role.INTENSIVE)

    def _is_value(self, mention: Mention) -> bool:
        if not mention.values:
            return False
        if not mention.names:
            return True
        if self.grouping or self.aggregates:
            return mention.quoted
        value, name = mention.values[0].score, mention.names[0].score
        if mention.names[0].target.kind == "table" and name >= 0.95:
            return False
        return value > name or (value >= name - 0.03 and self.tokens[mention.start].raw[:1].isupper() and mention.start > 0)

    def _value(self, mention: Mention, negated: bool = False) -> None:
        column = None
        after = self.by_start.get(mention.end)
        if isinstance(after, Mention) and self._same_column(mention, after):
            column = after
            self._eaten.add(after.start)
        elif self.last_mention is not None and self._links(self.last_mention.end, mention.start):
            if self._same_column(mention, self.last_mention):
                column = self.last_mention
                self._forget_filter_column(column)
        self.frame.values.append(ValueHit(mention, negated, column))
        self.grouping = False

    def _same_column(self, value: Mention, name: Mention) -> bool:
        columns = {(candidate.target.table, candidate.target.column) for candidate in value.values}
        return any((candidate.target.table, candidate.target.column) in columns for candidate in named(name, "column"))

    def _forget_filter_column(self, column: Mention) -> None:
        """'whose status is open' names the column only to filter by it."""
        before = [self.tokens[i].text for i in range(max(0, column.start - 2), column.start)]
        if column in self.frame.bare and ({"whose", "where", "with", "having", "that"} & set(before) or self.frame.asks or self.frame.groups):
            self.frame.bare.remove(column)

    def _negated(self, mention: Mention) -> None:
        cue = self.negation
        self.negation = None
        if cue is None:
            return
        phrase = " ".join(self.tokens[i].raw for i in range(cue.start, mention.end))
        best = mention.names[0].target if mention.names else None
        if mention.values and (best is None or cue.phrase in vocabulary.EXCLUDING or self._is_value(mention)):
            times = [candidate for candidate in named(mention, "column") if self._column_type(candidate.target) in (Type.DATE, Type.DATETIME)]
            if not (times and cue.phrase in ("never", "not", "not yet", "not been", "still not", "yet to be")):
                self._value(mention, negated=True)
                return
        if best is None or not self._may_be_absent(mention):
            self.frame.bare.append(mention)
            return
        self.frame.absences.append(Absence(mention, phrase))

    def _may_be_absent(self, mention: Mention) -> bool:
        profile = self.lexicon.profile
        for candidate in mention.names:
            target = candidate.target
            if target.kind == "table":
                return True
            if target.kind == "column" and profile.column(target.table, target.column).nulls:
                return True
        return True

    # What is left

    def _note_leftovers(self) -> None:
        explained = set(self.blocked)
        for item in self.items:
            explained.update(range(item.start, item.end))
        for index, token in enumerate(self.tokens):
            if index in explained or token.kind in ("mark", "date"):
                continue
            if token.kind == "number" or token.number is not None or (token.text in vocabulary.FILLER and token.kind == "word"):
                self.frame.ignored.append(token.raw)
            else:
                self.frame.unknown.append(token)


__all__ = ["Grain", "Reader", "read"]
