"""Connections to MCP servers: opened by the first call of a run that needs one, shared by its calls, closed at its end."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from progress import OperationFailed

from .server_settings import Server

if TYPE_CHECKING:
    from mcp import Client

logger = logging.getLogger("agentsite")
CONNECT_SECONDS = 10.0
LEAVE_SECONDS = 1.0  # that the end of a run waits for a server; its end is seen to afterwards
_leaving: set[asyncio.Task[None]] = set()


class Connection:
    """One server for one run. A task of its own holds it, because it must be left in the task in which it was entered."""

    def __init__(self, name: str, server: Server) -> None:
        self.name, self._server = name, server
        self._opening = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._close = asyncio.Event()

    async def use[T](self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Let `work` use the server. Raises OperationFailed in words that hold nothing of its address or its settings."""
        try:
            from mcp import MCPError
            from mcp_types import CONNECTION_CLOSED
        except ImportError as error:
            raise self._unavailable("cannot be used: the package mcp is not installed") from error
        client = await self._client()
        try:
            return await work(client)
        except OperationFailed:
            raise
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise OperationFailed(f"{self.name} refused: {error.message[:500]}", code="query_failed") from error
            self.leave()  # the next call finds a new one
            raise self._unavailable("ended in the middle of the call") from error
        except Exception as error:
            raise self._unavailable("answered what cannot be understood") from error

    async def _client(self) -> Client:
        async with self._opening:
            if self._holder is None:
                self._opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
                self._close = asyncio.Event()
                self._holder = asyncio.create_task(self._hold(self._opened, self._close))
            await asyncio.wait({self._opened}, timeout=CONNECT_SECONDS)
            if self._opened.done() and self._opened.exception() is None:
                return self._opened.result()
            late = not self._opened.done()
            self.leave()
            raise self._unavailable(f"did not answer within {CONNECT_SECONDS:g} s" if late else "cannot be reached")

    async def _hold(self, opened: asyncio.Future[Client], close: asyncio.Event) -> None:
        try:
            async with _client_of(self._server) as client:
                opened.set_result(client)
                await close.wait()
        except Exception as error:
            logger.warning("the MCP server %s cannot be used", self.name, exc_info=error)
            if not opened.done():
                opened.set_exception(error)
        finally:
            opened.cancel()

    def leave(self) -> asyncio.Task[None] | None:
        """Have it closed, and return the task that does: a program gets time to end by itself, then it is ended."""
        holder, self._holder = self._holder, None
        if holder is not None:
            self._close.set()
            if not self._opened.done():
                holder.cancel()
            _leaving.add(holder)
            holder.add_done_callback(_leaving.discard)
        return holder

    def _unavailable(self, why: str) -> OperationFailed:
        return OperationFailed(f"The server {self.name} {why}.", code="unavailable")


async def leave(connections: Iterable[Connection]) -> None:
    """Leave all of them, and wait a moment for their ends."""
    if holders := [holder for each in connections if (holder := each.leave()) is not None]:
        await asyncio.wait(holders, timeout=LEAVE_SECONDS)


@asynccontextmanager
async def _client_of(server: Server) -> AsyncIterator[Client]:
    from httpx2 import AsyncClient, Timeout
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.url:
        # Its own limits of time would end a long call: that is for the tool's.
        async with (
            AsyncClient(headers=server.headers, timeout=Timeout(CONNECT_SECONDS, read=None)) as http,
            Client(streamable_http_client(server.url, http_client=http)) as client,
        ):
            yield client
        return
    program, *arguments = server.command
    parameters = StdioServerParameters(command=program, args=arguments, env=server.env, cwd=server.cwd)
    async with Client(stdio_client(parameters, errlog=sys.__stderr__ or sys.stderr)) as client:
        yield client
