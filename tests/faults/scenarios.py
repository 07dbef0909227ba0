"""What happens in one seed: runs, readers and faults, all drawn from it."""

import asyncio
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.checker import connect
from tests.faults.proxy import NO_FAULT, Fault
from tests.faults.readers import Reader
from tests.faults.stage import LIMIT, Stage, item, start_operation

READERS = 3  # of each run
FAULTS = 12  # connections that break, in one seed; with fewer, a reader would seldom come back twice


@dataclass
class Scenario:
    """One seed on a stage; `play` it, then ask for `violations`."""

    stage: Stage
    seed: int
    runs: list[str] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)  # runs of which a cancel was accepted while they were active

    def __post_init__(self):
        self.rng = random.Random(self.seed)

    async def play(self) -> None:
        async with asyncio.timeout(LIMIT), self.stage.client() as client:
            try:
                await self._start(client)
                async with asyncio.TaskGroup() as group:
                    for run in self.runs:
                        first = self.stage.reader(run, *self._addresses())
                        group.create_task(first.follow())
                        for _ in range(READERS - 1):
                            group.create_task(self._join(first, self.rng.random() * 0.3))
                    group.create_task(self._harm(client))
            finally:
                for proxy in self.stage.proxies:
                    proxy.heal()

    def violations(self) -> list[str]:
        children = [child for run in self.runs for child in self.stage.children(run)]
        found = self.stage.violations([*self.runs, *children])
        rows = {row.run: row.status for row in self.stage.table().rows}
        return found + [
            f"run {run}: P8: it completed after a cancel" for run in self.stopped if rows[run] == "completed"
        ]

    async def _start(self, client: httpx.AsyncClient) -> None:
        for _ in range(self.rng.randint(1, 3)):
            body = self._item()
            if self.rng.random() < 0.3:
                items = [self._item() for _ in range(self.rng.randint(2, 5))]
                how = self.rng.choice(["collect", "fail_fast"])
                body = {"operation": "batch", "params": {"items": items, "on_failure": how, "concurrency": 3}}
            self.runs.append(await start_operation(client, self.rng.choice(self.stage.addresses), body))
        for proxy in self.stage.proxies:
            proxy.plan(self._faults(random.Random(self.rng.random())))

    def _item(self) -> dict[str, Any]:
        pieces = self.rng.randint(10, 30)
        return item(
            again=self.rng.random() < 0.3,
            pieces=pieces,
            rest=self.rng.choice([0.0, 0.02, 0.04]),
            seed=self.rng.randrange(10**6),
            fail_at=pieces if self.rng.random() < 0.2 else 0,
        )

    def _addresses(self) -> list[str]:
        return self.rng.sample(self.stage.proxied, len(self.stage.proxied))

    def _faults(self, rng: random.Random) -> Callable[[], Fault]:
        left = iter(range(FAULTS))

        def fault() -> Fault:
            if next(left, None) is None:
                return NO_FAULT
            reset = rng.random() < 0.5
            return rng.choice(
                [
                    Fault(cut_after=rng.randrange(6000), reset=reset),
                    Fault(cut_after=rng.randrange(6000), reset=reset),
                    Fault(cut_after=rng.randrange(1500), piece=1, reset=reset),
                    Fault(delay=0.02, piece=100, cut_after=rng.randrange(6000)),
                    Fault(rate=20_000, cut_after=rng.randrange(6000)),
                    Fault(stall_after=rng.randrange(3000)),
                    NO_FAULT,
                ]
            )

        return fault

    async def _join(self, first: Reader, delay: float) -> None:
        """Follow from where the first reader then is, or from the beginning."""
        after = self.rng.random() < 0.5
        await asyncio.sleep(delay)
        reader = self.stage.reader(first.run, *self._addresses(), after=first.position if after else 0)
        await reader.follow()

    async def _harm(self, client: httpx.AsyncClient) -> None:
        harms = [self._cut, self._refuse, self._cancel, self._cancel, self._freeze, self._kill]
        if self.stage.postgres is not None:
            harms += [self._end_sessions, self._restart_redis, self._crash_postgres]
        for harm in self.rng.sample(harms, 2):
            await asyncio.sleep(self.rng.random() * 0.3)
            await harm(client)

    async def _cut(self, client: httpx.AsyncClient) -> None:
        for proxy in self.stage.proxies:
            proxy.cut(reset=self.rng.random() < 0.5)

    async def _refuse(self, client: httpx.AsyncClient) -> None:
        for proxy in self.stage.proxies:
            proxy.refuse()
            proxy.cut()
        await asyncio.sleep(0.3)
        for proxy in self.stage.proxies:
            proxy.heal()

    async def _cancel(self, client: httpx.AsyncClient) -> None:
        run, address = self.rng.choice(self.runs), self.rng.choice(self.stage.addresses)
        try:
            answer = await client.post(f"{address}/api/runs/{run}/cancel")
        except httpx.TransportError:
            return  # the process was killed
        if answer.status_code == 202 and answer.json()["status"] in ("queued", "running"):
            self.stopped.add(run)

    async def _freeze(self, client: httpx.AsyncClient) -> None:
        with self.rng.choice(self._processes()).frozen():
            await asyncio.sleep(self.rng.random() * 0.5)

    async def _kill(self, client: httpx.AsyncClient) -> None:
        self.rng.choice(self._processes()).kill()
        await asyncio.to_thread(self.stage.open)

    def _processes(self):
        return [*self.stage.webs, *self.stage.workers]

    async def _end_sessions(self, client: httpx.AsyncClient) -> None:
        with connect(self.stage.database_url) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    async def _restart_redis(self, client: httpx.AsyncClient) -> None:
        await asyncio.to_thread(self.stage.redis.stop)
        await asyncio.to_thread(self.stage.redis.start)

    async def _crash_postgres(self, client: httpx.AsyncClient) -> None:
        await asyncio.to_thread(self.stage.postgres.stop, signal.SIGQUIT)
        await asyncio.to_thread(self.stage.postgres.start)
