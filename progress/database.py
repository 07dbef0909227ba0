"""The few threads through which `progress` reads and writes, so that streams and runs never pin a connection each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, close_old_connections, connections

UNREACHABLE = (OperationalError, InterfaceError)  # the database is away or busy; anything else fails every time
THREADS = 4
KEEP = 300.0  # seconds an unused connection of these threads is trusted


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="progress-database")


def _call[T](function: Callable[..., T], args: tuple[object, ...]) -> T:
    close_old_connections()
    try:
        return function(*args)
    finally:
        # CONN_MAX_AGE is meant for the threads of requests, which come and go. These few stay, so their connections may too.
        for connection in connections.all(initialized_only=True):
            connection.close_at = time.monotonic() + KEEP
            # Else a restart of the database would fail the next call of each thread.
            connection.health_check_enabled = True  # type: ignore[attr-defined]
        close_old_connections()  # what broke
        give_back()


def give_back() -> None:
    """Give this thread's connections back to their pool, where the site has one: others need them while it waits."""
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict.get("OPTIONS", {}).get("pool"):
            connection.close()


class LendingThread(ThreadPoolExecutor):
    """One thread, which gives its connections back to their pool after each call.

    Without, requests and runs that wait would hold every connection of a pool, and what they wait for would get none.
    """

    def __init__(self, name: str) -> None:
        super().__init__(1, thread_name_prefix=name)

    def submit[**P, T](self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        def call() -> T:
            try:
                return function(*args, **kwargs)
            finally:
                give_back()

        return super().submit(call)


async def in_database[T](function: Callable[..., T], *args: object) -> T:
    """Call `function`, which uses the ORM, in one of the shared threads."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), _call, function, args)


def durability_gap() -> str:
    """Say what a power cut could take of what was committed, by the settings of its sessions; "" where it could take nothing."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            return "" if cursor.fetchone()[0] >= 2 else "PRAGMA synchronous is below FULL"
        if database.vendor == "postgresql":
            cursor.execute("SHOW synchronous_commit")
            return "" if cursor.fetchone()[0] != "off" else "synchronous_commit is off"
    return ""


def storable(value: Any) -> Any:
    """Return a JSON value with U+FFFD for what not every database can hold in text: NUL and lone surrogates."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def close_connections() -> None:
    """Close the connections of all shared threads; tests need it before they drop a database."""
    barrier = threading.Barrier(THREADS)

    def close() -> None:
        connections.close_all()
        barrier.wait(10)

    for future in [_pool().submit(close) for _ in range(THREADS)]:
        future.result()
