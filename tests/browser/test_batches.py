"""The page of a batch: one bar for the whole, a small one for each child."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visit import START, expect_status

pytestmark = pytest.mark.browser


def test_the_children_move_under_one_bar(page: Page) -> None:
    page.goto("/")
    slow, bad = {"seconds": 3, "steps": 30}, {"seconds": 0, "fail_at": 1}
    items = [{"operation": "demo", "params": params} for params in (slow, bad)]
    run = page.evaluate(START, ["batch", {"items": items}])
    page.goto(run["links"]["page"])
    children = page.locator(".op-child")
    expect(children).to_have_count(2)
    expect(children.nth(1)).to_have_attribute("data-status", "failed", timeout=30_000)
    expect(children.nth(1).locator(".op-child-state")).to_have_text("Failed")
    expect_status(page, "completed")
    expect(page.locator(".op-message")).to_have_text("1 of 2 completed")
    expect(children.first).to_have_attribute("data-status", "completed")
    children.first.get_by_role("link").click()
    expect(page).to_have_url(f"{run['links']['page']}".replace(run["id"], run["children"][0]["id"]))
    expect_status(page, "completed")
    page.get_by_role("link", name="The batch that this is part of").click()
    expect(page.locator(".op-child")).to_have_count(2)
