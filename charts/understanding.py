"""A question understood, or an error that says what was not and what could be asked instead."""

from __future__ import annotations

import re

from progress.exceptions import OperationFailed

from .figures import join_words
from .plan import ChartType, Understanding
from .planner import Ambiguous, NotUnderstood, plan_question
from .profile import Profile

NAMED = 12  # tables in an error's message
SMALL_TALK = re.compile(
    r"\W*(hi|hello|hey|thanks|thank you|good (morning|afternoon|evening|day)|who are you|what are you|what can you do"
    r"|how are you|help|bye|goodbye)\b.{0,40}",
    re.IGNORECASE | re.DOTALL,
)


def understand(question: str, profile: Profile, chart: ChartType | None = None) -> Understanding:
    """Return the plan of a question, with `chart` as its chart type where one is given.

    Raises OperationFailed (invalid_request) whose metadata offers `readings` or `suggestions` to click.
    """
    found = plan_question(question, profile)
    if isinstance(found, Ambiguous):
        raise _ambiguous(found)
    if isinstance(found, NotUnderstood):
        raise _not_understood(found, profile)
    if chart is None:
        return found
    return found.model_copy(update={"plan": found.plan.model_copy(update={"chart": chart})})


def _ambiguous(found: Ambiguous) -> OperationFailed:
    readings = [reading.question for reading in found.readings]
    message = f"{_sentence(found.why or 'this can be read in more than one way')} Which is meant?"
    return OperationFailed(message, code="invalid_request", metadata={"readings": readings})


def _not_understood(found: NotUnderstood, profile: Profile) -> OperationFailed:
    holds = list(found.holds) or [table.name for table in profile.tables]
    small_talk = SMALL_TALK.fullmatch(found.question) is not None
    metadata = {
        "unknown": [] if small_talk else list(found.words),
        "holds": holds[:100],
        "suggestions": list(found.questions),
        "smallTalk": small_talk,
    }
    message = f"{_refusal(found, small_talk)} This source holds {_listed(holds)}."
    return OperationFailed(message, code="invalid_request", metadata=metadata)


def _refusal(found: NotUnderstood, small_talk: bool) -> str:
    if small_talk:
        return "I answer questions about data with charts."
    if found.words:
        return f"I do not understand {join_words(f'“{word}”' for word in found.words)}."
    return _sentence(found.why or "I do not understand this question")


def _listed(names: list[str]) -> str:
    if len(names) <= NAMED:
        return join_words(names or ["no tables"])
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
