"""What the client of `progress.client` sends and hears: requests, streams, their errors, and patience with both. Needs httpx."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    import httpx

ANSWER = 30.0  # seconds for a whole answer that is no stream
RETRY = 2.0
MAX_DELAY = 30.0
Json = dict[str, Any]


class ClientError(Exception):
    """Base of all errors of this client; not raised itself."""


class Unreachable(ClientError):
    """No server answered, or not in time."""

    status, retry_after, passing = 0, 0.0, True

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent  # there is a server, or a proxy, but it says nothing


class ApiError(ClientError):
    """What the server refused. `errors` names each wrong field: [{"field": "params.seconds", "message": "…"}]."""

    silent = False

    def __init__(self, status: int, detail: str, *, code: str, errors: Sequence[Json], retry_after: float) -> None:
        super().__init__(f"{detail} Try again in {retry_after:g} s." if retry_after else detail)
        self.status, self.detail, self.code, self.errors, self.retry_after = status, detail, code, errors, retry_after

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed in a moment."""
        return self.status in (408, 425, 429) or self.status > 500


class RunFailed(ClientError):
    """A run that did not complete; `run` is all that is known of it."""

    def __init__(self, run: Json) -> None:
        error = run["error"] or {}
        super().__init__(error.get("message") or run["message"])
        self.code, self.retryable, self.run = error.get("code"), error.get("retryable", False), run


def back_off(failures: int, retry: float = RETRY, retry_after: float = 0.0) -> float:
    """Return the seconds to wait before the next try.

    It is what the server said, twice as long after each failure, and not the same for all clients.
    """
    wait = min(MAX_DELAY, retry * 2.0 ** (min(failures, 10) - 2)) if failures else retry
    return retry_after + wait * random.uniform(0.25, 1)  # noqa: S311 - no secret


class Http:
    """One site, asked with a token or, without one, as a visitor whose cookies it keeps."""

    def __init__(
        self, root: str, token: str, patience: float, first_byte: float, silence: float, http: httpx.AsyncClient | None
    ) -> None:
        self.root, self.patience = root, patience
        self._token, self._http = token, http or _http_client()
        self._first_byte, self._silence = first_byte, silence

    async def aclose(self) -> None:
        await self._http.aclose()

    async def patiently[T](
        self, send: Callable[[], Awaitable[T]], lost: list[ApiError | Unreachable] | None = None
    ) -> T:
        """Return what `send` does, after as many tries as patience allows; those that failed are appended to `lost`."""
        # A key belongs to its owner: that of a visitor who has no session yet is recognised by nobody.
        waits = Waits(self.patience if self._token or self._http.cookies else 0)
        while True:
            try:
                return await send()
            except (ApiError, Unreachable) as error:
                if not error.passing:
                    raise
                if lost is not None:
                    lost.append(error)
                await asyncio.sleep(waits.next(error))

    async def request(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """Send one request and return the JSON of its answer."""
        answer = await self._send(method, path, body, {"Accept": "application/json", **headers}, ANSWER)
        try:
            _expect(answer, "application/json")
            async with _in_time(ANSWER):
                return json.loads(await answer.aread())  # type: ignore[no-any-return]
        finally:
            await answer.aclose()

    async def open(self, method: str, path: str, body: Json | None = None, **headers: str) -> httpx.Response:
        """Open a stream: an answer that is 204 or whose body is events, to be closed by the caller."""
        answer = await self._send(method, path, body, {"Accept": "text/event-stream", **headers}, self._first_byte)
        if answer.status_code != 204:
            try:
                _expect(answer, "text/event-stream")
            except ApiError:
                await answer.aclose()
                raise
        return answer

    async def frames(self, answer: httpx.Response) -> AsyncGenerator[list[dict[str, str]]]:
        """Yield what each piece of a stream brings: the fields of its frames. Raises Unreachable where none comes for too long."""
        frames, pieces, seconds = Frames(), answer.aiter_bytes(), self._first_byte
        while True:
            async with _in_time(seconds):  # only while waiting for it: a reader may take its time
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield frames.feed(piece)
            seconds = self._silence

    async def _send(
        self, method: str, path: str, body: Json | None, headers: Mapping[str, str], seconds: float
    ) -> httpx.Response:
        url = urljoin(self.root, path)
        if urlsplit(url)[:2] != urlsplit(self.root)[:2]:
            raise ValueError(f"{url} is not on the site of {self.root}")  # it would be given the token
        request = self._http.build_request(method, url, json=body, headers={**self._headers(method), **headers})
        async with _in_time(seconds):
            answer = await self._http.send(request, stream=True)
            if answer.is_success:
                return answer
            await answer.aread()
        raise _refusal(answer)

    def _headers(self, method: str) -> dict[str, str]:
        if self._token:
            return {"Authorization": f"Bearer {self._token}"}
        if method == "GET" or not self._http.cookies:
            return {}
        # Django compares the cookie with the header; another site could not have set either.
        if "csrftoken" not in self._http.cookies:
            self._http.cookies.set("csrftoken", secrets.token_hex(16))
        return {"X-CSRFToken": self._http.cookies["csrftoken"], "Referer": self.root}


class Waits:
    """How long to wait after one failure after the other; no more once `patience` seconds were waited in all."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.reset()

    def reset(self) -> None:
        self._failures, self._waited = 0, 0.0

    def next(self, error: ApiError | Unreachable, retry: float = RETRY) -> float:
        """Return the seconds to wait, or raise `error`."""
        self._failures += 1
        wait = back_off(self._failures, retry, error.retry_after)
        self._waited += wait
        if self._waited > self._patience:
            raise error
        return wait


class Frames:
    """Takes a stream in pieces. The server ends lines with LF alone and writes each event on one line."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[dict[str, str]]:
        """Return the frames that `chunk` completes: their fields."""
        self._rest += chunk
        if b"\n" not in chunk:
            return []
        *complete, self._rest = self._rest.split(b"\n\n")
        return [_fields(frame.decode(errors="replace")) for frame in complete]


def _fields(frame: str) -> dict[str, str]:
    lines = (line.partition(":") for line in frame.split("\n"))
    return {name: value.removeprefix(" ") for name, _, value in lines if name}


def _expect(answer: httpx.Response, kind: str) -> None:
    if not answer.headers.get("Content-Type", "").startswith(kind):
        raise ApiError(406, f"There is no {kind} at {answer.url}.", code="invalid_request", errors=[], retry_after=0)


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Say in this client's words what breaks a request."""
    import httpx

    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, httpx.TimeoutException):
        raise Unreachable(f"The server said nothing for {seconds:g} s.", silent=True) from None
    except httpx.TransportError as error:
        raise Unreachable(f"The server cannot be reached: {error or type(error).__name__}.") from error


def _refusal(answer: httpx.Response) -> ApiError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail") or f"The server answered {answer.status_code} at {answer.url}."
    after = answer.headers.get("Retry-After", "")
    return ApiError(
        answer.status_code,
        detail,
        code=problem.get("code", "unavailable"),
        errors=problem.get("errors", []),
        retry_after=float(after) if after.isdecimal() else 0.0,
    )


def _http_client() -> httpx.AsyncClient:
    import httpx

    # Each step has a time limit of this client's; any number of runs may be followed at once.
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None), limits=httpx.Limits(max_connections=None, max_keepalive_connections=10)
    )
