"""The element follows a run to its end, whatever happens to the page, the connection or the server."""

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Theatre
from tests.browser.visit import COLLECT, Visit, expect_status, wait_until

pytestmark = pytest.mark.browser

EVENTS = re.compile(r"/api/(runs/[0-9a-f-]+/)?events")


def stages(page: Page, status: str) -> list[str]:
    return page.locator(f".op-stage.op-{status}").all_text_contents()


def is_stream(route: Route) -> bool:
    return "text/event-stream" in route.request.headers.get("accept", "")


def test_names_each_stage_as_it_comes(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=9)
    page = visit.page
    current = page.locator('.op-stage[aria-current="step"]')
    expect(page.locator(".op-pending")).to_have_text(["Acting", "Bowing"])
    expect(current).to_have_text(["Acting", "Lighting"])
    expect(page.locator(".op-group-name")).to_have_text(["Rehearsal", "Scene"])
    expect(current).to_have_text(["Acting", "Playing"])
    expect(current).to_have_text(["Bowing"])
    expect_status(page, "completed")
    assert stages(page, "done") == ["Reading", "Acting", "Bowing", "Lighting", "Playing"]
    expect(page.locator(".op-warnings li")).to_have_text(["The curtain was late."])


def test_tells_assistive_technology(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=3)
    page = visit.page
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^\d+ %, \w+"))
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[3-8]\d$"))
    live = page.locator(".op-live")
    expect(live).to_have_attribute("aria-live", "polite")
    expect(live).to_have_text("Bowing")
    expect(live).to_have_text("Completed")


def test_an_operation_of_unknown_size_has_no_value(visit: Visit) -> None:
    page = visit.page
    page.goto("/charts/")
    page.evaluate("""async () => {
      const {RunState} = await import("/static/progress/run-state.js");
      const {RunView} = await import("/static/progress/run-view.js");
      const state = new RunState(), host = document.querySelector("main");
      const metadata = {indeterminate: true, etaMs: null, elapsedMs: 1};
      const data = {operation: "walk", percentage: null, message: "Walking", currentState: "running", metadata};
      state.apply({type: "progress", data});
      new RunView(host, {cancel() {}, retry() {}}).render(state);
    }""")
    bar = page.get_by_role("progressbar")
    assert bar.get_attribute("aria-valuenow") is None
    expect(bar).to_have_attribute("aria-valuetext", "Walking")
    expect(bar).to_have_class("op-bar op-indeterminate")


def test_text_is_shown_as_text(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=2, text="<img src=x onerror=alert(1)><script>alert(2)</script> & more")
    expect(visit.page.locator(".streamed")).to_have_text("<img src=x onerror=alert(1)><script>alert(2)</script> & more")
    expect_status(visit.page, "completed")
    visit.page.wait_for_load_state("networkidle")
    expect(visit.page.locator(".streamed")).to_contain_text("<script>alert(2)</script>")
    assert visit.page.locator("main img, main script[src='']").count() == 0


def test_a_reload_in_the_middle_goes_on(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=9)
    page = visit.page
    expect(page.locator('.op-stage[aria-current="step"]')).to_have_text(["Acting", "Lighting"])
    page.reload()
    expect(page.locator(".op-done").first).to_have_text("Reading")
    expect_status(page, "running")
    expect_status(page, "completed")
    numbers = page.locator("#timeline tr").evaluate_all("rows => rows.map(row => Number(row.dataset.seq))")
    assert numbers == list(range(1, len(numbers) + 1))


def test_cancel(visit: Visit) -> None:
    visit.follow("rehearsal", seconds=60)
    page = visit.page
    page.get_by_role("button", name="Cancel").click()
    expect_status(page, "cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(page.locator(".op-message")).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_failure_says_why_and_can_be_tried_again(visit: Visit) -> None:
    run = visit.follow("rehearsal", seconds=0.3, fail="The stage is under water.")
    page = visit.page
    expect_status(page, "failed")
    expect(page.locator(".op-message")).to_have_text("The stage is under water.")
    assert stages(page, "failed") == ["Acting"]
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(lambda url: "/runs/" in url and run["id"] not in url)
    expect_status(page, "failed")


def test_a_run_of_somebody_else_is_not_there(visit: Visit, browser, theatre: Theatre) -> None:
    visit.page.goto("/charts/")
    run = visit.start("rehearsal", seconds=0)
    other = browser.new_context(base_url=theatre.address).new_page()
    assert other.goto(f"/runs/{run['id']}/").status == 404
    expect(other.get_by_role("heading", level=1)).to_have_text("There is nothing at this address")
    other.add_script_tag(url="/static/progress/operation-progress.js", type="module")
    other.evaluate(
        "url => document.querySelector('main').innerHTML = `<operation-progress src=${url}>`", run["links"]["events"]
    )
    expect_status(other, "gone")
    other.context.close()


@pytest.mark.bumpy
def test_a_killed_server_is_waited_for(visit: Visit, theatre: Theatre) -> None:
    visit.follow("rehearsal", seconds=30)
    page = visit.page
    expect(page.locator('.op-stage[aria-current="step"]')).to_have_text(["Reading"])
    theatre.kill()
    try:
        expect(page.locator(".op-notice")).to_have_text(re.compile("Reconnecting"), timeout=30_000)
    finally:
        theatre.open()
    expect_status(page, "failed", seconds=40)
    expect(page.locator(".op-message")).to_have_text(re.compile("process that executed this run was stopped"))
    page.get_by_role("button", name="Try again").click()
    expect_status(page, "running")
    page.get_by_role("button", name="Cancel").click()
    expect_status(page, "cancelled")


@pytest.mark.bumpy
def test_a_stream_that_the_server_refuses_is_opened_again(visit: Visit) -> None:
    refused = []

    def refuse_twice(route: Route) -> None:
        if is_stream(route) and len(refused) < 2:
            refused.append(route.request.url)
            return route.fulfill(status=503, body="deploying")
        route.continue_()

    visit.page.route(EVENTS, refuse_twice)
    visit.follow("rehearsal", seconds=6)
    expect(visit.page.locator("operation-progress")).to_have_attribute("data-connection", "live", timeout=15_000)
    expect_status(visit.page, "completed")
    assert len(refused) == 2


@pytest.mark.bumpy
def test_without_any_stream_it_polls(visit: Visit) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=502, body="no streams here") if is_stream(route) else route.continue_()

    visit.page.route(EVENTS, refuse)
    visit.follow("rehearsal", seconds=9)
    expect(visit.page.locator("operation-progress")).to_have_attribute("data-connection", "polling", timeout=15_000)
    expect_status(visit.page, "completed", seconds=30)


def test_a_mute_stream_is_noticed(visit: Visit) -> None:
    page = visit.page
    page.clock.install()
    held: list[Route] = []
    page.route(EVENTS, lambda route: held.append(route) if is_stream(route) else route.continue_())
    visit.follow("rehearsal", seconds=60)
    expect_status(page, "running")
    wait_until(page, lambda: bool(held))
    visit.cancel()
    expect_status(page, "running")
    page.clock.fast_forward("00:46")
    expect_status(page, "cancelled", seconds=30)
    for route in held:
        route.abort()


def test_a_skipped_number_is_fetched(visit: Visit) -> None:
    """The stream leaves events out and repeats others; the page asks for what is missing and shows each once, in order."""
    page = visit.page
    page.add_init_script(COLLECT)
    page.goto("/charts/")
    run = visit.start("rehearsal", seconds=4)
    streams = []

    def leave_out(route: Route) -> None:
        if not is_stream(route) or streams:
            return route.continue_()
        streams.append(route.request.url)
        data = {"operation": "rehearsal", "percentage": 1, "message": "", "currentState": "reading", "metadata": {}}
        frames = [
            f"id: x\ndata: {json.dumps({'run': run['id'], 'id': number, 'type': 'progress', 'data': data})}\n\n"
            for number in (1, 1, 900)
        ]
        route.fulfill(content_type="text/event-stream", body="retry: 100\n\n" + "".join(frames))

    page.route(EVENTS, leave_out)
    page.goto(f"/runs/{run['id']}/")
    expect_status(page, "completed", seconds=30)
    seen = page.evaluate("window.seen")
    assert seen == list(range(1, len(seen) + 1))
    assert len(streams) == 1


@pytest.mark.parametrize("left", [0, 2])
def test_a_pruned_log_is_no_riddle(visit: Visit, theatre: Theatre, left: int) -> None:
    """What the log has no more, the run itself still says."""
    page = visit.page
    page.goto("/charts/")
    run = visit.start("rehearsal", seconds=0)
    page.wait_for_function(
        "async url => (await (await fetch(url)).json()).status === 'completed'", arg=run["links"]["self"]
    )
    theatre.prune(run["id"], left)
    page.goto(f"/runs/{run['id']}/")
    expect_status(page, "completed")
    expect(page.locator(".op-warnings li")).to_have_text(["The curtain was late."])


def test_the_back_button_shows_the_run_again(visit: Visit) -> None:
    run = visit.follow("rehearsal", seconds=3)
    visit.page.goto("/charts/")
    visit.page.go_back()
    assert visit.page.url.endswith(f"/runs/{run['id']}/")
    expect_status(visit.page, "completed")
