"""The client of `progress.client` for code without an event loop: scripts, notebooks, threads.

with SyncClient("https://example.org", token=…) as client:
    for event in client.start("demo", {"seconds": 5}):
        print(event.seq, event.type, event.data)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Self

from .client import Client, Event, Run, RunLike
from .client_http import Json


class SyncClient:
    """As `Client`, with its options; `start`, `chat`, `batch`, `retry` and `follow` give runs for a plain `for`."""

    def __init__(self, base_url: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = Client(base_url, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._call(self._client.aclose())
        self._runner.close()

    def start(self, operation: str, params: Mapping[str, Any] | None = None, **options: Any) -> SyncRun:
        return SyncRun(self._call, self._call(self._client.start(operation, params, **options)))

    def chat(self, message: str, **fields: Any) -> SyncRun:
        return SyncRun(self._call, self._call(self._client.chat(message, **fields)))

    def batch(self, items: Sequence[Mapping[str, Any]], **fields: Any) -> SyncRun:
        return SyncRun(self._call, self._call(self._client.batch(items, **fields)))

    def retry(self, run: RunLike | SyncRun, **options: Any) -> SyncRun:
        return SyncRun(self._call, self._call(self._client.retry(_own(run), **options)))

    def follow(self, run: RunLike | SyncRun, after: int = 0) -> SyncRun:
        return SyncRun(self._call, self._client.follow(_own(run), after))

    def result(self, run: RunLike | SyncRun) -> Any:
        return self._call(self._client.result(_own(run)))

    def cancel(self, run: RunLike | SyncRun) -> Json:
        return self._call(self._client.cancel(_own(run)))

    def get(self, path: str) -> Json:
        return self._call(self._client.get(path))

    def post(self, path: str, body: Json | None = None, **options: Any) -> Json:
        return self._call(self._client.post(path, body, **options))

    def _call[T](self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)


class SyncRun:
    """A run for a plain `for`."""

    def __init__(self, call: Callable[[Coroutine[Any, Any, Any]], Any], run: Run) -> None:
        self._call, self._run = call, run

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def last(self) -> int:
        return self._run.last

    def snapshot(self) -> Json:
        return self._call(self._run.snapshot())  # type: ignore[no-any-return]

    def cancel(self) -> Json:
        return self._call(self._run.cancel())  # type: ignore[no-any-return]

    def result(self, on_event: Callable[[Event], object] | None = None) -> Any:
        return self._call(self._run.result(on_event))

    def __iter__(self) -> Iterator[Event]:
        events: Any = aiter(self._run)

        async def step() -> Event | None:
            return await anext(events, None)

        try:
            while (event := self._call(step())) is not None:
                yield event
        finally:
            self._call(events.aclose())


def _own(run: RunLike | SyncRun) -> RunLike:
    return run.id if isinstance(run, SyncRun) else run
