"""What the agent may use and how much of it, from `settings.AGENT` over the defaults below."""

from __future__ import annotations

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    "MODEL": "offline",  # or `provider:name`
    "MODELS": [],  # others that a caller may ask for by name, each as `provider:name`
    "RUN_TOKENS": 200_000,  # that the models of one run may read and write together
    "RUN_SECONDS": 300.0,  # from the first call of a model in a run
    "CHAT_TURNS": 8,  # replies of the model to one message, before a chat that goes on calling tools is stopped
    "CHAT_HISTORY": 24_000,  # characters of a conversation that the model is told of
    "MODEL_ATTEMPTS": 5,  # at one call of a model that is busy
    "TOOLS": [],  # dotted paths of further tools
    "MCP_SERVERS": {},  # servers whose tools may be used, by name
    "TOOL_TIMEOUT": 60.0,  # seconds of one call
    "TOOL_RESULT_LENGTH": 20_000,  # characters of one result, as JSON
    "HISTORY_BYTES": 1_000_000,  # of a request that brings its whole conversation along, as AG-UI and the AI SDK do
    "TOOLS_AT_ONCE": 4,  # calls of one run that execute side by side
}


def setting(name: str) -> Any:
    """Return AGENT[name], or its default. Raises KeyError for a name that does not exist."""
    return getattr(settings, "AGENT", {}).get(name, DEFAULTS[name])
