"""What a model and the chat say to each other: messages and results of tools go in; text, thoughts and calls of tools come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from progress import Progress

from ..conversations import Turn
from ..tools import Tool, ToolCall, ToolOutcome
from .listening import Piece, listen


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

    async def reply(self, progress: Progress, hear: Callable[[Piece], None]) -> None:
        """Let the model speak once; `hear` gets each piece as it comes. Raises OperationFailed."""
        self.calls = []
        response = await listen(progress, self._model, self._messages, hear, parameters=self._parameters)
        self._messages.append(response)
        self.calls = [_call(part) for part in response.parts if isinstance(part, ToolCallPart)]

    def tell(self, outcomes: Iterable[ToolOutcome]) -> None:
        """Give the model what came of its calls."""
        parts = [ToolReturnPart(outcome.call.name, outcome.text, outcome.call.id) for outcome in outcomes]
        self._messages.append(ModelRequest(parts, instructions=self._instructions))


def _definition(tool: Tool) -> ToolDefinition:
    return ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters))


def _call(part: ToolCallPart) -> ToolCall:
    # Arguments that are no JSON object are refused by the tool, under a name that says why.
    return ToolCall(name=part.tool_name, arguments=part.args_as_dict(), id=part.tool_call_id)


def _history(earlier: Sequence[Turn]) -> Iterable[ModelMessage]:
    for turn in earlier:
        yield ModelRequest([UserPromptPart(turn.message)])
        if turn.tool_calls:
            yield ModelResponse([ToolCallPart(call["name"], call["arguments"], call["id"]) for call in turn.tool_calls])
            yield ModelRequest([ToolReturnPart(call["name"], call["result"], call["id"]) for call in turn.tool_calls])
        yield ModelResponse([TextPart(turn.answer or "(no text)")])
