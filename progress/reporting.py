"""What an operation reports with.

A `Reporter` belongs to one execution: it turns reports into events and hands them, in order, to one sink. A `Progress` is one
node under it: the run's own operation or a nested one; a `Step` is a weighted part of either.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Self, cast, overload

from django.db import connections

from .conf import setting
from .events import EventType, ProgressEvent, encode, now_ms
from .exceptions import EventTooLarge, InvalidTransition, OperationCancelled, OperationFailed
from .operations import IMPLICIT_STATES, StreamingOperation

if TYPE_CHECKING:
    from .owners import Owner

logger = logging.getLogger("progress")
# Ticks and pieces of text pass freely until they come faster than this; then the newest tick replaces those before it, and
# pieces of text are joined, so that a tight loop costs neither storage nor readers.
TICK_BURST, TICK_RATE = 40, 10.0
CONTENT_BURST, CONTENT_RATE = 40, 20.0
CONTENT_PIECE = 2_000  # characters: even when all escape to \uXXXX\uXXXX, an event stays below its limit
ENDS_BEYOND_LIMIT = 200  # events
SWALLOWED_AFTER = 1.0  # seconds after a cancel: a body that still reports has missed or swallowed its CancelledError


class _Bucket:
    """A token bucket: `burst` at once, then `rate` a second."""

    __slots__ = ("at", "burst", "rate", "tokens")

    def __init__(self, burst: int, rate: float) -> None:
        self.burst, self.rate, self.tokens, self.at = burst, rate, float(burst), time.monotonic()

    def take(self) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


class Reporter:
    """The events of one execution: numbered limits, coalescing, cancel flag. Thread-safe; made on the loop that executes."""

    def __init__(
        self,
        sink: Callable[[ProgressEvent], object],
        *,
        run_id: str | None = None,
        attempt: int | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.sink = sink
        self.run_id, self.owner = run_id, owner
        self._ids: dict[str, Any] = {"runId": run_id, "attempt": attempt} if run_id else {}
        self.started = self.reported = time.monotonic()
        self.state_deadline: float | None = None
        self.stopped: OperationCancelled | OperationFailed | None = None  # why the body is asked to end
        self.stopped_at = 0.0
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self.lock = threading.RLock()
        self._ticks, self._texts = _Bucket(TICK_BURST, TICK_RATE), _Bucket(CONTENT_BURST, CONTENT_RATE)
        self._held: dict[tuple[EventType, str], Callable[[], None]] = {}
        self._text: dict[str, str] = {}
        self._timer = False
        self._left = [int(setting("RUN_EVENTS")), int(setting("RUN_BYTES"))]
        self._event_bytes = int(setting("EVENT_BYTES"))

    def metadata(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        elapsed = int((time.monotonic() - self.started) * 1000)
        known: dict[str, Any] = {**self._ids, "elapsedMs": elapsed, "etaMs": None}
        return {**known, **extra, **self._ids} if extra else known

    def emit(self, type: EventType, data: dict[str, Any]) -> None:
        """Hand one event to the sink. Raises EventTooLarge, or OperationFailed once the run has reached its limits."""
        event = ProgressEvent(type, data)
        size = len(event.payload)
        if size > self._event_bytes:
            raise EventTooLarge(
                f"This {type} event takes {size:,} bytes; one holds at most {self._event_bytes:,}. Send a link to big results."
            )
        with self.lock:
            if self.closed:
                return
            self._left[0] -= 1
            self._left[1] -= size
            # Nested operations may still say their ends, up to a bound of its own.
            ends = data.get("currentState") in IMPLICIT_STATES and self._left[0] >= -ENDS_BEYOND_LIMIT
            if min(self._left) < 0 and not ends:
                raise OperationFailed(
                    f"This run reported more than {setting('RUN_EVENTS'):,} events or {setting('RUN_BYTES'):,} bytes.",
                    code="limit_exceeded",
                )
            self.sink(event)

    def tick(self, operation: str, make: Callable[[], dict[str, Any]]) -> None:
        """Report a small step, or hold it until there is room: a newer one of the same operation takes its place."""
        with self.lock:
            if (wait := self._ticks.take()) == 0:
                self._held.pop(("progress", operation), None)
                self.emit("progress", make())
                return
            self._held["progress", operation] = lambda: self.emit("progress", make())
            self._arm(wait)

    def content(self, operation: str, text: str) -> None:
        with self.lock:
            self._text[operation] = self._text.get(operation, "") + text
            if (wait := self._texts.take()) == 0:
                self._held.pop(("content", operation), None)
                self._send_text(operation)
                return
            self._held["content", operation] = lambda: self._send_text(operation)
            self._arm(wait)

    def _send_text(self, operation: str) -> None:
        text = self._text.pop(operation, "")
        for start in range(0, len(text), CONTENT_PIECE):
            piece = text[start : start + CONTENT_PIECE]
            self.emit("content", {"operation": operation, "content": piece, "timestamp": now_ms()})

    def settle(self, operation: str) -> None:
        """Before a change of state: send held text; drop a held tick, which the state supersedes."""
        with self.lock:
            self._held.pop(("progress", operation), None)
            if (send := self._held.pop(("content", operation), None)) is not None:
                send()

    def settle_all(self) -> None:
        """Send all held text and drop held ticks: the end follows."""
        with self.lock:
            self._held.clear()
            for operation in list(self._text):
                self._send_text(operation)

    def _arm(self, wait: float) -> None:
        if self._timer:
            return
        self._timer = True
        if threading.get_ident() == self._loop_thread:
            self._loop.call_later(wait, self._release)
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._release)

    def _release(self) -> None:
        with self.lock:
            self._timer = False
            held, self._held = self._held, {}
            for send in held.values():
                try:
                    send()
                except OperationFailed:
                    return  # over its limits: the body learns it at its next report
                except EventTooLarge as error:
                    logger.warning("a report was left out: %s", error)

    def stop(self, reason: OperationCancelled | OperationFailed) -> None:
        """Ask the body to end; the first reason stands."""
        if self.stopped is None:
            self.stopped_at = time.monotonic()
            self.stopped = reason

    def touch(self) -> None:
        """Note a sign of life. Raises the reason to stop in a body that could not be interrupted otherwise."""
        now = self.reported = time.monotonic()
        if self.stopped is not None:
            on_loop = threading.get_ident() == self._loop_thread
            if not on_loop or now - self.stopped_at > SWALLOWED_AFTER:
                raise self.stopped


class Node:
    """A piece of work: how much of it is done, by its own count or by its weighted parts, whichever is more."""

    def __init__(self, operation: Progress | None, weight: float) -> None:
        if not 0 <= weight <= 1:
            raise ValueError(f"A weight is a share from 0 to 1, not {weight}.")
        self._operation = operation if operation is not None else cast("Progress", self)
        self._weight, self._parts = weight, dict[Node, None]()  # those under way, in order
        self._past = 0.0  # what the ended parts have done
        self._own, self._unknown = 0.0, False

    def __call__(
        self,
        value: float | None = None,
        total: float | None = None,
        message: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how far the work is: `value` of `total`, what it is doing, or both.

        Without `total` the size is unknown and the bar is indeterminate. Raises ValueError for a number that is not finite.
        """
        self._operation._reporter.touch()
        if value is not None:
            self._set(value, total)
        self._operation._tick(message, metadata)

    def step(self, message: str, weight: float) -> Step:
        """Return a part of this work, used in a `with`: its 100 % is the share `weight` (0 to 1) of this."""
        return Step(self, message, weight)

    @overload
    def track[T](
        self, iterable: AsyncIterable[T], total: int | None = None, message: str | None = None
    ) -> AsyncIterator[T]: ...
    @overload
    def track[T](self, iterable: Iterable[T], total: int | None = None, message: str | None = None) -> Iterator[T]: ...
    def track(self, iterable: Any, total: int | None = None, message: str | None = None) -> Any:
        """Yield from `iterable` (sync or async) and report each item; `total` is its length where it has one."""
        if total is None and hasattr(iterable, "__len__"):
            total = len(iterable)
        return (
            _track_async(self, iterable, total, message)
            if hasattr(iterable, "__aiter__")
            else _track(self, iterable, total, message)
        )

    async def run[T](self, operation: StreamingOperation[T], *, weight: float = 0.0) -> T:
        """Execute another operation as part of this one, as the share `weight` (0 to 1) of it, and return its result."""
        from .orchestrator import perform

        return await perform(operation, Progress(self._operation._reporter, operation, parent=self, weight=weight))

    @property
    def _done(self) -> float:
        return self._fraction or 0.0

    @property
    def _fraction(self) -> float | None:
        if self._unknown and not self._parts and not self._past:
            return None
        return min(max(self._own, self._past + sum(part._weight * part._done for part in self._parts)), 1.0)

    def _begin(self, part: Node) -> None:
        with self._operation._reporter.lock:
            self._parts[part] = None

    def _end(self, part: Node) -> None:
        # Only parts under way are kept: a loop of many steps must not sum up all of them at each report.
        with self._operation._reporter.lock:
            if part in self._parts:
                del self._parts[part]
                self._past += part._weight * part._done

    def _set(self, value: float, total: float | None) -> None:
        if not math.isfinite(value) or (total is not None and not math.isfinite(total)):
            raise ValueError(f"progress({value}, {total}): both must be finite numbers.")
        self._unknown = total is None
        if total is not None:
            self._own = min(max(value / total, 0.0), 1.0) if total > 0 else 1.0


class Step(Node):
    """A weighted part of an operation; report on it as on the whole."""

    def __init__(self, parent: Node, message: str, weight: float) -> None:
        super().__init__(parent._operation, weight)
        self._message = message
        self._whole = parent
        parent._begin(self)

    def __enter__(self) -> Self:
        self(message=self._message)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._own = 1.0
        self._whole._end(self)
        if kind is None:
            self(message=self._message)


class Progress(Node):
    """Report on an operation. Calls are ordinary ones, never awaited, safe from the loop and from threads."""

    def __init__(
        self, reporter: Reporter, operation: StreamingOperation[Any], *, parent: Node | None = None, weight: float = 0.0
    ) -> None:
        super().__init__(None, weight)
        self._reporter = reporter
        self._name = operation.operation_name
        self._parent = parent._operation if parent is not None else None
        self._whole = parent
        self._states = operation.declared_states()
        self._state, self._message = "running", ""
        self._low, self._high, self._top = 0.0, self._percentage_after(-1.0), 0.0
        if parent is not None:
            parent._begin(self)

    @property
    def run_id(self) -> str | None:
        """The run's id; None where the operation executes without a row."""
        return self._reporter.run_id

    @property
    def owner(self) -> Owner | None:
        """For whom the operation executes; None for the command line and code without a request."""
        return self._reporter.owner

    @property
    def cancelled(self) -> bool:
        """True once the run was asked to end, by a person or a time limit."""
        return self._reporter.stopped is not None

    def state(self, name: str, message: str | None = None, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Enter a state. Raises InvalidTransition where the operation declares states and this is not one that may follow."""
        self._reporter.touch()
        self._check_transition(name)
        if (declared := self._states.get(name)) is not None:
            self._own, self._past, self._unknown, self._parts = 0.0, 0.0, False, {}
            self._low, self._high = declared.percentage, self._percentage_after(declared.percentage)
            if self._parent is None:
                self._reporter.state_deadline = time.monotonic() + declared.timeout if declared.timeout else None
        self._enter(name, message or name.replace("_", " ").capitalize(), metadata)

    def content(self, text: str) -> None:
        """Add `text` to the run's text. Pieces that come fast are joined."""
        self._reporter.touch()
        if text:
            self._reporter.content(self._name, text)

    async def in_thread[T](self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a blocking `function` in a thread. Its database connections are closed at the end."""
        return await in_thread(function, *args, **kwargs)

    @property
    def _done(self) -> float:
        return 1.0 if self._state == "completed" else self._top / 100

    def _tick(self, message: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        if metadata:
            encode(metadata := dict(metadata))  # a report that is held would else fail where nobody hears of it
        with self._reporter.lock:
            if message is not None:
                self._message = message
            self._percentage()
            self._reporter.tick(self._name, lambda: self._data(metadata))
            if self._parent is not None and self._weight:
                self._parent._tick(message)

    def _enter(self, name: str, message: str, metadata: Mapping[str, Any] | None = None) -> None:
        with self._reporter.lock:
            self._reporter.settle(self._name)
            self._state, self._message = name, message
            if name in IMPLICIT_STATES and self._whole is not None:
                self._whole._end(self)
            self._reporter.emit("progress", self._data(metadata))
            if self._parent is not None:
                self._parent._tick(message if name in self._states else None)

    def _data(self, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
        extra = dict(metadata or {})
        if self._parent is not None:
            extra["parentOperation"] = self._parent._name
        percentage = self._percentage()
        if percentage is None:
            extra["indeterminate"] = True
        return {
            "operation": self._name,
            "percentage": percentage,
            "message": self._message,
            "currentState": self._state,
            "metadata": self._reporter.metadata(extra),
        }

    def _percentage(self) -> float | None:
        """0 to 100 with one decimal, never falling; 100 only once completed; None while the size is unknown."""
        if self._state == "completed":
            return 100
        fraction = self._fraction
        if fraction is None and not self._states and not self._top:
            return None
        now = self._low + (self._high - self._low) * (fraction or 0.0)
        self._top = max(self._top, min(math.floor(now * 10 + 1e-6) / 10, 99.9))
        return self._top

    def _percentage_after(self, percentage: float) -> float:
        return min(
            (state.percentage for state in self._states.values() if state.percentage > percentage), default=100.0
        )

    def _check_transition(self, name: str) -> None:
        if name in IMPLICIT_STATES:
            raise InvalidTransition(f"{self._name}: {name!r} is entered by itself, when the operation starts or ends.")
        if not self._states or name == self._state:
            return
        if name not in self._states:
            raise InvalidTransition(f"{self._name} declares no state {name!r}; it declares {', '.join(self._states)}.")
        names = list(self._states)
        here = self._states.get(self._state)
        allowed = names if here is None else here.to if here.to is not None else names[names.index(self._state) + 1 :]
        if name not in allowed:
            raise InvalidTransition(
                f"{self._name} cannot go from {self._state!r} to {name!r}; it may go to {', '.join(allowed) or 'no other'}."
            )


def _track[T](node: Node, iterable: Iterable[T], total: int | None, message: str | None) -> Iterator[T]:
    for number, item in enumerate(iterable, 1):
        yield item
        node(number, total, message)


async def _track_async[T](
    node: Node, iterable: AsyncIterable[T], total: int | None, message: str | None
) -> AsyncIterator[T]:
    number = 0
    async for item in iterable:
        yield item
        node(number := number + 1, total, message)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(setting("SYNC_THREADS"), thread_name_prefix="operation")


def in_thread[T](function: Callable[..., T], *args: Any, **kwargs: Any) -> Awaitable[T]:
    """Call a blocking function in a pool that only operations use; one shared with requests could starve them."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return asyncio.get_running_loop().run_in_executor(_threads(), call)
