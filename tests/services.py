"""Servers that tests need, started from what is installed, on 127.0.0.1, and ended by their process id."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parent.parent


class NotInstalled(Exception):
    """What a test needs is not on this machine."""


def program(*names: str) -> str:
    """Find the first of the programs, also where Debian keeps PostgreSQL's; raise NotInstalled without one."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise NotInstalled(f"{names[0]} is not installed")


class Service:
    """A server that can be stopped, and started again on the same port and data; it runs while its `with` does."""

    def __init__(self, url: str, command: list[Any], ready: Callable[[], bool], stop: int, **options: Any) -> None:
        self.url = url
        self._command, self._ready, self._stop, self._options = command, ready, stop, options

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, **self._options)
        try:
            _wait_until(self._ready, self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self, number: int = 0) -> None:
        """Stop it by the signal `number`, or in good order, and wait until it is gone."""
        with _ended(self._process, number or self._stop):
            pass

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL of its own and give its URL."""
    with postgres_service() as service:
        yield service.url


@contextmanager
def postgres_service() -> Iterator[Service]:
    """Run a PostgreSQL of its own that a test may stop and start."""
    initdb, postgres = program("initdb"), program("postgres")
    account: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    port = free_port()
    url = f"postgres://tests@127.0.0.1:{port}/postgres"
    with _folder() as folder:
        if account:
            shutil.chown(folder, "postgres", "postgres")
        data = folder / "data"
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        subprocess.run([initdb, "-D", data, "-U", "tests", "--auth=trust", "--no-sync"], check=True, **quiet, **account)
        options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        fast = signal.SIGINT  # a shutdown that waits for no client
        with Service(url, [postgres, "-D", data, *options], lambda: _accepts(url), fast, **quiet, **account) as service:
            yield service


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis that keeps nothing and give its URL."""
    with redis_service() as service:
        yield service.url


@contextmanager
def redis_service() -> Iterator[Service]:
    """Run a Redis that keeps nothing and that a test may stop and start."""
    redis, port = program("redis-server"), free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _folder() as folder:
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL}
        url = f"redis://127.0.0.1:{port}/0"
        with Service(url, [redis, *options], lambda: _listens(port), signal.SIGTERM, **quiet) as service:
            yield service


@dataclass(frozen=True)
class Site:
    """A running site: where it answers, its process, and what that wrote to stderr."""

    address: str
    process: subprocess.Popen[str]
    log: IO[str]

    def interrupt(self) -> int:
        """End it as Ctrl-C does and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)

    def errors(self) -> str:
        """Return all that it wrote to stderr so far."""
        self.log.seek(0)
        return self.log.read()


@contextmanager
def running_site(database_url: str, *, server: str = "daphne", **environment: str) -> Iterator[Site]:
    """Run the site on a free port and a database of its own: as `make run` does, or with uvicorn as a deployment may."""
    own = _own(database_url)
    command = [sys.executable, "manage.py", "serve"]
    if server == "uvicorn":
        subprocess.run([sys.executable, "manage.py", "setup_site"], cwd=ROOT, env=os.environ | own, check=True)
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "agentsite.asgi:application",
            "--port",
            str(port),
            "--log-level=error",
        ]
        command += ["--timeout-graceful-shutdown=3"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | own | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with _ended(process, signal.SIGINT):
            if server == "uvicorn":
                _wait_until(lambda: _listens(port), process)
                ready = f"Ready on http://127.0.0.1:{port}"
            else:
                ready = next((line for line in process.stdout or [] if line.startswith("Ready on ")), "")
            site = Site(ready.split()[2] if ready else "", process, log)
            if not ready:
                raise RuntimeError(f"The site did not start:\n{site.errors()}")
            yield site


@contextmanager
def site_server(database_url: str, *, server: str = "daphne", **environment: str) -> Iterator[str]:
    """Run the site and give its address."""
    with running_site(database_url, server=server, **environment) as site:
        yield site.address


@contextmanager
def running_worker(database_url: str, *command: str, **environment: str) -> Iterator[Site]:
    """Run a worker beside a site on the same database: `manage.py run_worker`, or another command of manage.py."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *(command or ["run_worker"])],
            cwd=ROOT,
            env=os.environ | _own(database_url) | environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
        with _ended(process, signal.SIGTERM):
            yield Site("", process, log)


def _own(database_url: str) -> dict[str, str]:
    own = {"DJANGO_SETTINGS_MODULE": "agentsite.settings", "SECRET_KEY": secrets.token_urlsafe(50)}
    return own | {"DATABASE_URL": database_url, "PORT": "0", "ALLOW_ANONYMOUS": "on"}


@contextmanager
def nginx_server(nginx: str, configuration: str) -> Iterator[None]:
    """Run nginx with these blocks of its `http` part, one of which listens on a port of 127.0.0.1."""
    with _folder() as folder:
        own = "".join(f"{name}_temp_path {folder};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        text = (
            f"{user}daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{own}{configuration}\n}}\n"
        )
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen([nginx, "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"], cwd=folder)
        with _ended(process, signal.SIGTERM):
            _wait_until((folder / "pid").exists, process)
            yield


def free_port() -> int:
    """Find a port of 127.0.0.1 that nothing listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's tmp_path, which only its owner may enter: PostgreSQL runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="agentsite-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ended(process: subprocess.Popen[Any], number: int) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(number)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"This did not start: {process.args!r}")
        time.sleep(0.05)


def _accepts(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _listens(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
