"""The rules of the house: who may import whom, what an import costs, and what `progress` needs."""

import ast
import json
import os
import subprocess
import sys
import textwrap

import pytest

import progress
from tests.services import ROOT

# An application may import itself and what stands below it.
BELOW = {"progress": set(), "charts": {"progress"}, "agentsite": {"progress", "charts"}}
HEAVY = {
    "sqlglot",
    "vl_convert",
    "pydantic_ai",
    "duckdb",
    "openai",
    "anthropic",
    "pandas",
    "numpy",
    "playwright",
    "google.genai",
    "httpx",
    "httpx2",
    "mcp",
    "jsonschema",
}
# Where a task is held until it ends; anywhere else the loop's weak reference would be the only one.
HOLDS_ITS_TASKS = {
    ("progress/backends/asyncio.py", "_create"): "_tasks",
    ("progress/backends/procrastinate.py", "work"): "awaited at its end",
    ("progress/batch.py", "perform"): "awaited at its end",
    ("progress/bell.py", "_flush"): "_sending",
    ("progress/consumers.py", "_serve"): "awaited at its end",
    ("progress/execution.py", "__init__"): "the execution",
    ("progress/orchestrator.py", "stream_operation"): "awaited at its end",
}


def sources(package):
    return sorted(path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts)


def name_of(path):
    return str(path.relative_to(ROOT))


def imported(path):
    """Return the first part of the name of each module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import that climbs out of its package would get around this test.
            assert node.level < len(path.relative_to(ROOT).parts), name_of(path)
            if node.level == 0:
                yield (node.module or "").split(".")[0]


def python(code, **environment):
    """Execute `code` in a fresh process, without this one's settings, and return the JSON that it prints last."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "COVERAGE"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("package", BELOW)
def test_imports_lead_downwards(package):
    above = BELOW.keys() - BELOW[package] - {package}
    found = {(name_of(path), name) for path in sources(package) for name in imported(path) if name in above}
    assert found == set()


@pytest.mark.parametrize("package", BELOW)
def test_nothing_imports_the_tests_or_their_tools(package):
    tools = {"tests", "pytest", "hypothesis", "jsonschema", "schemathesis", "httpx", "httpx_sse", "playwright"}
    found = {(name_of(path), name) for path in sources(package) for name in imported(path) if name in tools}
    installed_by_extras = {
        ("progress/client.py", "httpx"),
        ("progress/client_http.py", "httpx"),
        ("agentsite/agent/tools/mcp.py", "jsonschema"),
    }
    assert found - installed_by_extras == set()


def test_the_public_names_of_progress():
    assert len(progress.__all__) <= 12
    assert list(progress.__all__) == sorted(set(progress.__all__), key=lambda name: (name[0].islower(), name))
    for name in progress.__all__:
        public = getattr(progress, name)
        assert public.__module__.startswith("progress."), name
        assert public.__doc__, name
    assert {name for name in vars(progress) if name[0].isupper()} - {"Any", "TYPE_CHECKING"} <= set(progress.__all__)
    with pytest.raises(AttributeError, match="module 'progress' has no attribute 'stop'"):
        progress.stop  # noqa: B018


def modules(package):
    for path in sources(package):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_module_of_progress_says_what_it_is():
    silent = [
        name_of(path)
        for path in sources("progress")
        if path.read_text().strip()
        and "commands" not in path.parts
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_module_can_be_the_first_to_be_imported():
    """Two modules that import each other work in one order only."""
    code = """
        import importlib, json, os, sys
        import django, sqlglot.optimizer  # what takes long once need not take long a hundred times
        django.setup()
        broken = []
        for name in json.loads(os.environ["MODULES"]):
            pid = os.fork()
            if not pid:
                try:
                    importlib.import_module(name)
                except Exception as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    os._exit(1)
                os._exit(0)
            if os.waitpid(pid, 0)[1]:
                broken.append(name)
        print(json.dumps(broken))
    """
    # Below a package the package itself is always the first, and to import agentsite.asgi starts threads.
    names = [name for package in BELOW for name in modules(package) if name.count(".") < 2 and name != "agentsite.asgi"]
    assert python(code, DJANGO_SETTINGS_MODULE="tests.settings", MODULES=json.dumps(names)) == []


def test_every_task_is_held_by_somebody():
    makers = {"create_task", "ensure_future"}
    found = set()
    for path in sources("progress"):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr in makers:
                    found.add((name_of(path), function.name))
    waited_for = {("progress/follow.py", "paced")}  # one pending step, ended in its `finally`
    assert found - waited_for == HOLDS_ITS_TASKS.keys()


def test_progress_needs_django_and_pydantic_alone(tmp_path):
    """In a project of its own, with every other package out of reach, it migrates, executes a run and keeps its log."""
    code = """
        import asyncio, importlib.abc, json, os, sys

        REACHABLE = {"progress", "django", "asgiref", "sqlparse"}
        REACHABLE |= {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}

        class Closed(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                top = name.partition(".")[0]
                if top not in REACHABLE and top not in sys.stdlib_module_names and not top.startswith("_"):
                    raise ImportError(f"{name} is out of reach")

        for name in [name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names]:
            if name != "__main__":
                del sys.modules[name]
        sys.meta_path.insert(0, Closed())

        import django
        from django.conf import settings

        apps = ["contenttypes", "auth", "sessions"]
        settings.configure(
            INSTALLED_APPS=[*(f"django.contrib.{app}" for app in apps), "progress"],
            DATABASES={"default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ["DATABASE"],
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
            }},
            TASKS={"default": {"BACKEND": "progress.backends.asyncio.AsyncioBackend"}},
            ASGI_APPLICATION="site.application",
            ROOT_URLCONF="progress.urls",
            SECRET_KEY="x",
            USE_TZ=True,
        )
        django.setup()
        from django.core.management import call_command
        from django.urls import get_resolver

        call_command("check", "--fail-level", "WARNING")
        call_command("migrate", verbosity=0)
        assert get_resolver().url_patterns

        from progress import start
        from progress.demo import Demo
        from progress.log import log
        from progress.testing import settle

        async def main():
            run = await start(Demo(seconds=0, steps=3))
            return [event.type async for event in log.subscribe(run.pk)]

        types = asyncio.run(main())
        settle()
        print(json.dumps(types))
    """
    assert python(code, DATABASE=str(tmp_path / "db.sqlite3"))[-1] == "done"


def test_the_client_needs_no_settings_and_no_site():
    code = """
        import json, sys
        import progress.client, progress.client_sync
        from django.conf import settings
        parts = {".".join(name.split(".")[:2]) for name in sys.modules if name.startswith(("progress.", "django.apps"))}
        heavy = {"httpx", "channels", "agentsite", "charts", "progress.models", "progress.runs", "django.apps"}
        print(json.dumps([settings.configured, sorted((set(sys.modules) | parts) & heavy)]))
    """
    assert python(code) == [False, []]


def test_the_site_starts_without_the_heavy_libraries():
    """They cost seconds: they are imported where they are used."""
    code = """
        import json, sys
        import django
        django.setup()
        from django.core.management import call_command
        from django.urls import get_resolver
        get_resolver().url_patterns
        print(json.dumps(sorted(sys.modules)))
    """
    loaded = python(code, DJANGO_SETTINGS_MODULE="tests.settings")
    assert HEAVY & set(loaded) == set()
