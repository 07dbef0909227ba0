"""Who may import whom, and what start-up may not load."""

import ast
import subprocess
import sys

import pytest

from tests.services import ROOT

BELOW = {"progress": {"progress"}, "charts": {"charts", "progress"}}
OURS = {"progress", "charts", "agentsite", "tests"}


@pytest.mark.parametrize("app", BELOW)
def test_an_app_imports_only_what_lies_below_it(app):
    imported = {name for path in (ROOT / app).rglob("*.py") for name in imports(path)}
    assert imported & OURS <= BELOW[app]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def run(source):
    return subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_start_up_loads_no_heavy_library():
    loaded = run("""
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
print(*{"sqlglot", "vl_convert", "pandas", "numpy"} & set(sys.modules))
""")
    assert loaded.strip() == ""


def test_progress_works_in_another_project_with_django_and_pydantic_alone():
    told = run("""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in "agentsite charts channels daphne twisted environ rich sqlglot tqdm vl_convert".split():
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "progress"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TASKS={"default": {"BACKEND": "progress.backends.asyncio.AsyncioBackend"}},
    ROOT_URLCONF="progress.urls",
    ASGI_APPLICATION="any",
)
django.setup()
from django.core.management import call_command
call_command("check")
from django.urls import get_resolver
print(len(get_resolver().url_patterns))
""")
    assert int(told.split()[-1]) > 0
