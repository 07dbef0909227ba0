"""The site as an ASGI application: Django behind a limit on request bodies."""

import os
from collections.abc import Mapping
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentsite.settings")

from channels.routing import ProtocolTypeRouter
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.exceptions import SuspiciousFileOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed

django_application = get_asgi_application()


class StaticFiles(ASGIStaticFilesHandler):
    """Static files by GET and HEAD; an address that leads out of their folder is one that does not exist."""

    def serve(self, request: HttpRequest) -> HttpResponse | FileResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        try:
            return super().serve(request)
        except SuspiciousFileOperation:
            raise Http404 from None


from django.urls import reverse

from agentsite import warming
from agentsite.agent.conf import setting as of_the_agent
from agentsite.agent.ui_socket import UiSocket
from progress.conf import setting
from progress.consumers import RunConsumer
from progress.execution import supervisor
from progress.problems import Problem
from progress.routing import sockets
from progress.serving import App, Message, Receive, Send, serving


class BodyTooLarge(Exception):
    """The request's body is longer than the limit."""


def limit_bodies(app: App, usual: int, limits: Mapping[str, int]) -> App:
    """Answer 413 while a body of more than `usual` bytes is still coming in; Django would write all of it to disk first.

    `limits` has other limits, by path.
    """

    async def limited(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        received, limit = 0, limits.get(scope["path"], usual)

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise BodyTooLarge
            return message

        try:
            await app(scope, counted, send)
        except BodyTooLarge:
            await _refuse(send, limit)

    return limited


async def _refuse(send: Send, limit: int) -> None:
    response = Problem(413, f"The body may hold at most {limit:,} bytes.", code="limit_exceeded").response()
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": [*headers, (b"connection", b"close")],
        }
    )
    await send({"type": "http.response.body", "body": response.content})


supervisor.start()
site = cast(App, StaticFiles(django_application))
with_history = dict.fromkeys(map(reverse, ["agent:agui", "agent:ui"]), 2 * of_the_agent("HISTORY_BYTES"))
http = limit_bodies(site, 2 * setting("BODY_BYTES"), with_history)
by_protocol = ProtocolTypeRouter({"http": http, "websocket": sockets({"ws/": RunConsumer, "ws/ui/": UiSocket})})
application = serving(cast(App, by_protocol))
warming.start()
