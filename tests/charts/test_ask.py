import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from charts.management.commands.ask import _plain
from charts.models import Chart

from .case import ShopCase, make_slow_source

ROOT = Path(__file__).resolve().parents[2]


class TestAsk(ShopCase):
    def ask(self, *args):
        out = io.StringIO()
        call_command("ask", *args, stdout=out)
        return out.getvalue()

    def refused(self, *args):
        out = io.StringIO()
        with pytest.raises(SystemExit) as caught:
            call_command("ask", *args, stdout=out)
        return caught.value.code, out.getvalue()

    def test_an_answer(self):
        text = self.ask("orders by country")
        chart = Chart.objects.get()
        path = self.folder / "charts" / f"{chart.pk}.svg"
        assert "100%" in text
        assert chart.answer[:40] in text
        assert "Germany" in text
        assert f"Chart (bar) written to {path}" in text
        assert path.read_bytes().startswith(b"<svg")

    def test_each_format(self):
        for suffix, start in ((".png", b"\x89PNG"), (".json", b"{"), (".csv", b"Country,"), (".svg", b"<svg")):
            path = self.folder / f"new folder {suffix[1:]}" / f"chart{suffix}"
            self.ask("orders by country", "--out", str(path))
            assert path.read_bytes().startswith(start), suffix
        assert json.loads((self.folder / "new folder json" / "chart.json").read_text())["source"] == "sample"

    def test_only_the_first_rows_are_printed(self):
        text = self.ask("revenue per month", "--out", str(self.folder / "chart.json"))
        assert "and 17 more rows" in text

    def test_a_chart_type(self):
        assert "Chart (table)" in self.ask("orders by country", "--chart", "table", "--out", str(self.folder / "c.csv"))

    def test_a_follow_up(self):
        self.ask("orders by country", "--out", str(self.folder / "c.csv"))
        before = Chart.objects.get()
        assert "Chart (table)" in self.ask(
            "as a table", "--follows", str(before.pk), "--out", str(self.folder / "c.csv")
        )
        assert Chart.objects.get(follows=before).rows == before.rows
        with pytest.raises(CommandError, match="follows"):
            self.ask("as a table", "--follows", "yesterday")

    def test_what_is_not_understood(self):
        code, text = self.refused("revenue per flurbit")
        assert code == 1
        assert "“flurbit”" in text
        assert "Ask for example:" in text
        assert not Chart.objects.exists()

    def test_no_data_shows_the_query(self):
        code, text = self.refused("orders per month in 2031")
        assert code == 1
        assert "2031" in text
        assert "SELECT" in text

    def test_wrong_arguments(self):
        for args, part in (
            (["orders", "--out", "chart.pdf"], "must end in .svg, .png, .json, .csv"),
            ([" "], "question"),
            (["orders", "--chart", "cake"], "invalid choice"),
        ):
            with pytest.raises(CommandError, match=part):
                self.ask(*args)

    def test_an_unknown_source(self):
        code, text = self.refused("orders by country", "--source", "nowhere")
        assert (code, "there is sample" in text) == (1, True)

    def test_data_cannot_send_control_sequences(self):
        assert _plain("a\x1b[31mb\x07\nc").plain == "a\ufffd[31mb\ufffd\nc"

    def test_ctrl_c_ends_the_query(self):
        if connection.vendor != "sqlite":
            self.skipTest("the other process needs the test database's file")
        make_slow_source(self.folder)
        (self.folder / "other_settings.py").write_text(
            f"from tests.settings import *\nVAR_DIR = Path({str(self.folder)!r})\n"
            f"DATABASES['default']['NAME'] = {str(connection.settings_dict['NAME'])!r}\n"
        )
        terminal, inside = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "manage.py", "ask", "number of visits by title", "--source", "slow"],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "other_settings", "PYTHONPATH": f"{self.folder}:{ROOT}"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        shown = b""
        try:
            while b"executing query" not in shown:
                shown += os.read(terminal, 1024)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 130, shown.decode()
            assert b"Cancelled." in os.read(terminal, 65536)
        finally:
            process.kill()
            process.wait()
            os.close(terminal)
        assert not Chart.objects.exists()
