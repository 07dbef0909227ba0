"""The model that is there without any: it has no key, needs no network, and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel

TEXT = (
    "No language model is set up on this site, so that nothing can be written freely. "
    "Questions about the data are answered in the chat all the same."
)


class OfflineModel(FunctionModel):
    """Say that there is no model."""

    def __init__(self) -> None:
        super().__init__(stream_function=_say, model_name="offline")


async def _say(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for word in TEXT.split(" "):
        yield f"{word} "
