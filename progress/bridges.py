"""Progress of code that knows nothing of `progress`: its tqdm bars, and the lines that it logs.

A context variable says who follows what: only bars and lines of the code below the `with` are followed, also in its tasks and in
`progress.in_thread`, and several runs may follow at once. A thread that the code starts by itself is not followed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any

from .exceptions import OperationCancelled, OperationFailed
from .nodes import Node
from .tracking import Loop

LINE_LENGTH = 500  # characters of a log line that become a message


@contextmanager
def follow_tqdm(progress: Node, bars: int = 1) -> Iterator[None]:
    """Report the tqdm bars that the code below shows, instead of printing them. Takes a `Progress` or a step of one.

    A bar within another one moves the percentage within the outer one's current item. `bars` is how many come one after the
    other; more than that move it no further. Raises ModuleNotFoundError without tqdm.
    """
    try:
        from tqdm.std import tqdm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("follow_tqdm needs the package tqdm.", name="tqdm") from error
    followed = _Bars(progress, bars)
    _patch.add(tqdm)
    token = _bars_followed.set(followed)
    try:
        yield
    finally:
        _bars_followed.reset(token)
        _patch.remove(tqdm)
        followed.end()


@contextmanager
def follow_logging(
    progress: Node,
    *names: str,
    level: int | str = logging.INFO,
    filter: Callable[[logging.LogRecord], bool] | None = None,
) -> Iterator[None]:
    """Report what the code below logs to the loggers `names` (and those under them) as messages.

    `level` and `filter` choose among the lines; a line below the logger's own level is never made. The project's own logger,
    "progress", is not followed.
    """
    handler = _LineHandler(progress, level)
    if filter is not None:
        handler.addFilter(filter)
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    token = _lines_followed.set((*_lines_followed.get(), handler))
    try:
        yield
    finally:
        _lines_followed.reset(token)
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


class _Nowhere:
    """Where a followed bar is drawn. It says that it is a terminal: bars meant for one only are followed too."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


class _Bars:
    """The open bars of one follower, one within another, as loops of its node; where several follow each other, in one for all."""

    def __init__(self, node: Node, count: int) -> None:
        self._node, self._count = node, count
        # The only lock: the garbage collector closes bars in whatever thread it runs, and a second lock could deadlock with it.
        self._lock = node._operation._reporter.lock
        self._loops: list[Loop] = []
        self._over = False

    def begin(self, total: float | None, done: float) -> Loop:
        with self._lock:
            if self._count > 1 and not self._loops:
                self._add(Loop(self._count))
            elif self._count > 1 and len(self._loops) == 1:
                sequence = self._loops[0]
                sequence.done = min(sequence.done + 1, self._count - 1)
            return self._add(Loop(total, done))

    def _add(self, loop: Loop) -> Loop:
        self._loops.append(loop)
        self._node._begin_loop(loop)
        return loop

    def close(self, loop: Loop) -> None:
        with self._lock:
            if loop in self._loops:
                self._loops.remove(loop)
                self._node._end_loop(loop)

    def end(self) -> None:
        """Forget what is left open: a bar that somebody kept moves nothing any more."""
        with self._lock:
            self._over = True
            for loop in list(self._loops):
                self.close(loop)

    def report(self, message: str, *, ending: bool = False) -> None:
        if self._over:
            return
        try:
            self._node._report_loops(message or None)
        except (OperationCancelled, OperationFailed):
            # It ends the code that is followed, as any report does; not another thread that moves a bar, nor a bar's clean-up.
            if not ending and _bars_followed.get() is self:
                raise


class _Patch:
    """tqdm's own class, changed while anybody follows, so that names bound to it long ago are followed too."""

    def __init__(self) -> None:
        self._lock, self._followers, self._originals = Lock(), 0, dict[str, Any]()

    def add(self, tqdm: Any) -> None:
        with self._lock:
            self._followers += 1
            if self._followers == 1:
                self._originals = {name: tqdm.__dict__[name] for name in ("__init__", "refresh", "close")}
                tqdm.__init__ = _followed_init(tqdm.__init__)
                tqdm.refresh = _followed_refresh(tqdm.refresh)
                tqdm.close = _followed_close(tqdm.close)

    def remove(self, tqdm: Any) -> None:
        with self._lock:
            self._followers -= 1
            if not self._followers:
                for name, original in self._originals.items():
                    setattr(tqdm, name, original)


def _followed_init(original: Any) -> Any:
    @wraps(original)
    def init(
        bar: Any,
        iterable: Any = None,
        desc: Any = None,
        total: Any = None,
        leave: Any = True,
        file: Any = None,
        *args: Any,
        **options: Any,
    ) -> None:
        bars = _bars_followed.get()
        original(bar, iterable, desc, total, leave, _Nowhere() if bars else file, *args, **options)
        if bars is not None and not bar.disable:
            bar._followed = bars, bars.begin(bar.total, bar.n)
            bars.report(bar.desc)

    return init


def _followed_refresh(original: Any) -> Any:
    @wraps(original)
    def refresh(bar: Any, nolock: bool = False, lock_args: Any = None) -> Any:
        if not hasattr(bar, "_followed"):
            return original(bar, nolock, lock_args)
        # Without tqdm's lock, which an exception would leave locked. Who holds it already, tqdm's monitor, has no news.
        if not bar.disable and not nolock:
            bars, loop = bar._followed
            loop.done, loop.total = bar.n, bar.total
            bars.report(bar.desc.removesuffix(": "))
        return True

    return refresh


def _followed_close(original: Any) -> Any:
    @wraps(original)
    def close(bar: Any) -> None:
        if hasattr(bar, "_followed") and not bar.disable:
            bars, loop = bar._followed
            loop.done = bar.n
            bars.report(bar.desc.removesuffix(": "), ending=True)
            bars.close(loop)
        original(bar)

    return close


class _LineHandler(logging.Handler):
    """Turns the log lines of one follower's code into messages of its node."""

    def __init__(self, node: Node, level: int | str) -> None:
        super().__init__(level)
        self._node = node

    def handle(self, record: logging.LogRecord) -> bool:
        # Not under the handler's lock: whoever holds the reporter's may log, and would wait for this one for ever.
        ours = record.name.partition(".")[0] == "progress"
        if ours or self not in _lines_followed.get() or not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = record.getMessage()
        except Exception:
            self.handleError(record)
            return
        token = _lines_followed.set(())  # what is logged while a line is reported would be reported for ever
        try:
            self._node(message=line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}…")
        finally:
            _lines_followed.reset(token)


_bars_followed: ContextVar[_Bars | None] = ContextVar("bars_followed", default=None)
_lines_followed: ContextVar[tuple[_LineHandler, ...]] = ContextVar("lines_followed", default=())
_patch = _Patch()
