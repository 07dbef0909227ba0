"""What a model and the chat say to each other: messages and results of tools go in; text, thoughts and calls of tools come out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from ..conversations import Turn
from ..tools import Tool, ToolCall, ToolOutcome


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that a model said: a piece of its text, or of what it thinks on the way."""

    kind: Literal["text", "thought"]
    text: str


class Dialogue:
    """One message, and what a model makes of it in as many replies as it needs. `calls` are those of the last reply."""

    def __init__(
        self,
        model: Model,
        message: str,
        *,
        instructions: str,
        earlier: Sequence[Turn],
        tools: Iterable[Tool],
        about: Mapping[str, Any],
    ) -> None:
        """`about` is what the chat knows of itself, for a model of our own; others are told by `instructions`."""
        self._model = model
        self._parameters = ModelRequestParameters(function_tools=[_definition(tool) for tool in tools])
        request = ModelRequest([UserPromptPart(message)], instructions=instructions, metadata=dict(about))
        self._messages: list[ModelMessage] = [*_history(earlier), request]
        self._instructions = instructions
        self.calls: list[ToolCall] = []
        self.usage: dict[str, int] = {"inputTokens": 0, "outputTokens": 0}

    async def reply(self) -> AsyncIterator[Piece]:
        """Let the model speak once."""
        self.calls = []
        stream = model_request_stream(self._model, self._messages, model_request_parameters=self._parameters)
        async with stream as reply:
            async for event in reply:
                if isinstance(event, PartStartEvent | PartDeltaEvent) and (piece := _piece(event)) is not None:
                    yield piece
        response = reply.get()
        self._messages.append(response)
        self.usage["inputTokens"] += response.usage.input_tokens
        self.usage["outputTokens"] += response.usage.output_tokens
        self.calls = [_call(part) for part in response.parts if isinstance(part, ToolCallPart)]

    def tell(self, outcomes: Iterable[ToolOutcome]) -> None:
        """Give the model what came of its calls."""
        parts = [ToolReturnPart(outcome.call.name, outcome.text, tool_call_id=outcome.call.id) for outcome in outcomes]
        self._messages.append(ModelRequest(parts, instructions=self._instructions))


def _definition(tool: Tool) -> ToolDefinition:
    return ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters))


def _piece(event: PartStartEvent | PartDeltaEvent) -> Piece | None:
    said = event.part if isinstance(event, PartStartEvent) else event.delta
    match said:
        case TextPart(content=text) | TextPartDelta(content_delta=text) if text:
            return Piece("text", text)
        case ThinkingPart(content=text) | ThinkingPartDelta(content_delta=text) if text:
            return Piece("thought", text)
    return None


def _call(part: ToolCallPart) -> ToolCall:
    # Arguments that are no JSON object are refused by the tool, under a name that says why.
    return ToolCall(name=part.tool_name, arguments=part.args_as_dict(), id=part.tool_call_id)


def _history(earlier: Sequence[Turn]) -> Iterable[ModelMessage]:
    for turn in earlier:
        yield ModelRequest([UserPromptPart(turn.message)])
        if turn.tool_calls:
            yield ModelResponse([_called(call) for call in turn.tool_calls])
            yield ModelRequest([ToolReturnPart(call["name"], call["result"], call["id"]) for call in turn.tool_calls])
        yield ModelResponse([TextPart(turn.answer or "(no text)")])


def _called(call: Mapping[str, Any]) -> ModelResponsePart:
    return ToolCallPart(call["name"], call["arguments"], call["id"])
