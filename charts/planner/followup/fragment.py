"""Read the words of one clause with the reader of full questions, and keep what that leaves open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from ...plan import Aggregate
from ..cues import Cue
from ..frame import Frame
from ..lexicon import Lexicon
from ..reader import Reader
from ..text import Token, word_set
from ..turns import IGNORABLE
from ..vocabulary import CHARTS, phrases

UNIT = "year|month|quarter|week"
SHIFTS = (
    re.compile(rf"(?:(?:in|for|with|to) )?(?:the )?(?P<unit>{UNIT}) (?P<way>before|earlier|prior|after|later)(?: that| it)?"),
    re.compile(rf"(?:(?:in|for|with|to) )?(?:the |its )?(?P<way>previous|prior|preceding|following|next) (?P<unit>{UNIT})"),
    re.compile(rf"(?:(?:in|for) )?(?:one|a|1) (?P<unit>{UNIT}) (?P<way>before|earlier|back|later|after)"),
)  # fmt: skip
EACH = ("each", "of each", "for each", "every", "of every")  # 'the share of each'
FORWARD = ("after", "later", "following", "next")
SPLITS = (
    "split", "break", "broken", "divided", "segmented", "separate", "colo", "stacked", "cut", "sliced", "down by", "for each",
    "for every", "within each",
)  # fmt: skip
BESIDE_CHARTS = word_set("a an as the in to chart graph plot please view format form version")
CHART_WORDS = {
    "line": "line", "lines": "line", "curve": "line", "bar": "bar", "bars": "bar", "columns": "bar", "column": "bar",
    "area": "area", "areas": "area", "points": "points", "point": "points", "dots": "points", "scatter": "scatter",
    "number": "number", "table": "table", "list": "list", "pie": "pie", "donut": "pie", "doughnut": "pie", "histogram": "histogram",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shift:
    """'the year before': the time of the chart moved by one unit."""

    unit: str
    steps: int
    phrase: str
    vague: bool  # 'the previous year' may also be the one before this year


@dataclass(slots=True)
class Fragment:
    """A clause that was read. `aggregate` stands alone ('the average'), `refused` is a negation without its object."""

    frame: Frame
    aggregate: Aggregate | None = None
    refused: bool = False
    splits: bool = False  # 'split by', 'broken down by': another grouping beside those that are there
    shift: Shift | None = None
    unknown: list[Token] = field(default_factory=list)
    unplaced: list[Cue] = field(default_factory=list)  # words of the trade that became nothing


def read_clause(tokens: Sequence[Token], lexicon: Lexicon, today: date) -> Fragment:
    """Return what the words of a clause name; an empty clause names nothing."""
    rest, shift = _take_shift(list(tokens))
    rest = _chart_alone(rest)
    reader = Reader([_opening(rest), *rest], [], lexicon, today)
    reader.walk()
    frame = reader.frame
    alone = reader.aggregates[-1] if reader.aggregates else None
    if frame.share and alone is Aggregate.SUM:
        alone = None  # 'as a share of the total'
    placed = {reader.tokens[hit.start].text for hit in frame.times}
    unknown = [token for token in frame.unknown if token.text not in placed]
    unknown += [token for token in reader.tokens if token.raw in frame.ignored and _matters(token)]
    return Fragment(
        frame, alone, reader.negation is not None, _splits(reader), shift, unknown, _unplaced(reader, alone)
    )


def _splits(reader: Reader) -> bool:
    return any(
        isinstance(item, Cue) and item.kind == "group" and item.phrase.startswith(SPLITS) for item in reader.items
    )


def _opening(tokens: Sequence[Token]) -> Token:
    """A word that carries nothing, as some phrases are not looked for at the very start of a question."""
    return Token("it", "it", "it", 0, 0)


def _matters(token: Token) -> bool:
    return token.number is None and token.kind == "word" and token.text not in IGNORABLE


def _unplaced(reader: Reader, alone: Aggregate | None) -> list[Cue]:
    """Return the cues that left no trace in the frame."""
    frame = reader.frame
    traces = {
        "operator": bool(frame.comparisons or frame.values),
        "aggregate": bool(frame.asks or frame.tops or alone or frame.comparisons or frame.count_them or frame.share),
        "grain": bool(frame.groups or frame.times or frame.asks),
        "group": bool(frame.groups or frame.absences or frame.orders or frame.asks),
        "over_time": bool(frame.groups),
        "superlative": bool(frame.tops or frame.asks),
        "top": bool(frame.tops),
        "share": frame.share,
        "against": frame.versus,
        "compare": frame.versus,
        "empty": bool(frame.absences),
        "negation": True,
    }
    cues = [item for item in reader.items if isinstance(item, Cue)]
    return [cue for cue in cues if not traces.get(cue.kind, False) and not (frame.share and cue.phrase in EACH)]


def _take_shift(tokens: list[Token]) -> tuple[list[Token], Shift | None]:
    """Take 'the year before' out of a clause."""
    words = [token.text if token.kind != "quoted" else "\0" for token in tokens]
    text = " ".join(words)
    for number, pattern in enumerate(SHIFTS):
        for found in pattern.finditer(text):
            first = text[: found.start()].count(" ") if found.start() else 0
            last = first + found.group().count(" ") + 1
            before = found.start() == 0 or text[found.start() - 1] == " "
            after = found.end() == len(text) or text[found.end()] == " "
            rest = " ".join(words[last : last + 1])
            if not (before and after) or (number == 0 and re.fullmatch(r"\d.*|last|the|this|yesterday|today", rest)):
                continue
            steps = 1 if found["way"] in FORWARD else -1
            return [*tokens[:first], *tokens[last:]], Shift(found["unit"], steps, found.group(), number == 1)
    return tokens, None


def _chart_alone(tokens: list[Token]) -> list[Token]:
    """'a line', 'bars', 'pie chart': where nothing else is said, a chart type is wished for."""
    words = [token.text for token in tokens if token.text not in BESIDE_CHARTS]
    known = {phrase for text in CHARTS.values() for phrase in phrases(text)}
    if len(words) == 1 and words[0] in CHART_WORDS:
        at = next(token for token in tokens if token.text == words[0])
        found = CHART_WORDS[words[0]]
        return [_word("as", at), _word("a", at), _word(found, at)]
    if tuple(words) in known and tokens[0].text not in ("a", "an", "as"):
        return [_word("as", tokens[0]), _word("a", tokens[0]), *(token for token in tokens if token.text in words)]
    return tokens


def _word(text: str, at: Token) -> Token:
    return replace(at, text=text, base=text, raw=text, kind="word", number=None, owner=False)
