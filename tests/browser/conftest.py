"""A real site, served as `make run` serves it, and a real Chromium. Run these tests in a pytest process of their own."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.visit import Visit
from tests.services import free_port, running_site

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-gpu",
]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    started = playwright.chromium.launch(executable_path=chromium, args=FLAGS + sandbox)
    yield started
    started.close()


class Theatre:
    """A site that can be killed and started again, on the same port and database."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "site.sqlite3"
        self._settings = {
            "PORT": str(free_port()),
            "SECRET_KEY": "one key, so that sessions outlive a restart" * 2,
            "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
            "DEBUG": "off",
        }
        self._stack = ExitStack()

    def open(self) -> None:
        self._site = self._stack.enter_context(running_site(f"sqlite:///{self._file}", **self._settings))

    def kill(self) -> None:
        self._site.process.kill()
        self._site.process.wait()

    def close(self) -> None:
        self._stack.close()

    def prune(self, run: str, left: int) -> None:
        """Delete all but the last `left` events of a run."""
        with closing(sqlite3.connect(self._file)) as database, database:
            own = {"run": run.replace("-", ""), "left": left}
            database.execute(
                "DELETE FROM progress_operationevent WHERE run_id = :run AND seq <= "
                "(SELECT last_seq FROM progress_operationrun WHERE id = :run) - :left",
                own,
            )

    def add_source(self, slug: str, title: str) -> None:
        """Offer the sample data to everybody once more, under another name."""
        with closing(sqlite3.connect(self._file)) as database, database:
            row = {"slug": slug, "title": title, "now": datetime.now(UTC).isoformat(" ")}
            database.execute(
                "INSERT INTO charts_source (slug, title, kind, location, is_public, created_at, visitor) "
                "VALUES (:slug, :title, 'sqlite', 'sample.sqlite3', 1, :now, '')",
                row,
            )

    def remove_source(self, slug: str) -> None:
        with closing(sqlite3.connect(self._file)) as database, database:
            own = "SELECT id FROM charts_source WHERE slug = ?"
            database.execute(f"UPDATE charts_chart SET source_id = NULL WHERE source_id IN ({own})", [slug])
            database.execute("DELETE FROM charts_source WHERE slug = ?", [slug])

    @property
    def address(self) -> str:
        return self._site.address

    def errors(self) -> str:
        return self._site.errors()


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    place = Theatre(tmp_path_factory.mktemp("site"))
    place.open()
    yield place
    place.close()


@pytest.fixture
def visit(browser: Browser, theatre: Theatre, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A visitor with a browser of their own. What the page complains of fails the test, unless it is marked `bumpy`."""
    options = request.param if hasattr(request, "param") else {}
    visitor = Visit(browser.new_context(base_url=theatre.address, **options))
    yield visitor
    visitor.context.close()
    assert not visitor.foreign
    if "bumpy" not in request.keywords:
        assert not visitor.complaints


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.page


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "bumpy: the browser may report failed requests, as this test breaks some")
