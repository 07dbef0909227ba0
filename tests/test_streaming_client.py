"""docs/streaming-client.md is followed as a reader would: each example, as it stands, against a running site."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from tests.clients.node import FOLDER, Node
from tests.services import ROOT, site_server
from tests.test_docs import blocks

TEXT = (ROOT / "docs" / "streaming-client.md").read_text()
WRITTEN = "http://127.0.0.1:8000"  # where the page has the site
START = """const started = await fetch("/api/runs", {method: "POST", body: '{"operation": "demo", "params": {"seconds": 1}}',
  headers: {"Content-Type": "application/json", Prefer: "respond-async",
    "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content}});"""


@dataclass
class Reader:
    """Somebody who follows the page: in a folder of their own, with a token."""

    address: str
    folder: Path
    environment: dict[str, str]

    def example(self, language: str, mark: str) -> str:
        """The one example in `language` that has `mark` in it, asking the site that runs."""
        (found,) = [block for block in blocks(TEXT, language) if mark in block]
        return found.replace(WRITTEN, self.address)

    def run(self, *command: str, text: str = "", where: Path | None = None) -> str:
        environment = os.environ | self.environment | {"PYTHONPATH": str(ROOT)}
        environment.pop("DJANGO_SETTINGS_MODULE", None) if where is None else None
        done = subprocess.run(
            command, input=text, cwd=where or self.folder, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert command[0] == "bash" or not done.stderr, done.stderr  # curl shows how it gets on
        return done.stdout

    def bash(self, mark: str) -> str:
        return self.run("bash", "-euo", "pipefail", text=self.example("sh", mark))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    url = f"sqlite:///{folder}/site.sqlite3"
    with site_server(url) as address:
        site = {"DATABASE_URL": url, "SECRET_KEY": "of this test" * 5, "DJANGO_SETTINGS_MODULE": "agentsite.settings"}
        someone = Reader(address, folder, site)
        making = someone.example("sh", "create_token").replace(".venv/bin/python", sys.executable)
        token = someone.run("bash", "-eu", text=f"{making}\necho $TOKEN", where=ROOT).strip()
        someone.environment = {"TOKEN": token}
        yield someone


def test_every_example_is_run():
    counted = {language: len(blocks(TEXT, language)) for language in set(re.findall(r"^```(\w+)$", TEXT, re.MULTILINE))}
    assert counted == {"sh": 4, "js": 5, "jsx": 1, "python": 2}


class TestCurl:
    def test_shows_the_stream_of_a_run(self, reader):
        frames = reader.bash("curl -N").split("\n\n")
        assert frames[0].startswith("retry: ")
        assert '"type":"done"' in frames[-2]

    def test_a_script_gets_every_event_once(self, reader):
        assert re.fullmatch(r'\d+ \{"type":"done",.*\}\n', reader.bash("events.txt"))
        lines = (reader.folder / "events.txt").read_text().splitlines()
        assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
        # The same key on the same day: it is the same run again.
        again = reader.bash("events.txt")
        assert again == lines[-1] + "\n"


class TestNode:
    def test_a_program(self, reader, node: Node):
        reader.bash("curl -sSo client.mjs")
        program = reader.folder / "program.mjs"
        program.write_text(reader.example("js", "program.mjs"))
        said = reader.run(node.path, program.name)
        assert "100 Completed" in said
        assert re.search(r"^Revenue is highest .* /api/charts/.*\.png$", said, re.MULTILINE)

    def test_says_what_was_refused(self, reader, node: Node):
        reader.bash("curl -sSo client.mjs")
        program = reader.folder / "refused.mjs"
        program.write_text(reader.example("js", "program.mjs").replace("process.env.TOKEN", '"wrong"'))
        done = subprocess.run([node.path, program], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr.strip()) == (0, "This API token is not valid. 401 []")

    @pytest.mark.parametrize("mark", ["@ag-ui/client", "readUIMessageStream"])
    def test_other_clients(self, reader, node: Node, mark: str):
        """The published clients are installed beside the tests' own programs."""
        command = [node.path, "--no-warnings", "--input-type=module", "-"]
        said = reader.run(*command, text=reader.example("js", mark), where=FOLDER).splitlines()
        assert said[-1].startswith("Revenue is highest")
        assert len(said) > 3


class TestPython:
    def test_with_an_event_loop(self, reader):
        said = reader.run(sys.executable, "-W", "error", "-", text=reader.example("python", "asyncio"))
        assert "1 progress 0.0\n" in said
        assert "result {'steps': 10}\n" in said
        assert said.splitlines()[-1].startswith("Revenue is highest")

    def test_without_one(self, reader):
        said = reader.run(sys.executable, "-W", "error", "-", text=reader.example("python", "SyncClient"))
        assert re.search(r"^\d+ done\nresult \{'steps': 10\}$", said, re.MULTILINE)

    def test_copied_into_a_program_without_django(self, reader):
        package = reader.folder / "copied"
        package.mkdir()
        for name in ("client", "client_http", "client_sync"):
            shutil.copy(ROOT / "progress" / f"{name}.py", package)
        program = reader.example("python", "SyncClient").replace("progress.", "copied.")
        said = reader.run(
            sys.executable,
            "-",
            text=f"import sys\nsys.path[:] = ['.', *sys.path[2:]]\n{program}"
            "\nprint(sorted({'django', 'pydantic', 'progress'} & set(sys.modules)))",
        )
        assert said.splitlines()[-1] == "[]"


def test_on_a_page_of_the_site(reader: Reader, chromium: str):
    """An EventSource, then the module."""
    following = f"""async () => {{
      {reader.example("js", "new EventSource")}
      {START}
      const {{ id }} = await started.json(), seen = [];
      return new Promise((resolve) => follow(id, (event, number) => {{
        seen.push(Number(number));
        if (event.type === "done") resolve(seen);
      }}));
    }}"""
    module = reader.example("js", "/static/progress/client.js")
    said: list[str] = []

    async def visit(page: Page) -> list[int]:
        page.on("console", lambda message: said.append(message.text))
        await page.route("**/example.js", lambda route: route.fulfill(body=module, content_type="text/javascript"))
        await page.goto("/")
        seen = await page.evaluate(following)
        await page.add_script_tag(url="/example.js", type="module")
        while not said or not said[-1].startswith("result"):
            await asyncio.sleep(0.05)
        return seen

    async def browse() -> list[int]:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        async with asyncio.timeout(90), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu", *sandbox])
            seen = await visit(await browser.new_page(base_url=reader.address))
            await browser.close()
            return seen

    seen = asyncio.run(browse())
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > 5
    assert "1 0 Waiting to start" in said
    assert sum("word" in line for line in said) > 1


class TestVisitor:
    """Without a token a client is a visitor, the same one from its first answer on."""

    def test_node(self, reader, node: Node):
        reader.bash("curl -sSo client.mjs")
        program = """
          import { Client, RunFailed } from "./client.mjs";
          const client = new Client({ base: process.argv[2] });
          const run = await client.start({ operation: "demo", params: { seconds: 60 } });
          const seen = [];
          const end = await run
            .result({ event: ({ seq }) => seen.push(seq) === 3 && run.cancel() })
            .catch((error) => error);
          const again = await client.retry(run);
          await client.cancel(again.id);
          console.log(JSON.stringify([end instanceof RunFailed, end.code, seen.length > 3, again.id !== run.id]));
        """
        (reader.folder / "visitor.mjs").write_text(program)
        assert reader.run(node.path, "visitor.mjs", reader.address) == '[true,"cancelled",true,true]\n'

    def test_python(self, reader):
        program = f"""
            from progress.client import ApiError, RunFailed
            from progress.client_sync import SyncClient

            with SyncClient("{reader.address}") as client, SyncClient("{reader.address}") as other:
                run = client.start("demo", {{"seconds": 60}})
                for event in run:
                    if event.seq == 3:
                        break
                print(client.cancel(run.id)["detail"])
                for event in run:
                    pass
                print(event.data["metadata"]["code"], run.snapshot()["status"])
                again = client.retry(run.id)
                again.cancel()
                try:
                    client.result(again.id)
                except RunFailed as error:
                    print(error.code, error.retryable)
                try:
                    other.follow(run.id).result()
                except ApiError as error:
                    print(error.status)
        """
        said = reader.run(sys.executable, "-W", "error", "-", text=textwrap.dedent(program))
        assert said == "The run is ending.\ncancelled cancelled\ncancelled True\n404\n"
