"""A site in several processes, its database and its records: where faults are done to it."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from tests.faults.checker import Records, Table, connect, read_records, read_table, violations
from tests.faults.forks import Forked, Forks
from tests.faults.proxy import Proxy
from tests.faults.readers import Reader
from tests.services import Service

PATIENCE = 60.0  # seconds that any one thing may take; it ends as soon as it happens
LIMIT = 300.0  # seconds for a whole story, on the slowest machine


class Stage:
    """One deployment: a database, web processes, and workers where TASKS needs them; used in a `with`."""

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        self.folder, self.database_url = folder, database_url
        self._stack = ExitStack()
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.faults.site_settings",
            "DATABASE_URL": database_url,
            "SECRET_KEY": "one key for all processes of a stage" * 2,
            "FAULT_RECORDS": str(folder),
        }
        self.forks = Forks(folder, **settings | environment)
        self.postgres: Service | None = None
        self.redis: Service | None = None
        self.webs: list[Forked] = []
        self.proxies: list[Proxy] = []  # one before each web process
        self.workers: list[Forked] = []
        self.token = secrets.token_urlsafe(16)

    def __enter__(self):
        self._stack.enter_context(self.forks)
        prepared = self.forks.script(prepare, token=self.token)
        if not prepared.ended(PATIENCE) or prepared.errors():
            raise RuntimeError(prepared.errors())
        self.records = Records(self.folder)
        self._stack.callback(self.records.close)
        return self

    def __exit__(self, *details):
        self._stack.__exit__(*details)

    def open(self, *, webs: int = 1, workers: int = 0) -> None:
        """Start that many processes, and again those that were killed since."""
        self.webs = [self._alive(web) or self.forks.web(port=web.port) for web in self.webs]
        self.webs += [self.forks.web() for _ in range(webs - len(self.webs))]
        self.proxies += [self._stack.enter_context(Proxy(web.port)) for web in self.webs[len(self.proxies) :]]
        self.workers = [self._alive(worker) or self.forks.worker() for worker in self.workers]
        self.workers += [self.forks.worker() for _ in range(workers - len(self.workers))]
        for web in self.webs:
            eventually(lambda web=web: _answers(web.address), "a web process serves")

    @staticmethod
    def _alive(process: Forked) -> Forked | None:
        return None if process.ended(0) else process

    @property
    def addresses(self) -> list[str]:
        return [web.address for web in self.webs]

    @property
    def proxied(self) -> list[str]:
        return [proxy.address for proxy in self.proxies]

    def show_errors(self) -> None:
        """Print what the processes wrote to stderr since they were last asked; pytest shows it where a test fails."""
        for process in self.forks.forked:
            if news := process.news():
                print(f"--- process {process.pid}, port {process.port}\n{news}")

    def client(self) -> httpx.AsyncClient:
        """A client that acts as the owner of all runs."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.AsyncClient(headers={"Authorization": f"Bearer {self.token}"}, limits=limits, timeout=PATIENCE)

    def reader(self, run: str, *addresses: str, after: int = 0) -> Reader:
        return Reader(self.records, self.token, run, *(addresses or self.addresses), after=after)

    def published(self, run: str) -> list[dict[str, Any]]:
        return [record for record in read_records(self.folder, "published") if record["run"] == run]

    def table(self) -> Table:
        return read_table(self.database_url)

    def violations(self, runs: Iterable[str]) -> list[str]:
        """Return each way in which what happened to `runs` breaks a promise."""
        seen = read_records(self.folder, "seen")
        return violations(read_records(self.folder, "published"), seen, self.table(), runs)

    def children(self, run: str) -> list[str]:
        """The runs of a batch."""
        with connect(self.database_url) as connection:
            rows = connection.execute(
                "SELECT id, parent_id FROM progress_operationrun WHERE parent_id IS NOT NULL"
            ).fetchall()
        return [str(UUID(str(pk))) for pk, parent in rows if UUID(str(parent)) == UUID(run)]

    def row(self, run: str) -> tuple[str, dict[str, Any] | None]:
        """Return the status and the error of a run's row."""
        with connect(self.database_url) as connection:
            rows = connection.execute("SELECT id, status, error FROM progress_operationrun").fetchall()
        for pk, status, error in rows:
            if UUID(str(pk)) == UUID(run):
                return status, json.loads(error) if isinstance(error, str) else error
        raise LookupError(run)


def prepare(token: str) -> None:
    """Make the tables, and a user who may act by `token`. Executed in a fork."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from progress.models import ApiToken

    call_command("migrate", interactive=False, verbosity=0)
    user = get_user_model().objects.create_user("reader")
    ApiToken.objects.create(user=user, name="tests", digest=ApiToken.digest_of(token))


async def start(client: httpx.AsyncClient, address: str, *, again: bool = False, **params: Any) -> str:
    """Start a publishing operation and return its run."""
    return await start_operation(client, address, item(again=again, **params))


def item(*, again: bool = False, **params: Any) -> dict[str, Any]:
    """What the API takes to start a publishing operation, by itself or in a batch."""
    return {"operation": "test_publish_again" if again else "test_publish", "params": params}


async def start_operation(client: httpx.AsyncClient, address: str, body: dict[str, Any], **headers: str) -> str:
    answer = await client.post(f"{address}/api/runs", json=body, headers={"Prefer": "respond-async", **headers})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def eventually(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
    """Wait until `condition()` holds and return what it returned."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"within {timeout:g} s: {what}"
        time.sleep(0.05)
    return result


async def eventually_async(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
    return await asyncio.to_thread(eventually, condition, what, timeout)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
