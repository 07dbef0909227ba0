"""The addresses of WebSockets, for a ProtocolTypeRouter of Channels: {"http": …, "websocket": websocket}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path

from .consumers import RunConsumer, RunSocket


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


def sockets(consumers: Mapping[str, type[RunSocket]]) -> Any:
    """Return the application that has these sockets at these paths.

    Pages of this site's hosts may connect, and programs that send a token: no page of another site can do that.
    """
    paths: Any = [path(at, cast(Any, consumer.as_asgi())) for at, consumer in consumers.items()]
    open_to_programs: Any = URLRouter([*paths, re_path("", cast(Any, _refuse))])
    open_to_pages: Any = AllowedHostsOriginValidator(open_to_programs)

    async def websocket(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        app: Any = open_to_programs if b"authorization" in headers else open_to_pages
        try:
            urlsplit(headers.get(b"origin", b"").decode("latin-1"))
        except ValueError:  # on which Channels would fail
            app = _refuse
        await app(scope, receive, send)

    return websocket


websocket = sockets({"ws/": RunConsumer})
