"""What the planner says when it has no plan: a choice of readings, or a plain no with questions that do work."""

from __future__ import annotations

from dataclasses import dataclass

from ..plan import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """The question has two or three readings; each comes with a question to click."""

    question: str
    readings: tuple[Reading, ...]
    why: str  # one sentence: what is not clear


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUnderstood:
    """There is no answer to give: `why` in one sentence, what the source holds, and questions about it that work."""

    question: str
    why: str
    words: tuple[str, ...] = ()  # the words that were not understood
    holds: tuple[str, ...] = ()  # 'orders: customer, ordered at, status', a line for each table
    questions: tuple[str, ...] = ()  # each of them can be planned
    follows: bool = False  # it was a follow-up, and so are the questions
