"""A TCP proxy that breaks connections as a test asks it to."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What happens to one connection, counted in bytes from the server to the client; by default, nothing."""

    cut_after: int | None = None  # the connection ends
    reset: bool = False  # ends by RST instead of FIN
    stall_after: int | None = None  # nothing more is passed on until `heal`
    delay: float = 0.0  # seconds before each write
    piece: int = 65_536  # bytes of a write
    rate: float | None = None  # bytes per second
    linger: float = 0.0  # seconds before an end is passed on


NO_FAULT = Fault()


class Proxy:
    """Passes connections to `address:port` on, on a port of its own; used in a `with`. Methods may be called from any thread."""

    host = "127.0.0.1"

    def __init__(self, port: int, *, listen: int = 0) -> None:
        self._target, self.port = port, listen
        self._fault: Callable[[], Fault] = lambda: NO_FAULT
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter | None] = {}
        self._listener: socket.socket | None = None
        self._flowing, self._healed = asyncio.Event(), asyncio.Event()

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self):
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_):
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What a test asks for

    def plan(self, fault: Fault | Callable[[], Fault]) -> None:
        """Do `fault` to each connection from now on; a callable is asked once per connection."""
        self._fault = fault if callable(fault) else lambda: fault

    def heal(self) -> None:
        """Accept connections, do nothing to new ones, and let stalled ones go on."""
        self._fault = lambda: NO_FAULT
        self._do(self._open())

    def cut(self, *, reset: bool = False) -> None:
        """End every open connection now."""
        self._do(self._cut(reset))

    def refuse(self) -> None:
        """Let new connections be refused until `heal`; open ones go on."""
        self._do(self._shut())

    def stall(self) -> None:
        """Pass nothing on in any connection, neither way, until `heal`."""
        self._do(self._hold())

    # On the proxy's own loop

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        self._flowing.set()
        self._healed.set()
        self._healed = asyncio.Event()
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port))
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _hold(self) -> None:
        self._flowing.clear()

    async def _shut(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _cut(self, reset: bool) -> None:
        connections = dict(self._connections)
        for task, writer in connections.items():
            if writer is not None:
                _end(writer, reset)
            task.cancel()
        if connections:
            await asyncio.wait(connections)

    async def _close(self) -> None:
        await self._shut()
        await self._cut(reset=True)
        await asyncio.sleep(0)  # transports close their sockets at the loop's next turn

    def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's own server, which loses what it accepts while it is being closed.
        with contextlib.suppress(BlockingIOError):
            client, _ = listener.accept()
            client.setblocking(False)
            task = self._loop.create_task(self._connect(client))
            self._connections[task] = None
            task.add_done_callback(lambda task: self._forget(task, client))

    def _forget(self, task: asyncio.Task[None], client: socket.socket) -> None:
        if self._connections.pop(task) is None:  # cancelled before it had begun
            client.close()

    async def _connect(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        await self._pass(reader, writer, self._fault())

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self.host, self._target)
        except BaseException as error:
            _end(writer, reset=True)
            if not isinstance(error, OSError):
                raise
            return
        up = asyncio.create_task(self._pump(reader, server_writer, NO_FAULT))
        down = asyncio.create_task(self._pump(server_reader, writer, fault))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if down.done():
                await asyncio.sleep(fault.linger)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.wait({up, down})
            _end(writer, fault.reset)
            server_writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, fault: Fault) -> None:
        passed, healed = 0, self._healed
        with contextlib.suppress(OSError):  # one side left: so does the other
            while data := await source.read(65_536):
                while data:
                    left = len(data) if fault.cut_after is None else fault.cut_after - passed
                    piece, data = data[: min(fault.piece, left)], data[fault.piece :]
                    if fault.stall_after is not None and passed >= fault.stall_after:
                        await healed.wait()
                    await self._flowing.wait()
                    if pause := fault.delay + (len(piece) / fault.rate if fault.rate else 0):
                        await asyncio.sleep(pause)
                    sink.write(piece)
                    await sink.drain()
                    passed += len(piece)
                    if passed == fault.cut_after:
                        return


def _end(writer: asyncio.StreamWriter, reset: bool) -> None:
    transport = writer.transport
    if reset and not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
