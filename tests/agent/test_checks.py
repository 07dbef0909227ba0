"""What `manage.py check` says of AGENT and its models."""

import pytest
from django.test import override_settings

from agentsite.agent.checks import check_models, check_settings
from agentsite.agent.conf import DEFAULTS
from agentsite.agent.llm import choice
from agentsite.agent.llm.choice import PROVIDERS, choose

VARIABLES = {name for each in PROVIDERS.values() for name in (each.key, each.url)}


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def found(**agent):
    with override_settings(AGENT=agent):
        return [(each.id, each.msg) for each in (*check_settings(), *check_models())]


def test_nothing_is_wrong_with_the_defaults():
    assert found() == []
    assert found(**DEFAULTS) == []


def test_the_shape_of_the_settings():
    with override_settings(AGENT=["offline"]):
        assert [each.id for each in (*check_settings(), *check_models())] == ["agent.E001"]
    assert found(MODELL="offline") == [("agent.E002", "AGENT has no setting 'MODELL'.")]
    assert found(RUN_TOKENS=0) == [("agent.E003", "AGENT['RUN_TOKENS'] must be a number above 0.")]
    assert found(RUN_SECONDS=True) == [("agent.E003", "AGENT['RUN_SECONDS'] must be a number above 0.")]
    assert found(MODELS="openai:x") == [("agent.E003", "AGENT['MODELS'] must be a list.")]
    assert found(MODEL=None) == [("agent.E003", "AGENT['MODEL'] must be a text.")]


@pytest.mark.parametrize("model", ["gpt-5", "openai:", "openai: ", "ollama:qwen3", "", ":x", "Offline"])
def test_what_is_not_a_model(model):
    ((id, message),) = found(MODEL=model)
    assert id == "agent.E004"
    assert message == (
        f"AGENT_MODEL={model!r} is not a model. It is `offline`, which needs nothing, or `provider:name`, such as "
        "openai:gpt-5-mini, anthropic:claude-sonnet-4-6 or google:gemini-2.5-flash; "
        "for Ollama, vLLM or llama.cpp openai:<name of the model> with OPENAI_BASE_URL."
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_that_is_missing(provider, monkeypatch):
    key = PROVIDERS[provider].key
    expected = f"AGENT_MODEL='{provider}:any' needs {key}, in the environment or in .env."
    assert found(MODEL=f"{provider}:any") == [("agent.E004", expected)]
    monkeypatch.setenv(key, " ")
    assert found(MODEL=f"{provider}:any") == [("agent.E004", expected)]
    monkeypatch.setenv(key, "secret")
    assert found(MODEL=f"{provider}:any") == []
    assert "secret" not in repr(choose(f"{provider}:any"))


def test_a_package_that_is_missing(monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    ((_id, message),) = found(MODEL="anthropic:any")
    assert message.endswith("needs the package anthropic: `make setup` installs it with the other locked dependencies.")


def test_an_address_that_is_none(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:11434")
    ((_id, message),) = found(MODEL="openai:any")
    assert message.startswith("OPENAI_BASE_URL must be the address of a server")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:11434/v1")
    assert found(MODEL="openai:any") == []


def test_the_other_models_are_looked_at_too():
    ((_id, message),) = found(MODELS=["anthropic:any"])
    assert "needs ANTHROPIC_API_KEY" in message
