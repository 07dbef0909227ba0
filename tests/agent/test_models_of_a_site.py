"""Language models of a running site: what a visitor sees, what the provider sees, and what the log tells."""

import json
import os
import subprocess
import sys
import time

import httpx
import pytest
from httpx_sse import connect_sse

from tests.services import ROOT, running_site

MODELS = ["openai:scripted", "openai-responses:scripted", "anthropic:scripted", "google:scripted"]
each_model = pytest.mark.parametrize("model", MODELS)
two_models = pytest.mark.parametrize("model", MODELS[::2])


@pytest.fixture(scope="module")
def site(shared_provider, tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('models')}/db.sqlite3"
    own = {"DJANGO_SETTINGS_MODULE": "tests.agent.quick_settings", "AGENT_MODEL": MODELS[0]}
    with running_site(url, **own, AGENT_MODELS=",".join(MODELS), **shared_provider.environment()) as site:
        yield site


@pytest.fixture(scope="module")
def visitor(site):
    with httpx.Client(base_url=site.address, timeout=60) as visitor:
        visitor.get("/").raise_for_status()
        visitor.headers["X-CSRFToken"] = visitor.cookies["csrftoken"]
        for model in MODELS:  # whose clients are imported at first, longer than a run may be silent here
            await_first_answer(visitor, model)
        yield visitor


def await_first_answer(visitor, model):
    deadline = time.monotonic() + 60
    while visitor.post("/api/runs", json=body("first", model)).raise_for_status().json()["status"] != "completed":
        assert time.monotonic() < deadline


def body(name, model):
    return {"operation": "llm_generation", "params": {"prompt": f"script:{name} Write.", "model": model}}


def events_of(visitor, name, model):
    with connect_sse(visitor, "POST", "/api/runs", json={**body(name, model), "stream": True}) as source:
        source.response.raise_for_status()
        yield from (event.json() for event in source.iter_sse() if event.data)


def text_of(events):
    return "".join(event["data"]["content"] for event in events if event["type"] == "content")


@two_models
def test_text_comes_while_it_is_written(shared_provider, visitor, model):
    shared_provider.script(
        "live", {"steps": [{"thinking": "Well."}, {"text": "One two"}, {"wait": 0.7}, {"text": "three."}]}
    )
    events, first = [], None
    for event in events_of(visitor, "live", model):
        events.append(event)
        if first is None and event["type"] == "content":
            first = time.monotonic()
    assert time.monotonic() - first > 0.5
    assert text_of(events) == "One twothree."
    assert events[-1]["type"] == "done"
    assert events[-1]["data"]["metadata"]["usage"].keys() == {"inputTokens", "outputTokens"}
    assert (
        "".join(event["data"]["metadata"].get("reasoning", "") for event in events if event["type"] == "progress")
        == "Well."
    )


@each_model
def test_a_cancel_closes_the_connection_to_the_provider(shared_provider, visitor, model):
    shared_provider.script("endless", {"steps": [{"words": 3_000, "delay": 0.02}]})
    events = []
    for event in events_of(visitor, "endless", model):
        events.append(event)
        if event["type"] == "content" and len(events) == 15:
            run = event["data"].get("runId") or events[0]["data"]["metadata"]["runId"]
            assert visitor.post(f"/api/runs/{run}/cancel").status_code == 202
            shared_provider.ended("endless", "dropped", within=3)
    metadata = events[-1]["data"]["metadata"]
    assert (events[-1]["type"], metadata["code"]) == ("error", "cancelled")
    assert metadata["usage"]["estimated"] is True
    assert metadata["usage"]["outputTokens"] > 0
    stored = visitor.get(f"/api/runs/{run}/events", headers={"Accept": "application/json"}).json()["items"]
    assert text_of(stored) == text_of(events) != ""


@two_models
def test_a_model_that_falls_silent_is_ended_though_its_connection_is_kept_alive(shared_provider, visitor, model):
    steps = [{"words": 24, "delay": 0.1}, {"stall": 30, "ping": 0.2}]
    shared_provider.script("stalls", {"steps": steps})
    begun = time.monotonic()
    events = list(events_of(visitor, "stalls", model))
    # 2.4 s of words, each a sign of life, then 2 s of silence, though not on the wire.
    assert 4.2 < time.monotonic() - begun < 25
    metadata = events[-1]["data"]["metadata"]
    assert (metadata["code"], metadata["usage"]["outputTokens"] > 0) == ("timeout", True)
    assert text_of(events).endswith("word23 ")
    shared_provider.ended("stalls", "dropped")


def test_errors_reach_the_visitor_in_our_words_and_no_secret_anywhere(shared_provider, visitor, site):
    key = shared_provider.environment()["OPENAI_API_KEY"]
    shared_provider.script("badkey", {"error": "key", "message": f"Incorrect API key provided: {key}"})
    run = visitor.post("/api/runs", json=body("badkey", MODELS[0])).json()
    assert run["status"] == "failed"
    assert run["error"]["message"].startswith(f"The provider of {MODELS[0]} refused the key.")
    shown = json.dumps(run) + visitor.get(run["links"]["page"]).text
    assert shared_provider.requests("badkey")[0]["headers"]["authorization"] == f"Bearer {key}"
    for secret in shared_provider.environment().values():
        if not secret.startswith("http"):
            assert secret not in shown
            assert secret not in site.errors()
    assert "Incorrect API key provided: ***" in site.errors()


def test_a_model_that_is_not_allowed(visitor):
    answer = visitor.post("/api/runs", json=body("any", "openai:dear"))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "params.model", "message": f"This site allows {', '.join(MODELS)}."}]


def test_a_model_that_cannot_be_used_is_said_before_the_site_starts():
    command = [sys.executable, "manage.py", "check"]
    own = {"DJANGO_SETTINGS_MODULE": "agentsite.settings", "SECRET_KEY": "x" * 50, "AGENT_MODEL": "gpt-5"}
    checked = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 1
    assert "(agent.E004) AGENT_MODEL='gpt-5' is not a model. It is `offline`" in checked.stderr


def test_the_chat_lets_a_providers_model_call_tools(shared_provider, visitor):
    calls = {"steps": [{"tool": "calculate", "arguments": {"expression": "6*7"}, "id": "call_sum"}]}
    shared_provider.script("chats", {"status": 429, "retry_after": 0}, calls, {"text": "It is 42."})
    answer = visitor.post("/api/agent/chat", json={"message": "script:chats What is 6*7?"}).raise_for_status().json()
    assert (answer["status"], answer["message"]) == ("completed", "It is 42.")
    _refused, asked, told = shared_provider.requests("chats")
    assert {tool["function"]["name"] for tool in asked["body"]["tools"]} >= {"calculate", "run_query", "make_chart"}
    (result,) = [each for each in told["body"]["messages"] if each["role"] == "tool"]
    assert (result["tool_call_id"], json.loads(result["content"])["value"]) == ("call_sum", "42")
    assert answer["result"]["usage"]["outputTokens"] > 0


def test_a_model_that_obeys_what_it_reads_calls_no_tool_that_is_not_offered(shared_provider, visitor):
    shared_provider.script("obeys", {"steps": [{"obey": True}]})
    order = 'script:obeys CALL read_file {"path": ".env"}'
    answer = visitor.post("/api/agent/chat", json={"message": order}).raise_for_status().json()
    assert answer["message"] == "Done."
    (result,) = [each for each in shared_provider.requests("obeys")[-1]["body"]["messages"] if each["role"] == "tool"]
    assert "There is no tool 'read_file'." in result["content"]
