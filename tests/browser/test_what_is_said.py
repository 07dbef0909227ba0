"""What the element says of a run: place in line, time left, pace, breaks of the connection. The run is a scripted one."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.visit import Visit, expect_status, wait_until

pytestmark = pytest.mark.browser

RUN = "/api/runs/00000000-0000-4000-8000-000000000000"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\" onload='alert(3)"
ELEMENT = """src => {
  const element = document.createElement("operation-progress");
  element.setAttribute("src", src);
  document.querySelector("main").replaceChildren(element);
}"""


class Script:
    """The API as far as the page asks for one run: its log and its snapshot. Streams stay silent."""

    def __init__(self, page: Page, *events: dict[str, Any]) -> None:
        self.log = list(events)
        self.away = False
        self._page = page
        self._held: list[Route] = []
        page.route("**/api/events?**", lambda route: self._held.append(route))
        page.route(re.compile(RUN), self._answer)

    def show(self) -> Page:
        self._page.goto("/charts/")
        self._page.add_script_tag(url="/static/progress/operation-progress.js", type="module")
        self._page.evaluate(ELEMENT, f"{RUN}/events")
        return self._page

    def poll(self) -> Page:
        """Show the run as it is where no stream gets through: it is asked for every other second."""
        self._page.unroute("**/api/events?**")
        self._page.route("**/api/events?**", lambda route: route.fulfill(status=502))
        page = self.show()
        expect(page.locator("operation-progress")).to_have_attribute("data-connection", "polling", timeout=30_000)
        return page

    def _answer(self, route: Route) -> None:
        if self.away:
            return route.abort()
        after = int((re.search(r"after=(\d+)", route.request.url) or "00")[1])
        items = [{"id": seq, "at": 0, **event} for seq, event in enumerate(self.log, 1) if seq > after]
        found = {"items": items, "next": None} if "/events" in route.request.url else self._snapshot()
        route.fulfill(json=found)

    def _snapshot(self) -> dict[str, Any]:
        return {"status": "running", "last_seq": len(self.log)}


def report(percentage: float | None, message: str, state: str = "running", **metadata: Any) -> dict[str, Any]:
    data = {"operation": "walk", "percentage": percentage, "message": message, "currentState": state}
    return {"type": "progress", "data": {**data, "metadata": {"etaMs": None, **metadata}}}


def failure(message: str, **metadata: Any) -> dict[str, Any]:
    return {"type": "error", "data": {"operation": "walk", "message": message, "metadata": metadata}}


@pytest.mark.parametrize(("position", "place"), [(1, "Next in line"), (23, "23rd in line")])
def test_a_place_in_the_queue(page: Page, position: int, place: str) -> None:
    Script(page, report(0, f"Waiting, number {position}", "queued", queuePosition=position)).show()
    expect(page.locator(".op-percentage")).to_have_text(place)
    expect(page.locator(".op-message")).to_have_text("Waiting to start")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuetext", f"{place}, Waiting to start")
    expect(page.locator(".op-live")).to_have_text("Waiting to start")


@pytest.mark.bumpy
def test_time_left_and_pace(page: Page) -> None:
    script = Script(page, report(20, "Walking", etaMs=118_000, elapsedMs=7_000))
    script.poll()
    time, live = page.locator(".op-time"), page.locator(".op-live")
    expect(time).to_have_text(re.compile(r"s, about 2 min left$"))
    script.log.append(report(30, "Walking", etaMs=42_000, elapsedMs=60_000, pace="slow"))
    expect(time).to_have_text(re.compile(r"s, about (45|40|35|30) s left$"), timeout=30_000)
    expect(page.locator(".op-pace")).to_have_text("Slower than usual")
    expect(live).to_have_text("Slower than usual")
    script.log.append(report(40, "Walking", etaMs=None, elapsedMs=61_000))
    expect(page.locator(".op-pace")).to_have_text("", timeout=30_000)
    expect(time).to_have_text(re.compile(r"^1 min \d+ s$"))
    script.log.append(report(40, "Walking", elapsedMs=62_000, pace="stalled"))
    expect(page.locator(".op-pace")).to_have_text(re.compile(r"^Nothing heard for \d"), timeout=30_000)
    expect(page.locator("operation-progress")).to_have_attribute("data-pace", "stalled")


@pytest.mark.bumpy
def test_silence_is_told_from_a_lost_connection_and_from_a_dead_worker(page: Page) -> None:
    page.clock.install()
    script = Script(page, report(20, "Walking", etaMs=30_000))
    script.poll()
    element, notice = page.locator("operation-progress"), page.locator(".op-notice")
    expect(element).to_have_attribute("data-pace", "usual")
    page.clock.fast_forward("00:41")
    expect(element).to_have_attribute("data-pace", "stalled")
    expect(page.locator(".op-pace")).to_have_text(re.compile(r"^Nothing heard for \d+ s$"))
    expect(page.locator(".op-time")).not_to_contain_text("left")
    expect(notice).to_have_text("")
    script.away = True
    expect(notice).to_have_text(re.compile("^Reconnecting"), timeout=30_000)
    expect(page.locator(".op-pace")).to_have_text("")
    script.away = False
    expect(notice).to_have_text("", timeout=30_000)
    script.log.append(failure("The process was stopped.", code="worker_lost", retryable=True))
    expect_status(page, "failed", seconds=30)
    expect(element).to_have_attribute("data-code", "worker_lost")
    expect(page.locator(".op-message")).to_have_text("The process was stopped.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.bumpy
def test_short_breaks_are_healed_without_a_word(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(60_000)  # from here on nothing but the test moves the clock
    Script(page, report(20, "Walking")).show()
    wait_until(page, lambda: page.evaluate("() => document.querySelector('operation-progress').state.percentage") == 20)
    page.clock.run_for(100)
    expect(page.locator(".op-message")).to_have_text("Walking")
    page.clock.run_for(2_500)
    expect(page.locator(".op-notice")).to_have_text("")
    page.clock.run_for(1_000)
    expect(page.locator(".op-notice")).to_have_text(re.compile("^Reconnecting"))


def test_cancelling_is_said_until_the_end(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=60)
    page = visit.page
    expect_status(page, "running")
    page.route("**/cancel", lambda route: route.fulfill(status=202, json={}))  # accepted, and not yet done
    button = page.locator(".op-button").first
    button.click()
    expect(button).to_have_text("Cancelling…")
    expect(button).to_be_disabled()
    page.evaluate("""() => {
      const reloaded = document.querySelector("operation-progress").cloneNode();
      reloaded.setAttribute("cancelling", "");  // as the server writes it
      document.querySelector("main").append(reloaded);
    }""")
    expect(page.locator("operation-progress").last.locator(".op-button").first).to_have_text("Cancelling…")
    page.unroute("**/cancel")
    visit.cancel()
    for shown in page.locator("operation-progress").all():
        expect(shown).to_have_attribute("data-status", "cancelled")
    expect(button).to_be_hidden()


@pytest.mark.bumpy
def test_a_refused_retry_says_why(page: Page) -> None:
    script = Script(page, failure("It failed.", code="unavailable", retryable=True))
    page.route(f"**{RUN}/retry", lambda route: route.fulfill(status=429, json={"detail": f"Too many. {HOSTILE}"}))
    script.show()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".op-notice")).to_have_text(f"Too many. {HOSTILE}")
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()


def test_hostile_texts_stay_texts(page: Page) -> None:
    child = {"id": HOSTILE, "operation": HOSTILE, "status": HOSTILE, "percentage": HOSTILE, "currentState": HOSTILE}
    hostile = {"pace": HOSTILE, "queuePosition": HOSTILE, "etaMs": HOSTILE, "elapsedMs": HOSTILE, "repair": HOSTILE}
    moving = report(20, HOSTILE, HOSTILE, children=[child], warnings=[HOSTILE, {"message": HOSTILE}], **hostile)
    moving["data"]["operation"] = HOSTILE
    ending = failure(HOSTILE, code=HOSTILE, retryable=HOSTILE, errorId=HOSTILE, **hostile)
    spoken = {"type": "content", "data": {"operation": HOSTILE, "content": HOSTILE}}
    queued = json.loads(json.dumps(moving).replace('"currentState"', '"state"', 1))
    queued["data"]["currentState"] = "queued"
    Script(page, queued, moving, spoken, ending).show()
    expect_status(page, "failed")
    for part in (".op-message", ".op-error-id", ".op-warnings", ".op-text", ".op-stages", ".op-live"):
        expect(page.locator(part)).to_contain_text("<script>alert(2)</script>", ignore_case=True)
    assert page.locator("main :is(img, script, [onerror], [onload])").count() == 0
