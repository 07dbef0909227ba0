"""Take the picture of the README: `python docs/screenshot.py`, with the site's own page, data and an installed Chromium."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).with_suffix(".png")
sys.path.insert(0, str(PICTURE.parent.parent))

from tests.services import program, site_server  # noqa: E402


def take(address: str) -> None:
    """Ask a question and photograph the answer."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1.5, color_scheme="light")
        page.goto(address)
        page.get_by_role("textbox").fill("Revenue per month")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator(".canvas svg").first.wait_for(timeout=60_000)
        page.screenshot(path=PICTURE, animations="disabled")
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, site_server(f"sqlite:///{folder}/site.sqlite3") as address:
        take(address)
    print(f"Wrote {PICTURE}")
