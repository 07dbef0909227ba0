"""How long the second `make run` takes until the site answers."""

import os
import signal
import statistics
import subprocess
import time
from pathlib import Path

import httpx

from tests.services import ROOT, free_port

ROUNDS = 5


def second_run(database: Path) -> tuple[str, str, str]:
    """Measure from the command to the first answer, with everything made ready before."""
    once(database)
    times = [once(database) for _ in range(ROUNDS)]
    return (
        "second `make run` to the first answer",
        f"{statistics.median(times):.1f} s",
        f"median of {ROUNDS}, slowest {max(times):.1f} s",
    )


def once(database: Path) -> float:
    """Run the site until it answers; return the seconds."""
    port = free_port()
    environment = os.environ | {"PORT": str(port), "DATABASE_URL": f"sqlite:///{database}", "MAKEFLAGS": ""}
    begun = time.perf_counter()
    # A group of its own, so that the signal reaches make and the server as Ctrl-C would.
    process = subprocess.Popen(
        ["make", "run"],  # noqa: S607 - the make that the reader has
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=60).raise_for_status()
                return time.perf_counter() - begun
            except httpx.TransportError:
                time.sleep(0.01)
        raise RuntimeError("make run ended by itself.")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
