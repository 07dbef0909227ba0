"""A reader in Python that never gives up."""

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import h11

from tests.faults.checker import Records, digest
from tests.progress.sse_parser import SSEParser

PATIENCE = 2.0  # seconds without a byte after which a reader connects anew; the site sends a comment each half


class Reader:
    """Follows one run from `after` to its end, through any number of broken connections, at the addresses in turn."""

    _numbers = itertools.count(1)

    def __init__(self, records: Records, token: str, run: str, *addresses: str, after: int = 0) -> None:
        self._records, self._token, self.run = records, token, run
        self._addresses = itertools.cycle(addresses)
        self.name = f"{os.getpid()}-{next(self._numbers)}"
        self.position, self.connections = after, 0
        self._note(after=after)

    def _note(self, **record: object) -> None:
        self._records.note(self.run, self.name, **record)

    async def follow(self, *, until: int | None = None) -> None:
        """Read to the end of the run, or until event `until` has been seen."""
        while not await self._connect(until):
            await asyncio.sleep(0.05)

    async def _connect(self, until: int | None) -> bool:
        """Read one stream; return whether that was all."""
        parser = SSEParser()
        self.connections += 1
        with contextlib.suppress(
            OSError, TimeoutError, h11.RemoteProtocolError
        ):  # refused, cut, reset, silent: come back
            async with contextlib.aclosing(self._answer(next(self._addresses))) as events:
                async for event in events:
                    if isinstance(event, h11.Data):
                        parser.feed(bytes(event.data))
                    elif event.status_code == 204:
                        self._note(over=True)
                        return True
                    else:
                        assert event.status_code == 200
                    for last_id, _type, data in parser.messages:
                        if self._see(int(last_id), data) or (until is not None and self.position >= until):
                            return True
                    parser.messages.clear()
        return False

    async def _answer(self, address: str) -> AsyncIterator[h11.Response | h11.Data]:
        """Ask for the stream; yield its status, then its bytes as they come."""
        url = urlsplit(address)
        headers = {"Host": url.netloc, "Accept": "text/event-stream", "Authorization": f"Bearer {self._token}"}
        if self.position:
            headers["Last-Event-ID"] = str(self.position)
        http = h11.Connection(h11.CLIENT)
        request = h11.Request(method="GET", target=f"/api/runs/{self.run}/events", headers=list(headers.items()))
        async with asyncio.timeout(PATIENCE):
            source, sink = await asyncio.open_connection(url.hostname, url.port)
        try:
            sink.write(http.send(request) + http.send(h11.EndOfMessage()))
            while not isinstance(event := http.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
                if event is h11.NEED_DATA:
                    async with asyncio.timeout(PATIENCE):
                        http.receive_data(await source.read(65_536))
                else:
                    yield event
        finally:
            sink.transport.abort()

    def _see(self, seq: int, data: str) -> bool:
        event = json.loads(data)
        if event["type"] == "progress" and event["data"]["metadata"].get("resync"):
            self.position = seq
            self._note(resync=seq + 1)
            return False
        self.position = seq
        self._note(seq=seq, hash=digest(data))
        if event["type"] in ("done", "error"):
            self._note(over=True)
            return True
        return False
