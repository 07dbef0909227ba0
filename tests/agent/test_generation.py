"""`llm_generation` through the providers' real clients, against a scripted provider."""

import asyncio
import logging
import time
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from pydantic import ValidationError

from agentsite.agent.generation import USUAL_LENGTH, LLMGeneration, share_written, usual_length
from progress import OperationFailed, ProgressEvent, stream_operation
from progress.models import OperationRun
from tests.services import free_port

WIRES = ["openai", "openai-responses", "anthropic", "google"]
each_wire = pytest.mark.parametrize("wire", WIRES)


class Generated:
    """What a generation reported, and how it ended."""

    def __init__(self, usual, *, agent=None, **params):
        self.events: list[ProgressEvent] = []
        self.error: OperationFailed | None = None
        self.result = None
        with override_settings(AGENT={"MODEL": usual, **(agent or {})}):
            asyncio.run(self._run(LLMGeneration.model_validate({"prompt": "Say something.", **params})))

    async def _run(self, operation):
        from agentsite.agent.llm.models import close_models

        try:
            self.result = await stream_operation(operation, self.events.append)
        except OperationFailed as error:
            self.error = error
        finally:
            await close_models()

    @property
    def last(self):
        return self.events[-1].data

    @property
    def metadata(self):
        return self.last["metadata"]

    @property
    def text(self):
        return "".join(event.data["content"] for event in self.events if event.type == "content")

    def of(self, key):
        """Return what the metadata of progress events says under `key`."""
        found = (event.data["metadata"].get(key) for event in self.events if event.type == "progress")
        return [each for each in found if each is not None]


@each_wire
def test_it_writes_what_the_model_says_apart_from_what_it_thinks(provider, wire):
    steps = [{"thinking": "Hm, what to say?"}, {"text": "Hello, wörld.\nAnd more."}]
    provider.script("says", {"steps": steps, "usage": {"input": 12, "output": 34}})
    done = Generated(f"{wire}:says", instructions="Be brief.")
    assert done.text == "Hello, wörld.\nAnd more."
    assert "".join(done.of("reasoning")) == "Hm, what to say?"
    usage = {"inputTokens": 12, "outputTokens": 34}
    assert done.result == {"text": done.text, "model": f"{wire}:says", "finishReason": "stop", "usage": usage}
    assert done.metadata["usage"] == usage
    states = [event.data["currentState"] for event in done.events if event.type == "progress"]
    assert list(dict.fromkeys(states)) == ["running", "connecting", "thinking", "writing", "completed"]
    (request,) = provider.requests("says")
    assert "Be brief." in str(request["body"])
    assert "Say something." in str(request["body"])
    assert request["ended"] == "done"


def test_what_it_is_asked_reaches_the_provider(provider):
    provider.script("asked", {"text": "a b", "finish": "length"})
    done = Generated("anthropic:asked", max_tokens=2, temperature=0.5)
    (request,) = provider.requests("asked")
    assert (request["body"]["max_tokens"], request["body"]["temperature"]) == (2, 0.5)
    assert done.result["finishReason"] == "length"


REFUSALS = {
    "key": ("unavailable", "refused the key"),
    "model": ("unavailable", "There is no model"),
    "quota": ("unavailable", "no credit left"),
    "context": ("limit_exceeded", "more text than"),
    "invalid": ("invalid_request", "cannot be asked this way"),
}


# Google says so of daily quotas only, in details that are not scripted.
@pytest.mark.parametrize(
    ("wire", "refused"), [(wire, each) for wire in WIRES for each in REFUSALS if (wire, each) != ("google", "quota")]
)
def test_a_refusal_says_what_to_do(provider, caplog, wire, refused):
    code, says = REFUSALS[refused]
    provider.script("refuses", {"error": refused})
    done = Generated(f"{wire}:refuses")
    assert (done.error.code, done.error.retryable) == (code, False)
    assert says in done.error.message
    assert f"{wire}:refuses" in done.error.message or refused == "quota"
    assert len(provider.requests("refuses")) == 1
    assert done.metadata["usage"] == {"inputTokens": 0, "outputTokens": 0}
    assert f"{wire}:refuses failed" in caplog.text


def test_no_key_is_shown_or_logged(provider, caplog):
    caplog.set_level(logging.DEBUG)
    key = provider.environment()["OPENAI_API_KEY"]
    provider.script(
        "tells", {"error": "key", "message": f"Incorrect API key provided: {key}; not sk-proj-Abcdef123456."}
    )
    done = Generated("openai:tells")
    assert "refused the key" in done.error.message
    assert "Incorrect API key provided: ***; not ***'" in caplog.text
    for secret in (key, "Abcdef123456"):
        assert secret not in caplog.text
        assert secret not in "".join(event.payload for event in done.events)


@each_wire
def test_content_that_the_provider_refuses(provider, wire):
    provider.script("declines", {"text": "I will", "finish": "content_filter"})
    done = Generated(f"{wire}:declines")
    assert (done.error.code, done.error.retryable) == ("not_allowed", False)
    assert done.text == "I will"


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_a_busy_model_is_asked_again_and_that_is_seen(provider, wire):
    provider.script(
        "busy", {"status": 429, "retry_after": 1}, {"error": "overloaded", "retry_after": 0}, {"text": "Now."}
    )
    begun = time.monotonic()
    done = Generated(f"{wire}:busy")
    assert done.text == "Now."
    assert time.monotonic() - begun >= 1
    assert done.of("retry") == [
        {"attempt": 2, "of": 5, "waitMs": 1000},
        {"attempt": 3, "of": 5, "waitMs": 0},
    ]
    messages = [event.data["message"] for event in done.events if event.type == "progress"]
    assert "The model is busy: trying again in 1 s, attempt 2 of 5" in messages
    assert len(provider.requests("busy")) == 3


def test_an_overload_that_is_told_within_the_stream_but_before_any_text(provider):
    provider.script("early", {"steps": [{"error": "overloaded"}]}, {"text": "Now."})
    done = Generated("anthropic:early", agent={"MODEL_ATTEMPTS": 2})
    assert done.text == "Now."
    assert [each["attempt"] for each in done.of("retry")] == [2]


def test_a_model_that_stays_busy_is_given_up(provider):
    provider.script("crowded", {"status": 429, "retry_after": 0})
    done = Generated("openai:crowded", agent={"MODEL_ATTEMPTS": 3})
    assert (done.error.code, done.error.retryable) == ("unavailable", True)
    assert "too many requests" in done.error.message
    assert len(provider.requests("crowded")) == 3


def test_a_wait_that_is_too_long_is_not_waited_for(provider):
    provider.script("later", {"status": 429, "retry_after": 600})
    done = Generated("openai:later")
    assert done.error.message.endswith("Try again in 10 minutes.")
    assert len(provider.requests("later")) == 1


@each_wire
@pytest.mark.parametrize("how", ["cut", "stop"])
def test_a_connection_that_breaks_is_an_error_and_the_text_stays(provider, wire, how):
    provider.script("breaks", {"steps": [{"text": "Half of the"}, {how: True}]})
    done = Generated(f"{wire}:breaks")
    assert (done.error.code, done.error.retryable) == ("unavailable", True)
    assert "broke before its answer was complete" in done.error.message
    assert done.text == "Half of the"
    assert done.metadata["usage"]["estimated"] is True
    assert done.metadata["usage"]["outputTokens"] == 3
    assert len(provider.requests("breaks")) == 1


@each_wire
def test_frames_that_cannot_be_read_are_an_error_and_the_text_stays(provider, wire):
    event = "event: content_block_delta\n" if wire == "anthropic" else ""
    provider.script("broken", {"steps": [{"text": "Half of the"}, {"raw": f"{event}data: {{broken\n\n"}]})
    done = Generated(f"{wire}:broken")
    assert done.error.message == f"The answer of {wire}:broken could not be read. Try again."
    assert done.error.code == "unavailable"
    assert done.text == "Half of the"


@pytest.mark.parametrize("wire", ["openai", "openai-responses", "anthropic"])
def test_an_error_after_the_first_text_is_not_tried_again(provider, wire):
    provider.script("late", {"steps": [{"text": "Half"}, {"error": "overloaded"}]}, {"text": "Other."})
    done = Generated(f"{wire}:late")
    assert done.error.code == "unavailable"
    assert done.text == "Half"
    assert len(provider.requests("late")) == 1


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_a_server_that_is_not_there(provider, monkeypatch, wire):
    variable = "OPENAI_BASE_URL" if wire == "openai" else "ANTHROPIC_BASE_URL"
    monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}/v1")
    done = Generated(f"{wire}:any")
    assert done.error.code == "unavailable"
    assert done.error.message == (
        f"The server of {wire}:any cannot be reached. Check that it runs, and {variable} where that is set."
    )
    assert [each["attempt"] for each in done.of("retry")] == [2]


@each_wire
def test_a_silence_ends_where_no_supervisor_watches_too(provider, wire):
    provider.script("hangs", {"steps": [{"text": "Half"}, {"stall": 60}]})
    with override_settings(PROGRESS={"IDLE_TIMEOUT": 1.0}):
        done = Generated(f"{wire}:hangs")
    assert (done.error.code, done.error.retryable) == ("timeout", True)
    assert done.error.message == f"Stopped: {wire}:hangs did not answer in time."
    assert done.text == "Half"
    provider.ended("hangs", "dropped")


def test_a_model_that_says_nothing(provider):
    provider.script("silent", {"text": ""})
    assert "answered without a word" in Generated("openai:silent").error.message


class TestBudget:
    def test_the_tokens_of_a_run_are_limited_with_a_warning_before(self, provider):
        provider.script("chatty", {"steps": [{"words": 2_000, "delay": 0.001}]})
        done = Generated("openai:chatty", agent={"RUN_TOKENS": 200})
        assert (done.error.code, done.error.retryable) == ("limit_exceeded", False)
        assert done.error.message == "Stopped: this took more than the 200 tokens that a run may use."
        assert done.of("warning") == ["80% of this run's 200 tokens are used"]
        usage = done.metadata["usage"]
        assert usage["estimated"] is True
        assert 200 <= usage["inputTokens"] + usage["outputTokens"] <= 210
        provider.ended("chatty", "dropped")
        assert done.text.startswith("word0 word1 ")

    def test_a_prompt_beyond_the_budget_is_not_sent(self, provider):
        provider.script("unasked", {"text": "x"})
        done = Generated("openai:unasked", agent={"RUN_TOKENS": 200}, prompt="word " * 1000)
        assert done.error.code == "limit_exceeded"
        assert provider.requests("unasked") == []

    def test_the_time_of_a_run_is_limited_with_a_warning_before(self, provider):
        provider.script("slow", {"steps": [{"words": 100, "delay": 0.05}]})
        done = Generated("anthropic:slow", agent={"RUN_SECONDS": 1.0})
        assert (done.error.code, done.error.retryable) == ("timeout", True)
        assert done.of("warning") == ["80% of this run's 1 seconds for the model are over"]
        provider.ended("slow", "dropped")
        assert done.text.startswith("word0 word1 ")

    def test_waiting_for_a_busy_model_takes_time_of_the_run_too(self, provider):
        provider.script("waits", {"status": 429, "retry_after": 30})
        begun = time.monotonic()
        assert Generated("openai:waits", agent={"RUN_SECONDS": 0.5}).error.code == "timeout"
        assert time.monotonic() - begun < 20


class TestModels:
    def test_only_models_that_the_site_allows(self):
        with override_settings(AGENT={"MODEL": "openai:usual", "MODELS": ["anthropic:other"]}):
            LLMGeneration(prompt="x", model="anthropic:other")
            with pytest.raises(ValidationError, match=r"This site allows openai:usual, anthropic:other\."):
                LLMGeneration(prompt="x", model="openai:dear")

    def test_another_model_than_the_usual_one(self, provider):
        provider.script("other", {"text": "I am the other."})
        done = Generated("openai:usual", agent={"MODELS": ["anthropic:other"]}, model="anthropic:other")
        assert done.text == "I am the other."
        assert provider.requests("other")[0]["path"] == "/v1/messages"

    def test_a_server_of_ones_own_needs_no_key_and_is_asked_for_chat_completions(self, provider, monkeypatch):
        monkeypatch.delenv("OPENAI_API_KEY")
        provider.script("local", {"text": "Hello."})
        assert Generated("openai:local").text == "Hello."
        assert provider.requests("local")[0]["path"] == "/v1/chat/completions"

    def test_a_model_that_cannot_be_used_ends_the_run_with_what_would_be_right(self, monkeypatch):
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        done = Generated("anthropic:some")
        assert (done.error.code, done.error.retryable) == ("unavailable", False)
        assert done.error.message == (
            "AGENT_MODEL='anthropic:some' needs ANTHROPIC_API_KEY, in the environment or in .env."
        )

    def test_an_address_that_is_set_but_empty_is_none(self, monkeypatch):
        """As it comes from compose.yaml where nobody gave one."""
        from agentsite.agent.llm.models import close_models, model_of

        async def addresses():
            found = [model_of(f"{name}:any").base_url for name in ("openai", "openai-chat", "anthropic")]
            await close_models()
            return found

        for name in ("OPENAI", "ANTHROPIC"):
            monkeypatch.setenv(f"{name}_BASE_URL", "")
            monkeypatch.setenv(f"{name}_API_KEY", "secret")
        assert [urlsplit(each).hostname for each in asyncio.run(addresses())] == [
            "api.openai.com",
            "api.openai.com",
            "api.anthropic.com",
        ]

    def test_offline_says_so(self):
        done = Generated("offline")
        assert "No language model" in done.text
        assert done.result["model"] == "offline"


class TestPercentage:
    def test_it_rises_with_the_text_and_stays_below_its_end(self):
        shares = [share_written(length, 1_000) for length in range(0, 20_000, 100)]
        assert shares == sorted(set(shares))
        assert shares[5] == 0.5
        assert shares[10] == pytest.approx(0.91, abs=0.01)
        assert 0.99 < shares[-1] < 1

    def test_it_is_shown_once_a_second_at_most(self, provider):
        provider.script("steady", {"steps": [{"words": 110, "delay": 0.02}]})
        done = Generated("openai:steady")
        writing = [event.data for event in done.events if event.data.get("currentState") == "writing"]
        assert 2 <= len(writing) <= 5
        percentages = [each["percentage"] for each in writing]
        assert percentages == sorted(percentages)
        assert 0 < percentages[-1] < 100

    @pytest.mark.django_db
    def test_the_usual_length_is_the_median_of_earlier_texts(self):
        assert usual_length() == USUAL_LENGTH
        for tokens in (100, 300, 5_000):
            OperationRun.objects.create(
                operation="llm_generation", status="completed", result={"usage": {"outputTokens": tokens}}
            )
        OperationRun.objects.create(operation="llm_generation", status="failed")
        OperationRun.objects.create(operation="llm_generation", status="completed", result={"usage": {}})
        assert usual_length() == 1_200
