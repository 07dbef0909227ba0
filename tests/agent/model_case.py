"""Chats with a language model: the scripted provider over real HTTP."""

import pytest
from django.test import override_settings

from agentsite.agent.chat import Chat
from agentsite.agent.models import Message
from progress import OperationFailed, stream_operation
from progress.owners import Owner
from tests.charts.case import ShopCase

VISITOR, OTHER = Owner(visitor="somebody"), Owner(visitor="another")


class Said:
    """What a chat reported, and how it ended."""

    def __init__(self):
        self.events, self.result, self.error = [], None, None

    def of(self, kind):
        """The metadata of each event whose state begins with `kind`, such as "failed_"."""
        return [
            event.data["metadata"]
            for event in self.events
            if event.type == "progress"
            and event.data["currentState"].startswith(kind)
            and "toolName" in event.data["metadata"]
        ]

    @property
    def text(self):
        return "".join(event.data["content"] for event in self.events if event.type == "content")

    @property
    def conversation(self):
        return self.result["conversation"]

    def __str__(self):
        return "\n".join(event.payload for event in self.events)


class ModelCase(ShopCase):
    @pytest.fixture(autouse=True)
    def _provider(self, provider):
        self.provider = provider

    async def say(self, message, conversation=None, *, model="chat", owner=VISITOR, agent=None, **params):
        from agentsite.agent.llm.models import close_models

        said = Said()
        with override_settings(AGENT={"MODEL": f"openai:{model}", **(agent or {})}):
            try:
                chat = Chat(message=message, conversation=conversation, **params)
                said.result = await stream_operation(chat, said.events.append, owner=owner)
            except OperationFailed as error:
                said.error = error
            finally:
                await close_models()
        return said

    def bodies(self, name="chat"):
        return [request["body"] for request in self.provider.requests(name)]

    async def kept(self):
        return [message async for message in Message.objects.order_by("conversation", "position")]
