"""What streams cost the server: many events, many readers, many idle readers, and readers that do not read."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.services import free_port, running_site

EVENTS = 20_000
READERS, CHUNKS = 50, 500
IDLE = 500
CHURN = 2_000
FRAME = b'id: 1\ndata: {"type":"progress","data":{"message":"%s"}}\n\n' % (b"x" * 200)
Row = tuple[str, str, str]


def all_servers(folder: Path) -> Iterator[Row]:
    """Measure daphne and uvicorn, and for comparison sockets that asyncio writes the same bytes to."""
    yield "raw asyncio, 20,000 frames on one stream", asyncio.run(_raw()), "no server, no database"
    for server in ("daphne", "uvicorn"):
        environment = {"DJANGO_SETTINGS_MODULE": "tests.load.site_settings"}
        environment["LOAD_PROGRESS"] = '{"RUN_EVENTS": 100000, "SEND_TIMEOUT": 5}'
        with (
            running_site(f"sqlite:///{folder}/{server}.sqlite3", server=server, **environment) as site,
            httpx.Client(base_url=site.address, timeout=300) as client,
        ):
            for what, figures, how in one_server(client):
                yield f"{server}: {what}", figures, how


def one_server(client: httpx.Client) -> Iterator[Row]:
    """Measure the server that `client` asks."""
    client.get("/").raise_for_status()
    quiet = _start(client, "demo", seconds=600, steps=1)["links"]["events"]
    yield from _idle(client, quiet)
    yield "plain Django, 20,000 frames on one stream", *_read(client, f"/plain?events={EVENTS}", 1)
    run = _start(client, "test_flood", pieces=EVENTS, size=100)["links"]["events"]
    yield "20,000 events on one stream, as stored", *_read(client, run, 1)
    yield "20,000 events on one stream, from the log", *_read(client, run, 1)
    yield "plain Django, 50 streams of 500 chunks", *_read(client, f"/plain?events={CHUNKS}", READERS)
    run = _start(client, "test_flood", pieces=CHUNKS, size=100)["links"]["events"]
    yield "50 streams of 500 chunks", *_read(client, run, READERS)
    yield from _stalled(client)
    yield from _slow(client)
    yield from _churn(client, quiet)


def _start(client: httpx.Client, operation: str, **params: object) -> dict[str, dict[str, str]]:
    headers = {"Prefer": "respond-async", "X-CSRFToken": client.cookies["csrftoken"], "Referer": str(client.base_url)}
    answer = client.post("/api/runs", json={"operation": operation, "params": params}, headers=headers)
    run: dict[str, dict[str, str]] = answer.raise_for_status().json()
    return run


def _gauge(client: httpx.Client) -> dict[str, float]:
    found: dict[str, float] = client.get("/gauge").raise_for_status().json()
    return found


def _read(client: httpx.Client, path: str, readers: int) -> tuple[str, str]:
    before, begun = _gauge(client), time.perf_counter()
    counts = asyncio.run(_read_all(client, path, readers))
    seconds = time.perf_counter() - begun
    after = _gauge(client)
    cpu = (after["cpu"] - before["cpu"]) / sum(counts) * 1e6
    how = f"{cpu:.0f} µs of CPU each; event loop held for {after['blocked'] * 1000:.0f} ms at most"
    return f"{sum(counts) / seconds:,.0f} events/s", how


async def _read_all(client: httpx.Client, path: str, readers: int) -> list[int]:
    return await asyncio.gather(*(_count(client, path) for _ in range(readers)))


async def _count(client: httpx.Client, path: str) -> int:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(_request(client, path))
    found, rest = 0, b""
    while data := await reader.read(65_536):
        found += (rest + data).count(b"\ndata: ")
        rest = data[-6:]
        if data.endswith(b"0\r\n\r\n"):
            break
    writer.close()
    return found


def _request(client: httpx.Client, path: str) -> bytes:
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n".encode()


def _connect(client: httpx.Client, path: str) -> socket.socket:
    connection = socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)
    connection.sendall(_request(client, path))
    return connection


def _idle(client: httpx.Client, path: str) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:

        def open_more() -> dict[str, float]:
            for _ in range(IDLE // 2):
                stack.enter_context(_connect(client, path)).recv(4_096)
            time.sleep(2)
            return _gauge(client)

        half, whole = open_more(), open_more()  # the first half pays for what is made once
        begun = time.perf_counter()
        time.sleep(20)
        cpu = (_gauge(client)["cpu"] - whole["cpu"]) / (time.perf_counter() - begun)
    each = (whole["resident"] - half["resident"]) / (IDLE // 2) / 1024
    threads = whole["threads"] - half["threads"]
    yield "an idle stream", f"{each:.0f} KiB", f"{IDLE} open: {threads:+.0f} threads, {cpu:.1%} of a core"


def _stalled(client: httpx.Client) -> Iterator[Row]:
    path = _start(client, "test_flood", pieces=800, size=19_000)["links"]["events"]
    asyncio.run(_read_all(client, path, 1))
    before, begun = _gauge(client), time.perf_counter()
    alone = _latency(client, 20)
    stalled = [_connect(client, path) for _ in range(50)]
    among = _latency(client, 20)
    peak = 0.0
    while _gauge(client)["streams"] > 1 and time.perf_counter() - begun < 60:
        peak = max(peak, _gauge(client)["resident"] - before["resident"])
        time.sleep(0.1)
    for connection in stalled:
        connection.close()
    how = f"of a 15 MB log; a page took {alone:.0f} ms before and {among:.0f} ms meanwhile"
    yield "50 readers that read nothing", f"{peak / 2**20:.0f} MiB more", how


def _slow(client: httpx.Client) -> Iterator[Row]:
    alone = _latency(client, 20)
    address = str(client.base_url).rstrip("/")
    blocking = [
        threading.Thread(target=httpx.get, args=(f"{address}/slow?seconds=3",), kwargs={"timeout": 60})
        for _ in range(16)
    ]
    for thread in blocking:
        thread.start()
    among = _latency(client, 20)
    for thread in blocking:
        thread.join()
    yield "a page beside 16 that block", f"{among:.0f} ms", f"{alone:.0f} ms without them; median of 20"


def _latency(client: httpx.Client, times: int) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        client.get("/api/runs").raise_for_status()
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken)[times // 2]


def _churn(client: httpx.Client, path: str) -> Iterator[Row]:
    before = _gauge(client)
    for number in range(CHURN):
        connection = _connect(client, path)
        if number % 2:
            connection.recv(1_000)
        connection.close()
    time.sleep(3)
    after = _gauge(client)
    left = ", ".join(f"{after[name] - before[name]:+.0f} {name}" for name in ("tasks", "threads", "files"))
    yield "2,000 streams opened and broken", left, f"{(after['resident'] - before['resident']) / 2**20:+.0f} MiB"


async def _raw() -> str:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(EVENTS):
            writer.write(b"%x\r\n%s\r\n" % (len(FRAME), FRAME))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        writer.close()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        begun = time.perf_counter()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            found = await _count(client, "/")
        return f"{found / (time.perf_counter() - begun):,.0f} events/s, client included"
