"""Finding, making and continuing conversations. All of it is for a thread, not for the loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from progress import OperationFailed
from progress.database import storable
from progress.models import OperationRun
from progress.owners import Owner

from .models import TITLE, Conversation, Ending, Message, Role

NOT_THERE = "There is no such conversation."


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A message and what was answered, as a model is told of it."""

    message: str
    answer: str = ""
    tool_calls: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A turn that was begun: where it belongs and what was said before."""

    conversation: UUID
    run: UUID | None
    source: str
    earlier: tuple[Turn, ...] = ()


@dataclass(slots=True, kw_only=True)
class Answer:
    """What there is to keep of an answer."""

    text: str = ""
    charts: list[dict[str, Any]] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    advice: dict[str, Any] = field(default_factory=dict)


def conversation_for(owner: Owner, key: str) -> Conversation:
    """Return the conversation that `owner`'s client calls `key`, made where it is missing."""
    own = Conversation.objects.for_owner(owner).filter(key=key)
    if (found := own.first()) is not None:
        return found  # type: ignore[no-any-return]
    try:
        with transaction.atomic():
            made: Conversation = Conversation.objects.create(user_id=owner.user, visitor=owner.visitor, key=key)
            return made
    except IntegrityError:
        return own.get()  # type: ignore[no-any-return]  # another request of the same client was faster


def begin_turn(
    *, message: str, conversation: UUID | None, source: str | None, owner: Owner | None, run: str | None, budget: int
) -> Begun:
    """Keep the message of a run in its conversation, and return what was said there before, as far as `budget` characters reach.

    A run that tries another one again takes its place. Raises OperationFailed for a conversation that `owner` does not have.
    """
    tried = _tried_before(run)
    own = tried[-1] if tried else _id_of(run) or uuid4()
    with transaction.atomic():
        found = _conversation(conversation or own, owner, make=conversation is None)
        earlier = list(found.messages.order_by("position").exclude(run__in=[each for each in (run, *tried) if each]))
        _keep_message(found, message, run, tried)
        found.title = found.title or storable(" ".join(message.split())[:TITLE])
        found.source = source or found.source
        found.updated_at = timezone.now()
        found.save(update_fields=["title", "source", "updated_at"])
    return Begun(conversation=found.pk, run=_id_of(run), source=found.source, earlier=within(budget, turns_of(earlier)))


def _id_of(run: str | None) -> UUID | None:
    return UUID(run) if run else None


def _tried_before(run: str | None) -> list[UUID]:
    """The runs that this one tries again, the last one first."""
    found: list[UUID] = []
    before = OperationRun.objects.filter(pk=run).values_list("retry_of", flat=True).first() if run else None
    while before is not None and before not in found and len(found) < 20:
        found.append(before)
        before = OperationRun.objects.filter(pk=before).values_list("retry_of", flat=True).first()
    return found


def conversation_id_of(run: OperationRun) -> UUID:
    """Return the conversation that a chat run belongs to: the one that it names, or its own, which has its id.

    A run that tries another one again belongs to that one's.
    """
    if named := run.params.get("conversation"):
        return UUID(named)
    tried = _tried_before(str(run.pk))
    own: UUID = tried[-1] if tried else run.pk
    return own


def _conversation(pk: UUID, owner: Owner | None, *, make: bool) -> Conversation:
    known = Conversation.objects.visible_to(owner).select_for_update().filter(pk=pk).first()
    if known is not None:
        return known  # type: ignore[no-any-return]
    if not make:
        raise OperationFailed(NOT_THERE, code="invalid_request")
    who = owner or Owner()
    made: Conversation = Conversation.objects.create(pk=pk, user_id=who.user, visitor=who.visitor)
    return made


def _keep_message(conversation: Conversation, text: str, run: str | None, tried: list[UUID]) -> None:
    said = conversation.messages
    if tried:
        said.filter(run__in=tried, role=Role.ASSISTANT).delete()
        said.filter(run__in=tried, role=Role.USER).delete()
    if run and said.filter(run=run, role=Role.USER).exists():
        return  # the same run, executed again
    said.create(position=_next_position(conversation), role=Role.USER, text=storable(text), run=run)


def _next_position(conversation: Conversation) -> int:
    last = conversation.messages.aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 1


def end_turn(begun: Begun, answer: Answer, status: Ending, error: dict[str, Any] | None = None) -> None:
    """Keep the answer of a run, in the place of one that the same run gave before. A conversation may be deleted meanwhile."""
    values = {
        "text": answer.text,
        "charts": answer.charts,
        "tool_calls": answer.tool_calls,
        "advice": answer.advice,
        "status": status,
        "error": error,
    }
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().filter(pk=begun.conversation).first()
        if conversation is None:
            return
        if begun.run is not None:
            conversation.messages.filter(run=begun.run, role=Role.ASSISTANT).delete()
        position = _next_position(conversation)
        conversation.messages.create(position=position, role=Role.ASSISTANT, run=begun.run, **storable(values))
        Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now())


# What a model is told of what was said before

SHORTENED = 4_000  # characters of one text


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """Put messages and their answers together; what was never answered says so."""
    answers = {message.run: message for message in messages if message.role == Role.ASSISTANT and message.run}
    turns, waiting = list[Turn](), list[Message]()
    for message in messages:
        if message.role == Role.USER:
            if message.run is None:
                waiting.append(message)
            else:
                turns.append(_turn(message, answers.get(message.run)))
        elif message.run is None and waiting:
            turns.append(_turn(waiting.pop(0), message))
    return turns


def _turn(message: Message, answer: Message | None) -> Turn:
    if answer is None or (not answer.text and not answer.tool_calls):
        why = (answer.error or {}).get("message") if answer is not None else None
        return Turn(message=message.text, answer=f"(This was not answered. {why or 'It was not finished.'})")
    return Turn(message=message.text, answer=answer.text, tool_calls=answer.tool_calls)


def within(budget: int, turns: list[Turn]) -> tuple[Turn, ...]:
    """Return the newest turns that have room in `budget` characters, long texts shortened; the last one always."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        short = Turn(message=_short(turn.message), answer=_short(turn.answer), tool_calls=turn.tool_calls)
        budget -= len(short.message) + len(short.answer) + sum(len(str(call)) for call in short.tool_calls)
        if kept and budget < 0:
            break
        kept.append(short)
    return tuple(reversed(kept))


def _short(text: str) -> str:
    return text if len(text) <= SHORTENED else f"{text[:SHORTENED]}… (shortened)"
