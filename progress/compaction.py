"""Keeping the text of ended runs in fewer rows, without changing anything that a reader sees.

Text that is written as it comes takes a row for every few words. Once a run has ended, neighbouring `content` events of one
operation are packed into one row: their text joined, and with it how to give each of them back, byte for byte and under its number.
So a reader may come from any position, before, while and after it is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .events import ProgressEvent, encode

MARK = '{"pieces":'  # how the payload of a packed row begins; an event's begins with its type
PIECES = 200  # events in one row


def pack(events: list[ProgressEvent]) -> ProgressEvent | None:
    """Return one row for neighbouring `content` events, numbered as the last; None where it could not give them back exactly."""
    last = events[-1]
    pieces = [
        [last.at - event.at, last.data["timestamp"] - event.data["timestamp"], len(event.data["content"])]
        for event in events
    ]
    data = {**last.data, "content": "".join(event.data["content"] for event in events)}
    payload = encode({"pieces": pieces, "type": "content", "data": data})
    packed = ProgressEvent("content", payload=payload, at=last.at, seq=last.seq)
    given_back = [(event.seq, event.at, event.payload) for event in unpack(packed)]
    return packed if given_back == [(event.seq, event.at, event.payload) for event in events] else None


def unpack(row: ProgressEvent) -> Iterator[ProgressEvent]:
    """Yield the events that a row holds: of most rows the one that it is."""
    if not row.payload.startswith(MARK):
        yield row
        return
    packed = json.loads(row.payload)
    pieces, data = packed["pieces"], packed["data"]
    start = 0
    for seq, (at, timestamp, length) in enumerate(pieces, row.seq - len(pieces) + 1):
        piece = {**data, "content": data["content"][start : start + length], "timestamp": data["timestamp"] - timestamp}
        yield ProgressEvent("content", piece, at=row.at - at, seq=seq)
        start += length


def neighbours(events: Iterable[ProgressEvent]) -> Iterator[list[ProgressEvent]]:
    """Yield the groups of `content` events that stand next to each other in a log and speak for one operation."""
    group: list[ProgressEvent] = []
    for event in events:
        joins = group and event.seq == group[-1].seq + 1 and event.data["operation"] == group[-1].data["operation"]
        if not joins or len(group) == PIECES:
            if len(group) > 1:
                yield group
            group = []
        if not event.payload.startswith(MARK):
            group.append(event)
    if len(group) > 1:
        yield group
