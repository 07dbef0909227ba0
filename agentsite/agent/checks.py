"""System checks: a model that cannot be used is said at start-up, with what would be right."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from .conf import DEFAULTS
from .llm.choice import allowed_models, choose


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """AGENT holds only known keys, and numbers where numbers are due."""
    given = getattr(settings, "AGENT", {})
    if not isinstance(given, dict):
        return [Error('AGENT must be a dict, such as {"MODEL": "offline"}.', id="agent.E001")]
    known = ", ".join(sorted(DEFAULTS))
    found: list[CheckMessage] = [
        Error(f"AGENT has no setting {key!r}.", hint=f"There are: {known}.", id="agent.E002")
        for key in given
        if key not in DEFAULTS
    ]
    for key, default in DEFAULTS.items():
        value = given.get(key, default)
        wrong = _wrong(value, default)
        if wrong:
            found.append(Error(f"AGENT[{key!r}] must be {wrong}.", id="agent.E003"))
    return found


def _wrong(value: Any, default: Any) -> str:
    """Say what a value should have been; "" where it is right."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "True or False"
    if isinstance(default, int | float):
        right = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        return "" if right else "a number above 0"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "a text"
    return "" if isinstance(value, type(default)) else f"a {type(default).__name__}"


@register()
def check_models(**kwargs: Any) -> list[CheckMessage]:
    """The models of AGENT exist, their packages are installed and their keys are set."""
    if any(each.id == "agent.E001" or "MODEL" in each.msg for each in check_settings()):
        return []
    found: list[CheckMessage] = []
    for model in allowed_models():
        try:
            choose(model)
        except ImproperlyConfigured as error:
            found.append(Error(str(error), id="agent.E004"))
    return found
