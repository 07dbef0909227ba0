"""GET /api/conversations, and GET and DELETE /api/conversations/<id>."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from progress.api import next_page, read_cursor
from progress.database import in_database
from progress.owners import Owner, request_owner
from progress.problems import endpoint, invalid, not_found

from .models import Conversation, Message

PAGE = 50
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class ConversationFilter(BaseModel):
    """Query of GET /api/conversations."""

    model_config = ConfigDict(extra="forbid")
    cursor: str | None = None
    limit: int = Field(default=PAGE, ge=1, le=200)


class MessageFilter(BaseModel):
    """Query of GET /api/conversations/<id>."""

    model_config = ConfigDict(extra="forbid")
    before: int | None = Field(default=None, ge=0, le=2**31 - 1, description="only messages before this position")
    limit: int = Field(default=PAGE, ge=1, le=200, description="how many messages, the latest ones")


async def list_conversations(request: HttpRequest) -> HttpResponseBase:
    """GET /api/conversations"""
    query = _query(request, ConversationFilter)
    owner = await request_owner(request)

    def page() -> list[Conversation]:
        rows = Conversation.objects.for_owner(owner)
        if query.cursor:
            at, pk = read_cursor(query.cursor)
            rows = rows.filter(Q(updated_at__lt=at) | Q(updated_at=at, pk__lt=pk))
        return list(rows.order_by("-updated_at", "-pk")[: query.limit + 1])

    found = await in_database(page)
    items, more = found[: query.limit], len(found) > query.limit
    last = SimpleNamespace(created_at=items[-1].updated_at, pk=items[-1].pk) if more else None
    body = {"items": [each.as_json() for each in items], "next": next_page(request, last) if last else None}
    return JsonResponse(body, headers=PRIVATE)


async def show_conversation(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """GET /api/conversations/<id>"""
    query = _query(request, MessageFilter)
    conversation = await find_conversation(request, pk)

    def messages() -> list[Message]:
        said = conversation.messages.order_by("-position")
        if query.before is not None:
            said = said.filter(position__lt=query.before)
        return list(said[: query.limit + 1])

    found = await in_database(messages)
    shown = found[: query.limit][::-1]
    earlier = f"{request.path}?before={shown[0].position}&limit={query.limit}" if len(found) > query.limit else None
    body = {**conversation.as_json(), "messages": [each.as_json() for each in shown], "next": earlier}
    return JsonResponse(body, headers=PRIVATE)


async def delete_conversation(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """DELETE /api/conversations/<id>"""
    conversation = await find_conversation(request, pk, write=True)
    await in_database(conversation.delete)
    return HttpResponse(status=204)


async def find_conversation(request: HttpRequest, pk: UUID, *, write: bool = False) -> Conversation:
    """Return the caller's conversation; staff who may view conversations may read any. Raises Problem 404."""
    owner, user = await request_owner(request), await request.auser()
    found = await in_database(_select, owner, user, pk, write)
    if found is None:
        raise not_found()
    return found


def _select(owner: Owner, user: Any, pk: UUID, write: bool) -> Conversation | None:
    found: Conversation | None = Conversation.objects.for_owner(owner).filter(pk=pk).first()
    if found is None and not write and user.is_staff and user.has_perm("agent.view_conversation"):
        found = Conversation.objects.filter(pk=pk).first()
    return found


def _query[T: BaseModel](request: HttpRequest, model: type[T]) -> T:
    try:
        return model.model_validate(request.GET.dict())
    except ValidationError as error:
        raise invalid(error) from None


conversations_endpoint = endpoint(GET=list_conversations)
conversation_endpoint = endpoint(GET=show_conversation, DELETE=delete_conversation)
