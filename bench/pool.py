"""What an open stream costs that has nothing to show: memory, threads and database connections of the server."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from bench.site import visitor
from tests.services import NotInstalled, postgres_server, running_site

STREAMS = 500
POOL = 5
SETTLED = 5.0  # seconds in which nothing is asked of the server, before it is measured


def idle() -> Iterator[tuple[str, str, str]]:
    """Measure a site whose processes share a few connections to PostgreSQL; without that installed there is no row."""
    own = {"DATABASE_POOL": str(POOL), "DJANGO_SETTINGS_MODULE": "bench.settings"}
    try:
        with (
            postgres_server() as url,
            running_site(f"{url}?application_name=bench", server="uvicorn", **own) as site,
            visitor(site.address) as reader,
        ):
            request = {"operation": "demo", "params": {"seconds": 600, "steps": 10}}
            answer = reader.post("/api/runs", json=request, headers={"Prefer": "respond-async"})
            run = answer.raise_for_status().json()["id"]
            with streams(site.address, run, reader.cookies, 20):
                pass  # what the first ones cost is not theirs
            time.sleep(SETTLED)
            memory, threads = status(site.process.pid)
            with streams(site.address, run, reader.cookies, STREAMS):
                time.sleep(SETTLED)
                more_memory, more_threads = status(site.process.pid)
                held = connections(url, "bench")
            reader.post(f"/api/runs/{run}/cancel")
    except NotInstalled:
        return
    each = f"{(more_memory - memory) / STREAMS:.0f} KiB, {more_threads - threads} threads for all"
    yield f"{STREAMS} idle streams on PostgreSQL, each", each, f"uvicorn; {held} connections, of a pool of {POOL}"


@contextmanager
def streams(address: str, run: str, cookies: httpx.Cookies, number: int) -> Iterator[None]:
    """Hold streams open in another process, so that the measuring one stays small and idle."""
    command = [sys.executable, "-m", "bench.pool", f"{address}/api/runs/{run}/events", str(number)]
    session = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies.jar)
    environment = os.environ | {"COOKIE": session}
    with subprocess.Popen(  # noqa: S603 - its own code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        if holder.stdout is None or holder.stdin is None or holder.stdout.readline() != "open\n":
            raise RuntimeError("The streams did not open.")
        yield
        holder.stdin.close()


def status(pid: int) -> tuple[int, int]:
    """Return the resident memory in KiB and the threads of a process."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]), int(lines["Threads"])


def connections(url: str, name: str) -> int:
    """Count the connections that PostgreSQL has of the application with this name."""
    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        found = connection.execute(query, (name,)).fetchone()
    return found[0] if found else 0


async def hold(url: str, number: int) -> None:
    """Open the streams, read what each shows first, say so, and keep them until stdin ends."""
    limits = httpx.Limits(max_connections=number)
    headers = {"Cookie": os.environ["COOKIE"], "Accept": "text/event-stream"}
    async with httpx.AsyncClient(timeout=120, limits=limits, headers=headers) as client:
        opened = [asyncio.Event() for _ in range(number)]
        tasks = [asyncio.create_task(_read(client, url, event)) for event in opened]
        for event, task in zip(opened, tasks, strict=True):
            waiting = asyncio.create_task(event.wait())
            await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                raise RuntimeError("A stream ended.")
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _read(client: httpx.AsyncClient, url: str, opened: asyncio.Event) -> None:
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                opened.set()


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], int(sys.argv[2])))
