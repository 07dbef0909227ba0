"""Read what numbers are divided by: per, each, by month, over time, along an axis."""

from __future__ import annotations

from ..plan import Aggregate
from ..profile import Role
from .asking import Asking
from .cues import Cue
from .frame import Group
from .linking import Mention, named


class Dividing(Asking):
    """Fills the groups of the frame."""

    def _on_group(self, cue: Cue) -> int | None:
        if cue.phrase in ("different", "distinct", "unique", "various") and self.aggregates == [Aggregate.COUNT]:
            self.aggregates = [Aggregate.COUNT_DISTINCT]
            return None
        self.grouping = True
        self.listing, self.sharing = "", False
        return None

    def _on_grain(self, cue: Cue) -> int | None:
        if self._number_at(cue.start - 1) is not None and not self.grouping:
            return None
        mention = self._as_mention(cue.start, cue.end)
        if self.aggregates and not self.grouping and mention is not None:
            self._asked(mention)
            self.last_mention = mention
            return None
        previous = self.last_mention
        group = Group(mention, cue.value, time=True, at=cue.start)
        if {"bin", "bins", "binned", "binning"} & {
            self.tokens[i].text for i in range(max(0, cue.start - 8), cue.start)
        }:
            self.frame.groups = [known for known in self.frame.groups if not (known.time and known.grain)]
        of = self._time_named_after(cue.end)
        if of is not None:
            group.mention = of
        elif previous is not None and self._is_time(previous) and self._adjacent(previous.end, cue.start):
            group.mention = previous
            self.frame.bare = [bare for bare in self.frame.bare if bare is not previous]
            self.frame.groups = [
                known for known in self.frame.groups if known.grain or not _same_name(known.mention, previous)
            ]
        same = [known for known in self.frame.groups if known.time and known.grain is cue.value]
        if not same:
            self.frame.groups = [
                known
                for known in self.frame.groups
                if not (known.time and known.mention is None and known.grain is None)
            ]
            self.frame.groups.append(group)
        self.grouping, self.listing = False, "group"
        return of.end if of is not None else None

    def _time_named_after(self, index: int) -> Mention | None:
        """Return the time column in 'year of the order date'."""
        while index < len(self.tokens) and self.tokens[index].text in ("of", "the", "in", "they", "was", "were"):
            index += 1
        item = self.by_start.get(index)
        return item if isinstance(item, Mention) and self._is_time(item) else None

    def _on_over_time(self, cue: Cue) -> int | None:
        if not any(group.time for group in self.frame.groups):
            self.frame.groups.append(Group(None, None, time=True, at=cue.start))
        return None

    def _on_axis(self, cue: Cue) -> int | None:
        before = self.tokens[cue.start - 1].text if cue.start else ""
        if before in ("on", "along") and self.last_mention is not None:
            self.frame.relation = True
            return None
        if cue.value == "x":
            self.grouping = True
        return None

    def _continues(self, mention: Mention) -> bool:
        """Tell whether 'and' adds this mention to a list of groups: 'by category and year'."""
        if self.listing != "group" or (self.last_mention is None and not self.frame.groups):
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

    def _qualifies_next(self, mention: Mention) -> bool:
        """'product category' is a category; the product only says of what."""
        follower = self.by_start.get(mention.end)
        if not isinstance(follower, Mention) or not named(mention, "table") or not follower.names:
            return False
        if self.tokens[mention.end - 1].owner and follower.names[0].target.kind == "column":
            return True
        head = follower.names[0].target
        return (
            head.kind == "table"
            and head.table != mention.names[0].target.table
            and not self.tokens[mention.end - 1].owner
        )

    def _compound(self, mention: Mention) -> None:
        """'category revenue': a table right before what is measured is what to group by."""
        last = self.last_mention
        if last is None or last.end != mention.start or last not in self.frame.bare or not mention.names:
            return
        if named(last, "table") and mention.names[0].target.kind == "derived":
            self.frame.bare.remove(last)
            self.frame.groups.append(Group(last, at=last.start))


def _same_name(one: Mention | None, other: Mention) -> bool:
    return one is not None and bool(one.names and other.names) and one.names[0].target == other.names[0].target
