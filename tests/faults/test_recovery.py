"""P3, P6, P7, P16: processes that die or freeze, a database and a Redis that go away."""

import asyncio
import os
import re
import signal
import time
from contextlib import contextmanager

import httpx

from tests.faults.checker import connect
from tests.faults.stage import LIMIT, eventually_async, start

OUTAGE = float(os.environ.get("FAULT_OUTAGE", "10"))  # seconds; the promise is about 60
CPU = 0.2  # of one core, of a process that waits for its database


def play(stage, story):
    """Execute the async `story`, then judge the runs that it returns."""

    async def limited():
        async with asyncio.timeout(LIMIT + OUTAGE), stage.client() as client:
            return await story(client)

    runs = asyncio.run(limited())
    assert stage.violations(runs) == []


def executing(stage, run):
    """The processes that have executed `run`, in order."""
    pids = dict.fromkeys(record["pid"] for record in stage.published(run))
    return [process for pid in pids for process in stage.forks.forked if process.pid == pid]


@contextmanager
def idle(processes):
    """None of `processes` may use much CPU while the `with` lasts."""
    began, before = time.monotonic(), [process.cpu() for process in processes]
    yield
    spent = time.monotonic() - began
    shares = [(process.cpu() - used) / spent for process, used in zip(processes, before, strict=True)]
    assert max(shares) < CPU, shares


async def answers_well_without_its_database(client, address, run):
    """Streams end well, as EventSource gives up on all but 200; everything else is to be tried again, whoever asks."""
    visitor = {"Authorization": "", "Cookie": "sessionid=" + "x" * 32}
    for path in (f"/api/runs/{run}/events", "/api/events", f"/api/events?runs={run}"):
        for who in ({}, visitor):
            answer = await client.get(address + path, headers={"Accept": "text/event-stream", **who})
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert re.fullmatch(r"retry: [2-7]\d{3}\n\n", answer.text)
    body = {"operation": "test_publish", "params": {}}
    for answer in [
        await client.get(f"{address}/api/runs/{run}"),
        await client.get(f"{address}/api/runs", headers=visitor),
        await client.get(f"{address}/charts/", headers={"Accept": "text/html", **visitor}),
        await client.post(f"{address}/api/runs/{run}/cancel"),
        await client.post(f"{address}/api/runs", json=body),
        await client.post(f"{address}/api/runs", json=body, headers={"Accept": "text/event-stream"}),
    ]:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) >= 2
        if "html" in answer.headers["Content-Type"]:
            assert "cannot reach its database" in answer.text
        else:
            assert answer.json()["code"] == "unavailable"


class TestDeath:
    def test_p3_what_a_client_saw_outlives_the_process(self, sqlite_stage):
        async def story(client):
            runs = []
            for until in (1, 2, 4, 9, 16):
                run = await start(
                    client, sqlite_stage.addresses[0], pieces=100, rest=0.05, seed=until, states_only=True
                )
                reader = sqlite_stage.reader(run)
                await reader.follow(until=until)
                sqlite_stage.webs[0].kill()
                await asyncio.to_thread(sqlite_stage.open)
                await reader.follow()
                runs.append(run)
            return runs

        play(sqlite_stage, story)

    def test_p3_what_a_client_saw_outlives_worker_and_database(self, machines_stage):
        stage = machines_stage

        async def story(client):
            run = await start(client, stage.addresses[0], pieces=100, rest=0.05, states_only=True)
            reader = stage.reader(run)
            await reader.follow(until=7)
            executing(stage, run)[0].kill()
            stage.postgres.stop(signal.SIGQUIT)  # at once, without a checkpoint
            await asyncio.to_thread(stage.postgres.start)
            await asyncio.to_thread(stage.open)
            await reader.follow()
            assert stage.row(run)[1]["code"] == "worker_lost"
            return [run]

        play(stage, story)

    def test_p6_a_restarted_site_has_ended_or_begun_anew_what_it_lost_before_it_answers(self, sqlite_stage):
        stage = sqlite_stage

        async def story(client):
            lost = await start(client, stage.addresses[0], pieces=1000, rest=0.1)
            again = await start(client, stage.addresses[0], pieces=20, rest=0.1, again=True)
            readers = [stage.reader(run) for run in (lost, again)]
            await asyncio.gather(*(reader.follow(until=5) for reader in readers))
            web = stage.webs[0]
            web.kill()
            stage.webs[0] = stage.forks.web(port=web.port)
            snapshot = await first_answer(client, f"{web.address}/api/runs/{lost}")
            assert (snapshot["status"], snapshot["error"]["code"]) == ("failed", "worker_lost")
            await asyncio.gather(*(reader.follow() for reader in readers))
            assert stage.row(again)[0] == "completed", stage.row(again)
            return [lost, again]

        play(stage, story)


async def first_answer(client, url):
    while True:
        try:
            return (await client.get(url)).json()
        except httpx.TransportError:
            await asyncio.sleep(0.02)


class TestFrozenWorker:
    def test_p6_what_a_worker_had_taken_and_not_begun_is_executed_by_another(self, machines_stage):
        stage = machines_stage

        async def story(client):
            for worker in stage.workers:
                worker.kill()
            stage.workers = [stage.forks.worker(freeze_at=1, table="progress_operationrun")]  # before it claims a run
            runs = [await start(client, stage.addresses[0], pieces=5, again=True) for _ in range(3)]
            await eventually_async(stage.workers[0].is_frozen, "the worker freezes")
            stage.workers[0].kill()
            stage.open(workers=2)
            await asyncio.gather(*(stage.reader(run).follow() for run in runs))
            assert [stage.row(run)[0] for run in runs] == ["completed"] * 3
            return runs

        play(stage, story)

    def test_p7_who_comes_back_after_its_lease_writes_nothing(self, machines_stage):
        stage = machines_stage

        async def story(client):
            kinds = (False, True, False, True)
            runs = [await start(client, stage.addresses[0], pieces=30, rest=0.15, again=again) for again in kinds]
            readers = [stage.reader(run) for run in runs]
            await asyncio.gather(*(reader.follow(until=4) for reader in readers))
            frozen = executing(stage, runs[1])[0]
            there = [run for run in runs if executing(stage, run) == [frozen]]
            with frozen.frozen():
                await asyncio.gather(*(reader.follow() for reader in readers))
                before = stage.table()
                assert stage.row(runs[1])[0] == "completed"
            for run in there:
                await eventually_async(lambda run=run: ended_in(stage, run, frozen), "the worker gives its run up")
                if run not in (runs[1], runs[3]):
                    assert stage.row(run)[1]["code"] == "worker_lost"
            assert stage.table() == before
            return runs

        play(stage, story)

    def test_p7_who_freezes_in_the_middle_of_a_commit_holds_nobody_up(self, machines_stage):
        stage = machines_stage

        async def story(client):
            for worker in stage.workers:
                worker.kill()
            frozen = stage.workers[0] = stage.forks.worker(freeze_at=3, table="progress_operationevent")  # in a commit
            run = await start(client, stage.addresses[0], pieces=20, rest=0.05, again=True)
            await eventually_async(frozen.is_frozen, "the worker freezes")
            stage.workers[1] = stage.forks.worker()
            try:
                await stage.reader(run).follow()
            finally:
                frozen.signal(signal.SIGCONT)
            assert stage.row(run)[0] == "completed", stage.row(run)
            return [run]

        play(stage, story)


def ended_in(stage, run, process):
    return any("ended" in record and record["pid"] == process.pid for record in stage.published(run))


class TestAway:
    def test_p16_postgresql(self, machines_stage):
        stage = machines_stage

        async def story(client):
            runs = [await start(client, address, pieces=20, rest=OUTAGE / 8) for address in stage.addresses]
            readers = [stage.reader(run) for run in runs]
            following = asyncio.gather(*(reader.follow() for reader in readers))
            await eventually_async(lambda: min(reader.position for reader in readers) > 3, "the readers see something")
            with idle([*stage.webs, *stage.workers]):
                await asyncio.to_thread(stage.postgres.stop)
                await asyncio.sleep(OUTAGE)
            for web in stage.webs:
                await answers_well_without_its_database(client, web.address, runs[0])
            await asyncio.to_thread(stage.postgres.start)
            await following
            assert [stage.row(run)[0] for run in runs] == ["completed"] * 2, [stage.row(run) for run in runs]
            return runs

        play(stage, story)

    def test_p16_all_sessions_and_redis(self, machines_stage):
        stage = machines_stage

        async def story(client):
            run = await start(client, stage.addresses[0], pieces=30, rest=0.1)
            reader = stage.reader(run)
            await reader.follow(until=3)
            following = asyncio.create_task(reader.follow())
            for _ in range(3):
                with connect(stage.database_url) as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    )
                await asyncio.to_thread(stage.redis.stop)
                await asyncio.to_thread(stage.redis.start)
            await following
            assert stage.row(run)[0] == "completed", stage.row(run)
            return [run]

        play(stage, story)

    def test_p16_sqlite_locked_by_another_program(self, sqlite_stage):
        stage = sqlite_stage

        async def story(client):
            run = await start(client, stage.addresses[0], pieces=20, rest=OUTAGE / 8)
            reader = stage.reader(run)
            await reader.follow(until=4)
            following = asyncio.create_task(reader.follow())
            with connect(stage.database_url) as connection, idle(stage.webs):
                connection.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(OUTAGE)
            await following
            assert stage.row(run)[0] == "completed", stage.row(run)
            return [run]

        play(stage, story)
