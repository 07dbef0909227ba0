"""The case that tests of saved charts build on: the sample shop in a folder of its own."""

import sqlite3
import tempfile
from contextlib import closing
from datetime import date
from pathlib import Path

from django.test import override_settings

from charts.models import Chart, Source, ensure_sample_source
from charts.sample import create_sample
from tests.progress.case import RunCase

TODAY = date(2026, 11, 22)


class ShopCase(RunCase):
    """`self.shop` is the sample source; nothing is read from or written to the checkout's own data."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.enterClassContext(override_settings(VAR_DIR=cls.folder))
        create_sample(cls.folder / "sample.sqlite3", today=TODAY)

    def setUp(self):
        super().setUp()
        self.shop = ensure_sample_source()


def make_slow_source(folder):
    """Save a source of two tables whose join has 400 million rows: "number of visits by title" takes minutes."""
    with closing(sqlite3.connect(folder / "slow.sqlite3")) as connection:
        connection.executescript("""
            CREATE TABLE pages (code TEXT, title TEXT);
            CREATE TABLE visits (id INTEGER PRIMARY KEY, page TEXT REFERENCES pages (code));
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            INSERT INTO pages SELECT 'a', 'title ' || (i % 7) FROM n;
            INSERT INTO visits (page) SELECT code FROM pages;
        """)
    return Source.objects.create(slug="slow", title="Slow", location="slow.sqlite3", is_public=True)


def make_chart(**values):
    """Save a small chart without running anything."""
    text = {"part": "dimension", "kind": "nominal"}
    number = {"part": "measure", "kind": "quantitative"}
    defaults = {
        "question": "orders by country",
        "title": "Orders by country",
        "answer": "Most are from Germany.",
        "chart_type": "bar",
        "sql": "SELECT 1",
        "dialect": "sqlite",
        "columns": [{"name": "c0", "label": "Country", **text}, {"name": "c1", "label": "Orders", **number}],
        "rows": [["Germany", 3], ["France", 2]],
        "spec": {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "title": {"text": ["Orders by country"]},
            "data": {"values": [{"c0": "Germany", "c1": 3}, {"c0": "France", "c1": 2}]},
            "height": 320,
            "mark": {"type": "bar"},
            "encoding": {"x": {"field": "c0", "type": "nominal"}, "y": {"field": "c1", "type": "quantitative"}},
        },
    }
    return Chart.objects.create(**{**defaults, **values})
