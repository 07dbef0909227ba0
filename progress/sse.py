"""Streams of Server-Sent Events: of one run in some dialect, and of many runs with one cursor."""

from __future__ import annotations

import base64
import binascii
import logging
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Self
from uuid import UUID

from .conf import setting
from .database import UNREACHABLE
from .dialects import Reader
from .events import ProgressEvent
from .exceptions import StreamBrokenOff
from .follow import StreamEnds, paced
from .limits import FAREWELL
from .log import log
from .owners import Owner
from .problems import COME_BACK

logger = logging.getLogger("progress")
OPENING = b"retry: 2000\n: open\n"
KEEP_ALIVE = b": keep-alive\n\n"


def tagged(run: UUID, event: ProgressEvent) -> str:
    """The JSON of one event among those of many runs: its own object, with run and number put in front."""
    return f'{{"run":"{run}","id":{event.seq},{event.payload[1:]}'


class Cursor:
    """The position of a reader of many runs, as `id` of their frames: opaque to clients.

    Version, `since` in ms, then for each run the first bytes of its id and the number of its last event that was sent. Runs of the
    reader's that began up to `since` and are not in it were sent to their end, or not asked for.
    """

    _VERSION = b"\x01"
    _PREFIX = 6  # bytes of a random id, looked for among the runs of one owner
    _LONGEST = 8_192  # characters

    def __init__(self, since: int = 0) -> None:
        self.since = since
        self._entries: dict[bytes, bytes] = {}
        self._numbers: dict[bytes, int] = {}

    def __contains__(self, run: UUID) -> bool:
        return run.bytes[: self._PREFIX] in self._entries

    def put(self, run: UUID, seq: int) -> None:
        key = run.bytes[: self._PREFIX]
        self._numbers[key] = seq
        self._entries[key] = key + _varint(seq)

    def get(self, run: UUID) -> int:
        """The number of the run's last event that was sent; 0 for a run that is not in it."""
        return self._numbers.get(run.bytes[: self._PREFIX], 0)

    def discard(self, run: UUID) -> None:
        self._entries.pop(run.bytes[: self._PREFIX], None)
        self._numbers.pop(run.bytes[: self._PREFIX], None)

    def ranges(self) -> list[tuple[UUID, UUID]]:
        """From where to where the ids of its runs may lie."""
        rest = 16 - self._PREFIX
        return [(UUID(bytes=key + b"\0" * rest), UUID(bytes=key + b"\xff" * rest)) for key in self._entries]

    def encode(self) -> bytes:
        packed = b"".join((self._VERSION, self.since.to_bytes(6), *self._entries.values()))
        return base64.urlsafe_b64encode(packed).rstrip(b"=")

    @classmethod
    def decode(cls, text: str) -> Self | None:
        """Return the cursor that `encode` wrote; None for anything else."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        if len(text) > cls._LONGEST or packed[:1] != cls._VERSION or len(packed) < 7:
            return None
        cursor, at = cls(int.from_bytes(packed[1:7])), 7
        while at < len(packed):
            key, at = packed[at : at + cls._PREFIX], at + cls._PREFIX
            end = at
            while end < len(packed) and packed[end] & 0x80:
                end += 1
            number, at = packed[at : end + 1], end + 1
            if not 1 <= len(number) <= 5 or at > len(packed):
                return None
            seq = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(number))
            cursor._numbers[key], cursor._entries[key] = seq, key + number
        return cursor if cursor.encode() == text.encode() else None


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def frames_of_many(cursor: Cursor, run: UUID, events: Iterable[ProgressEvent]) -> bytes:
    """The frames of a run's next events in a stream of many runs; moves `cursor`, which is their `id`."""
    written = []
    for event in events:
        cursor.put(run, event.seq)
        written.append(b"id: %s\ndata: %s\n\n" % (cursor.encode(), tagged(run, event).encode("ascii")))
    return b"".join(written)


async def frames_of_one(run: UUID, reader: Reader) -> AsyncGenerator[bytes]:
    """What `reader` is sent of `run`: what is ready together leaves together."""
    async with aclosing(log.batches(run, reader.start)) as batches:  # type: ignore[type-var]
        async for events in batches:
            if frames := reader.frames(events):
                yield frames


async def stream(
    source: AsyncGenerator[bytes],
    owner: Owner,
    allowed: Callable[[], Awaitable[bool]],
    *,
    opening: bytes = b"\n",
    comes_back: bool = True,
) -> AsyncIterator[bytes]:
    """Yield an answer made of the frames of `source`, with a comment in every silence.

    It ends with `source`, or cleanly before that, on which readers come back: when it is too old, when its reader may not read any
    more, when others of the owner's take its place, when the server is about to end. It never raises: a server may answer an
    exception by leaving the client hanging.

    A reader that does not come back from a clean end, and would take it for that of the run, is not sent away for the age of its
    stream, and for the other reasons by StreamBrokenOff.
    """
    yield OPENING + opening
    max_age = setting("STREAM_MAX_AGE") if comes_back else math.inf
    try:
        async with aclosing(paced(source, owner, allowed, max_age)) as chunks:
            async for chunk in chunks:
                yield KEEP_ALIVE if chunk is None else chunk
            return
    except StreamEnds as ends:
        if ends.why == "evicted":
            yield FAREWELL
        elif ends.why == "draining":
            yield _come_back(0.5, 4)
    except UNREACHABLE as error:
        logger.warning("a stream ends, as the database did not serve it: %r", error)
        yield _come_back(*COME_BACK)
    except Exception:
        logger.exception("a stream broke; its reader will come back")
    if not comes_back:
        raise StreamBrokenOff


def _come_back(low: float, high: float) -> bytes:
    """Tell an EventSource after how many seconds to come back: not all at once."""
    return b"retry: %d\n\n" % int(1_000 * random.uniform(low, high))  # noqa: S311 - no secret
