import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import LazySettings

from agentsite.glance import SAMPLE_QUESTIONS, glance
from charts.models import Source, ensure_sample_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(tmp_path: Path, settings: LazySettings) -> Source:
    settings.VAR_DIR = tmp_path
    with closing(sqlite3.connect(tmp_path / "library.sqlite3")) as database, database:
        database.execute("CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, genre TEXT, pages INTEGER)")
        books = [(f"Book {number}", ("novel", "poetry")[number % 2], 100 + number) for number in range(40)]
        database.executemany("INSERT INTO books (title, genre, pages) VALUES (?, ?, ?)", books)
    return Source(slug="library", title="Library", location="library.sqlite3")


def test_tables_with_their_rows_and_columns(library: Source) -> None:
    (table,) = glance(library)["tables"]
    assert (table["name"], table["rows"]) == ("books", 40)
    assert [column["name"] for column in table["columns"]] == ["id", "title", "genre", "pages"]


def test_any_source_has_questions_to_start_with(library: Source) -> None:
    starters = glance(library)["starters"]
    assert len(starters) == 3
    assert any("genre" in question for question in starters)


def test_the_sample_has_questions_of_its_own() -> None:
    assert glance(ensure_sample_source())["starters"] == SAMPLE_QUESTIONS


def test_a_source_that_cannot_be_read_shows_nothing(library: Source) -> None:
    library.location = "../elsewhere.sqlite3"
    assert glance(library) == {"tables": [], "starters": ()}
    library.location = "gone.sqlite3"
    assert glance(library) == {"tables": [], "starters": ()}
