import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import SimpleTestCase

from charts.render import Renderer, RenderFailed, as_picture, render
from charts.render.picture import draw
from charts.spec import themed
from charts.spec.vegalite import SpecRefused

from .test_spec import CASES, bars, spec_of

PNG = b"\x89PNG\r\n"


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.is_file() and "\nState:\tZ" not in status.read_text()


def ended(pid: int, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


class TestPictures(SimpleTestCase):
    async def test_every_chart_is_drawn_with_its_marks(self):
        for name, (asked, found) in CASES.items():
            svg = (await render(themed(spec_of(asked, found), dark=True), "svg")).decode()
            assert svg.startswith("<svg"), name
            assert "mark-" in svg, name
            assert "Infinity" not in svg, name
            assert "NaN" not in svg, name

    async def test_a_png_is_one(self):
        assert (await render(bars(), "png")).startswith(PNG)

    async def test_the_names_are_in_the_svg(self):
        svg = (await render(bars(), "svg")).decode()
        assert "France" in svg
        assert "(none)" in svg
        assert "Revenue (€)" in svg

    async def test_what_the_wall_refuses_is_not_drawn(self):
        spec = bars() | {"usermeta": {}}
        with pytest.raises(SpecRefused):
            await render(spec, "svg")

    async def test_the_loop_goes_on_while_a_picture_is_drawn(self):
        picture = asyncio.ensure_future(render(bars(), "png"))
        turns = 0
        while not picture.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 1
        assert (await picture).startswith(PNG)

    async def test_many_at_once_are_refused_beyond_a_limit(self):
        pictures = await asyncio.gather(*(render(bars(), "svg") for _ in range(40)), return_exceptions=True)
        refused = [found for found in pictures if isinstance(found, RenderFailed)]
        assert {found.code for found in refused} == {"unavailable"}
        assert len(refused) == 8


class TestPicture:
    def test_has_a_width_and_colours(self):
        picture = as_picture(bars())
        assert (picture["width"], picture["config"]["background"]) == (720, "#ffffff")
        assert as_picture(themed(bars(), dark=True))["config"]["background"] != "#ffffff"

    def test_the_renderer_fetches_nothing(self):
        spec = {"data": {"url": "http://127.0.0.1:9/data.json"}, "mark": "bar", "encoding": {}}
        with pytest.raises(ValueError, match="not allowed"):
            draw(spec, "svg")


class TestWorker(SimpleTestCase):
    def setUp(self):
        self.renderer = Renderer()
        self.addCleanup(self.renderer.close)

    async def test_is_another_process_and_stays(self):
        await self.renderer.render(bars(), "svg")
        first = self.renderer.worker_pid
        await self.renderer.render(bars(), "svg")
        assert first not in (None, os.getpid())
        assert self.renderer.worker_pid == first

    async def test_is_killed_and_replaced_when_a_picture_takes_too_long(self):
        await self.renderer.render(bars(), "svg")
        pid = self.renderer.worker_pid
        os.kill(pid, signal.SIGSTOP)
        self.renderer.timeout = 0.2
        with pytest.raises(RenderFailed, match=r"not ready within 0\.2 seconds") as caught:
            await self.renderer.render(bars(), "svg")
        assert caught.value.code == "timeout"
        assert ended(pid)
        self.renderer.timeout = 20.0
        assert (await self.renderer.render(bars(), "svg")).startswith(b"<svg")

    async def test_is_replaced_when_it_dies(self):
        await self.renderer.render(bars(), "svg")
        os.kill(self.renderer.worker_pid, signal.SIGKILL)
        with pytest.raises(RenderFailed, match="died"):
            await self.renderer.render(bars(), "svg")
        assert (await self.renderer.render(bars(), "svg")).startswith(b"<svg")

    async def test_what_cannot_be_drawn_is_told(self):
        self.renderer._submit = lambda spec, format: failed(ValueError("no such mark"))
        with pytest.raises(RenderFailed, match="could not be drawn: no such mark"):
            await self.renderer.render(bars(), "svg")


def failed(error: Exception) -> Future[bytes]:
    future: Future[bytes] = Future()
    future.set_exception(error)
    return future


PARENT = """
import asyncio, sys
from charts.render import Renderer
from tests.charts.test_spec import bars

async def main():
    renderer = Renderer()
    await renderer.render(bars(), "svg")
    print(renderer.worker_pid, flush=True)
    sys.stdin.read()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_worker_ends_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DJANGO_SETTINGS_MODULE": "agentsite.settings",
    }
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
        parent.wait()
    assert ended(pid)


class TestBuildVega:
    def build(self, settings, folder: Path) -> str:
        settings.VAR_DIR = folder
        out = StringIO()
        call_command("build_vega", stdout=out)
        return out.getvalue()

    def test_writes_a_module_and_then_knows_it(self, settings, tmp_path):
        script = tmp_path / "vendor" / "vega.js"
        assert "Wrote" in self.build(settings, tmp_path)
        text = script.read_text(encoding="utf-8")
        assert "vegaEmbed" in text.rsplit("export", 1)[1]
        before = script.stat().st_mtime_ns
        assert "up to date" in self.build(settings, tmp_path)
        assert script.stat().st_mtime_ns == before

    def test_writes_it_again_for_another_version(self, settings, tmp_path):
        folder = tmp_path / "vendor"
        folder.mkdir()
        (folder / "vega.js").write_text("old")
        (folder / "vega.stamp").write_text("vl-convert-python 0.1\n")
        assert "Wrote" in self.build(settings, tmp_path)
        assert (folder / "vega.js").stat().st_size > 500_000
