"""The planner's one entrance: a question and a profile in; a plan, a choice of readings, or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from ..plan import Plan, Reading, Scalar, Understanding
from ..profile import Profile
from .answers import Ambiguous, NotUnderstood
from .build import Builder
from .draft import CannotPlan
from .frame import Frame
from .lexicon import Lexicon, Target, lexicon_of
from .names import column_words, singular, table_words
from .promises import unmet_words
from .reader import read
from .resolve import Span
from .suggest import holdings, ideas
from .text import Token
from .vague import measures_for
from .wordlists import BOTHER, DESTRUCTIVE

MAX_READINGS = 3
MAX_IDEAS = 24
UNPLACED = 0.4  # the weight of unknown words, for each that is known, from which a question is in doubt


def plan_question(
    question: str, profile: Profile, *, today: date | None = None
) -> Understanding | Ambiguous | NotUnderstood:
    """Read a question about a source. Never raises on any text; `today` (UTC) is what 'last month' counts from."""
    day = today or datetime.now(UTC).date()
    lexicon = lexicon_of(profile)
    frame = read(question, lexicon, day)
    if refusal := not_a_question(frame):
        return _refuse(question, lexicon, day, refusal)
    if readings := _vague(question, lexicon, frame, day):
        return readings
    return _plan(question, lexicon, frame, day)


def _plan(question: str, lexicon: Lexicon, frame: Frame, day: date) -> Understanding | Ambiguous | NotUnderstood:
    builder = Builder(question, frame, lexicon, day)
    try:
        plan = builder.build()
    except CannotPlan as cannot:
        return _refuse(question, lexicon, day, _why(frame, str(cannot)), frame)
    if unmet := unmet_words(frame, plan):
        return _refuse(question, lexicon, day, f"This cannot be answered as asked: {unmet}.", frame)
    frame.unknown = [token for token in frame.unknown if token.number is None or not _stands_in(plan, token.number)]
    if _in_doubt(frame):
        return _refuse(question, lexicon, day, _why(frame, ""), frame)
    if builder.resolver.ties:
        return _readings_of_tie(question, lexicon, builder, day)
    draft = builder.draft
    assumptions = [*(f"Read “{raw}” as “{better}”" for raw, better in frame.mended), *draft.assumptions]
    return Understanding(
        plan=plan, links=tuple(draft.links), ignored=_ignored(frame), assumptions=tuple(dict.fromkeys(assumptions)),
        confidence=_confidence(frame),
    )  # fmt: skip


def _ignored(frame: Frame) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(token.raw for token in frame.unknown), *frame.ignored]))


def _confidence(frame: Frame) -> float:
    scores = [mention.score for mention in frame.mentions] + [value.mention.score for value in frame.values]
    scores += [0.3] * len(frame.unknown) + [0.85] * len(frame.mended)
    return round(min(1.0, sum(scores) / len(scores)), 3) if scores else 0.5


# Refusals


def not_a_question(frame: Frame) -> str:
    """Return why a text is no question about data, if it is none."""
    words = [token.text for token in frame.tokens if token.kind == "word"]
    if not words and not frame.mentions and not frame.values:
        return "There is no question here."
    first = next(
        (word for word in words if word not in ("please", "can", "could", "you", "now", "i", "want", "to")), ""
    )
    if first in DESTRUCTIVE:
        return "Nothing can be changed or deleted here: sources are only read."
    known = frame.mentions or frame.values
    if not known and (set(words) & BOTHER or {"you", "your"} & set(words)):
        return "Only questions about the data can be answered here, with charts, tables and numbers."
    if {"write", "sing"} & {first} and not frame.groups and not frame.asks:
        return "Only questions about the data can be answered here, with charts, tables and numbers."
    return ""


def _why(frame: Frame, cannot: str) -> str:
    unknown = ", ".join(f"“{token.raw}”" for token in frame.unknown)
    if unknown:
        return f"This is not understood: {unknown}."
    if frame.unsupported:
        return f"This cannot be answered: {frame.unsupported}."
    return cannot[:1].upper() + cannot[1:] + "."


def _refuse(question: str, lexicon: Lexicon, day: date, why: str, frame: Frame | None = None) -> NotUnderstood:
    words = tuple(token.raw for token in frame.unknown) if frame is not None else ()
    return NotUnderstood(
        question=question, why=why, words=words, holds=holdings(lexicon.profile), questions=suggestions(lexicon, day)
    )


def suggestions(lexicon: Lexicon, day: date) -> tuple[str, ...]:
    """Return three questions about the source that can be planned."""
    if lexicon.suggested is None:
        found: list[str] = []
        for number, idea in enumerate(ideas(lexicon.profile)):
            if len(found) == 3 or number >= MAX_IDEAS:
                break
            if idea not in found and _works(idea, lexicon, day):
                found.append(idea)
        lexicon.suggested = tuple(found)
    return lexicon.suggested


def _works(idea: str, lexicon: Lexicon, day: date) -> bool:
    frame = read(idea, lexicon, day)
    builder = Builder(idea, frame, lexicon, day)
    try:
        builder.build()
    except CannotPlan:
        return False
    return not frame.unknown and not builder.resolver.ties


def _stands_in(plan: Plan, number: float) -> bool:
    """Tell whether the plan uses a number of the question, as it is or as the bound beside it ("16 or more" is "> 15")."""
    values: list[Scalar] = [value for condition in plan.filters for value in condition.values]
    values += [value for condition in plan.having for value in condition.values]
    bounds = [value for value in (plan.limit, *values) if isinstance(value, int | float)]
    return any(abs(bound - number) <= 1 for bound in bounds) or f"{number:g}" in " ".join(map(str, values))


def _in_doubt(frame: Frame) -> bool:
    """Tell whether the words that could not be placed leave the question in doubt."""
    linked = len(frame.mentions) + len(frame.values)
    return sum(_weight(frame, token) for token in frame.unknown) > UNPLACED * linked


def _weight(frame: Frame, token: Token) -> float:
    """Return how much an unknown word matters: a quotation, number or name most, a verb or a word beside a column little."""
    if token.kind in ("quoted", "number"):
        return 9.0  # most likely a condition, and dropping one makes the answer wrong
    if token.raw[:1].isupper() and token.start > 0:
        return 2.0
    if token.text.endswith(("ed", "ing", "ly")):
        return 0.0
    at = next(index for index, known in enumerate(frame.tokens) if known is token)
    asked = {ask.mention.end for ask in frame.asks if ask.mention is not None}
    rounds_off = any(mention.end == at or mention.start == at + 1 for mention in frame.mentions)
    return 0.5 if rounds_off and at not in asked else 1.0


# Readings


def _readings_of_tie(question: str, lexicon: Lexicon, builder: Builder, day: date) -> Ambiguous | NotUnderstood:
    """Offer what a word could mean, one reading for each meaning."""
    (start, end), (mention, targets) = next(iter(builder.resolver.ties.items()))
    tokens = builder.frame.tokens
    readings = []
    for target in targets[:MAX_READINGS]:
        words = question[: tokens[start].start] + _say(lexicon.profile, target) + question[tokens[end - 1].end :]
        reading = _reading(question, words, lexicon, day, {(start, end): target})
        readings += [reading] if reading else []
    why = f"“{mention.phrase}” could mean several things here."
    if len(readings) < 2:
        return _refuse(question, lexicon, day, why)
    return Ambiguous(question=question, readings=tuple(readings), why=why)


def _reading(question: str, words: str, lexicon: Lexicon, day: date, settled: Mapping[Span, Target]) -> Reading | None:
    try:
        plan = Builder(question, read(question, lexicon, day), lexicon, day, settled).build()
    except CannotPlan:
        return None
    return Reading(question=words, plan=plan.model_copy(update={"question": words}))


def _say(profile: Profile, target: Target) -> str:
    table = singular(table_words(profile.table(target.table)))
    if target.kind != "column" and target.kind != "value":
        return table
    column = column_words(profile.column(target.table, target.column))
    return f"{table} {column} {target.value}".strip()


def _vague(question: str, lexicon: Lexicon, frame: Frame, day: date) -> Ambiguous | None:
    """'best customers' does not say by what: offer the ways to measure them."""
    measures = measures_for(frame, lexicon.profile)
    readings = []
    for measure in measures[:MAX_READINGS]:
        words = f"{question.rstrip(' ?.!')} by {measure}"
        found = _plan(words, lexicon, read(words, lexicon, day), day)
        if isinstance(found, Understanding):
            readings.append(Reading(question=words, plan=found.plan))
    if len(readings) < 2:
        return None
    return Ambiguous(question=question, readings=tuple(readings), why="The question does not say what to rank by.")
