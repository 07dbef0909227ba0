"""The pages do their work with JavaScript switched off."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)]


def ask(page: Page, question: str) -> None:
    page.goto("/")
    page.get_by_role("textbox").fill(question)
    page.get_by_role("button", name="Ask").click()
    page.wait_for_url(re.compile(r"/\?conversation=[0-9a-f-]{36}$"))


def test_a_question_leads_to_a_chart(page: Page) -> None:
    ask(page, "Revenue per month")
    picture = page.locator("figure img")
    expect(picture).to_be_visible(timeout=30_000)  # the page reloads itself until then
    expect(page.locator(".call")).to_have_text("Made a chart")
    expect(page.locator(".answer")).to_have_text(re.compile(r"\d"))
    page.get_by_role("link", name="Link to this chart").click()
    expect(page.locator("figure img")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revenue per month")


def test_what_is_not_understood_is_said_with_links(page: Page) -> None:
    ask(page, "How many zeppelins flew over Atlantis?")
    choice = page.locator(".choice").first
    expect(choice).to_be_visible(timeout=30_000)
    question = choice.inner_text()
    choice.click()
    expect(page.get_by_role("textbox")).to_have_value(question)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator("figure img")).to_be_visible(timeout=30_000)


def test_a_run_is_cancelled_by_a_form(page: Page) -> None:
    page.goto("/charts/")
    token = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    headers = {"X-CSRFToken": token, "Prefer": "respond-async"}
    started = page.request.post(
        "/api/runs", headers=headers, data={"operation": "rehearsal", "params": {"seconds": 60}}
    )
    page.goto(started.json()["links"]["page"])
    expect(page.locator(".op-figures")).to_contain_text("%")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".op-message")).to_have_text("Cancelled.", timeout=15_000)


@pytest.mark.bumpy
def test_a_wrong_question_comes_back_with_its_text(page: Page) -> None:
    page.goto("/")
    page.get_by_role("textbox").fill("x" * 4_001)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#ask-error")).to_have_text("A question may have 4,000 characters; this one has 4,001.")
    expect(page.get_by_role("textbox")).to_have_value("x" * 4_001)
