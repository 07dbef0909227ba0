"""The scripted provider as a process: HTTP/1.1 in plain asyncio, so that it starts at once and every byte is its own.

It ends with its stdin. What it does is described in `tests/providers/__init__.py`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from .wires import ERRORS, Wire, canonical, strings, tools_called, wire_of

NAMED = re.compile(r"script:([\w.-]+)")
ORDERED = re.compile(r"CALL (\w+) (\{.*)", re.DOTALL)
DEFAULT: list[dict[str, Any]] = [{"text": "This is a scripted answer."}]


@dataclass
class Seen:
    """One request to a model, and how its answer ended."""

    script: str
    turn: int
    path: str
    headers: dict[str, str]
    body: Any
    ended: str = "open"  # "done", "dropped" or "cut"
    pieces: int = 0  # of text, thinking and tool calls


@dataclass
class Provider:
    """The scripts, and what was asked."""

    scripts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def take(self, path: str, headers: dict[str, str], body: dict[str, Any], model: str) -> tuple[Seen, dict[str, Any]]:
        """Find the turn that a request gets."""
        named = [name for text in strings(body) for name in NAMED.findall(text)]
        name = next((name for name in (*reversed(named), model) if name in self.scripts), "default")
        turns = self.scripts.get(name, DEFAULT)
        turn = min(sum(each.script == name for each in self.seen), len(turns) - 1)
        seen = Seen(name, turn, path, headers, body)
        self.seen.append(seen)
        return seen, turns[turn]

    def control(self, method: str, path: str, body: Any) -> Any:
        """Answer the test's own calls; None for an address that does not exist."""
        if method == "PUT" and path.startswith("/scripts/"):
            name = path.removeprefix("/scripts/")
            self.scripts[name] = body
            self.seen = [each for each in self.seen if each.script != name]
            return {}
        if (method, path) == ("GET", "/requests"):
            return [asdict(each) for each in self.seen]
        return None


class Connection:
    """One connection of a client, which may ask several times."""

    def __init__(self, provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._provider, self._reader, self._writer = provider, reader, writer

    async def serve(self) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer_one():
                pass
        self._writer.close()

    async def _answer_one(self) -> bool:
        if not (line := (await self._reader.readline()).decode()):
            return False
        method, target, _version = line.split()
        headers = {}
        while line := (await self._reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        sent = await self._reader.readexactly(int(headers.get("content-length", 0)))
        body, path = json.loads(sent or b"null"), target.partition("?")[0]
        if isinstance(body, dict) and (found := wire_of(path, body)):
            seen, turn = self._provider.take(path, headers, body, found[1])
            return await self._speak(found[0], found[1], seen, turn)
        answer = self._provider.control(method, path, body)
        self._refuse(404 if answer is None else 200, answer if answer is not None else {"error": {"message": path}})
        return True

    async def _speak(self, wire: type[Wire], model: str, seen: Seen, turn: dict[str, Any]) -> bool:
        """Answer a request by its turn; True if the connection may be used again."""
        if kind := turn.get("error") or ("rate_limit" if turn.get("status") else ""):
            retry = {"Retry-After": turn["retry_after"]} if "retry_after" in turn else {}
            self._refuse(turn.get("status") or ERRORS[kind][0], wire.refusal(kind, turn.get("message", "")), retry)
            seen.ended = "done"
            return True
        answer = asyncio.ensure_future(Answer(wire, model, seen, turn).write_to(self._writer))
        left = asyncio.ensure_future(self._reader.read(1))  # nothing more is sent before the answer's end
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answer, left):
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await task
        if seen.ended == "open":
            seen.ended = "dropped"
        return seen.ended == "done"

    def _refuse(self, status: int, body: Any, headers: dict[str, Any] | None = None) -> None:
        content = json.dumps(body).encode()
        known = {"Content-Type": "application/json", "Content-Length": len(content), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in known.items())
        self._writer.write(f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + content)


class Answer:
    """One streamed answer, written as its turn says."""

    def __init__(self, wire: type[Wire], model: str, seen: Seen, turn: dict[str, Any]) -> None:
        self._seen, self._turn = seen, turn
        self._read = sum(len(text.split()) for text in strings(seen.body))
        self._wire = wire(model, (turn.get("usage") or {}).get("input", self._read))
        self._called = False

    async def write_to(self, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Request-Id: req_1\r\n\r\n"
        )
        async for frames in self._frames():
            if frames is None:
                self._seen.ended = "cut"
                writer.transport.abort()
                return
            if data := frames.encode():
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        self._seen.ended = "done"

    async def _frames(self) -> AsyncIterator[str | None]:
        """Yield what is sent, piece by piece; None resets the connection."""
        turn = self._turn
        yield self._wire.begin()
        for step in turn.get("steps") or [{key: turn[key] for key in ("text", "delay") if key in turn}]:
            if "cut" in step:
                yield None
                return
            if "stop" in step:
                return
            async for frames in self._step(step):
                yield frames
        finish = turn.get("finish") or ("tool" if self._called else "stop")
        counted = {"input": self._read, "output": self._seen.pieces}
        yield self._wire.end(finish, turn.get("usage", counted))

    async def _step(self, step: dict[str, Any]) -> AsyncIterator[str]:
        if "wait" in step:
            await asyncio.sleep(step["wait"])
        elif "stall" in step:
            pause = step.get("ping", step["stall"])
            for _ in range(round(step["stall"] / pause)):
                await asyncio.sleep(pause)
                if "ping" in step:
                    yield self._wire.ping()
        elif "raw" in step:
            yield step["raw"]
        elif "error" in step:
            yield self._wire.error(step["error"])
        else:
            for frames in self._say(step):
                yield frames
                self._seen.pieces += 1
                if step.get("delay"):
                    await asyncio.sleep(step["delay"])

    def _say(self, step: dict[str, Any]) -> Iterator[str]:
        if "tool" in step:
            yield self._call(step["tool"], json.dumps(step.get("arguments", {})), step.get("id"))
        elif "obey" in step:
            yield from self._obey()
        elif "thinking" in step:
            yield from map(self._wire.thinking, _words(step["thinking"]))
        elif "words" in step:
            yield from (self._wire.text(f"word{number} ") for number in range(step["words"]))
        else:
            yield from map(self._wire.text, _words(step["text"]))

    def _obey(self) -> Iterator[str]:
        done = set(tools_called(self._seen.body))
        orders = [order for text in strings(self._seen.body) for order in _orders(text)]
        left = [order for order in dict.fromkeys(orders) if order not in done]
        for name, arguments in left:
            yield self._call(name, arguments, None)
        if not left:
            yield from map(self._wire.text, _words("Done."))

    def _call(self, name: str, arguments: str, id: str | None) -> str:
        self._called = True
        return self._wire.tool(name, arguments, id or f"call_{self._seen.turn}_{self._seen.pieces}")


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*?(?=\s\S|\Z)|\s+", text) if text else []


def _orders(text: str) -> Iterator[tuple[str, str]]:
    """Find `CALL name {...}` in a text; the JSON ends where it is complete."""
    while found := ORDERED.search(text):
        with suppress(ValueError):
            arguments, _end = json.JSONDecoder().raw_decode(found[2])
            yield found[1], canonical(arguments)
        text = found[2]


async def main() -> None:
    provider = Provider()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(provider, reader, writer).serve()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**24)
    host, port = server.sockets[0].getsockname()
    print(f"Ready on http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
