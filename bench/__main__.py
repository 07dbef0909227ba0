"""Measure and print one table."""

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentsite.settings")
os.environ.setdefault("SECRET_KEY", "only-for-measuring-" + "0123456789abcdef" * 3)


def rows(database: Path) -> Iterator[tuple[str, str, str]]:
    """Measure one thing after the other: what, the figures, how they were taken."""
    from bench import dialects, door, models, pool, reporting, site, streams
    from tests.services import site_server

    yield reporting.call()
    yield reporting.event()
    yield reporting.hooked()
    yield from dialects.rows()
    with site_server(f"sqlite:///{database}") as address:
        yield from site.question(address)
        yield from site.weight(address)
    yield from models.rows(database.parent)
    yield from streams.all_servers(database.parent)
    yield from pool.idle()
    yield door.second_run(database)


def machine() -> str:
    """Name what the figures belong to."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {cores} cores, {system}, Python {platform.python_version()}, Django {django.__version__}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    django.setup()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for what, figures, how in rows(Path(folder) / "bench.sqlite3"):
            print(f"{what:<42} {figures:<34} {how}", flush=True)
