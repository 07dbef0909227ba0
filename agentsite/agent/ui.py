"""The AI SDK: POST /api/agent/ui runs the chat for `useChat`; GET /api/agent/ui/<chat>/stream is what it resumes by."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from progress.dialects.ai_sdk import AiSdk
from progress.models import OperationRun
from progress.problems import endpoint, idempotency_key, read_body
from progress.streams import STREAM_HEADERS, refuse_other_sites, stream_response

from .conf import setting
from .threads import KEY_LENGTH, KEY_PATTERN, active_run, ask, find_thread, last_text


class ChatFields(BaseModel):
    """What `useChat` sends, by HTTP or WebSocket. The last message of a user is the question; what else was said is known here."""

    # The application's own `body` comes among these, and later versions add fields.
    model_config = ConfigDict(extra="ignore")
    id: str = Field(min_length=1, max_length=KEY_LENGTH, pattern=KEY_PATTERN, description="the conversation")
    messages: list[dict[str, JsonValue]]
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"


class ChatOptions(BaseModel):
    """What this site reads of the application's own `body`."""

    model_config = ConfigDict(extra="ignore")
    source: str | None = Field(default=None, max_length=100, description="slug of the source to ask")
    on_disconnect: Literal["continue", "cancel"] = "continue"


class UiRequest(ChatFields, ChatOptions):
    """Body of POST /api/agent/ui: that of the AI SDK's `DefaultChatTransport`."""


async def answer_chat(request: HttpRequest, chat: ChatFields, options: ChatOptions, once: str = "") -> OperationRun:
    """Start what `useChat` asks for."""
    return await ask(
        request,
        chat.id,
        last_text(chat.messages, "parts"),
        source=options.source,
        once=once,
        on_disconnect=options.on_disconnect,
        again=chat.trigger == "regenerate-message",
    )


async def run_chat(request: HttpRequest) -> HttpResponseBase:
    """Start a chat run and stream it."""
    body = read_body(request, UiRequest, limit=setting("HISTORY_BYTES"))
    run = await answer_chat(request, body, body, idempotency_key(request))
    return await stream_response(request, run, 0, AiSdk(run.pk))


async def resume_chat(request: HttpRequest, chat: str) -> HttpResponseBase:
    """Stream the chat's active run from its beginning, of which the client builds the message anew; 204 where there is none."""
    refuse_other_sites(request)
    conversation = await find_thread(request, chat)
    run = await active_run(request, conversation) if conversation is not None else None
    if run is None:
        return HttpResponse(status=204, headers=STREAM_HEADERS)
    return await stream_response(request, run, 0, AiSdk(run.pk))


ui_endpoint = endpoint(POST=run_chat)
resume_endpoint = endpoint(GET=resume_chat)
