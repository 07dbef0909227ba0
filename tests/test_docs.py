"""What the documents say about the code is compared with the code."""

import ast
import asyncio
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import get_commands

from agentsite.agent.conf import DEFAULTS as AGENT_DEFAULTS
from agentsite.openapi import describe
from charts.checks import CHECKS
from charts.operations import ChartGeneration
from progress import ProgressEvent, stream_operation
from progress.conf import DEFAULTS
from progress.exceptions import CODES
from progress.operations import registry
from tests.services import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def read(name: str) -> str:
    return (ROOT / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def table(text: str, heading: str) -> list[list[str]]:
    """Read the first table under a heading of the second level, or of the page for "": its cells, without the head."""
    section = (text.split(f"\n## {heading}\n", 1)[1] if heading else text).split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    return [[cell.strip("`| ") for cell in row] for row in rows[1:]]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@by_name
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]*(?:#[^)\s]*)?)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@by_name
def test_tests_that_are_named_exist(page):
    for path in re.findall(r"tests/[\w/]+\.py", page.read_text()):
        assert (ROOT / path).exists(), path


@by_name
def test_python_examples_are_python(page):
    for block in blocks(page.read_text(), "python"):
        ast.parse(block)


@by_name
def test_commands_exist(page):
    text = page.read_text()
    assert set(re.findall(r"manage\.py (\w+)", text)) <= set(get_commands())
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make (\w+)", text, re.MULTILINE)) <= targets


@by_name
def test_says_nothing_about_the_machine_it_was_written_on(page):
    assert not re.search(r"\.\./shared|/work\b|/root\b|/tmp\b", page.read_text())


def test_every_page_is_linked_from_the_readme():
    assert set(re.findall(r"docs/[\w-]+\.md", read("README.md"))) == {f"docs/{page.name}" for page in PAGES[2:]}


def test_the_newest_change_has_the_version_of_the_package():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert re.findall(r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", read("CHANGELOG.md"), re.MULTILINE)[0] == version


def test_every_variable_of_the_environment_is_described():
    code = "".join(path.read_text() for path in (ROOT / "agentsite").rglob("*.py"))
    used = set(re.findall(r"\benv(?:\.\w+)?\(\s*\"(\w+)\"", code))
    assert "DATABASE_URL" in used
    assert sorted(row[0] for row in table(read("docs/settings.md"), "Environment")) == sorted(used)


@pytest.mark.parametrize(("heading", "defaults"), [("PROGRESS", DEFAULTS), ("AGENT", AGENT_DEFAULTS)])
def test_every_key_of_the_settings_is_described_with_its_default(heading, defaults):
    described = {key: default.replace(",", "") for key, default, _meaning in table(read("docs/settings.md"), heading)}
    assert described == {
        key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in defaults.items()
    }


def test_every_error_code_is_described():
    assert tuple(row[0] for row in table(read("docs/events.md"), "Errors")) == CODES


def test_every_call_of_the_api_is_listed():
    listed = [row[0] for row in table(read("docs/api.md"), "")]
    described = [f"{method.upper()} {path}" for path, item in describe()["paths"].items() for method in item]
    assert sorted(listed) == sorted(described)


def test_every_check_of_a_result_is_described():
    assert [row[0] for row in table(read("docs/charts.md"), "The checks")] == list(CHECKS)


def test_the_states_of_a_chart_are_described():
    described = {
        state: float(percentage.split()[0]) for state, percentage, _meaning in table(read("docs/charts.md"), "")
    }
    assert described == {name: state.percentage for name, state in ChartGeneration.declared_states().items()}


def test_the_examples_of_operations_work(monkeypatch):
    """Run what the README and docs/operations.md show, as a reader would."""
    examples = blocks(read("README.md"), "python") + blocks(read("docs/operations.md"), "python")[:2]
    params = [{"text": "a b c"}, {"path": "a/b"}, {"folder": "x y z"}]
    for source, given, expected in zip(examples, params, [3, 2, 3], strict=True):
        module = ModuleType("example")
        monkeypatch.setitem(sys.modules, "example", module)
        known = dict(registry)
        try:
            exec(source, module.__dict__)
            (name,) = set(registry) - set(known)
            events: list[ProgressEvent] = []
            result = asyncio.run(stream_operation(registry[name].model_validate(given), events.append))
        finally:
            registry.clear()
            registry.update(known)
        assert result == expected
        assert events[-1].type == "done"
        assert events[-1].data["metadata"]["result"] == expected
