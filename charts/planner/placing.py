"""Give each mention its part: a value to filter by, something missing, a number asked for, a group, or none yet."""

from __future__ import annotations

from ..profile import Type
from . import vocabulary
from .comparing import Comparing
from .cues import Cue
from .frame import Absence, Ask, Group, ValueHit
from .linking import FAINT, Mention, named
from .text import word_set

GENERAL = word_set("title type name kind category code number group class date time")


class Placing(Comparing):
    """Places mentions in the frame."""

    def _mention(self, mention: Mention) -> int:
        if mention.start in self.eaten:
            self.last_mention = mention
            return mention.end
        if self._repeats(mention) or self._is_mere_verb(mention):
            return mention.end
        self._compound(mention)
        if mention.end in self.times_at and self._is_time(mention) and self.negation is None:
            self.frame.timed_by.append(mention)  # 'delivered in March'
        elif self.negation is not None:
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
        elif self.grouping and self._qualifies_next(mention):
            self.last_mention = mention
            return mention.end
        elif self.grouping or self._continues(mention):
            self.frame.groups.append(Group(mention, at=mention.start))
            self.grouping, self.listing = False, "group"
            self.aggregates = []
        else:
            self.frame.bare.append(mention)
            self.listing = ""
        self.last_mention = mention
        return mention.end

    def _repeats(self, mention: Mention) -> bool:
        """'job title', 'card type': a general word right after a column only rounds it off."""
        last = self.last_mention
        if (
            last is None
            or last.end != mention.start
            or mention.end - mention.start > 1
            or mention.score >= 0.95
            or mention.values
        ):
            return False
        return bool(named(last, "column")) and self.tokens[mention.start].base in GENERAL

    def _is_mere_verb(self, mention: Mention) -> bool:
        """'players injured each day' does not ask for the column Injury."""
        if (
            self.negation is not None
            or mention.values
            or mention.end - mention.start > 1
            or not self.tokens[mention.start].text.endswith("ed")
        ):
            return False
        return mention.score < 0.93 and not self._is_time(mention) and not named(mention, "table")

    def _is_value(self, mention: Mention) -> bool:
        if not mention.values:
            return False
        if mention.values[0].score <= FAINT:
            return self._beside_its_column(mention)
        if not mention.names:
            return True
        value, name = mention.values[0].score, mention.names[0].score
        if self.grouping:
            return mention.quoted
        if self.aggregates:
            return mention.quoted or value > name + 0.12
        if mention.names[0].target.kind == "table" and name >= 0.95:
            return False
        return value > name or (
            value >= name - 0.03 and self.tokens[mention.start].raw[:1].isupper() and mention.start > 0
        )

    def _beside_its_column(self, mention: Mention) -> bool:
        after = self.by_start.get(mention.end)
        if isinstance(after, Mention) and self._same_column(mention, after):
            return True
        last = self.last_mention
        return last is not None and self._links(last.end, mention.start) and self._same_column(mention, last)

    def _value(self, mention: Mention, negated: bool = False) -> None:
        column = None
        after = self.by_start.get(mention.end)
        if isinstance(after, Mention) and self._same_column(mention, after):
            column = after
            self.eaten.add(after.start)
        elif (last := self.last_mention) and self._links(last.end, mention.start) and self._same_column(mention, last):
            column = last
            self._forget_filter_column(column)
        self.frame.values.append(ValueHit(mention, negated, column))
        self.grouping = False

    def _same_column(self, value: Mention, name: Mention) -> bool:
        columns = {(candidate.target.table, candidate.target.column) for candidate in value.values}
        return any((candidate.target.table, candidate.target.column) in columns for candidate in named(name, "column"))

    def _forget_filter_column(self, column: Mention) -> None:
        """'whose status is open' names the column only to filter by it."""
        before = [self.tokens[i].text for i in range(max(0, column.start - 2), column.start)]
        if column in self.frame.bare and (
            {"whose", "where", "with", "having", "that"} & set(before) or self.frame.asks or self.frame.groups
        ):
            self.frame.bare.remove(column)

    def _on_negation(self, cue: Cue) -> int | None:
        self.negation = cue
        return None

    def _negated(self, mention: Mention) -> None:
        cue = self.negation
        self.negation = None
        if cue is None:
            return
        phrase = " ".join(self.tokens[i].raw for i in range(cue.start, mention.end))
        best = mention.names[0].target if mention.names else None
        if mention.values and (best is None or cue.phrase in vocabulary.EXCLUDING or self._is_value(mention)):
            times = [
                candidate
                for candidate in named(mention, "column")
                if self._column_type(candidate.target) in (Type.DATE, Type.DATETIME)
            ]
            if not times or cue.phrase in vocabulary.EXCLUDING:
                self._value(mention, negated=True)
                return
        if best is None:
            return
        self.frame.absences.append(Absence(mention, phrase))
