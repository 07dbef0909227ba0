"""Read which numbers are asked for: how many, average, share of, how long."""

from __future__ import annotations

from ..plan import Aggregate
from .cues import Cue
from .frame import Ask, Top
from .lexicon import Target
from .linking import Candidate, Mention, named
from .ranking import Ranking
from .text import family


class Asking(Ranking):
    """Fills the asks of the frame."""

    def _on_aggregate(self, cue: Cue) -> int | None:
        if cue.start == self.ranked_at:
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
        if cue.phrase in ("count", "counts", "number", "numbers") and self._counts_the_last(cue):
            return None
        self.frame.measured_by = self.frame.measured_by or (self.grouping and cue.value is not Aggregate.COUNT_DISTINCT)
        self.extreme_word = cue.phrase
        before = self.tokens[cue.start - 1].text if cue.start else ""
        if self.aggregates and self.listing == "aggregate" and before in ("and", ",", "&", "or"):
            self.aggregates.append(cue.value)
        elif self.aggregates and cue.value is Aggregate.COUNT and Aggregate.SUM not in self.aggregates:
            pass  # 'average number of': the first word decides
        else:
            self.aggregates = [cue.value]
        self.listing = "aggregate"
        self.grouping = False
        return None

    def _counts_the_last(self, cue: Cue) -> bool:
        """'order count' is the number of orders."""
        last = self.last_mention
        if last is None or last.end != cue.start or not named(last, "table") or last not in self.frame.bare:
            return False
        self.frame.bare.remove(last)
        self.frame.asks.append(Ask(Aggregate.COUNT, last, at=last.start))
        return True

    def _counts_them(self, cue: Cue) -> bool:
        """Read 'and count them', 'how many are there of each', 'and how many in each'."""
        rest = [
            self.tokens[i].text for i in range(cue.end, min(cue.end + 3, len(self.tokens))) if i not in self.blocked
        ]
        if cue.phrase in ("count", "counts", "count of") and rest[:1] in (["them"], ["it"], ["these"]):
            self.frame.count_them = True
            return True
        if (rest[:1] and rest[0] in ("of", "are", "in", "per", "for", "each", "by", "there")) or not rest:
            following = next((item for item in self.items if item.start >= cue.end), None)
            if following is None or (isinstance(following, Cue) and following.kind == "group"):
                self.frame.count_them = True
                return following is None
        return False

    def _on_duration(self, cue: Cue) -> int | None:
        """Read 'how long does delivery take' as the days between two dates, if one of its words is in the question."""
        for index, token in enumerate(self.tokens):
            for derived in self.lexicon.profile.derived:
                words = {family(word) for word in derived.name.split()} - {"days", "day", "time"}
                if derived.unit == "days" and family(token.base) in words:
                    target = Target("derived", derived.table, derived=derived)
                    mention = Mention(index, index + 1, f"{cue.phrase} … {token.raw}", (Candidate(target, 1.0),))
                    aggregate = self.aggregates[-1] if self.aggregates else Aggregate.AVERAGE
                    self.aggregates = []
                    self.frame.asks.append(Ask(aggregate, mention, at=cue.start))
                    self.eaten.add(self._item_at(index))
                    self.frame.measured_by = True
                    return None
        return None

    def _on_share(self, cue: Cue) -> int | None:
        self.frame.share = True
        self.sharing = True
        return None

    def _on_distribution(self, cue: Cue) -> int | None:
        self.frame.distribution = True
        self.grouping = True
        return None

    def _on_relation(self, cue: Cue) -> int | None:
        self.frame.relation = True
        return None

    def _on_compare(self, cue: Cue) -> int | None:
        self.frame.versus = True
        return None

    def _on_against(self, cue: Cue) -> int | None:
        self.frame.versus = True
        self.frame.against_at = cue.start if cue.phrase == "against" else None
        self.grouping = False
        return None

    def _asked(self, mention: Mention) -> None:
        if self.extreme_word in ("most", "least", "fewest") and named(mention, "table") and len(self.aggregates) == 1:
            self.frame.tops.append(
                Top(None, self.extreme_word == "most", at=mention.start, plural=self._is_plural(mention))
            )
            self.frame.bare.append(mention)
            self.aggregates = []
            return
        for aggregate in self.aggregates:
            self.frame.asks.append(Ask(aggregate, mention, at=mention.start))
        self.aggregates, self.listing, self.sharing = [], "ask", False
