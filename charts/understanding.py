"""A question understood, or an error that says what was not and what could be asked instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from progress.exceptions import OperationFailed

from .figures import join_words
from .plan import ChartType, Plan, Understanding
from .planner import Ambiguous, NotUnderstood, follow, plan_question
from .profile import Profile
from .receipt import fitting

NAMED = 12  # tables in an error's message
SMALL_TALK = re.compile(
    r"\W*(hi|hello|hey|thanks|thank you|good (morning|afternoon|evening|day)|who are you|what are you|what can you do"
    r"|how are you|help|bye|goodbye)\b.{0,40}",
    re.IGNORECASE | re.DOTALL,
)


OWN = "The question stands on its own: nothing of the chart before it was kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a question may change: the plan of the chart before it, and the plan that an undo goes back to."""

    plan: Plan
    before: Plan | None = None


def understand(
    question: str, profile: Profile, chart: ChartType | None = None, followed: Followed | None = None
) -> Understanding:
    """Return the plan of a question, with `chart` as its chart type where one is given.

    With `followed` the question is read as a change of that plan, unless it stands on its own.

    Raises OperationFailed (invalid_request) whose metadata offers `readings` or `suggestions` to click.
    """
    found = _found(question, profile, followed)
    if isinstance(found, Ambiguous):
        raise _ambiguous(found)
    if isinstance(found, NotUnderstood):
        raise _not_understood(found, profile)
    if chart is None:
        return found
    return found.model_copy(update={"plan": found.plan.model_copy(update={"chart": chart})})


def _found(question: str, profile: Profile, followed: Followed | None) -> Understanding | Ambiguous | NotUnderstood:
    if followed is None:
        return plan_question(question, profile)
    change = follow(question, followed.plan, profile, before=followed.before)
    if change is not None:
        return change
    found = plan_question(question, profile)
    if not isinstance(found, Understanding):
        return found
    return found.model_copy(update={"assumptions": (*found.assumptions, OWN)})


def _ambiguous(found: Ambiguous) -> OperationFailed:
    readings = [reading.question for reading in found.readings]
    return OperationFailed(f"{found.why} Which is meant?", code="invalid_request", metadata={"readings": readings})


def _not_understood(found: NotUnderstood, profile: Profile) -> OperationFailed:
    small_talk = SMALL_TALK.fullmatch(found.question) is not None
    why = "Questions about data are answered here, with charts." if small_talk else found.why
    metadata = {
        "unknown": [] if small_talk else list(found.words),
        "holds": list(found.holds),
        "suggestions": list(found.questions),
        "smallTalk": small_talk,
    }
    tables = _listed([table.name for table in profile.tables])
    message = f"{why} This source holds {tables}." if found.words or not found.follows else why
    return OperationFailed(message, code="invalid_request", metadata=fitting(metadata))


def _listed(names: list[str]) -> str:
    if len(names) <= NAMED:
        return join_words(names or ["no tables"])
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
