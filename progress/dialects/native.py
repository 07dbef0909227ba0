"""The native format: each event is one frame, its number and its stored JSON.

A frame is `id`, one `data` line of ASCII JSON, a blank line; LF only and no `event` line, so that a browser's `onmessage`
receives every type and every parser reads the same (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..events import ProgressEvent
from . import Dialect


def frame(event: ProgressEvent) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (event.seq, event.payload.encode("ascii"))


class Native(Dialect):
    """Needs to know nothing of what was before."""

    name = "native"
    comes_back = True

    def reader(self, after: int) -> _Reader:
        return _Reader(after)


class _Reader:
    def __init__(self, after: int) -> None:
        self.start = after

    def frames(self, events: Iterable[ProgressEvent]) -> bytes:
        return b"".join(map(frame, events))


NATIVE = Native()
