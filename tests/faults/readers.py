"""A reader in Python that never gives up."""

import asyncio
import itertools
import json
import os

import httpx

from tests.faults.checker import Records, digest
from tests.progress.sse_parser import SSEParser

PATIENCE = 2.0  # seconds without a byte after which a reader connects anew; the site sends a comment each half


class Reader:
    """Follows one run from `after` to its end, through any number of broken connections, at the addresses in turn."""

    _numbers = itertools.count(1)

    def __init__(self, records: Records, client: httpx.AsyncClient, run: str, *addresses: str, after: int = 0) -> None:
        self._records, self._client, self.run = records, client, run
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
        url = f"{next(self._addresses)}/api/runs/{self.run}/events"
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self.position)} if self.position else {})
        parser = SSEParser()
        self.connections += 1
        try:
            async with self._client.stream("GET", url, headers=headers, timeout=PATIENCE) as response:
                if response.status_code == 204:
                    self._note(over=True)
                    return True
                if response.status_code >= 500:
                    return False
                assert response.status_code == 200, f"{response.status_code}: {(await response.aread()).decode()}"
                async for chunk in response.aiter_raw():
                    parser.feed(chunk)
                    for last_id, _type, data in parser.messages:
                        if self._see(int(last_id), data):
                            return True
                        if until is not None and self.position >= until:
                            return True
                    parser.messages.clear()
        except httpx.TransportError:
            pass  # cut, refused, reset or silent: come back
        return False

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
