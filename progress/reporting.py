"""From reports to events: merged where they come too fast, limited in size and number, handed in order to one sink."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from .conf import setting
from .events import EventType, ProgressEvent, encode, now_ms
from .exceptions import EventTooLarge, OperationCancelled, OperationFailed
from .forecast import Forecast, Pace
from .hooks import HookContext, Hooks
from .operations import IMPLICIT_STATES

if TYPE_CHECKING:
    from .nodes import Node, Progress
    from .owners import Owner
    from .rows import Earlier

logger = logging.getLogger("progress")
Text = Literal["content", "reasoning"]
Held = Literal["tick"] | Text
# Ticks and pieces of text pass freely until they come faster than this; then the newest tick replaces those before it, and
# pieces of text are joined, so that a tight loop costs neither storage nor readers.
TICK_BURST, TICK_RATE = 40, 10.0
CONTENT_BURST, CONTENT_RATE = 40, 20.0
CONTENT_PIECE = 2_000  # characters: even when all escape to \uXXXX\uXXXX, an event stays below its limit
ENDS_BEYOND_LIMIT = 200  # events
OTHER_TEXT = "The process that executed this run was stopped, and executed again it wrote another text."
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
    """The events of one execution: limits, coalescing, hooks, cancel flag. Thread-safe; made on the loop that executes."""

    def __init__(
        self,
        sink: Callable[[ProgressEvent], object],
        *,
        operation: str = "",
        run_id: str | None = None,
        attempt: int | None = None,
        owner: Owner | None = None,
        forecast: Forecast | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.sink = sink
        self.run_id, self.owner = run_id, owner
        self._ids: dict[str, Any] = {"runId": run_id, "attempt": attempt} if run_id else {}
        self.started = self.reported = time.monotonic()
        self.state_deadline: float | None = None
        self.stopped: OperationCancelled | OperationFailed | None = None  # why the body is asked to end
        self.stopped_at = 0.0
        self.closed = False
        self.ended_after = 0.0  # milliseconds, once it is closed
        self.shared: dict[str, Any] = {}  # what the operations of the run keep together
        self._last_words: list[Callable[[], Mapping[str, Any]]] = []
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self.lock = threading.RLock()
        self._ticks, self._texts = _Bucket(TICK_BURST, TICK_RATE), _Bucket(CONTENT_BURST, CONTENT_RATE)
        # By node, not by name: two operations of one name, or two steps of one operation, may report side by side.
        self._held: dict[tuple[Held, Node], Callable[[], None]] = {}
        self._text: dict[tuple[Text, Progress], str] = {}
        self._timer = False
        self._left = [int(setting("RUN_EVENTS")), int(setting("RUN_BYTES"))]
        self._event_bytes = int(setting("EVENT_BYTES"))
        self._hooks = Hooks(HookContext(operation, owner, run_id, attempt))
        self._earlier = earlier
        self.forecast = forecast or Forecast()
        self.pace: Pace = "usual"

    @property
    def elapsed(self) -> float:
        """Milliseconds since the execution began."""
        return (time.monotonic() - self.started) * 1000

    def metadata(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        elapsed = self.elapsed
        known: dict[str, Any] = {**self._ids, "elapsedMs": int(elapsed), "etaMs": None}
        if not self.closed:
            known["etaMs"] = self.forecast.remaining(elapsed)
            if self.run_id is not None:
                known["pace"] = self.pace
        return {**known, **extra, **self._ids} if extra else known

    def at_end(self, metadata: Callable[[], Mapping[str, Any]]) -> None:
        """Have `metadata` called when the run ends, for its last event."""
        self._last_words.append(metadata)

    def last_metadata(self) -> dict[str, Any]:
        """Return what the operations add to the run's last event. What fails is logged: the run ends all the same."""
        found: dict[str, Any] = {}
        for words in self._last_words:
            try:
                encode(told := dict(words()))
                found |= told
            except Exception:
                logger.exception("metadata of the last event was left out")
        return found

    def passed(self, event: ProgressEvent, node: Progress) -> list[ProgressEvent]:
        """Return what the hooks make of an event of `node`."""
        return self._hooks(event, node)

    def emit(self, type: EventType, data: dict[str, Any], node: Progress) -> None:
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
            for passed in self._hooks(event, node):
                self._send(passed)

    def reached(self, operation: str) -> float:
        """The percentage at which an earlier attempt left the next operation of this name; it does not fall below that."""
        return self._earlier.percentages.pop(operation, 0.0) if self._earlier else 0.0

    def _unwritten(self, event: ProgressEvent, written: dict[str, str]) -> ProgressEvent | None:
        """Return what an earlier attempt has not written already of this text. Raises OperationFailed for another text than its."""
        data = event.data
        before, text = written.get(data["operation"], ""), data["content"]
        if not before:
            return event
        if not before.startswith(text) and not text.startswith(before):
            raise OperationFailed(OTHER_TEXT, code="worker_lost")
        written[data["operation"]] = before[len(text) :]
        rest = text[len(before) :]
        return ProgressEvent("content", {**data, "content": rest}) if rest else None

    def _send(self, event: ProgressEvent) -> None:
        if self._earlier and event.type == "content":
            if (unwritten := self._unwritten(event, self._earlier.texts)) is None:
                return
            event = unwritten
        self._left[0] -= 1
        self._left[1] -= len(event.payload)
        if min(self._left) < 0 and not self._is_end_within_bounds(event):
            raise OperationFailed(
                f"This run reported more than {setting('RUN_EVENTS'):,} events or {setting('RUN_BYTES'):,} bytes.",
                code="limit_exceeded",
            )
        self.sink(event)

    def _is_end_within_bounds(self, event: ProgressEvent) -> bool:
        """Nested operations may still say their ends, up to a bound of its own."""
        return event.data.get("currentState") in IMPLICIT_STATES and self._left[0] >= -ENDS_BEYOND_LIMIT

    def tick(self, node: Node, make: Callable[[], dict[str, Any]]) -> None:
        """Report a small step, or hold it until there is room: a newer one of the same node takes its place."""
        with self.lock:
            if (wait := self._ticks.take()) == 0:
                self._held.pop(("tick", node), None)
                self.emit("progress", make(), node._operation)
                return
            self._held["tick", node] = lambda: self.emit("progress", make(), node._operation)
            self._arm(wait)

    def write(self, node: Progress, kind: Text, text: str) -> None:
        """Report a piece of text, or hold it until there is room: a later one is joined to it."""
        with self.lock:
            self._text[kind, node] = self._text.get((kind, node), "") + text
            if (wait := self._texts.take()) == 0:
                self._held.pop((kind, node), None)
                self._send_text(kind, node)
                return
            self._held[kind, node] = lambda: self._send_text(kind, node)
            self._arm(wait)

    def _send_text(self, kind: Text, node: Progress) -> None:
        text = self._text.pop((kind, node), "")
        for start in range(0, len(text), CONTENT_PIECE):
            piece = text[start : start + CONTENT_PIECE]
            if kind == "content":
                self.emit("content", {"operation": node._name, "content": piece, "timestamp": now_ms()}, node)
            else:
                self.emit("progress", node._data({"reasoning": piece}), node)

    def settle(self, node: Progress, step: Node | None = None) -> None:
        """Before a change of state: send held text; drop held ticks, which the state supersedes: all, or those of `step`."""
        with self.lock:
            for kind, held in [key for key in self._held if key[1]._operation is node]:
                if kind == "tick" and held is not (step or held):
                    continue
                send = self._held.pop((kind, held))
                if kind != "tick":
                    send()

    def settle_all(self) -> None:
        """Send all held text and drop held ticks: the end follows."""
        with self.lock:
            self._held.clear()
            for kind, node in list(self._text):
                self._send_text(kind, node)
            if self._earlier and any(self._earlier.texts.values()):
                raise OperationFailed(OTHER_TEXT, code="worker_lost")

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
