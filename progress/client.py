"""A client of the HTTP API: starts runs and follows them, from any program. Needs httpx, and no Django settings.

    async with Client("https://example.org", token=…) as client:
        run = await client.start("demo", {"seconds": 5})
        async for event in run:                 # every event once, in order
            print(event.seq, event.type, event.data)
        result = await run.result()             # or this alone; raises RunFailed

The log of a run is the truth, a stream only a way to read it: one that ends without `done` or `error`, breaks off or falls silent
is opened again after the last event seen, where a proxy holds streams back the log is polled, and a request that starts work is
sent again under the same Idempotency-Key, so that nothing starts twice.

ClientError
├── ApiError      the server refused: `status`, `code`, `detail`, `errors`
├── Unreachable   no server answered, or not in time
└── RunFailed     the run did not complete: `code`, `retryable`, `run`
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from .client_http import RETRY, ApiError, ClientError, Http, Json, RunFailed, Unreachable, Waits, back_off

if TYPE_CHECKING:
    import httpx

__all__ = ["ApiError", "Client", "ClientError", "Event", "Run", "RunFailed", "Unreachable"]

logger = logging.getLogger("progress.client")
ENDINGS = ("completed", "failed", "cancelled")
POLL = 1.5
POLLS = 40  # before the stream is tried again
EventType = Literal[
    "progress", "content", "done", "error"
]  # nothing of the server's is imported: these modules may be copied


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run's log: its number, its type and its data, as docs/events.md has them.

    With `resync` the log could not be read on from where the reader was: forget what came before, this is where the run stands.
    """

    seq: int
    type: EventType
    data: Json
    resync: bool = False

    @property
    def terminal(self) -> bool:
        return self.type in ("done", "error")


type RunLike = Run | Mapping[str, Any] | UUID | str  # a run, the API's JSON of it, or its id


class Client:
    """The API of one site, asked with an API token or, without one, as a visitor. Close it, or use it in an `async with`.

    `patience`: seconds to wait in a row for a server that cannot be reached or is busy. `silence`, `first_byte`: seconds without a
    byte after which a stream counts as broken. `http`: an httpx.AsyncClient of one's own, for proxies and certificates.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str = "",
        api: str = "/api/",
        patience: float = 60.0,
        silence: float = 45.0,
        first_byte: float = 8.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise ValueError(f"{base_url!r} is not the address of a site, such as https://example.org.")
        root = urljoin(base_url, api.rstrip("/") + "/")
        self._http = Http(root, token, patience, first_byte, silence, http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def start(
        self, operation: str, params: Mapping[str, Any] | None = None, *, on_disconnect: str = "continue", key: str = ""
    ) -> Run:
        """Start an operation and return its run once the server has taken it. `key`: an Idempotency-Key of your own."""
        body = {"operation": operation, "params": dict(params or {}), "on_disconnect": on_disconnect}
        return await self._begin("runs", body, key)

    async def chat(self, message: str, *, key: str = "", **fields: Any) -> Run:
        """The same for a chat message; `fields` are those of the API, such as `source`."""
        return await self._begin("agent/chat", {"message": message, **fields}, key)

    async def batch(self, items: Sequence[Mapping[str, Any]], *, key: str = "", **fields: Any) -> Run:
        """The same for many operations, `{"operation", "params"}` each; `fields` are those of the API, such as `on_failure`."""
        return await self._begin("batches", {"items": [dict(item) for item in items], **fields}, key)

    async def retry(self, run: RunLike, *, key: str = "") -> Run:
        """Start a failed or cancelled run again, as a new one."""
        return await self._begin(f"runs/{_id(run)}/retry", None, key)

    def follow(self, run: RunLike, after: int = 0) -> Run:
        """A run, read from the event after number `after` on."""
        return Run(self._http, _id(run), after)

    async def result(self, run: RunLike) -> Any:
        """Wait for the end of a run and return its result. Raises RunFailed."""
        return await self.follow(run).result()

    async def cancel(self, run: RunLike) -> Json:
        """Ask a run to end and return it. Its end comes as an event."""
        return await self.follow(run).cancel()

    async def get(self, path: str) -> Json:
        """Return the JSON at an address: below that of the API, or what its links say."""
        return await self._http.request("GET", path)

    async def post(self, path: str, body: Json | None = None, *, key: str = "") -> Json:
        """Send JSON and return that of the answer: of a request that starts work the run as it stands at once."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16), "Prefer": "respond-async"}
        return await self._http.patiently(lambda: self._http.request("POST", path, body, **headers))

    async def _begin(self, path: str, body: Json | None, key: str) -> Run:
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        lost: list[ApiError | Unreachable] = []

        async def send() -> Run:
            if lost:  # that try may have started the run: ask which it is, and read its stream by itself
                run = await self._http.request("POST", path, body, Prefer="respond-async", **headers)
                return Run(self._http, run["id"], held=lost[-1].silent)
            answer = await self._http.open("POST", path, body, **headers)
            return Run(self._http, answer.headers["X-Run-Id"], answer=answer)

        return await self._http.patiently(send, lost)


class Run:
    """One run and how far it was read. Iterating yields its events after `last`; to iterate again goes on there."""

    def __init__(
        self, http: Http, pk: str, after: int = 0, *, answer: httpx.Response | None = None, held: bool = False
    ) -> None:
        self.id, self.last, self.over = pk, after, False  # over: its last event was read
        self._http, self._answer = http, answer
        self._retry, self._polls = RETRY, POLLS if held else 0

    async def snapshot(self) -> Json:
        """Return the run as it stands."""
        return await self._http.request("GET", f"runs/{self.id}")

    async def cancel(self) -> Json:
        """Ask it to end. Its end comes as an event."""
        return await self._http.patiently(lambda: self._http.request("POST", f"runs/{self.id}/cancel"))

    async def result(self, on_event: Callable[[Event], object] | None = None) -> Any:
        """Read to the end, giving each event to `on_event`, and return the run's result. Raises RunFailed."""
        async for event in self:
            if on_event is not None:
                on_event(event)
        run = await self._http.patiently(self.snapshot)
        if run["status"] != "completed":
            raise RunFailed(run)
        return run["result"]

    async def __aiter__(self) -> AsyncIterator[Event]:
        waits = Waits(self._http.patience)
        while not self.over:
            try:
                async with aclosing(self._poll(waits) if self._polls else self._stream(waits)) as events:
                    async for event in events:
                        yield event
                wait = back_off(0, POLL if self._polls else self._retry)
            except (ApiError, Unreachable) as error:
                if not error.passing and error.status < 500:
                    raise
                if error.silent:
                    self._polls = POLLS
                wait = waits.next(error, self._retry)
                logger.info("run %s: connecting again in %.1f s: %s", self.id, wait, error)
            if not self.over:
                await asyncio.sleep(wait)

    async def _stream(self, waits: Waits) -> AsyncGenerator[Event]:
        answer, self._answer = self._answer, None
        answer = answer or await self._http.open("GET", f"runs/{self.id}/events?after={self.last}")
        heard = False
        try:
            self.over = answer.status_code == 204  # all was read
            async for frames in self._http.frames(answer):
                heard = True
                waits.reset()
                for event in self._parse(frames):
                    yield event
                    if self.over:
                        return
        finally:
            await answer.aclose()
        if not heard and not self.over:
            raise Unreachable("The server ended the stream before its first byte.")

    def _parse(self, frames: list[dict[str, str]]) -> Iterator[Event]:
        for frame in frames:
            if frame.get("retry", "").isdecimal():
                self._retry = int(frame["retry"]) / 1000
            if "data" in frame and (event := self._see(int(frame["id"]), **json.loads(frame["data"]))):
                yield event

    async def _poll(self, waits: Waits) -> AsyncGenerator[Event]:
        """Where streams are held back: yield what the log has by now."""
        self._polls -= 1
        page = await self._stored()
        waits.reset()
        if not page["items"]:
            run = await self.snapshot()
            if run["last_seq"] < self.last:
                yield self._resync(run, 1)
            elif run["status"] in ENDINGS:
                page = await self._stored()  # its last events came meanwhile
                self.over = not page["items"]
        while True:
            for item in page["items"]:
                if item["id"] > self.last + 1:
                    yield self._resync(await self.snapshot(), item["id"])
                if event := self._see(item["id"], item["type"], item["data"]):
                    yield event
            if self.over or not page["next"]:
                return
            page = await self._stored()

    async def _stored(self) -> Json:
        return await self._http.request("GET", f"runs/{self.id}/events?after={self.last}")

    def _resync(self, run: Json, oldest: int) -> Event:
        """What the stream would have said: the log cannot be read on from there, this is where the run stands."""
        metadata = {"runId": run["id"], "attempt": run["attempt"], "status": run["status"], "resync": True}
        metadata |= {"oldest": oldest, "lastSeq": run["last_seq"]}
        data = {key: run[key] for key in ("operation", "percentage", "message", "currentState")}
        self.last = oldest - 1
        return Event(self.last, "progress", {**data, "metadata": metadata}, resync=True)

    def _see(self, seq: int, type: EventType, data: Json) -> Event | None:
        resync = data.get("metadata", {}).get("resync") is True
        if not resync and seq <= self.last:
            return None
        if not resync and seq != self.last + 1:
            raise Unreachable(f"Event {seq} came after event {self.last}.")
        event = Event(seq, type, data, resync)
        self.last, self.over = seq, event.terminal
        return event


def _id(run: RunLike) -> str:
    return str(run["id"] if isinstance(run, Mapping) else getattr(run, "id", run))
