"""What streams need around Django's ASGI application: back-pressure, an end for clients that do not read, no thread of their own.

`serving(application)` is all that an `asgi.py` needs. It knows how daphne and uvicorn hold a connection; behind another server
a client that does not read is left to that server.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor, Future
from importlib import import_module
from typing import Any, ClassVar

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.db import connections

from . import drain
from .conf import setting
from .database import LendingThread
from .exceptions import StreamBrokenOff

logger = logging.getLogger("progress")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def serving(app: App) -> App:
    """Wrap the site's outermost ASGI application, so that its streams end well when the process, the client or the view fails.

    It also answers the lifespan messages that some servers send; without an answer they cancel no open stream at their end.
    """
    import_module(settings.ROOT_URLCONF)  # else the first request would load it, on the event loop

    async def served(scope: Message, receive: Receive, send: Send) -> None:
        drain.install()
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await _answer(app, scope, receive, send)
        else:
            drain.requests += 1  # a WebSocket, which is told too
            try:
                await app(scope, receive, send)
            finally:
                drain.requests -= 1

    return served


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(app: App, scope: Message, receive: Receive, send: Send) -> None:
    thread = _RequestThread()
    response = _Response(send, thread)
    drain.requests += 1
    try:
        async with ThreadSensitiveContext(executor=thread):
            await app(scope, receive, response.send)
    except StreamBrokenOff:
        if not response.abort():
            raise
        await asyncio.sleep(0)  # in which the server learns that the connection is gone; it would miss the answer's end
    except Exception:
        # Half an answer without an end would leave the client waiting; daphne does not close the connection by itself.
        response.abort()
        raise
    finally:
        drain.requests -= 1
        thread.end()


class _RequestThread(Executor):
    """The thread of one request, of the few that all requests share; `release` gives it back while the answer streams on.

    A request keeps to one thread, as Django has it. Where more come at once than there are threads, they take turns in them: so a
    process opens no more database connections than that, however many readers come back to it at once. What little a stream still
    calls takes turns in one more.
    """

    _shared = LendingThread("streams")
    _lock = threading.Lock()
    _users: ClassVar[dict[LendingThread, int]] = {}  # how many requests have each thread

    def __init__(self) -> None:
        self._own: LendingThread | None = None
        self._released = False

    def submit[**P, T](self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._released:
            return self._shared.submit(function, *args, **kwargs)
        if self._own is None:
            self._own = self._join()
        return self._own.submit(function, *args, **kwargs)

    def _join(self) -> LendingThread:
        with self._lock:
            thread = min(self._users, key=self._users.__getitem__, default=None)
            if thread is None or (self._users[thread] and len(self._users) < setting("REQUEST_THREADS")):
                # Kept for good: to start one holds the event loop up until the system has.
                thread = LendingThread("request")
            self._users[thread] = self._users.get(thread, 0) + 1
            return thread

    def release(self) -> None:
        self.end()
        self._released = True

    def end(self) -> None:
        if (thread := self._own) is not None:
            self._own = None
            # Django closes them too, but not in every way in which a request ends.
            closed = thread.submit(connections.close_all)
            closed.add_done_callback(lambda _: self._leave(thread))

    def _leave(self, thread: LendingThread) -> None:
        with self._lock:
            self._users[thread] -= 1


class _Response:
    """One answer on its way to the server. As a producer of Twisted's it learns when a client of daphne's does not read."""

    def __init__(self, send: Send, thread: _RequestThread) -> None:
        self._send, self._thread = send, thread
        self._connection = _Connection(send)
        self._started = self._streams = self._ended = False
        self._may_send = asyncio.Event()
        self._may_send.set()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            if _is_event_stream(message):
                self._thread.release()
        elif message.get("more_body"):
            return await self._stream(message)
        else:
            self._ended = True
            self._connection.set_producer(None)
        await self._send(message)

    async def _stream(self, message: Message) -> None:
        if not self._streams:
            self._streams = True
            self._connection.set_producer(self)
            self._connection.expect_answers()
        try:
            async with asyncio.timeout(setting("SEND_TIMEOUT")):
                await self._send(message)
                await self._may_send.wait()
        except TimeoutError:
            logger.info("a client that did not read for %g s was cut off", setting("SEND_TIMEOUT"))
            if not self._connection.abort():
                raise

    def abort(self) -> bool:
        """Break off an answer that was begun and not ended; False where that is not possible."""
        return self._started and not self._ended and self._connection.abort()

    # Twisted's IPushProducer

    def pauseProducing(self) -> None:
        self._may_send.clear()

    def resumeProducing(self) -> None:
        self._may_send.set()

    def stopProducing(self) -> None:
        self._may_send.set()


class _Connection:
    """The connection under a server's `send`: daphne's is a partial with its request, uvicorn's a method of its request."""

    def __init__(self, send: Send) -> None:
        self._request = send.args[0] if isinstance(send, functools.partial) and send.args else None
        self._transport = getattr(getattr(send, "__self__", None), "transport", None)

    def set_producer(self, producer: _Response | None) -> None:
        """Let daphne tell `producer` when the client does not read; with None, no longer."""
        request = self._request
        if request is None or getattr(request, "channel", None) is None:
            return  # another server, or the client has gone
        if producer is not None:
            request.registerProducer(producer, True)
        elif request.producer is not None:
            request.unregisterProducer()

    def expect_answers(self) -> None:
        """Let the system break the connection once a client has acknowledged nothing for SEND_TIMEOUT seconds.

        One that has lost its network says no farewell, and the comments in a silence never fill a buffer.
        """
        channel = getattr(self._request, "channel", None)
        handle = getattr(getattr(channel, "transport", None), "getHandle", None)
        connection = handle() if handle else self._transport and self._transport.get_extra_info("socket")
        if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(setting("SEND_TIMEOUT") * 1000))

    def abort(self) -> bool:
        """Close at once, without waiting for what the client has not read; False where the server is an unknown one."""
        if self._request is not None:
            if (channel := getattr(self._request, "channel", None)) is not None:
                over_http2 = hasattr(channel, "abortConnection")
                (channel if over_http2 else channel.transport).abortConnection()
            return True
        if self._transport is not None:
            self._transport.abort()
            return True
        return False


def _is_event_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start.get("headers", [])
    )
