"""Many, slow, rude and vanishing clients of a real server; what they leave behind, and what they cost the others."""

import asyncio
import contextlib
import gc
import json
import socket
import struct
import threading
import time

import httpx
import pytest
from httpx_sse import connect_sse

from progress import StreamingOperation, runs
from tests.services import running_site

from .case import RunCase
from .cast import Count

KEPT = 20  # threads and files that the server may keep for what comes next, however much came before
STALL = 1.0  # seconds after which this server gives a client up that does not read


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def site(request, tmp_path_factory):
    settings = {"SEND_TIMEOUT": STALL, "RUN_BYTES": 64 * 1024 * 1024}
    environment = {"DJANGO_SETTINGS_MODULE": "tests.load.site_settings", "LOAD_PROGRESS": json.dumps(settings)}
    database = f"sqlite:///{tmp_path_factory.mktemp('load')}/db.sqlite3"
    with running_site(database, server=request.param, **environment) as running:
        yield running


@pytest.fixture
def client(site):
    with httpx.Client(base_url=site.address, timeout=60) as client:
        yield client


def start(client, operation, **params):
    headers = {"Prefer": "respond-async"}
    answer = client.post("/api/runs", json={"operation": operation, "params": params}, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


def gauge(client, *, holds=False):
    """What the process holds. Unless it `holds` its event loop up on purpose, nothing may have done so since (P21)."""
    found = client.get("/gauge").json()
    assert holds or not found["hits"], found["hits"]
    return found


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.05)
    return found


def connect(client, path, *, buffer=None, ending="\r\n"):
    """Open a connection of its own and send a request; what comes back is the caller's to read, or not."""
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(60)
    connection.connect((client.base_url.host, client.base_url.port))
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n{ending}".encode())
    return connection


def reset(connection):
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_stream_that_fails_never_leaves_its_client_waiting(client):
    connection = connect(client, "/broken")
    with connection, contextlib.suppress(ConnectionResetError):
        while connection.recv(65_536):
            pass  # the socket's own timeout would say that the end never came


def test_an_open_stream_has_no_thread_and_a_closed_one_is_noticed(client):
    run = start(client, "demo", seconds=120, steps=1)
    before = gauge(client)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(connect(client, run["links"]["events"])) for _ in range(40)]
        for reader in readers:
            assert reader.recv(1_000).startswith(b"HTTP/1.1 200")
        wait_for(lambda: gauge(client)["streams"] == len(readers))
        # Some are kept for the next requests, whoever streams.
        wait_for(lambda: gauge(client)["threads"] <= before["threads"] + KEPT)
        for number, reader in enumerate(readers):
            reset(reader) if number % 2 else reader.close()
        wait_for(lambda: gauge(client)["streams"] == 0)


def test_clients_that_come_and_go_leave_nothing_behind(client):
    run = start(client, "demo", seconds=120, steps=1)

    def churn(cycles):
        for number in range(cycles):
            half_sent = number % 3 == 2
            reader = connect(client, run["links"]["events"], ending="" if half_sent else "\r\n")
            if not half_sent:
                reader.recv(1_000)
            reset(reader) if number % 2 else reader.close()

    names = ("tasks", "threads", "files", "streams", "requests")
    wait_for(lambda: gauge(client)["streams"] == 0)
    before = gauge(client)
    crowd = [threading.Thread(target=churn, args=(125,)) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    wait_for(lambda: all(now <= before[name] + KEPT for name, now in gauge(client).items() if name in names))


def test_clients_that_do_not_read_cost_little_and_are_given_up(client):
    pieces, size = 400, 20_000
    run = start(client, "test_flood", pieces=pieces, size=size)
    with connect_sse(client, "GET", run["links"]["events"]) as source:
        log = [(int(event.id), event.data) for event in source.iter_sse() if event.data]
    assert len(log) > pieces
    before = gauge(client)
    stalled = [connect(client, run["links"]["events"], buffer=4_096) for _ in range(20)]
    wait_for(lambda: gauge(client)["streams"] == 0)
    # Their sockets are still open, and the log that each asked for is 8 MB.
    assert gauge(client)["resident"] - before["resident"] < 20 * pieces * size / 2
    for connection in stalled:
        connection.close()
    # The reader comes back later and goes on where it was.
    half = len(log) // 2
    with connect_sse(client, "GET", run["links"]["events"], headers={"Last-Event-ID": str(half)}) as source:
        assert [(int(event.id), event.data) for event in source.iter_sse() if event.data] == log[half:]


@pytest.mark.parametrize("how", ["work", "sleep"])
def test_what_holds_the_event_loop_up_is_noticed(client, how):
    gauge(client)
    client.get(f"/held?how={how}")
    (hit,) = gauge(client, holds=True)["hits"]
    assert "in held\n" in hit["where"]


def test_no_page_and_no_crowd_of_readers_holds_the_event_loop_up(client):
    run = start(client, "demo", seconds=2, steps=40, content=2_000)
    readers = [connect(client, run["links"]["events"]) for _ in range(100)]
    for reader in readers:
        with reader:
            while not reader.recv(65_536).endswith(b"0\r\n\r\n"):
                pass
    for path in ("/", "/charts/", "/api/docs", "/api/openapi.json", "/api/runs", "/admin/login/"):
        assert client.get(path).status_code == 200
    gauge(client)


class Bystander(StreamingOperation[int]):
    """Leave a task behind that fails, and go on."""

    operation_name = "test_bystander"

    async def execute(self, progress):
        async def fail():
            raise ZeroDivisionError

        forgotten = asyncio.ensure_future(fail())
        for number in range(20):
            progress(number, 20)
            await asyncio.sleep(0.01)
        return forgotten.done()


class GarbageTests(RunCase):
    async def test_no_task_is_lost_to_the_garbage_collector(self):
        collecting = True

        def collect():
            while collecting:
                gc.collect()
                time.sleep(0.005)  # the others must come to something, too

        thread = threading.Thread(target=collect)
        gc.freeze()  # what other tests have loaded need not be looked through thousands of times
        thread.start()
        try:
            started = [await runs.start(Count(to=10, rest=0.01)) for _ in range(3)]
            for run in started:
                assert (await self.end_of(run, timeout=60)).status == "completed"
        finally:
            collecting = False
            await asyncio.to_thread(thread.join)
            gc.unfreeze()

    async def test_what_a_forgotten_task_raises_is_logged_and_ends_no_run(self):
        with self.assertLogs("asyncio", "ERROR") as logged:
            run = await self.finished(Bystander())
            async with asyncio.timeout(30):
                while not any("ZeroDivisionError" in line for line in logged.output):
                    gc.collect()
                    await asyncio.sleep(0.05)
        assert run.status == "completed"
