"""The first page: a question becomes a chart with its receipt, or a question back."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Theatre
from tests.browser.visit import Visit, ask, expect_status

pytestmark = pytest.mark.browser

MEGABYTE = 1_000_000
NOTE_STAGES = """window.stages = new Set();
document.addEventListener("operation-progress", ({detail}) => window.stages.add(detail.data.currentState));"""


def expect_chart(page: Page) -> None:
    expect(page.locator("figure[data-drawn]")).to_be_visible(timeout=30_000)
    expect(page.locator("figure .canvas svg")).to_be_visible()


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_a_question_becomes_a_chart(page: Page) -> None:
    page.add_init_script(NOTE_STAGES)
    ask(page, "Revenue per month")
    expect(page.get_by_role("heading", level=2, name="Revenue per month")).to_be_visible()
    assert re.search(r"/\?conversation=[0-9a-f-]{36}$", page.url)
    expect_status(page, "completed")
    expect_chart(page)
    stages = page.evaluate("[...window.stages]")
    expected = [
        "planning",
        "understanding_schema",
        "generating_query",
        "executing_query",
        "validating_results",
        "transforming_data",
    ]
    assert [stage for stage in stages if stage in expected] == expected
    expect(page.locator(".answer")).to_have_text(re.compile(r"[A-Z].*\d"))
    receipt = page.locator(".receipt")
    expect(receipt.locator(".understood")).to_contain_text("revenue", ignore_case=True)
    expect(receipt.locator(".check").first).to_be_visible()
    expect(page.locator(".history a[aria-current]")).to_contain_text("just now")


def test_the_rows_the_sql_and_the_files_are_there(page: Page) -> None:
    ask(page, "Orders by country as a bar chart")
    expect_chart(page)
    page.locator("summary", has_text="The rows").click()
    expect(page.get_by_role("cell", name="Germany")).to_be_visible()
    page.get_by_text("The SQL that ran").click()
    expect(page.locator("pre code")).to_contain_text("SELECT")
    for kind in ("PNG", "SVG", "CSV", "JSON"):
        with page.expect_download() as download:
            page.locator(".exports").get_by_role("link", name=kind).click()
        assert Path(download.value.path()).stat().st_size > 100
        assert download.value.suggested_filename.endswith(kind.lower())


def test_a_reload_keeps_the_question_and_its_answer(page: Page) -> None:
    ask(page, "Top 10 products by revenue")
    expect_chart(page)
    page.reload()
    expect(page.get_by_role("heading", level=2, name="Top 10 products by revenue")).to_be_visible()
    expect_chart(page)
    expect(page.locator(".chart")).to_have_count(1)


def test_a_starter_asks_at_once_and_back_returns(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Average delivery days by carrier").click()
    expect_chart(page)
    page.go_back()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator(".history a")).to_have_count(1)
    page.locator(".history a").click()
    expect_chart(page)


def test_what_is_not_understood_leads_to_questions_that_work(page: Page) -> None:
    ask(page, "How many zeppelins flew over Atlantis?")
    expect_status(page, "completed")
    expect(page.locator(".call")).to_have_text("Could not make a chart of it")
    expect(page.locator(".answer")).to_contain_text("“zeppelins”")
    choices = page.locator(".outcome .choice")
    expect(choices).to_have_count(3)
    first = choices.first.inner_text()
    choices.first.click()
    expect(page.get_by_role("heading", level=2, name=first)).to_be_visible()
    expect_chart(page)


def test_too_long_and_empty_questions_are_explained(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_have_text("Write a question first.")
    page.get_by_role("textbox").fill("x" * 4_012)
    expect(page.get_by_role("alert")).to_have_text("A question may have 4,000 characters; this one has 4,012.")
    page.get_by_role("textbox").press("Enter")
    expect(page.locator(".turn")).to_have_count(0)
    assert page.url.endswith("/")


def test_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.get_by_role("textbox").focus()
    page.keyboard.type("Revenue")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("per month")
    expect(page.get_by_role("textbox")).to_have_value("Revenue\nper month")
    page.keyboard.press("Enter")
    expect_chart(page)
    summary = page.get_by_text("The SQL that ran")
    for _ in range(60):
        page.keyboard.press("Tab")
        if summary.evaluate("element => element.closest('summary') === document.activeElement"):
            break
    assert summary.evaluate("element => getComputedStyle(element.closest('summary')).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("pre code")).to_be_visible()


def test_charts_are_listed_and_have_a_page(page: Page) -> None:
    page.goto("/charts/")
    expect(page.locator(".empty")).to_contain_text("No charts yet")
    ask(page, "Share of orders per segment")
    expect_chart(page)
    page.get_by_role("link", name="Charts").click()
    tile = page.locator(".tile")
    expect(tile).to_have_count(1)
    assert tile.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    tile.click()
    expect_chart(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Share of orders per segment")


@pytest.mark.parametrize(
    "visit",
    [
        pytest.param({"viewport": {"width": 360, "height": 780}, "color_scheme": "dark"}, id="narrow-dark"),
        pytest.param({"viewport": {"width": 360, "height": 780}}, id="narrow-light"),
        pytest.param({"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}, id="wide-dark"),
        pytest.param({"viewport": {"width": 1440, "height": 900}, "forced_colors": "active"}, id="forced-colours"),
        pytest.param({"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}, id="reduced-motion"),
    ],
    indirect=True,
)
def test_fits_the_screen_and_its_colours(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.goto("/")
    assert overflow(page) == 0
    ask(page, "Revenue by category and year")
    expect_chart(page)
    assert overflow(page) == 0
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.locator("figure").first.get_attribute("data-drawn") == ("dark" if dark else "light")


def test_changing_to_dark_redraws_the_chart(page: Page) -> None:
    ask(page, "Revenue per month")
    expect_chart(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("figure")).to_have_attribute("data-drawn", "dark")


def test_a_page_weighs_less_than_a_megabyte_and_a_half(visit: Visit) -> None:
    sizes: dict[str, int] = {}
    visit.context.on(
        "requestfinished", lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]})
    )
    ask(visit.page, "Revenue per month")
    expect_chart(visit.page)
    visit.page.wait_for_load_state("networkidle")
    assert 800_000 < sum(sizes.values()) < 1.5 * MEGABYTE


def test_one_of_several_sources_is_chosen(page: Page, theatre: Theatre) -> None:
    theatre.add_source("outlet", "Outlet")
    try:
        page.goto("/")
        page.get_by_role("textbox").fill("Revenue per month")
        page.get_by_role("combobox").select_option("Outlet")
        page.wait_for_url("**/?source=outlet&q=**")
        expect(page.get_by_role("heading", name="In Outlet")).to_be_visible()
        expect(page.get_by_role("textbox")).to_have_value("Revenue per month")
        page.get_by_role("textbox").press("Enter")
        expect_chart(page)
        expect(page.locator(".receipt")).to_contain_text("rows from Outlet")
        page.reload()
        expect(page.get_by_role("combobox")).to_have_value("outlet")
    finally:
        theatre.remove_source("outlet")


@pytest.mark.bumpy
def test_a_chart_that_cannot_be_drawn_is_shown_as_its_picture(page: Page) -> None:
    page.route("**/vendor/vega.js", lambda route: route.abort())
    ask(page, "Revenue per month")
    expect(page.locator("figure .canvas img")).to_be_visible(timeout=30_000)


@pytest.mark.bumpy
def test_a_server_that_cannot_be_reached_keeps_the_question(page: Page) -> None:
    page.goto("/")
    page.route("**/api/agent/chat", lambda route: route.abort())
    page.get_by_role("textbox").fill("Revenue per month")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(page.get_by_role("textbox")).to_have_value("Revenue per month")
