"""The WebSocket: any number of runs over one connection, the same events, numbers and order as over SSE. Needs Channels."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Literal
from uuid import UUID

from asgiref.sync import ThreadSensitiveContext
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.utils import await_many_dispatch
from django.conf import settings
from django.core.exceptions import DisallowedHost
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from . import runs
from .access import Handshake, find_run, handshake, still_allowed
from .api import build_operation, start_for
from .bell import bell
from .conf import setting
from .database import in_database
from .events import ProgressEvent
from .follow import Following, StreamEnds, beginning, paced
from .owners import request_owner
from .problems import Problem, as_problem, read_object, validated
from .sse import tagged
from .streams import release_connections

logger = logging.getLogger("progress")
RUNS = 100  # that one socket follows at once
MESSAGES, BURST = 20.0, 200.0  # that one socket may send: in a second, and at once
CLOSE_TOO_BIG, CLOSE_BROKEN, CLOSE_RESTART = 1009, 1011, 1012  # as registered for the protocol
CLOSE_NOT_ALLOWED, CLOSE_REPLACED, CLOSE_TOO_MANY = 4403, 4409, 4429
CLOSE_CODES = {"draining": CLOSE_RESTART, "evicted": CLOSE_REPLACED, "not_allowed": CLOSE_NOT_ALLOWED}
Ref = str | int | None


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    ref: Ref = None


class StartMessage(_Message):
    """Start a run."""

    action: Literal["start"]
    operation: str
    params: dict[str, JsonValue] = {}
    on_disconnect: Literal["continue", "cancel"] = "continue"
    idempotency_key: str | None = Field(default=None, pattern=r"^[!-~]{1,255}$")


class SubscribeMessage(_Message):
    """Send the events of a run above `after`."""

    action: Literal["subscribe"]
    run: UUID
    after: int = Field(default=0, ge=0)


class UnsubscribeMessage(_Message):
    """Send no more events of a run."""

    action: Literal["unsubscribe"]
    run: UUID


class CancelMessage(_Message):
    """Ask a run to end."""

    action: Literal["cancel"]
    run: UUID


class PingMessage(_Message):
    """Ask whether anybody is there."""

    action: Literal["ping"]


ACTIONS: dict[str, type[_Message]] = {
    "start": StartMessage,
    "subscribe": SubscribeMessage,
    "unsubscribe": UnsubscribeMessage,
    "cancel": CancelMessage,
    "ping": PingMessage,
}


class RunSocket(AsyncWebsocketConsumer):
    """One socket. What it is asked is answered in turn; events are sent beside that, by one task for all runs.

    What it is asked, and how it says events, is its subclass's; who may connect and how much it may send is the same for all.
    """

    _request: Handshake  # as of the connection

    async def asked(self, text: str) -> None:
        """Answer one message. Raises StopConsumer."""
        raise NotImplementedError

    async def happened(self, run: UUID, events: list[ProgressEvent], over: bool) -> None:
        """Say the next events of a run that is followed; `over`: there will be no more."""
        raise NotImplementedError

    @property
    def message_bytes(self) -> int:
        """How long a message may be."""
        return int(setting("BODY_BYTES"))

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
        # Without Channels' layer: events come from the log, and a socket must open while Redis is away.
        self.scope, self.base_send = scope, send
        self._connection = _Connection(send)
        self._opened = asyncio.Event()
        self._allowance, self._counted_at = BURST, asyncio.get_running_loop().time()
        with bell.listen() as subscription:
            self.following = Following(subscription)
            await self._serve(receive)

    async def dispatch(self, message: Any) -> None:
        # Without a look at the database's connections, for which Channels would take a thread: none is kept here.
        await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: Any) -> None:
        raise StopConsumer

    async def _serve(self, receive: Callable[[], Awaitable[Any]]) -> None:
        tasks = {
            asyncio.create_task(await_many_dispatch([receive], self.dispatch)),
            asyncio.create_task(self._send_events()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            if not isinstance(error := task.exception(), StopConsumer | None):
                logger.error("a WebSocket broke; its reader will come back", exc_info=error)
                await self.close(CLOSE_BROKEN)

    async def connect(self) -> None:
        try:
            self._request = await handshake(self.scope)
            visitor = not (await self._request.auser()).is_authenticated
            welcome = _from_here(self._request) and (not visitor or setting("ALLOW_ANONYMOUS"))
        except Problem:
            welcome = False
        if not welcome:
            await self.close()  # before it is accepted: answered by 403
            raise StopConsumer
        await self.accept()
        self._opened.set()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if len(text_data or bytes_data or "") > self.message_bytes:
            return await self._refuse(
                Problem(413, f"A message may hold at most {self.message_bytes:,} bytes.", code="limit_exceeded"),
                CLOSE_TOO_BIG,
            )
        if not self._may_ask():
            return await self._refuse(Problem(429, "Too many messages.", code="limit_exceeded"), CLOSE_TOO_MANY)
        if text_data is None:
            return await self._tell_error(Problem(415, "Send messages as text."))
        await self.asked(text_data)

    async def _tell_error(self, problem: Problem, **told: Any) -> None:
        await self.tell({"error": {"code": problem.code, "message": problem.detail}, **told})

    async def _send_events(self) -> None:
        await self._opened.wait()
        owner = await request_owner(self._request)
        try:
            async with aclosing(paced(self._news(), owner, self._allowed, max_age=math.inf)) as news:
                async for item in news:
                    if item is not None:
                        await self.happened(*item)
        except StreamEnds as ends:
            if ends.why == "not_allowed":
                why = "You may not follow this any more. Sign in and connect again."
                await self._tell_error(Problem(403, why, code="not_allowed"))
            await self.close(CLOSE_CODES[ends.why])

    async def _news(self) -> AsyncGenerator[tuple[UUID, list[ProgressEvent], bool]]:
        while True:
            run, events, over = await self.following.get()
            if run is not None:
                yield run, events, over

    async def _allowed(self) -> bool:
        return await still_allowed(self._request, self.following.positions)

    async def say(self, text: str) -> None:
        """Send `text`. Raises StopConsumer where the client has gone, or has not read for PROGRESS["SEND_TIMEOUT"] seconds."""
        try:
            async with asyncio.timeout(setting("SEND_TIMEOUT")):
                await self.send(text)
                await self._connection.writable.wait()
        except TimeoutError:
            logger.info("a client that did not read for %g s was cut off", setting("SEND_TIMEOUT"))
            self._connection.abort()
            raise StopConsumer from None
        except OSError:
            raise StopConsumer from None

    async def tell(self, message: dict[str, Any]) -> None:
        await self.say(json.dumps(message))

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        if code is not None and code < 3000 and self._opened.is_set() and self._connection.close(code):
            return
        with suppress(OSError):  # the client has gone
            await super().close(code, reason)

    async def _refuse(self, problem: Problem, code: int) -> None:
        await self._tell_error(problem)
        await self.close(code)
        raise StopConsumer

    def _may_ask(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._allowance = min(BURST, self._allowance + (now - self._counted_at) * MESSAGES) - 1
        self._counted_at = now
        return self._allowance >= 0


class RunConsumer(RunSocket):
    """Any number of runs, in the native format."""

    async def asked(self, text: str) -> None:
        told: dict[str, Any] = {}
        try:
            asked = read_object(text, "message")
            told = {key: asked[key] for key in ("ref", "run") if isinstance(asked.get(key), str | int)}
            if (action := str(asked.get("action"))) not in ACTIONS:
                raise Problem(422, f"action: use one of {', '.join(ACTIONS)}.")
            await self._answer(validated(asked, ACTIONS[action]))
        except StopConsumer:
            raise
        except Exception as error:
            await self._tell_error(as_problem(error, "a message over WebSocket"), **told)

    async def happened(self, run: UUID, events: list[ProgressEvent], over: bool) -> None:
        for event in events:
            await self.say(tagged(run, event))

    async def _answer(self, message: _Message) -> None:
        """Do as asked. Who may is looked up anew each time, as a session or a token may have ended since."""
        match message:
            case PingMessage():
                await self.tell({"type": "pong"} | _ref(message))
            case UnsubscribeMessage():
                self.following.drop(message.run)
            case SubscribeMessage():
                await self._subscribe(message)
            case StartMessage():
                operation = build_operation(message.operation, message.params)
                request = await handshake(self.scope)
                async with own_thread():
                    run = await start_for(
                        request, operation, on_disconnect=message.on_disconnect, key=message.idempotency_key or ""
                    )
                await self.tell(_ref(message) | {"run": str(run.pk)})
            case CancelMessage():
                run = await find_run(await handshake(self.scope), message.run, write=True)
                async with own_thread():
                    run = await runs.cancel(run)
                await self.tell(_ref(message) | {"run": str(run.pk), "status": run.status})

    async def _subscribe(self, message: SubscribeMessage) -> None:
        run = await find_run(await handshake(self.scope), message.run)
        followed = self.following.positions
        if run.pk not in followed and len(followed) >= RUNS:
            raise Problem(429, f"One socket follows at most {RUNS} runs.", code="limit_exceeded")
        if not run.is_active and message.after == run.last_seq:
            return await self.tell(_ref(message) | {"run": str(run.pk), "status": run.status})
        if run.on_disconnect == "cancel":
            await in_database(runs.note_reader, run.pk)
        after, first = await in_database(beginning, run, message.after)
        if first is not None:
            await self.say(tagged(run.pk, first))
        self.following.add(run.pk, after)


@asynccontextmanager
async def own_thread() -> AsyncIterator[None]:
    """What uses the database by Django's own ways does so in a thread for itself, as in a request, and leaves no connection."""
    async with ThreadSensitiveContext():
        try:
            yield
        finally:
            await release_connections()


class _Connection:
    """The connection under a server's `send`, where that is daphne's or uvicorn's: daphne buffers without limit for a client that
    does not read, unless it is told whom to tell; and neither closes one whose buffer is full.
    """

    def __init__(self, send: Any) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self._daphne = send.args[0] if isinstance(send, functools.partial) and send.args else None
        self._transport = getattr(getattr(send, "__self__", None), "transport", None)
        if self._daphne is not None:
            self._daphne.unregisterProducer()  # that of the HTTP request which opened the socket
            self._daphne.registerProducer(self, True)

    def close(self, code: int) -> bool:
        """Close with one of the registered codes, which daphne refuses to applications; False on another server."""
        if self._daphne is not None:
            self._daphne.sendCloseFrame(code=code)
        return self._daphne is not None

    def abort(self) -> None:
        """Close at once, without waiting for what the client has not read."""
        if self._daphne is not None:
            self._daphne.transport.abortConnection()
        elif self._transport is not None:
            self._transport.abort()

    # Twisted's IPushProducer

    def pauseProducing(self) -> None:
        self.writable.clear()

    def resumeProducing(self) -> None:
        self.writable.set()

    def stopProducing(self) -> None:
        self.writable.set()


def _from_here(request: Handshake) -> bool:
    """Whether a page of this site opened the socket, or a program with a token: cookies alone any page can make a browser send."""
    if getattr(request, "token", None) is not None:
        return True
    origin = request.headers.get("Origin", "")
    try:
        scheme = "https" if request.scheme in ("https", "wss") else "http"
        return origin == f"{scheme}://{request.get_host()}" or origin in settings.CSRF_TRUSTED_ORIGINS
    except (DisallowedHost, ValueError):
        return False


def _ref(message: _Message) -> dict[str, Any]:
    return {} if message.ref is None else {"ref": message.ref}
