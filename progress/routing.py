"""The WebSocket's address, for a ProtocolTypeRouter of Channels: {"http": …, "websocket": websocket}."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path

from .consumers import RunConsumer


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


_socket: Any = RunConsumer.as_asgi()
_routes: Any = [path("ws/", _socket), re_path("", cast(Any, _refuse))]
_sockets: Any = URLRouter(_routes)
_of_pages: Any = AllowedHostsOriginValidator(_sockets)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """Let pages of this site's hosts connect, and programs that send a token: no page of another site can do that."""
    headers = dict(scope["headers"])
    app: Any = _sockets if b"authorization" in headers else _of_pages
    try:
        urlsplit(headers.get(b"origin", b"").decode("latin-1"))
    except ValueError:  # on which Channels would fail
        app = _refuse
    await app(scope, receive, send)
