"""Which models there are to choose from, and what a chosen one still lacks: looked up without importing any of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

from ..conf import setting

OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who serves models: the package that speaks to it, and the variables of the environment that it is reached by."""

    package: str
    key: str
    url: str
    example: str


OPENAI = Provider("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", "openai:gpt-5-mini")
PROVIDERS = {
    "openai": OPENAI,
    "openai-chat": OPENAI,
    "openai-responses": OPENAI,
    "anthropic": Provider("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "anthropic:claude-sonnet-4-6"),
    "google": Provider("google.genai", "GOOGLE_API_KEY", "GOOGLE_BASE_URL", "google:gemini-2.5-flash"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One model of one provider, with how it is reached at this moment."""

    provider: str
    name: str
    key: str = field(repr=False)
    url: str


def choose(model: str) -> Choice | None:
    """Return how `model` is reached, None for the offline one. Raises ImproperlyConfigured, saying what would be right."""
    if model == OFFLINE:
        return None
    provider, _, name = model.partition(":")
    known = PROVIDERS.get(provider)
    if known is None or not name.strip():
        raise ImproperlyConfigured(f"AGENT_MODEL={model!r} is not a model. {_RIGHT}")
    if not _is_installed(known.package):
        raise ImproperlyConfigured(
            f"AGENT_MODEL={model!r} needs the package {known.package}: `make setup` installs it with the other locked dependencies."
        )
    key, url = (os.environ.get(variable, "").strip() for variable in (known.key, known.url))
    if url and not url.startswith(("http://", "https://")):
        raise ImproperlyConfigured(f"{known.url} must be the address of a server, such as http://127.0.0.1:11434/v1.")
    if not key and not (url and known is OPENAI):
        raise ImproperlyConfigured(f"AGENT_MODEL={model!r} needs {known.key}, in the environment or in .env.")
    return Choice(provider, name.strip(), key, url)


_RIGHT = (
    f"It is `{OFFLINE}`, which needs nothing, or `provider:name`, such as {PROVIDERS['openai'].example}, "
    f"{PROVIDERS['anthropic'].example} or {PROVIDERS['google'].example}; for Ollama, vLLM or llama.cpp openai:<name of the model> "
    f"with {OPENAI.url}."
)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package that it lies in
        return False


def allowed_models() -> list[str]:
    """Return the models that a caller may choose from, the usual one first."""
    return list(dict.fromkeys([setting("MODEL"), *setting("MODELS")]))
