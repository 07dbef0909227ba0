"""One visitor's browser, with notes on what it complained of and whom it called."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect

START = """async ([operation, params]) => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const headers = {"Content-Type": "application/json", Prefer: "respond-async", "X-CSRFToken": token};
  const answer = await fetch("/api/runs", {method: "POST", headers, body: JSON.stringify({operation, params})});
  return answer.json();
}"""


CANCEL = """async (run) => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  return (await fetch(`/api/runs/${run}/cancel`, {method: "POST", headers: {"X-CSRFToken": token}})).status;
}"""
COLLECT = """window.seen = [];
for (const type of ["progress", "content", "done", "error"])
  document.addEventListener(`operation-${type}`, ({detail}) => window.seen.push(detail.seq));"""


class Visit:
    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._home = ""
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._requested)
        self.page = context.new_page()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self._home = self._home or parts.netloc
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self._home:
            self.foreign.append(request.url)

    def start(self, operation: str, **params: Any) -> dict[str, Any]:
        """Start a run as this visitor and return it; the page must be one of the site's."""
        run: dict[str, Any] = self.page.evaluate(START, [operation, params])
        assert "id" in run, run
        self.started = run
        return run

    def follow(self, operation: str, **params: Any) -> dict[str, Any]:
        """Start a run and open its page."""
        self.page.goto("/charts/")
        run = self.start(operation, **params)
        self.page.goto(f"/runs/{run['id']}/")
        return run

    def cancel(self, run: dict[str, Any] | None = None) -> None:
        """Cancel a run, the last one started unless named, not by the page's button."""
        assert self.page.evaluate(CANCEL, (run or self.started)["id"]) in (200, 202)


def wait_until(page: Page, true: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait for what the test itself sees, while its browser goes on."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        page.wait_for_timeout(50)


def ask(page: Page, question: str) -> None:
    """Type a question on the first page and send it."""
    page.goto("/")
    page.get_by_role("textbox").fill(question)
    page.get_by_role("textbox").press("Enter")


def expect_status(page: Page, status: str, *, seconds: float = 20) -> None:
    expect(page.locator("operation-progress")).to_have_attribute("data-status", status, timeout=seconds * 1000)
