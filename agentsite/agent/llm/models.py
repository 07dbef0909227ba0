"""Building a model: its provider's client with our limits, made once for each event loop."""

from __future__ import annotations

import asyncio
from importlib import import_module
from weakref import WeakKeyDictionary

import httpx2
from django.core.exceptions import ImproperlyConfigured
from pydantic_ai.models import Model, create_async_httpx2_client

from progress import OperationFailed
from progress.conf import setting as progress_setting

from ..conf import setting
from .choice import Choice, choose

CONNECT_TIMEOUT = 10.0  # seconds
POOL_TIMEOUT = 30.0
# Said to the clients, which take a variable that is set but empty for an address.
OPENAI_HOME, ANTHROPIC_HOME = "https://api.openai.com/v1", "https://api.anthropic.com"

# A client's connections belong to the loop that opened them.
_built: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Choice | None, Model]] = WeakKeyDictionary()
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, list[httpx2.AsyncClient]] = WeakKeyDictionary()


# What speaks to each provider, imported where it is chosen.
CLIENTS = {
    "openai": ("openai", "pydantic_ai.models.openai", "pydantic_ai.providers.openai_compatible"),
    "anthropic": ("anthropic", "pydantic_ai.models.anthropic"),
    "google": ("google.genai", "pydantic_ai.models.google"),
}


def import_client(name: str | None = None) -> None:
    """Import what the model `name` is reached by. Raises OperationFailed where it cannot be used."""
    choice = _choice(name)
    if choice is None:
        import_module(".offline", __package__)
        return
    for module in CLIENTS[choice.provider.partition("-")[0]]:
        import_module(module)


def model_of(name: str | None = None) -> Model:
    """Return the model `name`, by default the usual one. Raises OperationFailed where it cannot be used."""
    choice = _choice(name)
    models = _built.setdefault(asyncio.get_running_loop(), {})
    if choice not in models:
        models[choice] = _build(choice)
    return models[choice]


def name_of(model: Model) -> str:
    """Return the `provider:name` by which a model of `model_of` is chosen, for the eyes of people."""
    for models in list(_built.values()):
        for choice, built in models.items():
            if built is model and choice is not None:
                return f"{choice.provider}:{choice.name}"
    return model.model_name


def _choice(name: str | None) -> Choice | None:
    try:
        return choose(name or setting("MODEL"))
    except ImproperlyConfigured as error:
        raise OperationFailed(str(error), code="unavailable", retryable=False) from None


def _build(choice: Choice | None) -> Model:
    if choice is None:
        from .offline import OfflineModel

        return OfflineModel()
    if choice.provider == "anthropic":
        return _anthropic(choice)
    if choice.provider == "google":
        return _google(choice)
    return _openai(choice)


def _openai(choice: Choice) -> Model:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers import Provider
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    client = AsyncOpenAI(
        api_key=choice.key or "none",  # a server of one's own often wants no key, the client always one
        base_url=choice.url or OPENAI_HOME,
        max_retries=0,  # ours are seen
        http_client=_http_client(),
    )
    provider: Provider[AsyncOpenAI] = OpenAIProvider(openai_client=client)
    if choice.url and choice.provider == "openai":
        provider = OpenAICompatibleProvider("openai-compatible", openai_client=client)
    # Other servers speak chat completions, all of them; the responses API some.
    if choice.provider == "openai-chat" or (choice.provider == "openai" and choice.url):
        # What ends without saying that it has ended was cut off.
        ends = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
        return OpenAIChatModel(choice.name, provider=provider, profile=ends)
    return OpenAIResponsesModel(choice.name, provider=provider)


def _anthropic(choice: Choice) -> Model:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(
        api_key=choice.key, base_url=choice.url or ANTHROPIC_HOME, max_retries=0, http_client=_http_client()
    )
    return AnthropicModel(choice.name, provider=AnthropicProvider(anthropic_client=client))


def _google(choice: Choice) -> Model:
    from google.genai.types import HttpRetryOptions
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    provider = GoogleProvider(
        api_key=choice.key,
        base_url=choice.url or None,
        http_client=_http_client(),
        retry_options=HttpRetryOptions(attempts=1),
    )
    return GoogleModel(choice.name, provider=provider)


def _http_client() -> httpx2.AsyncClient:
    silence = progress_setting("IDLE_TIMEOUT")
    client = create_async_httpx2_client(timeout=httpx2.Timeout(silence, connect=CONNECT_TIMEOUT, pool=POOL_TIMEOUT))
    _clients.setdefault(asyncio.get_running_loop(), []).append(client)
    return client


async def close_models() -> None:
    """Close the connections of this loop's models, for a loop that ends before its process does."""
    loop = asyncio.get_running_loop()
    _built.pop(loop, None)
    for client in _clients.pop(loop, []):
        await client.aclose()
