"""A server that is asked to end: its streams end cleanly, its runs finish or are seen to, and no reader misses an event."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import ExitStack
from unittest import mock

import httpx
import pytest
from httpx_sse import aconnect_sse, connect_sse

from progress import drain
from progress.execution import supervisor
from tests.services import running_site

READERS = int(os.environ.get("FAULT_READERS", "60")) // 4  # of each of four runs
KEY = "x" * 60  # signs the session that owns the runs, over restarts
ENDED = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def site(database, server="daphne", **settings):
    environment = {"DJANGO_SETTINGS_MODULE": "tests.load.site_settings", "SECRET_KEY": KEY}
    environment |= {"LOAD_PROGRESS": json.dumps(settings.pop("progress", {}))}
    return running_site(database, server=server, **environment, **settings)


def visitor(address, cookies=None):
    return httpx.Client(base_url=address, timeout=30, cookies=cookies)


def start(client, operation, **params):
    # Without a cookie no CSRF token is needed; the session that the first answer begins is kept for the others.
    headers = {"Prefer": "respond-async"}
    if "sessionid" in client.cookies:
        client.get("/")
        headers |= {"X-CSRFToken": client.cookies["csrftoken"], "Referer": str(client.base_url)}
    answer = client.post("/api/runs", json={"operation": operation, "params": params}, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


def frames(source):
    return [(int(event.id), event.data) for event in source.iter_sse() if event.data]


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.05)
    return found


def state_of(client, run):
    return client.get(run["links"]["self"]).json()


def ended(client, run):
    return wait_for(lambda: (now := state_of(client, run))["status"] in ("completed", "failed", "cancelled") and now)


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_sigterm_ends_streams_cleanly_and_lets_runs_finish(tmp_path, server):
    database, gate = f"sqlite:///{tmp_path}/db.sqlite3", tmp_path / "gate"
    with site(database, server) as running, visitor(running.address) as client:
        run = start(client, "test_gate", gate=str(gate))
        with connect_sse(client, "GET", run["links"]["events"]) as source:
            lines = source.response.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            running.process.send_signal(signal.SIGTERM)
            seen = list(lines)  # and no exception: the answer is complete
        assert seen[-2].startswith("retry: ")
        assert not any('"type":"done"' in line or '"type":"error"' in line for line in seen)
        assert client.get("/readyz").status_code == 503
        refused = client.post("/api/runs", json={"operation": "demo"}, headers={"Cookie": ""})
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        # EventSource gives up on a 503: who asks for a stream now gets what there is, and an end.
        with connect_sse(client, "GET", run["links"]["events"]) as source:
            assert source.response.status_code == 200
            before = frames(source)
        assert before
        gate.touch()
        assert running.process.wait(60) in ENDED
        assert "Traceback" not in running.errors()
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as rows:
        whole = rows.execute("SELECT seq, payload FROM progress_operationevent ORDER BY seq").fetchall()
    assert whole[: len(before)] == before
    assert [number for number, _ in whole] == list(range(1, len(whole) + 1))
    assert [json.loads(data)["type"] in ("done", "error") for _, data in whole].index(True) == len(whole) - 1
    assert json.loads(whole[-1][1])["type"] == "done"


def test_what_does_not_finish_is_handed_over_or_ends(tmp_path):
    database, gate, never = f"sqlite:///{tmp_path}/db.sqlite3", tmp_path / "gate", tmp_path / "never"
    options = {"LOAD_CONCURRENCY": "3", "progress": {"DRAIN": 3.0}}
    with site(database, **options) as running, visitor(running.address) as client:
        lost = start(client, "test_gate", gate=str(never))
        again = start(client, "test_gate_again", gate=str(gate))
        stubborn = start(client, "test_stubborn")
        for run in (lost, again, stubborn):
            wait_for(lambda run=run: state_of(client, run)["last_seq"] > 2)
        queued = start(client, "demo", seconds=0, steps=1)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) in ENDED
    gate.touch()
    with site(database, **options) as running, visitor(running.address, client.cookies) as client:
        for run in (lost, stubborn):
            error = ended(client, run)["error"]
            assert (error["code"], error["retryable"]) == ("worker_lost", True)
            assert error["message"].startswith("The server was restarted before this finished.")
        for run, attempt in ((again, 2), (queued, 1)):
            now = ended(client, run)
            assert (now["status"], now["attempt"]) == ("completed", attempt), now
        for run in (lost, again, stubborn, queued):
            with connect_sse(client, "GET", run["links"]["events"]) as source:
                events = frames(source)
            assert [number for number, _ in events] == list(range(1, len(events) + 1))
            assert [json.loads(data)["type"] in ("done", "error") for _, data in events].count(True) == 1


def test_a_second_sigterm_and_a_kill_in_the_middle_of_it_lose_no_event(tmp_path):
    database, never = f"sqlite:///{tmp_path}/db.sqlite3", tmp_path / "never"
    lost, seen, cookies = [], [], None
    for number in (signal.SIGTERM, signal.SIGKILL):
        with site(database, progress={"DRAIN": 300.0}) as running, visitor(running.address, cookies) as client:
            lost.append(start(client, "test_gate", gate=str(never)))
            with connect_sse(client, "GET", lost[-1]["links"]["events"]) as source:
                events = source.iter_sse()
                read = [next(event for event in events if event.data)]
                running.process.send_signal(signal.SIGTERM)
                read += [event for event in events if event.data]  # to an end, though the run goes on
            seen.append([(int(event.id), event.data) for event in read])
            running.process.send_signal(number)
            assert running.process.wait(60) in (*ENDED, -signal.SIGKILL)
            cookies = client.cookies
    with site(database) as running, visitor(running.address, cookies) as client:
        for run, before in zip(lost, seen, strict=True):
            assert ended(client, run)["error"]["code"] == "worker_lost"
            with connect_sse(client, "GET", run["links"]["events"]) as source:
                events = frames(source)
            assert events[: len(before)] == before
            assert [number for number, _ in events] == list(range(1, len(events) + 1))
            assert [json.loads(data)["type"] in ("done", "error") for _, data in events].count(True) == 1


class Reader:
    """Reads a run to its end over whatever process answers, and comes back after each break."""

    def __init__(self, run, addresses, cookies):
        self.run, self.addresses, self.cookies = run, addresses, cookies
        self.seen, self.breaks = [], 0

    @property
    def over(self):
        return bool(self.seen) and json.loads(self.seen[-1][1])["type"] in ("done", "error")

    async def read(self, turn):
        async with httpx.AsyncClient(timeout=30, cookies=self.cookies) as client:
            for address in itertools.islice(itertools.cycle(self.addresses), turn, None):
                try:
                    await self._read(client, self.addresses[address])
                except httpx.TransportError:
                    self.breaks += 1
                if self.over:
                    return
                await asyncio.sleep(0.2)

    async def _read(self, client, address):
        after = {"Last-Event-ID": str(self.seen[-1][0])} if self.seen else {}
        async with aconnect_sse(client, "GET", address + self.run["links"]["events"], headers=after) as source:
            assert source.response.status_code == 200
            async for event in source.aiter_sse():
                if event.data:
                    self.seen.append((int(event.id), event.data))
        self.breaks += 1


def test_a_rolling_restart_shows_every_reader_every_event_once(postgres_url):
    with ExitStack() as stack:
        # The two kinds of server, side by side: each takes over from the other.
        processes = {name: stack.enter_context(site(postgres_url, name)) for name in ("daphne", "uvicorn")}
        addresses = {name: running.address for name, running in processes.items()}
        client = stack.enter_context(visitor(addresses["daphne"]))
        runs = []
        for address in [*addresses.values()] * 2:
            client.base_url = address
            runs.append(start(client, "demo", seconds=10, steps=150, content=300))
        readers = [Reader(run, addresses, dict(client.cookies)) for run in runs for _ in range(READERS)]

        def restart():
            for name, running in processes.items():
                running.process.send_signal(signal.SIGTERM)
                codes.append(running.process.wait(60))
                addresses[name] = stack.enter_context(site(postgres_url, name)).address

        async def read_all():
            async with asyncio.timeout(300):
                await asyncio.gather(*(reader.read(turn) for turn, reader in enumerate(readers)))

        codes = []
        restarting = threading.Thread(target=restart)
        restarting.start()
        try:
            asyncio.run(read_all())
        finally:
            restarting.join()
        assert set(codes) <= set(ENDED)
        assert sum(reader.breaks for reader in readers) >= len(readers)
        client.base_url = addresses["daphne"]
        for run in runs:
            assert state_of(client, run)["status"] == "completed"
            with connect_sse(client, "GET", run["links"]["events"]) as source:
                log = frames(source)
            assert [number for number, _ in log] == list(range(1, len(log) + 1))
            assert all(reader.seen == log for reader in readers if reader.run is run)


@pytest.fixture
def signals():
    """The handlers of a server that notes what reaches it, in place of a real one's; nothing is sent to this process."""
    calls = []
    handlers = {number: lambda number, frame: calls.append(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with (
        mock.patch.object(drain, "_handlers", handlers),
        mock.patch.object(drain.os, "kill", lambda pid, number: drain._on_signal(number, None)),
        mock.patch.object(drain.threading, "Timer"),
        mock.patch.object(drain, "open_streams"),
        mock.patch.object(supervisor, "drain"),
        mock.patch.object(supervisor, "draining", False),
    ):
        yield calls


def test_the_server_hears_of_sigterm_once_the_process_has_drained(signals):
    drain._on_signal(signal.SIGTERM, None)
    wait_for(lambda: signals)
    assert signals == [signal.SIGTERM]
    assert supervisor.draining
    assert supervisor.drain.called


def test_a_second_sigterm_and_a_sigint_reach_the_server_at_once(signals):
    held = threading.Event()
    supervisor.drain.side_effect = lambda: held.wait(60)
    drain._on_signal(signal.SIGTERM, None)
    assert signals == []
    drain._on_signal(signal.SIGTERM, None)
    drain._on_signal(signal.SIGINT, None)
    assert signals == [signal.SIGTERM, signal.SIGINT]
    held.set()
    wait_for(lambda: len(signals) == 3)


def test_a_process_that_cannot_drain_ends_all_the_same(signals, caplog):
    supervisor.drain.side_effect = ZeroDivisionError
    drain._on_signal(signal.SIGTERM, None)
    wait_for(lambda: signals)
    assert "without having drained" in caplog.text


def test_handlers_are_left_alone_outside_the_main_thread():
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=drain.install)
    thread.start()
    thread.join()
    assert (signal.getsignal(signal.SIGTERM), drain._handlers) == (before, {})
