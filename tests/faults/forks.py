"""Processes of the site that start in milliseconds, because they are forked from one that has loaded everything.

So a test can afford to kill and restart web processes and workers dozens of times. What they execute is the site itself.
`python -m tests.faults.forks` reads one JSON request per line and answers with the process id of the fork.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services import ROOT, free_port


class Forked:
    """A process to be killed, frozen and thawed."""

    def __init__(self, pid: int, log: Path, port: int = 0) -> None:
        self.pid, self.port, self._log, self._told = pid, port, log, 0
        self._descriptor = os.pidfd_open(pid)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: int) -> None:
        signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it as `kill -9` does and wait until it is gone."""
        if not self.ended(0):
            self.signal(signal.SIGKILL)
            assert self.ended(30)

    def ended(self, timeout: float) -> bool:
        """Whether it has ended, or does so within `timeout` seconds."""
        return bool(select.select([self._descriptor], [], [], timeout)[0])

    @contextmanager
    def frozen(self):
        """Stop it as SIGSTOP does for as long as the `with` lasts."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def is_frozen(self) -> bool:
        return _stat(self.pid)[0] == "T"

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        user, system = _stat(self.pid)[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return self._log.read_text()

    def news(self) -> str:
        """What it wrote to stderr since the last call."""
        text = self.errors()
        news, self._told = text[self._told :], len(text)
        return news

    def close(self) -> None:
        self.kill()
        os.close(self._descriptor)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Forks:
    """The process to fork from, and those that were forked; used in a `with`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder, self._environment = folder, environment
        self.forked: list[Forked] = []

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks"],
            cwd=ROOT,
            env=os.environ | self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_):
        for forked in self.forked:
            forked.close()
        self._process.communicate(timeout=30)

    def web(self, *, port: int = 0) -> Forked:
        """Fork a web process; it serves soon."""
        return self._fork("web", port=port or free_port())

    def worker(self, *, freeze_at: int = 0, table: str = "") -> Forked:
        """Fork a worker of the task backend; it freezes at that step (see `crashing`)."""
        return self._fork("worker", freeze_at=freeze_at, table=table)

    def script(self, script: Callable[..., None], **arguments: Any) -> Forked:
        """Fork a process that calls `script`, a function of a module."""
        return self._fork(f"{script.__module__}:{script.__qualname__}", arguments=arguments)

    def _fork(self, what: str, *, port: int = 0, **more: Any) -> Forked:
        log = self._folder / f"errors-{len(self.forked)}.txt"
        request = {"what": what, "log": str(log), "port": port, **more}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError("The process to fork from has ended.")
        self.forked.append(Forked(int(answer), log, port))
        return self.forked[-1]


def serve_requests() -> None:
    """Load the site, then fork for each request."""
    import django

    django.setup()
    # What agentsite.asgi imports, but not itself: it starts threads, which a fork does not have.
    import django.contrib.staticfiles.handlers
    import uvicorn.protocols.http.h11_impl
    import uvicorn.protocols.websockets.auto  # noqa: F401
    from django.urls import get_resolver

    import agentsite.warming
    import tests.faults.scripts  # noqa: F401

    agentsite.warming.start = lambda: None  # seconds of CPU for charts and models, which nobody asks for here
    _ = get_resolver().url_patterns
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # so that what ended is gone, as it is where a supervisor waits for it
    for line in sys.stdin:
        request = json.loads(line)
        if (pid := os.fork()) == 0:
            _become(request)
        print(pid, flush=True)


def _become(request: dict[str, Any]) -> None:
    """Be what was asked for, in the fork; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if request["what"] == "web":
            _serve(request["port"])
        elif request["what"] == "worker":
            from django.core.management import call_command

            from tests.faults.crashing import arm

            arm(request["freeze_at"], table=request["table"], freeze=True)
            call_command("run_worker")
        else:
            import importlib

            module, _, name = request["what"].partition(":")
            getattr(importlib.import_module(module), name)(**request["arguments"])
        code = 0
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _serve(port: int) -> None:
    import uvicorn

    uvicorn.run("agentsite.asgi:application", port=port, log_level="error", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    serve_requests()
