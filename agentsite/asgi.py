"""The site as an ASGI application: Django behind a limit on request bodies."""

import os
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


from agentsite import warming
from progress.conf import setting
from progress.execution import supervisor
from progress.problems import Problem
from progress.routing import websocket
from progress.serving import App, Message, Receive, Send, serving


class BodyTooLarge(Exception):
    """The request's body is longer than the limit."""


def limit_bodies(app: App, limit: int) -> App:
    """Answer 413 while a body of more than `limit` bytes is still coming in; Django would write all of it to disk first."""

    async def limited(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        received = 0

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
by_protocol = ProtocolTypeRouter({"http": limit_bodies(site, 2 * setting("BODY_BYTES")), "websocket": websocket})
application = serving(cast(App, by_protocol))
warming.start()
