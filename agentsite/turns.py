"""A conversation as the first page shows it: its turns, each a question with what became of it, also when its run is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q

from agentsite.agent.conversations import conversation_id_of
from agentsite.agent.models import Conversation, Ending, Message, Role
from agentsite.agent.tool_words import phrase
from charts.models import Chart
from progress.models import ACTIVE, OperationRun
from progress.owners import Owner

from .cards import answered, chart_card, outcome_of

SHOWN_TURNS = 20
UNFINISHED = "This was not finished: the server was stopped in the middle of it."


@dataclass(slots=True, kw_only=True)
class ShownTurn:
    """A question and its answer, as far as it has come."""

    key: str  # names it on the page
    question: str
    run: OperationRun | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    outcome: dict[str, Any] | None = None
    error: str = ""  # of a turn whose run is not there any more
    latest: bool = False

    @property
    def bar(self) -> bool:
        """Whether there is something to follow, or to try again."""
        return self.run is not None and (self.run.is_active or (self.latest and self.run.status != Ending.COMPLETED))


@dataclass(slots=True, kw_only=True)
class ShownConversation:
    id: UUID
    title: str
    source: str
    turns: list[ShownTurn]
    before: int | None = None  # the position before which there are earlier messages

    @property
    def active(self) -> bool:
        return any(turn.run is not None and turn.run.is_active for turn in self.turns)


def show_conversation(pk: UUID, owner: Owner, *, before: int | None = None) -> ShownConversation | None:
    """Return the owner's conversation `pk` with its latest turns; None where there is none.

    One whose first run has not begun is not there yet: it has that run's id.
    """
    conversation = Conversation.objects.for_owner(owner).filter(pk=pk).first()
    runs = OperationRun.objects.for_owner(owner).filter(operation="chat")
    if conversation is None:
        first = runs.filter(pk=pk).first()
        if first is None or is_over(first):
            return None
        return ShownConversation(
            id=conversation_id_of(first), title=_message(first), source=first.params.get("source") or "", turns=[_turn_of(first)]
        )  # fmt: skip
    said, earlier = _messages(conversation, before)
    known = runs.in_bulk([message.run for message in said if message.run])
    turns = _turns(said, known, owner)
    if before is None:
        waiting = runs.filter(Q(pk=pk) | Q(params__conversation=str(pk)), status__in=ACTIVE).exclude(pk__in=known)
        turns += [_turn_of(run) for run in waiting.order_by("created_at")]
        if turns:
            turns[-1].latest = True
    return ShownConversation(id=pk, title=conversation.title, source=conversation.source, turns=turns, before=earlier)


def is_over(run: OperationRun) -> bool:
    """Whether a run began and has ended: without its conversation, that was deleted since."""
    return run.started_at is not None and not run.is_active


def _messages(conversation: Conversation, before: int | None) -> tuple[list[Message], int | None]:
    said = conversation.messages.order_by("-position")
    if before is not None:
        said = said.filter(position__lt=before)
    found = list(said[: 2 * SHOWN_TURNS + 1])
    shown = found[: 2 * SHOWN_TURNS][::-1]
    return shown, shown[0].position if len(found) > 2 * SHOWN_TURNS else None


def _turns(said: list[Message], runs: dict[UUID, OperationRun], owner: Owner) -> list[ShownTurn]:
    cards = _cards(said, owner)
    turns: list[ShownTurn] = []
    by_run: dict[UUID | None, ShownTurn] = {}
    for message in said:
        if message.role == Role.USER:
            turn = ShownTurn(key=str(message.run or message.position), question=message.text)
            turn.run = runs.get(message.run) if message.run else None
            turns.append(turn)
            by_run[message.run] = turn
        elif (asked := by_run.get(message.run)) is not None:
            _answer(asked, message, cards)
    for turn in turns:
        _finish(turn)
    return turns


def _cards(said: list[Message], owner: Owner) -> dict[str, dict[str, Any]]:
    wanted = [chart["id"] for message in said for chart in message.charts]
    found = Chart.objects.for_owner(owner).select_related("source", "follows").filter(pk__in=wanted) if wanted else []
    return {str(chart.pk): chart_card(chart) for chart in found}


def _answer(turn: ShownTurn, message: Message, cards: dict[str, dict[str, Any]]) -> None:
    charts = [cards[chart["id"]] for chart in message.charts if chart["id"] in cards]
    turn.calls = [{"text": phrase(call), "status": call["status"]} for call in message.tool_calls]
    turn.outcome = answered(message.text, charts, message.advice)
    if message.status != Ending.COMPLETED:
        turn.error = (message.error or {}).get("message") or UNFINISHED


def _finish(turn: ShownTurn) -> None:
    """Say what became of a turn whose answer was never kept."""
    if turn.outcome is not None or (turn.run is not None and turn.run.is_active):
        return
    if turn.run is None:
        turn.error = UNFINISHED
        return
    turn.outcome = outcome_of(turn.run)
    turn.error = (turn.run.error or {}).get("message", "")


def _turn_of(run: OperationRun) -> ShownTurn:
    turn = ShownTurn(key=str(run.pk), question=_message(run), run=run, latest=True)
    _finish(turn)
    return turn


def _message(run: OperationRun) -> str:
    return str(run.params.get("message", ""))
