"""However many tabs follow runs, the browser has one stream open, and no tab misses or repeats an event."""

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Request, expect

from tests.browser.visit import COLLECT, Visit, expect_status, wait_until

pytestmark = pytest.mark.browser

WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})"
HANG = "() => void setTimeout(() => { const end = Date.now() + 8000; while (Date.now() < end); })"
HIDE = """hidden => {
  Object.defineProperty(document, "visibilityState", {value: hidden ? "hidden" : "visible", configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


class Streams:
    """The streams that a visitor's browser has open."""

    def __init__(self, visit: Visit) -> None:
        self.opened = 0
        self._open: dict[Request, Page] = {}
        visit.context.on("request", self._began)
        visit.context.on("requestfinished", self._ended)
        visit.context.on("requestfailed", self._ended)

    def _began(self, request: Request) -> None:
        if "text/event-stream" in request.headers.get("accept", ""):
            self.opened += 1
            self._open[request] = request.frame.page

    def _ended(self, request: Request) -> None:
        self._open.pop(request, None)

    @property
    def readers(self) -> list[Page]:
        return [page for page in self._open.values() if not page.is_closed()]


def open_tab(visit: Visit, run: dict[str, Any]) -> Page:
    tab = visit.context.new_page()
    tab.goto(f"/runs/{run['id']}/")
    return tab


def expect_live(page: Page) -> None:
    expect(page.locator("operation-progress")).to_have_attribute("data-connection", "live", timeout=30_000)


def expect_every_event_once(page: Page) -> None:
    seen = page.evaluate("window.seen")
    assert seen == list(range(1, len(seen) + 1))


def test_ten_tabs_share_one_stream(visit: Visit) -> None:
    """Over HTTP/1.1 a browser opens six connections to a site: with a stream in each tab the seventh would wait for ever."""
    streams = Streams(visit)
    visit.context.add_init_script(COLLECT)
    visit.page.goto("/charts/")
    runs = [visit.start("rehearsal", seconds=60) for _ in range(3)]
    tabs = [open_tab(visit, runs[number % 3]) for number in range(9)]
    for tab in tabs:
        expect_live(tab)
    wait_until(visit.page, lambda: len(streams.readers) == 1)
    visit.page.goto("/")
    expect(visit.page.get_by_role("textbox")).to_be_visible(timeout=30_000)
    for run in runs:
        visit.cancel(run)
    for tab in tabs:
        expect_status(tab, "cancelled", seconds=30)
        expect_every_event_once(tab)
    wait_until(visit.page, lambda: not streams.readers)


@pytest.mark.bumpy
@pytest.mark.parametrize("fate", ["closed", "crashed"])
def test_another_tab_takes_over(visit: Visit, fate: str) -> None:
    streams = Streams(visit)
    visit.context.add_init_script(COLLECT)
    visit.page.goto("/charts/")
    run = visit.start("demo", seconds=100, steps=500, content=500)
    tabs = [open_tab(visit, run) for _ in range(3)]
    for tab in tabs:
        expect_live(tab)
    wait_until(visit.page, lambda: len(streams.readers) == 1)
    leader = streams.readers[0]
    if fate == "closed":
        leader.close()
    else:
        with suppress(Error):
            leader.goto("chrome://crash", timeout=10_000)
    left = [tab for tab in tabs if tab is not leader]
    wait_until(visit.page, lambda: any(tab in streams.readers for tab in left))
    heard = max(tab.evaluate("window.seen.length") for tab in left)
    for tab in left:
        wait_until(tab, lambda tab=tab: tab.evaluate("window.seen.length") > heard)
    visit.cancel(run)
    for tab in left:
        expect_status(tab, "cancelled", seconds=30)
        expect_every_event_once(tab)


def test_a_tab_that_hangs_loses_the_stream(visit: Visit) -> None:
    streams = Streams(visit)
    visit.page.goto("/charts/")
    run = visit.start("rehearsal", seconds=60)
    leader = open_tab(visit, run)
    expect_live(leader)
    wait_until(visit.page, lambda: streams.readers == [leader])
    other = visit.context.new_page()
    other.clock.install()
    other.goto(f"/runs/{run['id']}/")
    expect_live(other)
    leader.evaluate(HANG)

    def taken_over() -> bool:
        if other not in streams.readers:
            other.clock.fast_forward("00:46")
        return other in streams.readers

    wait_until(visit.page, taken_over)
    expect_live(other)
    visit.cancel(run)
    for tab in (other, leader):
        expect_status(tab, "cancelled", seconds=30)
    wait_until(visit.page, lambda: not streams.readers)


def test_a_tab_that_leaves_takes_its_run_out_of_the_stream(visit: Visit) -> None:
    streams: list[str] = []
    visit.context.on("request", lambda request: streams.append(request.url) if "/api/events" in request.url else None)
    visit.page.goto("/charts/")
    runs = [visit.start("rehearsal", seconds=60) for _ in range(2)]
    tabs = [open_tab(visit, run) for run in runs]
    for tab in tabs:
        expect_live(tab)
    wait_until(visit.page, lambda: all(run["id"] in streams[-1] for run in runs))
    tabs[1].close()
    wait_until(visit.page, lambda: runs[1]["id"] not in streams[-1])
    assert runs[0]["id"] in streams[-1]
    for run in runs:
        visit.cancel(run)
    expect_status(tabs[0], "cancelled")


def test_without_locks_a_tab_streams_while_it_is_visible(visit: Visit) -> None:
    streams = Streams(visit)
    visit.context.add_init_script(WITHOUT_LOCKS)
    visit.follow("rehearsal", seconds=60)
    page = visit.page
    expect_live(page)
    page.evaluate(HIDE, True)
    expect(page.locator("operation-progress")).to_have_attribute("data-connection", "polling", timeout=30_000)
    wait_until(page, lambda: not streams.readers)
    page.evaluate(HIDE, False)
    expect_live(page)
    visit.cancel()
    expect_status(page, "cancelled", seconds=30)


@pytest.mark.bumpy
def test_who_is_signed_out_is_told(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=60)
    page = visit.page
    expect_live(page)
    cookies = visit.context.cookies()
    visit.context.clear_cookies()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect_status(page, "gone", seconds=30)
    expect(page.locator(".op-message")).to_have_text(re.compile("you were signed out, or it was deleted"))
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    visit.context.add_cookies(cookies)
    visit.cancel()
