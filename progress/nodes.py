"""What an operation reports with: a `Progress` is one operation of a run, a `Step` a weighted part of one."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, cast

from .events import encode
from .exceptions import InvalidTransition, ProgressError
from .operations import IMPLICIT_STATES, StreamingOperation
from .reporting import Reporter
from .threads import in_thread
from .tracking import Loop, Track, share_done

if TYPE_CHECKING:
    from .forecast import Pace
    from .owners import Owner

logger = logging.getLogger("progress")


class Node:
    """A piece of work: how much of it is done, by its own count or by its weighted parts, whichever is more."""

    def __init__(self, operation: Progress | None, weight: float) -> None:
        if not 0 <= weight <= 1:
            raise ValueError(f"A weight is a share from 0 to 1, not {weight}.")
        self._operation = operation if operation is not None else cast("Progress", self)
        self._weight, self._parts = weight, dict[Node, None]()  # those under way, in order
        self._past = 0.0  # what the ended parts have done
        self._loops: list[Loop] = []  # those under way, outermost first
        self._own, self._unknown = 0.0, False
        self._marks: dict[str, Any] = {}  # metadata of all that is reported on it and below it

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
        self._operation._tick(message, metadata, self)

    def step(self, message: str, weight: float, *, metadata: Mapping[str, Any] | None = None) -> Step:
        """Return a part of this work, used in a `with`: its 100 % is the share `weight` (0 to 1) of this.

        `metadata` marks every progress event that is reported on it or below it, operations that it runs included.
        """
        return Step(self, message, weight, metadata)

    def track[T](
        self, iterable: Iterable[T] | AsyncIterable[T], total: float | None = None, message: str | None = None
    ) -> Track[T]:
        """Return the items of `iterable` for a `for` or `async for`, and report each; `total` is its length where it has one.

        A loop within such a loop moves the percentage within the outer one's current item.
        """
        return Track(self, iterable, total, message)

    async def run[T](self, operation: StreamingOperation[T], *, weight: float = 0.0) -> T:
        """Execute another operation as part of this one, as the share `weight` (0 to 1) of it, and return its result."""
        from .orchestrator import perform

        return await perform(operation, Progress(self._operation._reporter, operation, parent=self, weight=weight))

    @property
    def _done(self) -> float:
        return self._fraction or 0.0

    @property
    def _current(self) -> str:
        """The state that what is reported here shows."""
        return self._operation._state

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

    def _begin_loop(self, loop: Loop) -> None:
        with self._operation._reporter.lock:
            self._loops.append(loop)

    def _end_loop(self, loop: Loop) -> None:
        with self._operation._reporter.lock:
            self._loops.remove(loop)

    def _report_loops(self, message: str | None) -> None:
        self._operation._reporter.touch()
        with self._operation._reporter.lock:
            share = share_done(self._loops)
        self._set(share or 0.0, None if share is None else 1.0)
        self._operation._tick(message, None, self)

    def _set(self, value: float, total: float | None) -> None:
        if not math.isfinite(value) or (total is not None and not math.isfinite(total)):
            raise ValueError(f"progress({value}, {total}): both must be finite numbers.")
        self._unknown = total is None
        if total is not None:
            self._own = min(max(value / total, 0.0), 1.0) if total > 0 else 1.0


class Step(Node):
    """A weighted part of an operation; report on it as on the whole."""

    def __init__(self, parent: Node, message: str, weight: float, metadata: Mapping[str, Any] | None = None) -> None:
        super().__init__(parent._operation, weight)
        self._marks = {**parent._marks, **(metadata or {})}
        encode(self._marks)  # raises here, not where a held report is sent
        self._message = message
        self._whole = parent
        self._state = ""  # of its own
        parent._begin(self)

    def state(self, name: str, message: str | None = None, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Say what this part is doing. That of the operation stays as it is, so that parts may be under way side by side."""
        if name in IMPLICIT_STATES:
            raise InvalidTransition(f"{name!r} is a state of a whole operation, entered by itself.")
        self._operation._reporter.touch()
        self._state = name
        self._operation._say(message or name.replace("_", " ").capitalize(), metadata, self)

    @property
    def _current(self) -> str:
        return self._state or self._whole._current

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
        # None where it is not overridden: a call that changes nothing would cost each report a tenth.
        own_curve = type(operation).shown_percentage is not StreamingOperation.shown_percentage
        self._shown = operation.shown_percentage if own_curve else None
        self._parent = parent._operation if parent is not None else None
        self._whole = parent
        self._marks = parent._marks if parent is not None else {}
        self._states = operation.declared_states()
        self._state, self._message = "running", ""
        self._low, self._high, self._top = 0.0, self._percentage_after(-1.0), reporter.reached(self._name)
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
    def shared(self) -> dict[str, Any]:
        """What the operations of one run keep together, such as a budget; it is not stored."""
        return self._reporter.shared

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
            self._reporter.write(self, "content", text)

    def reasoning(self, text: str) -> None:
        """Add `text` to what a model thinks on the way, which is no part of the run's text: `metadata.reasoning`, in pieces."""
        self._reporter.touch()
        if text:
            self._reporter.write(self, "reasoning", text)

    def at_end(self, metadata: Callable[[], Mapping[str, Any]]) -> None:
        """Add what `metadata` returns when the run ends to its last event, `done` or `error`, however it ends."""
        self._reporter.at_end(metadata)

    async def in_thread[T](self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a blocking `function` in a thread. Its database connections are closed at the end."""
        return await in_thread(function, *args, **kwargs)

    @property
    def _done(self) -> float:
        return 1.0 if self._state == "completed" else self._top / 100

    def _tick(
        self, message: str | None = None, metadata: Mapping[str, Any] | None = None, by: Node | None = None
    ) -> None:
        by = by or self
        if metadata:
            encode(metadata := dict(metadata))  # a report that is held would else fail where nobody hears of it
        if by._marks:
            metadata = {**by._marks, **(metadata or {})}
        with self._reporter.lock:
            if message is not None:
                self._message = message
            self._percentage()
            said = self._message  # until a held report is sent, another step may have said something else
            state = by._current
            self._reporter.tick(by, lambda: {**self._data(metadata), "message": said, "currentState": state})
            if self._parent is not None and self._weight:
                self._parent._tick(message, by=self._whole)

    def _say(self, message: str, metadata: Mapping[str, Any] | None, by: Step) -> None:
        """Report what one part is doing, at once and not merged with what follows."""
        with self._reporter.lock:
            self._reporter.settle(self, by)
            self._message = message
            data = self._data({**by._marks, **(metadata or {})})
            self._reporter.emit("progress", {**data, "currentState": by._current}, self)
            if self._parent is not None and self._weight:
                self._parent._tick(message, by=self._whole)

    def _report(self, message: str, metadata: Mapping[str, Any]) -> None:
        """Report without being merged with what follows: for a reporter that keeps to a pace of its own."""
        with self._reporter.lock:
            self._message = message
            self._reporter.emit("progress", self._data(metadata), self)
            if self._parent is not None and self._weight:
                self._parent._tick(message, by=self._whole)

    def _enter(self, name: str, message: str, metadata: Mapping[str, Any] | None = None) -> None:
        with self._reporter.lock:
            self._reporter.settle(self)
            self._state, self._message = name, message
            if self._parent is None:
                self._reporter.forecast.enter(name, self._reporter.elapsed)
            if name in IMPLICIT_STATES and self._whole is not None:
                self._whole._end(self)
            self._reporter.emit("progress", self._data(metadata), self)
            if self._parent is not None:
                self._parent._tick(message if name in self._states else None, by=self._whole)

    def _set_pace(self, pace: Pace) -> None:
        """Say that the run is slow or stalled, or no more. It is no sign of life; called by the supervisor's thread."""
        if not self._reporter.lock.acquire(blocking=False):
            return  # a report is under way, perhaps in a hook that hangs: the next turn tries again
        try:
            self._reporter.pace = pace
            self._reporter.emit("progress", self._data(), self)
        except ProgressError as error:  # the run has reached its limits, which its body learns at its next report
            logger.info("a change of pace was left out: %s", error)
        finally:
            self._reporter.lock.release()

    def _data(self, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
        extra = {**self._marks, **(metadata or {})}
        if self._parent is not None:
            extra["parentOperation"] = self._parent._name
        percentage = self._percentage()
        if percentage is None:
            extra["indeterminate"] = True
        elif self._parent is None and not self._states:  # states begin where their author guessed, which is no count
            self._reporter.forecast.count(percentage, self._reporter.elapsed)
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
        if self._shown is not None:
            now = self._as_shown(now, self._shown)
        self._top = max(self._top, min(math.floor(now * 10 + 1e-6) / 10, 99.9))
        return self._top

    def _as_shown(self, percentage: float, curve: Callable[[float], float]) -> float:
        try:
            if math.isfinite(shown := curve(percentage)):
                return shown
            raise ValueError(f"shown_percentage({percentage}) is {shown}.")
        except Exception:  # reports are made while the operation ends, too, and that must not fail
            logger.exception("shown_percentage of %s failed; from here on it is shown as it is counted", self._name)
            self._shown = None
            return percentage

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
