"""The site past one machine: web processes, workers, PostgreSQL, Redis and nginx, as real processes."""

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from httpx_sse import connect_sse

from tests.services import ROOT, Site, free_port, nginx_server, running_site, running_worker

POOL = 5
STREAMS = 200
SOON = 60  # seconds that anything may take here, on a machine that does ten other things


@dataclass
class Machines:
    """Two web processes and two workers on one database, and a visitor whom both web processes know."""

    url: str
    environment: dict[str, str]
    web: list[Site]
    workers: list[Site]
    visitor: httpx.Client

    def post(self, place, path, **json):
        headers = {"Prefer": "respond-async"}
        answer = self.visitor.post(f"{self.web[place].address}{path}", json=json, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def start(self, place, **params):
        return self.post(place, "/api/runs", operation="demo", params=params)["id"]

    def get(self, place, path):
        return self.visitor.get(f"{self.web[place].address}{path}")

    def run(self, run):
        return self.get(0, f"/api/runs/{run}").raise_for_status().json()

    def follow(self, place, run, after=0):
        """Yield the run's events as one of the web processes shows them."""
        yield from self.follow_at(self.web[place].address, run, after)

    def follow_at(self, address, run, after=0):
        headers = {"Last-Event-ID": str(after)}
        with connect_sse(self.visitor, "GET", f"{address}/api/runs/{run}/events", headers=headers) as source:
            for event in source.iter_sse():
                if event.data:
                    yield int(event.id), event.json()

    def await_running(self, run):
        wait(lambda: self.run(run)["status"] == "running")

    def rows(self, query, *values):
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, values).fetchall()

    def pid_of_worker(self, run):
        return int(self.rows("SELECT worker FROM progress_operationrun WHERE id = %s", run)[0][0].split(":")[-2])

    def manage(self, code):
        """Execute Python in a process of its own: a third place."""
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
        environment = os.environ | self.environment | {"DATABASE_URL": self.url}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SOON)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def wait(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def machines(postgres_url, redis_url):
    name = f"machines_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgres_url.rpartition("/")[0] + f"/{name}"
    environment = {"WORKERS": "on", "REDIS_URL": redis_url, "SECRET_KEY": secrets.token_urlsafe(50)}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.machine_settings", "ALLOW_ANONYMOUS": "on"}
    with ExitStack() as stack:
        pool = environment | {"DATABASE_POOL": str(POOL)}
        web = [stack.enter_context(running_site(f"{url}?application_name=web-{number}", **pool)) for number in range(2)]
        workers = [stack.enter_context(running_worker(url, **environment)) for _ in range(2)]
        visitor = stack.enter_context(httpx.Client(timeout=SOON))
        visitor.get(f"{web[0].address}/").raise_for_status()
        visitor.headers["X-CSRFToken"] = visitor.cookies["csrftoken"]
        found = Machines(url, environment, web, workers, visitor)
        wait(lambda: found.get(0, "/readyz").json().get("workers") == 2)
        yield found


def test_a_run_started_here_is_followed_there_and_cancelled_from_a_third_place(machines):
    run = machines.start(0, seconds=300, steps=100)
    events = machines.follow(1, run)
    while next(events)[1]["data"]["currentState"] != "running":
        pass
    assert machines.pid_of_worker(run) in {worker.process.pid for worker in machines.workers}
    told = machines.manage(f"""
from progress import runs
from progress.models import OperationRun
runs.request_cancel(OperationRun.objects.get(pk={run!r}).pk)

from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob
from progress.demo import Demo
try:
    with transaction.atomic():
        run = runs.create_run(Demo())
        print(ProcrastinateJob.objects.filter(args__args=[str(run.pk)]).count())
        raise ZeroDivisionError
except ZeroDivisionError:
    print(ProcrastinateJob.objects.filter(args__args=[str(run.pk)]).count())
    print(OperationRun.objects.filter(pk=run.pk).count())
""")
    assert told.split() == ["1", "0", "0"]  # a run and its job are there together or not at all
    rest = list(events)
    assert rest[-1][1]["type"] == "error"
    assert rest[-1][1]["data"]["metadata"]["code"] == "cancelled"
    assert machines.run(run)["status"] == "cancelled"
    assert [number for number, _ in machines.follow(0, run)] == list(range(1, rest[-1][0] + 1))


def test_a_job_that_is_done_leaves_nothing_behind(machines):
    run = machines.start(0, seconds=0, steps=1)
    assert list(machines.follow(1, run))[-1][1]["type"] == "done"
    wait(lambda: not machines.rows("SELECT 1 FROM procrastinate_jobs WHERE args->'args' ? %s", run))


def test_idle_streams_hold_no_database_connection(machines):
    run = machines.start(0, seconds=300, steps=10)
    machines.await_running(run)
    with idle_streams(machines.web[1].address, run, STREAMS, machines.visitor.cookies):
        held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'web-1'"
        assert machines.rows(held)[0][0] <= POOL
        assert machines.get(1, "/readyz").status_code == 200
    machines.post(0, f"/api/runs/{run}/cancel")


@contextmanager
def idle_streams(address, run, number, cookies):
    """Hold streams open, each of which has shown what there was to show."""
    limits = httpx.Limits(max_connections=number, max_keepalive_connections=0)
    with ExitStack() as stack:
        readers = stack.enter_context(httpx.Client(timeout=SOON, limits=limits, cookies=cookies))
        for _ in range(number):
            source = stack.enter_context(connect_sse(readers, "GET", f"{address}/api/runs/{run}/events"))
            assert source.response.status_code == 200
            next(event for event in source.iter_sse() if event.data)
        yield


def test_nginx_passes_each_event_on_at_once(machines, nginx):
    run = machines.start(0, seconds=300, steps=10_000)
    assert machines.visitor.get(f"{nginx}/readyz").json() == {"database": "ok", "migrations": "ok", "workers": 2}
    seen = []
    for number, event in machines.follow_at(nginx, run):
        seen.append(number)
        if event["data"].get("percentage", 0) > 0.05:
            break
    assert seen == list(range(1, len(seen) + 1))
    machines.post(0, f"/api/runs/{run}/cancel")


@pytest.fixture
def nginx(machines, nginx_program):
    """The address of nginx in front of both web processes, with the configuration that the docs give."""
    text = "\n".join(re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text(), re.DOTALL))
    port, ports = free_port(), [urlsplit(site.address).port for site in machines.web]
    for given, own in (
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{ports[0]};"),
        ("server 127.0.0.1:8001;", f"server 127.0.0.1:{ports[1]};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
    ):
        assert text.count(given) == 1
        text = text.replace(given, own)
    with nginx_server(nginx_program, re.sub(r"ssl_certificate.*;", "", text)):
        yield f"http://127.0.0.1:{port}"


def test_what_a_killed_worker_executed_ends_and_the_other_goes_on(machines):
    run = machines.start(0, seconds=300, steps=100)
    machines.await_running(run)
    killed = machines.pid_of_worker(run)
    events = machines.follow(1, run)
    os.kill(killed, signal.SIGKILL)
    *_, (_, last) = events
    assert (last["type"], last["data"]["metadata"]["code"]) == ("error", "worker_lost")
    run = machines.start(1, seconds=0, steps=3)
    assert list(machines.follow(0, run))[-1][1]["type"] == "done"
    assert machines.pid_of_worker(run) != killed


def test_a_worker_that_is_asked_to_end_ends_its_runs_and_signs_off(machines):
    worker = next(worker for worker in machines.workers if worker.process.poll() is None)
    run = machines.start(0, seconds=300, steps=100)
    machines.await_running(run)
    assert machines.pid_of_worker(run) == worker.process.pid
    worker.process.terminate()
    *_, (_, last) = machines.follow(1, run)
    assert (last["type"], last["data"]["metadata"]["code"]) == ("error", "worker_lost")
    assert worker.process.wait(SOON) == 0
    assert not machines.rows("SELECT 1 FROM procrastinate_jobs WHERE args->'args' ? %s", run)
