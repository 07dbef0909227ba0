"""The addresses for clients of AG-UI and the AI SDK as a part of an OpenAPI description."""

from __future__ import annotations

from progress.openapi import STARTING, Description, call, idempotency_header, parameter, stream_of

from .operations import MESSAGE_LIMIT
from .threads import KEY_LENGTH, KEY_PATTERN

KEY = {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": KEY_PATTERN}
TEXT = {"type": "string", "minLength": 1, "maxLength": MESSAGE_LIMIT, "pattern": r"\S"}
NOT_ACTIVE = {"204": {"description": "There is nothing to follow."}}


def paths() -> Description:
    """Describe each of these addresses below the prefix where `agentsite.agent.urls` is included."""
    return {
        "/agent/agui": {
            "post": call(
                "Ask a question as a client of AG-UI",
                stream_of("AgUiEvent", "The events of AG-UI."),
                *STARTING,
                body="RunAgentInput",
                description="For `HttpAgent` of @ag-ui/client as it is. The last message of a user is asked in the conversation "
                "`threadId`; what else the client says of the conversation is not read. The same `runId` with the same message is "
                "the same run.",
                parameters=[idempotency_header()],
            )
        },
        "/agent/agui/{thread}/stream": {
            "get": call(
                "Where a thread stands",
                {**stream_of("AgUiEvent", "What was said, and what the active run says from here on."), **NOT_ACTIVE},
                403,
                parameters=[parameter("thread", "path", KEY, "the thread's id, with every character escaped")],
            )
        },
        "/agent/ui": {
            "post": call(
                "Ask a question as a client of the AI SDK",
                stream_of("UiMessageChunk", "A UI message stream."),
                *STARTING,
                body="UiRequest",
                description="For `useChat` with `DefaultChatTransport` as it is. The last message of a user is asked in the "
                "conversation `id`; what else the client says of the conversation is not read. With `regenerate-message` the "
                "answer takes the place of the one before.",
                parameters=[idempotency_header()],
            )
        },
        "/agent/ui/{chat}/stream": {
            "get": call(
                "The active answer of a chat, from its beginning",
                {**stream_of("UiMessageChunk", "A UI message stream."), **NOT_ACTIVE},
                403,
                parameters=[parameter("chat", "path", KEY, "the chat's id, with every character escaped")],
            )
        },
    }


def schemas() -> Description:
    """Describe what these clients send, as far as it is read."""
    options = {
        "source": {"type": "string", "maxLength": 100, "description": "slug of the source to ask"},
        "on_disconnect": {"enum": ["continue", "cancel"], "default": "continue"},
    }
    part = {"type": "object", "properties": {"type": {"const": "text"}, "text": TEXT}, "required": ["type", "text"]}
    parts = {"type": "array", "items": part, "minItems": 1}
    return {
        "AgUiEvent": _chunk("An event of AG-UI 1.0."),
        "UiMessageChunk": _chunk("A chunk of the AI SDK's UI message stream, which ends with `[DONE]`."),
        "RunAgentInput": {
            "type": "object",
            "properties": {
                "threadId": {**KEY, "description": "the conversation"},
                "runId": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH},
                "messages": _messages({"content": {"anyOf": [TEXT, parts]}}),
                "forwardedProps": {"type": "object", "properties": options},
            },
            "required": ["threadId", "runId", "messages"],
            "description": "AG-UI's own; other fields are not read.",
        },
        "UiRequest": {
            "type": "object",
            "properties": {
                "id": {**KEY, "description": "the conversation"},
                "messages": _messages({"parts": parts}),
                "trigger": {"enum": ["submit-message", "regenerate-message"], "default": "submit-message"},
                **options,
            },
            "required": ["id", "messages"],
            "description": "The AI SDK's own; other fields are not read.",
        },
    }


def _chunk(description: str) -> Description:
    return {
        "type": "object",
        "properties": {"type": {"type": "string"}},
        "required": ["type"],
        "description": description,
    }


def _messages(content: Description) -> Description:
    """The messages of a conversation, of which the last one of a user is read."""
    asked = {"type": "object", "properties": {"role": {"const": "user"}, **content}, "required": ["role", *content]}
    said = {
        "type": "object",
        "properties": {"role": {"type": "string", "not": {"const": "user"}}},
        "required": ["role"],
    }
    return {"type": "array", "items": {"anyOf": [asked, said]}, "contains": asked}
