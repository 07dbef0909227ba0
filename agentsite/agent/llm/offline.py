"""The model that is there without any: it reads messages by rules and calls the same tools, over the same code path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
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
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.tools import ToolDefinition

from progress import OperationFailed

from .wishes import CHART, Wish, wish_of
from .wording import in_words

ASKED_BACK = (
    "invalid_request",
    "no_data",
    "not_allowed",
    "limit_exceeded",
)  # failures that are an answer to the person
WITHOUT_TOOLS = (
    "No language model is set up on this site, so that nothing can be written freely. "
    "Questions about the data are answered in the chat all the same."
)
CANNOT = (
    "That needs the tool {tool}, which is not available here. No language model is set up on this site: without one, questions "
    "about the data are answered with charts, and the last chart can be changed."
)


class OfflineModel(FunctionModel):
    """Plays the model's part: a question becomes a call of a tool, its result a sentence. It says the same of the same."""

    def __init__(self) -> None:
        super().__init__(_respond, stream_function=_stream, model_name="offline")


async def _stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    said = reply_to(messages, info.function_tools)
    if isinstance(said, Wish):
        arguments = json.dumps(said.arguments)
        yield {0: DeltaToolCall(name=said.tool, json_args=arguments, tool_call_id=f"call_{_calls(messages) + 1}")}
        return
    for line in said.splitlines(keepends=True):
        yield line


async def _respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    said = reply_to(messages, info.function_tools)
    if isinstance(said, Wish):
        return ModelResponse([ToolCallPart(said.tool, said.arguments, f"call_{_calls(messages) + 1}")])
    return ModelResponse([TextPart(said)])


def reply_to(messages: Sequence[ModelMessage], tools: Sequence[ToolDefinition]) -> Wish | str:
    """Return what to call, or what to say, after `messages`. Raises OperationFailed where what was called could not be done."""
    last = messages[-1]
    if not isinstance(last, ModelRequest):
        return WITHOUT_TOOLS
    question = _question(messages)
    if results := [part for part in last.parts if isinstance(part, ToolReturnPart)]:
        return "\n\n".join(_told(question, part) for part in results)
    if not tools:
        return WITHOUT_TOOLS
    wish = wish_of(question)
    if not wish.tool:
        return wish.answer
    tool = next((tool for tool in tools if tool.name == wish.tool), None)
    if tool is None:
        return CANNOT.format(tool=wish.tool)
    follows = "follows" in tool.parameters_json_schema.get("properties", {})
    if wish.tool == CHART and follows and (chart := _last_chart(messages, (last.metadata or {}).get("source", ""))):
        return Wish(CHART, {**wish.arguments, "follows": chart})
    return wish


def _question(messages: Sequence[ModelMessage]) -> str:
    """The newest message of the person."""
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, UserPromptPart):
                    return part.content if isinstance(part.content, str) else ""
    return ""


def _told(question: str, part: ToolReturnPart) -> str:
    found = _parsed(part.content)
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        if error.get("code") in ASKED_BACK:
            return str(error["message"])
        raise OperationFailed(str(error["message"]), code=error["code"])
    return in_words(part.tool_name, question, found)


def _last_chart(messages: Sequence[ModelMessage], source: str) -> str | None:
    """The id of the chart that was made last, where it is of the source that is asked now."""
    for message in reversed(messages):
        if not isinstance(message, ModelRequest):
            continue
        for part in reversed(message.parts):
            if isinstance(part, ToolReturnPart) and part.tool_name == CHART:
                found = _parsed(part.content)
                if isinstance(found, dict) and isinstance(found.get("id"), str):
                    return str(found["id"]) if source in ("", found.get("source")) else None
    return None


def _calls(messages: Sequence[ModelMessage]) -> int:
    """How many calls there were: the next one's name goes on from there, the same each time."""
    return sum(
        isinstance(part, ToolCallPart)
        for message in messages
        if isinstance(message, ModelResponse)
        for part in message.parts
    )


def _parsed(content: Any) -> Any:
    try:
        return json.loads(content) if isinstance(content, str) else content
    except ValueError:
        return content
