"""The API's description against the running site: what it says is what the site does."""

import json
import re
import tomllib

import hypothesis
import pytest
import requests
import schemathesis
from django.urls import URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from schemathesis import GenerationMode

from agentsite import api_docs, openapi
from agentsite.templatetags.api_docs import code, linked
from progress.dialects import FORMATS
from progress.operations import registry
from tests.services import ROOT, site_server

DESCRIPTION = openapi.describe()
CALLS = [
    pytest.param(path, method, mode, id=f"{method} {path} {mode.value}")
    for path, item in DESCRIPTION["paths"].items()
    for method, call in item.items()
    for mode in [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    if mode is GenerationMode.POSITIVE or "parameters" in call or "requestBody" in call  # else nothing can be invalid
    if path != "/api/events" or mode is GenerationMode.POSITIVE  # without `runs` it never ends
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with site_server(f"sqlite:///{tmp_path_factory.mktemp('openapi')}/site.sqlite3") as url:
        yield url


@pytest.fixture(scope="module")
def api(site):
    return schemathesis.openapi.from_url(f"{site}/api/openapi.json")


@pytest.fixture(scope="module")
def visitor(site):
    """A browser session that owns a run which has ended."""
    with requests.Session() as session:
        session.get(f"{site}/api/docs", timeout=30).raise_for_status()
        session.headers["X-CSRFToken"] = session.cookies["csrftoken"]
        demo = {"operation": "demo", "params": {"seconds": 0, "steps": 3, "content": 5}}
        answer = session.post(f"{site}/api/runs", json=demo, timeout=30)
        answer.raise_for_status()
        session.run = answer.json()["id"]
        yield session


@pytest.mark.parametrize(("path", "method", "mode"), CALLS)
def test_the_site_does_what_its_description_says(api, visitor, path, method, mode):
    own = {"id": visitor.run} if path.startswith("/api/runs/{id}") and mode is GenerationMode.POSITIVE else None

    @hypothesis.settings(max_examples=10, deadline=None, database=None, derandomize=True)
    @hypothesis.given(case=api[path][method].as_strategy(mode, path_parameters=own))
    def check(case):
        if mode is GenerationMode.POSITIVE:
            tame(case)
        hurry(case.body)
        if isinstance(case.query, dict) and case.query.get("format") in FORMATS:
            case.query.pop("format")  # on which it depends what a stream is made of
        if path == "/api/events":
            case.query = {**(case.query or {}), "runs": visitor.run}
        case.call_and_validate(session=visitor, timeout=60)

    check()


def tame(case):
    """Take out what no JSON Schema can exclude."""
    if isinstance(case.query, dict):
        case.query.pop("cursor", None)  # only the site makes valid ones
    if isinstance(case.body, dict):
        tame_start(case.body)


def tame_start(body):
    params = body.get("params", {})
    for values in (body, params):
        values |= {name: whole(value) for name, value in values.items()}
    for item in [*body.get("items", ()), *params.get("items", ())]:
        tame_start(item)


def hurry(body):
    """Let no demo take ten minutes, also where a request starts it although something else in it is wrong."""
    if isinstance(body, dict):
        if body.get("operation") == "demo" and isinstance(params := body.setdefault("params", {}), dict):
            params["seconds"] = 0
        for value in body.values():
            hurry(value)
    elif isinstance(body, list):
        for value in body:
            hurry(value)


def whole(value):
    """Write 3.0 as 3: the same number to JSON Schema, but not the same type to Python."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_every_address_of_the_api_is_described():
    described = set(DESCRIPTION["paths"])
    existing = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).replace("{pk}", "{id}") for route in routes(get_resolver())}
    assert {route for route in existing if route.startswith("/api/")} - {"/api/openapi.json", "/api/docs"} == described


def routes(resolver, prefix="/"):
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, route)
        elif isinstance(entry.pattern, RoutePattern):
            yield route


def test_every_reference_leads_to_a_schema():
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DESCRIPTION)))
    assert references <= set(DESCRIPTION["components"]["schemas"])


def test_the_version_is_that_of_the_package():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert DESCRIPTION["info"]["version"] == package["version"]


def test_every_operation_can_be_started_by_its_own_parameters():
    starts = DESCRIPTION["components"]["schemas"]["Start"]["anyOf"]
    names = {start["properties"]["operation"]["const"] for start in starts}
    # Other tests register operations of their own in this process.
    assert names >= {name for name, operation in registry.items() if not operation.__module__.startswith("tests.")}


class TestPage:
    def test_shows_every_call_and_type(self, client):
        page = client.get("/api/docs").content.decode()
        for path, item in DESCRIPTION["paths"].items():
            for method in item:
                assert f"<code>{method.upper()} {path}</code></h2>" in page
        for name in DESCRIPTION["components"]["schemas"]:
            assert f'id="type-{name}"' in page

    def test_needs_no_script(self, client):
        assert "<script" not in client.get("/api/docs").content.decode()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Run"}, "Run"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or null"),
        ({"enum": ["a", "b"]}, "'a' or 'b'"),
        ({"const": "demo"}, "'demo'"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": "object", "properties": {"x": {"type": "integer"}}}, "{x: integer}"),
        ({}, "any"),
    ],
)
def test_kinds_in_words(schema, words):
    assert api_docs.kind(schema) == words


def test_code_and_types_on_the_page_are_escaped():
    assert code("Send `<b>` or <i>") == "Send <code>&lt;b&gt;</code> or &lt;i&gt;"
    assert linked("list of Run or <x>", {"Run"}) == 'list of <a href="#type-Run">Run</a> or &lt;x&gt;'
