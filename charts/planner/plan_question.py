"""The planner's one entrance: a question and a profile in, a plan, a choice of readings, or a refusal out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from ..plan import Reading, Understanding
from ..profile import Profile
from .build import Builder, CannotPlan
from .lexicon import Lexicon, lexicon_of
from .reader import read


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    question: str
    readings: tuple[Reading, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUnderstood:
    question: str
    words: tuple[str, ...]
    why: str = ""
    holds: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def plan_question(question: str, profile: Profile, *, today: date | None = None) -> Understanding | Ambiguous | NotUnderstood:
    lexicon = lexicon_of(profile)
    frame = read(question, lexicon, today or datetime.now(UTC).date())
    try:
        builder = Builder(question, frame, lexicon, today or datetime.now(UTC).date())
        plan = builder.build()
    except CannotPlan as why:
        return NotUnderstood(question=question, words=tuple(t.raw for t in frame.unknown), why=str(why))
    draft = builder.draft
    if frame.unknown and _too_much(frame):
        return NotUnderstood(question=question, words=tuple(t.raw for t in frame.unknown), why="unknown words")
    return Understanding(plan=plan, links=tuple(draft.links), ignored=tuple(frame.ignored), assumptions=tuple(draft.assumptions))


def _too_much(frame) -> bool:
    linked = len(frame.mentions) + len(frame.values)
    return any(t.kind == "quoted" for t in frame.unknown) or len(frame.unknown) > 0.6 * linked
