"""The HTTP API of the chat as a part of an OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import models_json_schema

from progress.openapi import (
    REF,
    STARTING,
    Description,
    Run,
    answer,
    call,
    parameter,
    query,
    starting_headers,
)

from .api import ChatRequest
from .conversations_api import ConversationFilter, MessageFilter
from .models import Ending, Role


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChartReference(_Answer):
    """A chart that an answer made."""

    id: UUID
    title: str
    url: str
    spec_url: str
    png_url: str


class FinishedChat(Run):
    """A chat run that has ended, with its answer."""

    charts: list[ChartReference]
    readings: list[str] = Field(description="what the question may mean, each as a question to ask")
    suggestions: list[str] = Field(description="questions that work, where this one did not")
    conversation: UUID


class ConversationLinks(_Answer):
    self: str
    page: str


class ConversationSummary(_Answer):
    """A conversation in a list."""

    id: UUID
    title: str
    source: str | None
    created_at: datetime
    updated_at: datetime
    links: ConversationLinks


class ConversationPage(_Answer):
    items: list[ConversationSummary]
    next: str | None = Field(description="the address of the next page")


class TurnError(_Answer):
    code: str
    message: str


class CalledTool(_Answer):
    """A tool that the model called, its result in short."""

    id: str
    name: str
    arguments: dict[str, JsonValue]
    status: Literal["completed", "failed"]
    result: str


class ConversationMessage(_Answer):
    """What the person said, or what was answered."""

    position: int
    role: Role
    text: str
    status: Ending
    error: TurnError | None
    readings: list[str]
    suggestions: list[str]
    charts: list[ChartReference]
    tool_calls: list[CalledTool]
    run: UUID | None = Field(description="the run that it came of; it may be pruned by now")
    created_at: datetime


class WholeConversation(ConversationSummary):
    """A conversation with its latest messages, in order."""

    messages: list[ConversationMessage]
    next: str | None = Field(description="the address of the messages before these")


def paths() -> Description:
    """Describe each address of this app below `/api`."""
    conversation = [parameter("id", "path", {"type": "string", "format": "uuid"}, "the conversation")]
    return {
        "/agent/chat": {
            "post": call(
                "Ask a question",
                {
                    **answer(
                        "FinishedChat", "The answer. Or, where that was asked for, the stream of events.", events=True
                    ),
                    **answer("AcceptedRun", "The run goes on.", status=202),
                },
                *sorted({*STARTING, 404}),
                body="ChatRequest",
                description="Starts the operation `chat`; `stream`, `Accept` and `Prefer` act as for `POST /api/runs`.",
                parameters=starting_headers(),
            )
        },
        "/conversations": {
            "get": call(
                "The caller's conversations, the latest first",
                answer("ConversationPage"),
                422,
                parameters=query(ConversationFilter),
            )
        },
        "/conversations/{id}": {
            "get": call(
                "A conversation with its messages",
                answer("WholeConversation"),
                404,
                422,
                parameters=[*conversation, *query(MessageFilter)],
            ),
            "delete": call(
                "Delete a conversation",
                {"204": {"description": "It is gone. Its charts stay."}},
                *(403, 404),
                parameters=conversation,
            ),
        },
    }


def schemas() -> Description:
    """Describe the question and the answer."""
    models = [(model, "validation") for model in (ChatRequest, FinishedChat, ConversationPage, WholeConversation)]
    _references, definitions = models_json_schema(models, ref_template=REF)  # type: ignore[arg-type]
    found: Description = definitions["$defs"]
    return found
