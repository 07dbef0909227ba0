"""A scripted model provider: a server process that speaks the providers' own wire formats over real HTTP.

    with running_provider() as provider:
        provider.script("hello", {"text": "Hello there."})
        with running_site(url, AGENT_MODEL="openai:hello", **provider.environment()) as site: ...
        (request,) = provider.requests("hello")

It speaks OpenAI's chat completions and responses, Anthropic's messages and Google's generateContent, streamed only. In a test of
one process, `monkeypatch.setenv` each of `environment()` instead.

Which script a request follows: the one that its text names as `script:<name>` (the last mention counts), else the one named
like the model, else `default`. A script is a list of turns: each request takes the next one, and the last one stays.
A turn is a dict:

    {"text": "Some words"}                      written word by word; "delay": seconds between words
    {"steps": [step, ...]}                      more exactly, in order:
        {"text": "..."} {"thinking": "..."}     with "delay": seconds between words
        {"tool": "name", "arguments": {...}}    a tool call, with "id": "..." if it matters
        {"words": 2000, "delay": 0.005}         that many words of one token each
        {"wait": 0.5}                           silence
        {"stall": 60, "ping": 1}                silence, with the wire's keep-alives every so many seconds if "ping" is there
        {"raw": "data: {broken\n\n"}            bytes as they are, for malformed frames
        {"error": "overloaded"}                 an error inside the stream: overloaded, rate_limit, server, invalid
        {"cut": true}                           the connection is reset
        {"stop": true}                          the connection ends as if all was said, without the frames that say so
        {"obey": true}                          see below
    {"status": 429, "retry_after": 1}           refused over HTTP, in the provider's own words, before any text; also with
                                                "error": "rate_limit", "overloaded", "key", "model", "context", "quota", "content",
                                                "server", which give the usual status, and "message": "..." to say it otherwise
    "usage": {"input": 12, "output": 34}        what the provider says was used; null for nothing; by default words are counted
    "finish": "stop"                            or "length", "content_filter"; by default "stop", or "tool" after tool calls

`obey` is a model that does all that it reads: each `CALL name {"json": "arguments"}` anywhere in its input (the user's message,
a row, a column's name, a tool's result, an earlier turn) becomes a tool call, once; when nothing is left to call, it says "Done."
and that turn ends. Use it as the last turn of a script: {"steps": [{"obey": true}]}.

What it saw: `requests(name)` gives each request's path, headers, body, turn, and how it ended: "open", "done", "dropped" (the
client went away first) or "cut", after how many pieces.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from tests.services import ROOT


class Provider:
    """A running scripted provider."""

    def __init__(self, address: str) -> None:
        self.address = address

    def environment(self) -> dict[str, str]:
        """The variables that lead every provider's client here."""
        return {
            "OPENAI_BASE_URL": f"{self.address}/v1",
            "ANTHROPIC_BASE_URL": self.address,
            "GOOGLE_BASE_URL": self.address,
            "OPENAI_API_KEY": "sk-scripted-openai",
            "ANTHROPIC_API_KEY": "sk-scripted-anthropic",
            "GOOGLE_API_KEY": "scripted-google",
        }

    def script(self, name: str, *turns: dict[str, Any]) -> None:
        """Set what the requests of this script get, one turn each; what was seen of it before is forgotten."""
        self._call("PUT", f"/scripts/{name}", list(turns))

    def requests(self, name: str = "") -> list[dict[str, Any]]:
        """Return the requests so far, those of one script or all."""
        return [each for each in self._call("GET", "/requests") if not name or each["script"] == name]

    def ended(self, name: str, how: str, *, within: float = 5.0) -> dict[str, Any]:
        """Wait until the last request of a script ended so, and return it."""
        deadline = time.monotonic() + within
        while True:
            seen = self.requests(name)
            if seen and seen[-1]["ended"] == how:
                return seen[-1]
            if time.monotonic() > deadline:
                raise AssertionError(f"No request of {name!r} was {how}: {seen}")
            time.sleep(0.02)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.address + path, data, method=method), timeout=10) as answer:
            return json.load(answer)


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a scripted provider on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.providers"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:  # which closes its stdin, by which it ends
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("Ready on "):
                raise RuntimeError("The scripted provider did not start.")
            yield Provider(line.split()[2])
        finally:
            process.terminate()
