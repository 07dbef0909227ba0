"""The streams of real servers, read by plain HTTP clients."""

import json
import random
import signal
import socket
import time

import httpx
import pytest
from httpx_sse import connect_sse

from tests.services import running_site, site_server

SERVERS = ["daphne", "uvicorn"]


@pytest.fixture(scope="module", params=SERVERS)
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with site_server(f"sqlite:///{folder}/db.sqlite3", server=request.param) as url:
        yield url


@pytest.fixture
def client(site):
    with httpx.Client(base_url=site, timeout=20) as client:
        client.get("/api/operations")
        yield client


def start(client, operation="demo", **params):
    """Start a run by a POST without cookies, and keep the session that owns it."""
    answer = client.post(
        "/api/runs", json={"operation": operation, "params": params}, headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    return answer.json()


def events_in(source):
    """Yield events as a browser would: httpx-sse also reports the opening `retry` block, which has no data."""
    return (event for event in source.iter_sse() if event.data)


def read(client, run, after=0, limit=None):
    """Return (id, event) pairs of the run's stream above `after`, at most `limit`."""
    found = []
    with connect_sse(client, "GET", run["links"]["events"], params={"after": after}) as source:
        for event in events_in(source):
            found.append((int(event.id), json.loads(event.data)))
            if len(found) == limit:
                break
    return found


def test_frames_arrive_when_they_are_made(client):
    run = start(client, seconds=1.2, steps=4)
    with connect_sse(client, "GET", run["links"]["events"]) as source:
        arrived = [
            (time.monotonic(), json.loads(event.data)["data"]["metadata"]["elapsedMs"]) for event in events_in(source)
        ]
    spread = arrived[-1][0] - arrived[1][0]
    made = (arrived[-1][1] - arrived[1][1]) / 1000
    assert spread > made / 2


def test_the_bytes_of_a_stream(client):
    run = start(client, seconds=0, steps=1, content=1)
    body = client.get(run["links"]["events"]).content
    assert body.startswith(b"retry: 2000\n: open\n\nid: 1\ndata: {")
    assert b"\r" not in body
    assert body.endswith(b"}\n\n")
    assert all(line.startswith((b"id: ", b"data: ", b": ", b"retry: ")) or not line for line in body.split(b"\n"))


def test_a_compressing_client_gets_frames_as_they_are(client):
    run = start(client, seconds=0, steps=1)
    answer = client.get(run["links"]["events"], headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "identity"
    assert answer.text.startswith("retry")


def test_cutting_and_resuming_at_random_sees_every_event_once(client):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    run = start(client, seconds=2, steps=120)
    seen = []
    while not seen or seen[-1][1]["type"] not in ("done", "error"):
        seen += read(client, run, after=seen[-1][0] if seen else 0, limit=chance.randint(1, 12))
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1)), f"seed {seed}"
    assert seen == read(client, run), f"seed {seed}"


def test_last_event_id_wins_over_after(client):
    run = start(client, seconds=0, steps=2)
    whole = read(client, run)
    with connect_sse(
        client, "GET", run["links"]["events"], params={"after": 1}, headers={"Last-Event-ID": "4"}
    ) as source:
        assert [int(event.id) for event in events_in(source)] == [number for number, _ in whole[4:]]
    assert client.get(run["links"]["events"], headers={"Last-Event-ID": str(whole[-1][0])}).status_code == 204


def test_many_readers_see_the_same(client, site):
    run = start(client, seconds=0.6, steps=20)
    with httpx.Client(base_url=site, cookies=client.cookies, timeout=20) as other:
        early = read(other, run, limit=3)
    assert read(client, run)[:3] == early


def test_cancel_over_http(client, site):
    run = start(client, seconds=60, steps=60, kind="sync")
    client.get("/")  # gives the CSRF cookie
    answer = client.post(run["links"]["cancel"], headers={"X-CSRFToken": client.cookies["csrftoken"], "Referer": site})
    assert answer.status_code == 202, answer.text
    events = read(client, run)
    assert events[-1][1]["data"]["metadata"]["code"] == "cancelled"


def test_a_post_with_cookies_needs_its_csrf_token(client):
    run = start(client, seconds=0.1, steps=1)
    answer = client.post(run["links"]["cancel"])
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


def test_a_huge_body_is_refused_while_it_comes_in(site):
    def endless():
        for _ in range(2_000):
            yield b"x" * 65_536

    headers = {"Content-Type": "application/json"}
    with httpx.Client(base_url=site, timeout=30) as client:
        declared = client.post("/api/runs", content=b"x" * 300_000, headers=headers)
        assert (declared.status_code, declared.json()["code"]) == (413, "limit_exceeded")
        try:
            chunked = client.post("/api/runs", content=endless(), headers=headers)
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            return  # the server closed while the rest was still being sent
        assert chunked.status_code == 413


def test_a_foreign_run_is_not_found(client, site):
    run = start(client, seconds=0, steps=1)
    with httpx.Client(base_url=site) as stranger:
        for path in (run["links"]["self"], run["links"]["events"]):
            assert stranger.get(path).status_code == 404


@pytest.mark.parametrize("server", SERVERS)
def test_a_killed_server_loses_no_run(tmp_path, server):
    database, key = f"sqlite:///{tmp_path}/db.sqlite3", "x" * 60  # the key signs the session that owns the run
    with (
        running_site(database, server=server, SECRET_KEY=key) as site,
        httpx.Client(base_url=site.address, timeout=20) as client,
    ):
        run = start(client, seconds=60, steps=200)
        before = read(client, run, limit=5)
        cookies = client.cookies
        site.process.kill()
        site.process.wait()
    with (
        site_server(database, server=server, SECRET_KEY=key) as url,
        httpx.Client(base_url=url, cookies=cookies, timeout=20) as client,
    ):
        # The restarted process says so before it answers its first request.
        snapshot = client.get(run["links"]["self"]).json()
        assert (snapshot["status"], snapshot["error"]["code"]) == ("failed", "worker_lost")
        events = read(client, run)
        assert events[:5] == before
        assert [number for number, _ in events] == list(range(1, len(events) + 1))
        assert [event["type"] for _, event in events].count("error") == 1


def test_an_interrupt_ends_the_server_cleanly_with_streams_open(tmp_path):
    database = f"sqlite:///{tmp_path}/db.sqlite3"
    with running_site(database) as site, httpx.Client(base_url=site.address, timeout=20) as client:
        run = start(client, seconds=60, steps=60)
        with connect_sse(client, "GET", run["links"]["events"]) as source:
            next(events_in(source))
            assert site.interrupt() in (0, 130, -signal.SIGINT)
        assert "Traceback" not in site.errors()
    host, port = site.address.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1)
