"""The names of processes, by which others on the same machine can tell whether one is still there."""

from __future__ import annotations

import os
import socket
from functools import cache

from .models import ACTIVE, OperationRun

ANY_PROCESS = "any"  # in the column `worker`: whichever process looks first starts the run


def worker_name() -> str:
    """Name this process so that another on the same machine can tell whether it is still there: machine:pid:start time."""
    return f"{_machine()}:{os.getpid()}:{_start_time(os.getpid())}"


@cache
def _machine() -> str:
    """Name what this process shares its process ids with: containers may have the same host name, and ids of their own."""
    try:
        return f"{socket.gethostname()}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


def dead_workers() -> list[str]:
    """The workers of this machine that have active runs and exist no more."""
    names = (
        OperationRun.objects.filter(status__in=ACTIVE, worker__startswith=f"{_machine()}:")
        .values_list("worker", flat=True)
        .distinct()
    )
    return [name for name in names if not _is_alive(name)]


def _is_alive(worker: str) -> bool:
    _host, pid, started = worker.rsplit(":", 2)
    return _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """When the process began, as the kernel counts it, so that a reused pid is not taken for the old one; "" if none is there."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            state, *others = stat.read().rpartition(")")[2].split()
            return "" if state == "Z" else others[18]  # a zombie has ended, and only its parent has not asked how
    except FileNotFoundError:
        # Not Linux: the pid alone has to do.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            return "0"
        return "0" if not os.path.isdir("/proc/self") else ""
