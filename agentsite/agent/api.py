"""POST /api/agent/chat"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field

from progress.api import build_operation, start_and_answer
from progress.models import OperationRun
from progress.problems import endpoint, read_body

from .conversations import conversation_id_of
from .conversations_api import find_conversation
from .operations import MESSAGE_LIMIT


class ChatRequest(BaseModel):
    """Body of POST /api/agent/chat."""

    model_config = ConfigDict(extra="forbid")
    message: str = Field(min_length=1, max_length=MESSAGE_LIMIT, pattern=r"\S", description="the question, in words")
    conversation: UUID | None = Field(default=None, description="the conversation to go on with; a new one by default")
    source: str | None = Field(default=None, max_length=100, description="slug of the source to ask")
    stream: bool = False
    on_disconnect: Literal["continue", "cancel"] = "continue"


async def chat(request: HttpRequest) -> HttpResponseBase:
    """Start a chat run and answer with its stream, with 202, or with the finished run."""
    body = read_body(request, ChatRequest)
    if body.conversation is not None:
        await find_conversation(request, body.conversation, write=True)
    operation = build_operation("chat", body.model_dump(mode="json", include={"message", "source", "conversation"}))
    return await start_and_answer(
        request, operation, stream=body.stream, on_disconnect=body.on_disconnect, shape=finished
    )


def finished(run: OperationRun) -> dict[str, Any]:
    """Return a chat run that has ended, with what it answered."""
    snapshot = run.snapshot()
    answer = run.result or {"message": run.message}
    given = {name: answer.get(name, []) for name in ("charts", "readings", "suggestions")}
    return {**snapshot, "message": answer["message"], **given, "conversation": str(conversation_id_of(run))}


chat_endpoint = endpoint(POST=chat)
