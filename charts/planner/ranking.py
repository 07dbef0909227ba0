"""Read what ranks: top 10, the highest, the cheapest, the most orders."""

from __future__ import annotations

from ..plan import Aggregate
from .cues import Cue
from .frame import Ask, Top
from .linking import Mention, named
from .scan import Scan
from .text import word_set

ASKING = word_set("which what who whose whom")


class Ranking(Scan):
    """Fills the tops of the frame."""

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
            self.ranked_at = after.start
            return
        if isinstance(after, Mention) and named(after, "table") and self._extreme_later(index):
            self.frame.tops.append(Top(int(number), True, at=index, plural=True))

    def _extreme_later(self, index: int) -> bool:
        return any(
            isinstance(item, Cue)
            and item.start > index
            and (item.kind in ("top", "superlative") or self._is_extreme(item))
            for item in self.items
        )

    @staticmethod
    def _is_extreme(cue: Cue) -> bool:
        return (
            cue.kind == "aggregate" and cue.value in (Aggregate.MAXIMUM, Aggregate.MINIMUM) and " of" not in cue.phrase
        )

    def _is_descending(self, cue: Cue) -> bool:
        if cue.kind == "top":
            return bool(cue.value)
        if cue.kind == "superlative":
            return bool(cue.value[1])
        return cue.value is Aggregate.MAXIMUM

    def _names_the_best(self, cue: Cue) -> bool:
        """Tell whether 'highest' singles out a group or row ('which product has the highest revenue') or is an aggregate."""
        before = [self.tokens[i].text for i in range(max(0, cue.start - 4), cue.start)]
        follower = next((item for item in self.items if item.start >= cue.end), None)
        if any(isinstance(item, Cue) and item.kind == "group" and item.start > cue.start for item in self.items):
            return cue.phrase == "most" and isinstance(follower, Mention) and bool(named(follower, "table"))
        asking = bool(self.tokens) and any(token.text in ASKING for token in self.tokens[:3]) and not self.frame.asks
        entity = bool(self.frame.bare or self.frame.groups)
        counted = (
            isinstance(follower, Mention)
            and bool(named(follower, "table"))
            and cue.phrase in ("most", "fewest", "least")
        )
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
            self.eaten.add(mention.start)

    def _on_top(self, cue: Cue) -> int | None:
        if cue.start == self.ranked_at:
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
        if cue.start == self.ranked_at:
            return None
        hint, descending = cue.value
        number = self._number_at(cue.end)
        if number is not None and number >= 1:
            self.frame.tops.append(Top(int(number), descending, hint=hint, at=cue.start, plural=True))
            return cue.end + 1
        known = next((top for top in self.frame.tops if top.mention is None and not top.hint), None)
        if known is not None:
            known.hint = hint
            known.descending = known.descending if self.tokens[cue.start].text in ("selling",) else descending
            return None
        if self.frame.groups or self._group_later(cue):
            self.frame.asks.append(
                Ask(Aggregate.MAXIMUM if descending else Aggregate.MINIMUM, None, at=cue.start, hint=hint)
            )
            return None
        follower = self.by_start.get(cue.end)
        plural = isinstance(follower, Mention) and self._is_plural(follower)
        self.frame.tops.append(Top(None, descending, hint=hint, at=cue.start, plural=plural))
        self.aggregates = []
        return None

    def _group_later(self, cue: Cue) -> bool:
        return any(isinstance(item, Cue) and item.kind == "group" and item.start > cue.start for item in self.items)
