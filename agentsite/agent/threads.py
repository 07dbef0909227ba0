"""Conversations as other people's clients know them: by a name of the client's own, with one run at a time to follow.

What such a client sends of the conversation so far is not believed: what was said is what was kept here.
"""

from __future__ import annotations

import re
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpRequest

from progress import runs
from progress.access import allowed_owner
from progress.api import build_operation
from progress.database import in_database, storable
from progress.models import ACTIVE, OperationRun
from progress.owners import Owner, request_owner
from progress.problems import Problem

from .conversations import conversation_for
from .models import Conversation, Message, Role

KEY_LENGTH = 200  # characters of a client's name for a conversation
KEY_PATTERN = r"^[^\x00-\x1f\x7f]+$"


async def ask(
    request: HttpRequest,
    key: str,
    message: str,
    *,
    source: str | None,
    once: str,
    on_disconnect: str,
    again: bool = False,
) -> OperationRun:
    """Start a chat in the caller's conversation `key`. With `again`, it takes the place of the run that answered this message.

    The same text of `once`, from the same owner, with the same message gives the same run.
    """
    given = {"message": message, **({} if source is None else {"source": source})}
    operation = build_operation("chat", given)  # before anything is made
    owner = await allowed_owner(request, *operation.required_permissions())

    def start() -> OperationRun:
        with transaction.atomic():  # where the run is refused, no conversation is made
            conversation = conversation_for(owner, key)
            operation = build_operation("chat", {**given, "conversation": str(conversation.pk)})
            before = _answered_by(owner, conversation, message) if again else None
            return runs.create_run(operation, owner=owner, on_disconnect=on_disconnect, key=once, retry_of=before)

    return await sync_to_async(start)()


def _answered_by(owner: Owner, conversation: Conversation, message: str) -> OperationRun | None:
    """The last run that answered this message, if it is still kept."""
    asked = Message.objects.filter(conversation=conversation, role=Role.USER, text=storable(message)).order_by(
        "-position"
    )
    runs_of_owner: Any = OperationRun.objects.for_owner(owner)
    found: OperationRun | None = runs_of_owner.filter(pk=asked.values_list("run", flat=True).first()).first()
    return found


async def find_thread(request: HttpRequest, key: str) -> Conversation | None:
    """Return the caller's conversation `key`; None where there is none."""
    if len(key) > KEY_LENGTH or not re.search(KEY_PATTERN, key):
        return None
    owner = await request_owner(request)
    return await in_database(Conversation.objects.for_owner(owner).filter(key=key).first)


async def active_run(request: HttpRequest, conversation: Conversation) -> OperationRun | None:
    """Return the newest run of the conversation that has not ended."""
    owner = await request_owner(request)
    chats = OperationRun.objects.for_owner(owner).filter(operation="chat", params__conversation=str(conversation.pk))
    return await in_database(chats.filter(status__in=ACTIVE).order_by("-created_at", "-pk").first)


def history(conversation: Conversation, joined: OperationRun | None = None) -> tuple[dict[str, Any], ...]:
    """Return what was said, as messages of AG-UI, up to what the run `joined` was asked. For a thread.

    An answer has the id of its run, as it had while it was streamed.
    """
    said = list(Message.objects.filter(conversation=conversation).order_by("position"))
    if joined is None:
        return tuple(map(_shown, said))
    asked = [message for message in said if message.role == Role.USER and message.run == joined.pk]
    if not asked:  # it waits for its turn, and keeps its message when it begins
        next_one = Message(
            conversation=conversation, position=len(said), role=Role.USER, text=joined.params["message"], run=joined.pk
        )
        said.append(next_one)
    return tuple(_shown(message) for message in said if message.role == Role.USER or message.run != joined.pk)


def _shown(message: Message) -> dict[str, Any]:
    answer = message.role == Role.ASSISTANT
    text = message.text or (message.error or {}).get("message", "")
    charts = {"metadata": {"app.charts": message.charts}} if message.charts else {}
    id = str(message.run) if answer and message.run else f"{message.conversation_id}:{message.position}"
    return {"id": id, "role": "assistant" if answer else "user", "content": text, **charts}


def last_text(messages: list[dict[str, Any]], parts: str) -> str:
    """Return the text of the last message that a person wrote, whose parts are in the field `parts`. Raises Problem 422."""
    written = None
    for place, message in enumerate(messages):
        if not isinstance(role := message.get("role"), str):
            raise _wrong(f"messages.{place}.role", "must be text")
        if role == "user":
            written = _text(message.get(parts), f"messages.{place}.{parts}")
    if written is None:
        raise _wrong("messages", "one of them must be a user's")
    return written


def _text(content: Any, field: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _wrong(field, "must be text, or a list of parts")
    written = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise _wrong(field, "every part must be text: files cannot be read here")
        written.append(part["text"])
    return "".join(written)


def _wrong(field: str, message: str) -> Problem:
    return Problem(422, f"{field}: {message}.", errors=[{"field": field, "message": message}])
