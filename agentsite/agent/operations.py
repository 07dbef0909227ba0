"""The operations of this app: importing this module makes them known."""

from __future__ import annotations

from . import generation, tool_execution  # noqa: F401 - they register themselves
from .chat import MESSAGE_LIMIT, Chat

__all__ = ["MESSAGE_LIMIT", "Chat"]
