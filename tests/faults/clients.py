"""The project's own clients, each followed in what it does: what it showed, and how it ended."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from progress.client import Client, ClientError, Run
from tests.faults.checker import digest
from tests.faults.stage import Stage
from tests.services import ROOT, program
from tests.test_docs import blocks

SCRIPT = ROOT / "tests" / "faults" / "follow.mjs"
SECONDS = ("patience", "silence", "first_byte")


@dataclass
class Seen:
    """What a client showed of a run."""

    run: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    last: int = -1
    result: Any = None
    failed: dict[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        return [event["seq"] for event in self.events]

    @property
    def ended(self) -> bool:
        return bool(self.failed) or self.last >= 0

    def add(self, line: dict[str, Any]) -> None:
        match line:
            case {"event": event}:
                self.events.append(event)
            case {"connection": connection}:
                self.connections.append(connection)
            case _:
                for name, value in line.items():
                    setattr(self, name, value)


Plan = dict[str, Any]


async def javascript(plan: Plan) -> AsyncIterator[dict[str, Any]]:
    """The lines of a Node.js process that does what `plan` says."""
    names = {"first_byte": "firstByte", "abort_at": "abortAt", "cancel_at": "cancelAt"}
    given = {names.get(name, name): value * 1000 if name in SECONDS else value for name, value in plan.items()}
    process = await asyncio.create_subprocess_exec(
        program("node", "nodejs"),
        "--no-warnings",
        SCRIPT,
        json.dumps(given),
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield json.loads(line)
        assert await process.wait() == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def python(plan: Plan) -> AsyncIterator[dict[str, Any]]:
    """The same lines of the Python client, in this process."""
    options = {name: plan[name] for name in SECONDS if name in plan}
    async with Client(plan["base"], token=plan.get("token", ""), **options) as client:
        try:
            run = await _begin(client, plan)
            yield {"run": run.id}
            seen = 0
            async for event in run:
                yield {"event": {"seq": event.seq, "type": event.type, "data": event.data, "resync": event.resync}}
                seen += 1
                if seen == plan.get("abort_at"):
                    yield {"failed": {"message": "aborted"}}
                    return
                if seen == plan.get("cancel_at"):
                    await run.cancel()
            yield {"last": run.last, "result": await run.result()}
        except ClientError as error:
            known = {name: getattr(error, name, None) for name in ("status", "code", "retry_after")}
            yield {"failed": {"name": type(error).__name__, "message": str(error), **known}}


async def _begin(client: Client, plan: Plan) -> Run:
    if "start" in plan:
        return await client.start(**plan["start"])
    return client.follow(plan["follow"], plan.get("after", 0))


TEXT = (ROOT / "docs" / "streaming-client.md").read_text()
EXAMPLE = next(block for block in blocks(TEXT, "js") if "new EventSource" in block)
BROWSER = f"""([run]) => {{
  {EXAMPLE}
  window.shown = [];
  follow(run, (event, number) => {{
    window.shown.push([Number(number), event]);
    window.over = event.type === "done" || event.type === "error";
  }});
}}"""


async def eventsource(plan: Plan) -> AsyncIterator[dict[str, Any]]:
    """The same lines of the EventSource of a Chromium, on a page of the site."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium", "chromium-browser", "google-chrome"), args=["--disable-gpu", *sandbox]
        )
        async with Client(plan["base"], token=plan["token"]) as client:
            run = (await client.post("runs", plan["start"]))["id"]
        yield {"run": run}
        page = await browser.new_page(extra_http_headers={"Authorization": f"Bearer {plan['token']}"})
        while True:
            with suppress(PlaywrightError):  # the page's own connection may be cut as well
                await page.goto(f"{plan['base']}/healthz")
                break
        await page.evaluate(BROWSER, [run])
        shown = 0
        while not await page.evaluate("window.over") or shown < await page.evaluate("window.shown.length"):
            for seq, event in await page.evaluate(f"window.shown.slice({shown})"):
                shown += 1
                yield {"event": {"seq": seq, **event, "resync": "resync" in event["data"].get("metadata", {})}}
            await asyncio.sleep(0.1)
        yield {"last": seq}
        await browser.close()


CLIENTS: dict[str, Callable[[Plan], AsyncIterator[dict[str, Any]]]] = {
    "javascript": javascript,
    "python": python,
    "eventsource": eventsource,
}


async def follow(client: str, seen: Seen | None = None, **plan: Any) -> Seen:
    """Do what `plan` says with a client; `seen` fills while it does."""
    seen = seen or Seen()
    async for line in CLIENTS[client](plan):
        seen.add(line)
    return seen


async def until(seen: Seen, number: int) -> None:
    """Wait until a client has shown that many events."""
    deadline = time.monotonic() + 60
    while len(seen.events) < number:
        assert not seen.ended, seen
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.02)


def note(stage: Stage, reader: str, seen: Seen, after: int = 0) -> None:
    """Tell the checker what a client showed: each event as the log has it, if it is the same JSON."""
    stored = {event.seq: event.payload for event in stage.table().events if event.run == seen.run}
    stage.records.note(seen.run, reader, after=after)
    for event in seen.events:
        if event["resync"]:
            stage.records.note(seen.run, reader, resync=event["seq"] + 1)
            continue
        shown = {"type": event["type"], "data": event["data"]}
        payload = stored.get(event["seq"], "null")
        same = json.loads(payload) == shown
        stage.records.note(seen.run, reader, seq=event["seq"], hash=digest(payload if same else json.dumps(shown)))
    if seen.last >= 0:
        stage.records.note(seen.run, reader, over=True)
