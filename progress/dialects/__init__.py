"""Dialects: the log of a run in the frames of one wire format.

A dialect is a pure function of the log's prefix: `step` takes what it knew after one event and gives what it knows after the next,
and what is to be sent for that. So a reader who comes late, or comes back, gets what one who was there all the time got.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol
from uuid import UUID

from ..events import ProgressEvent, encode

Chunk = dict[str, Any]


class Reader(Protocol):
    """One reader's way through the log of a run. It is to be given every event above `start`, in order."""

    start: int

    def frames(self, events: Iterable[ProgressEvent]) -> bytes:
        """Return what is sent to the reader for the next events."""


class Dialect:
    """A wire format for the log of one run. Two with equal parameters say the same."""

    name: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}
    comes_back: ClassVar[bool] = False  # whether its readers connect again after a clean end without a terminal event

    def reader(self, after: int) -> Reader:
        """Return a reader of what is above the event `after`."""
        raise NotImplementedError

    def lost(self, standing: int) -> int:
        """After which event somebody reads who asked for a position that no log gave out; `standing` is where the run stands."""
        raise NotImplementedError


class Folded(Dialect):
    """A dialect that must know what was before to say what comes next."""

    finish: ClassVar[bytes] = b""  # after the frames of the terminal event

    def begin(self) -> Any:
        """What is known before the first event."""
        raise NotImplementedError

    def step(self, known: Any, event: ProgressEvent) -> tuple[Any, list[Chunk]]:
        """Return what is known after `event`, and what is sent for it. `known` stays as it is."""
        raise NotImplementedError

    def prelude(self, known: Any) -> list[Chunk]:
        """What a reader is sent who goes on from here, before anything else."""
        return []

    def reader(self, after: int) -> FoldedReader:
        return FoldedReader(self, after)

    def lost(self, standing: int) -> int:
        return 0


class FoldedReader:
    """Reads the log from its first event, and is silent up to the event `after`."""

    start = 0

    def __init__(self, dialect: Folded, after: int = 0) -> None:
        self._dialect, self._after = dialect, after
        self._known = dialect.begin()
        self.seq = 0

    def frames(self, events: Iterable[ProgressEvent]) -> bytes:
        written = []
        for event in events:
            step = self._next(event)
            if event.seq > self._after:
                written.append(step.frames)
            elif event.seq == self._after:
                written.append(framed(self._dialect.prelude(self._known)))
        return b"".join(written)

    def chunks(self, event: ProgressEvent) -> list[Chunk]:
        """The same for one event, unframed: for a carrier that has frames of its own."""
        return self._next(event).chunks

    def _next(self, event: ProgressEvent) -> _Step:
        # Readers of one process share the event, and so its step: the same prefix gives the same to all of them.
        step: _Step | None = event.steps.get(self._dialect)
        if step is None:
            step = event.steps[self._dialect] = _Step(self._dialect, event, self._known)
        self._known, self.seq = step.known, event.seq
        return step


class _Step:
    """What a dialect makes of an event, encoded once."""

    __slots__ = ("_event", "_finish", "_frames", "chunks", "known")

    def __init__(self, dialect: Folded, event: ProgressEvent, known: Any) -> None:
        self.known, self.chunks = dialect.step(known, event)
        self._event, self._finish = event.seq, dialect.finish if event.terminal else b""
        self._frames: bytes | None = None

    @property
    def frames(self) -> bytes:
        if self._frames is None:
            self._frames = framed(self.chunks, self._event) + self._finish
        return self._frames


def framed(chunks: list[Chunk], seq: int | None = None) -> bytes:
    """Return frames of Server-Sent Events. The last of an event has its number: who has that, has all of the event."""
    lines = [b"data: %s\n\n" % encode(chunk).encode("ascii") for chunk in chunks]
    if lines and seq is not None:
        lines[-1] = b"id: %d\n%s" % (seq, lines[-1])
    return b"".join(lines)


def dialect_named(name: str, run: UUID) -> Dialect | None:
    """Return the dialect of a `?format=`; None for one that does not exist."""
    from .ag_ui import AgUi
    from .ai_sdk import AiSdk
    from .native import NATIVE

    match name:
        case "" | "native" | "seed":
            return NATIVE
        case "ag-ui":
            return AgUi(run)
        case "ai-sdk":
            return AiSdk(run)
    return None


FORMATS = ("native", "ag-ui", "ai-sdk")
