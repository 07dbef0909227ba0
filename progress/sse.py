"""The native wire format: events as frames of Server-Sent Events, and the stream that carries them.

A frame is `id`, one `data` line of ASCII JSON, a blank line; LF only and no `event` line, so that a browser's `onmessage`
receives every type and every parser reads the same (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from uuid import UUID

from .conf import setting
from .events import ProgressEvent
from .log import log

logger = logging.getLogger("progress")
OPENING = b"retry: 2000\n: open\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def frame(event: ProgressEvent) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (event.seq, event.payload.encode("ascii"))


async def frames(run: UUID, after: int, first: ProgressEvent | None = None) -> AsyncIterator[bytes]:
    """Yield the stream of `run` above `after`: what is ready together leaves together, a comment breaks every silence.

    It ends after the terminal event, or cleanly when it is too old, and never raises: a server may answer an exception by
    leaving the client hanging.
    """
    yield OPENING + (frame(first) if first else b"")
    batches = log.batches(run, after)
    age_limit = setting("STREAM_MAX_AGE") * random.uniform(0.8, 1.2)  # noqa: S311 - so that readers do not all return at once
    ends_at = asyncio.get_running_loop().time() + age_limit
    waiting: asyncio.Future[list[ProgressEvent]] | None = None
    try:
        while asyncio.get_running_loop().time() < ends_at:
            # One pending step, waited for again and again: wait_for would cancel the generator at each heartbeat.
            waiting = waiting or asyncio.ensure_future(anext(batches))
            done, _ = await asyncio.wait({waiting}, timeout=setting("HEARTBEAT"))
            if not done:
                yield KEEP_ALIVE
                continue
            try:
                events = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            yield b"".join(map(frame, events))
    except Exception:
        logger.exception("the stream of run %s broke; its reader will come back", run)
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
        await batches.aclose()  # type: ignore[attr-defined]
