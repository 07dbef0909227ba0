"""An HTTP proxy that passes answers on only once it has all of them, as some do, or refuses as a busy server does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Buffering(ThreadingHTTPServer):
    """`requests` lists what was asked for; the next `refusals` requests are answered 503 with `Retry-After: 1`."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.refusals = target, 0
        self.requests: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Buffering

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path.partition('?')[0]}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.refusals:
            self.server.refusals -= 1
            return self._answer(503, {"Retry-After": "1"}, b"")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        try:
            answer = httpx.request(
                self.command, self.server.target + self.path, headers=headers, content=body, timeout=60
            )
        except httpx.TransportError:
            return None
        self._answer(answer.status_code, dict(answer.headers), answer.content)

    do_POST = do_GET

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the client has left

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def buffering(target: str) -> Iterator[Buffering]:
    with Buffering(target) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()
