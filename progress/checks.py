"""System checks: settings that do not fit together are said at start-up, not when they hurt."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connection
from django.utils.module_loading import import_string

from .conf import DEFAULTS, setting
from .database import durability_gap
from .reporting import CONTENT_PIECE

SMALLEST_EVENT = 12 * CONTENT_PIECE + 2_000  # a character outside the BMP takes twelve bytes in JSON


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """PROGRESS holds only known keys, numbers where numbers are due, and limits that agree with each other."""
    given = getattr(settings, "PROGRESS", {})
    if not isinstance(given, dict):
        return [Error('PROGRESS must be a dict, such as {"HEARTBEAT": 15}.', id="progress.E001")]
    known = ", ".join(sorted(DEFAULTS))
    found: list[CheckMessage] = [
        Error(f"PROGRESS has no setting {key!r}.", hint=f"There are: {known}.", id="progress.E002")
        for key in given
        if key not in DEFAULTS
    ]
    for key, default in DEFAULTS.items():
        value = given.get(key, default)
        if isinstance(default, bool):
            if not isinstance(value, bool):
                found.append(Error(f"PROGRESS[{key!r}] must be True or False.", id="progress.E003"))
        elif isinstance(default, list):
            found += _check_hooks(key, value)
        elif default == 0:
            if type(value) is not int or value < 0:
                found.append(Error(f"PROGRESS[{key!r}] must be a whole number from 0 up.", id="progress.E003"))
        elif (
            isinstance(value, bool) or not isinstance(value, int | float) or not value > 0
        ):  # NaN is not above 0 either
            found.append(Error(f"PROGRESS[{key!r}] must be a number above 0.", id="progress.E003"))
    if not found and setting("LEASE_RENEW") * 2 > setting("LEASE"):
        found.append(
            Error(
                "PROGRESS['LEASE'] must be at least twice 'LEASE_RENEW', or one late renewal loses the run.",
                id="progress.E004",
            )
        )
    if not found and setting("EVENT_BYTES") < SMALLEST_EVENT:
        found.append(
            Error(
                f"PROGRESS['EVENT_BYTES'] must be at least {SMALLEST_EVENT:,}: one event holds 2,000 characters of text.",
                id="progress.E005",
            )
        )
    return found


def _check_hooks(key: str, paths: Any) -> list[CheckMessage]:
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str) for path in paths):
        return [Error(f"PROGRESS[{key!r}] must be a list of dotted paths.", id="progress.E006")]
    found: list[CheckMessage] = []
    for path in paths:
        try:
            hook = import_string(path)
        except Exception as error:  # whatever the module raises while it is imported
            found.append(Error(f"The hook {path!r} cannot be imported: {error}", id="progress.E006"))
            continue
        if not callable(hook):
            found.append(Error(f"The hook {path!r} is not a function.", id="progress.E006"))
        elif iscoroutinefunction(hook):
            hint = "A hook is called for each event and must return at once. Hand slow work to a task."
            found.append(Error(f"The hook {path!r} must not be async.", hint=hint, id="progress.E007"))
    return found


@register()
def check_server(**kwargs: Any) -> list[CheckMessage]:
    """Streams need ASGI: under WSGI Django collects the whole stream before it sends anything."""
    if getattr(settings, "ASGI_APPLICATION", None):
        return []
    return [
        Warning(
            "Progress streams need an ASGI server; ASGI_APPLICATION is not set.",
            hint="Serve the site with daphne or uvicorn.",
            id="progress.W001",
        )
    ]


@register(Tags.database)
def check_durability(databases: Iterable[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Events that somebody has seen survive a power cut."""
    if DEFAULT_DB_ALIAS not in (databases or ()) or not (gap := durability_gap()):
        return []
    return [Warning(f"A power cut can lose the last events that were seen: {gap}.", id="progress.W003")]


@register()
def check_sqlite(**kwargs: Any) -> list[CheckMessage]:
    """On SQLite a transaction must take its write lock when it begins."""
    if connection.vendor != "sqlite" or connection.settings_dict["OPTIONS"].get("transaction_mode") == "IMMEDIATE":
        return []
    hint = 'Set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"}.'
    return [
        Warning(
            'On SQLite without IMMEDIATE transactions, events can be refused with "database is locked".',
            hint=hint,
            id="progress.W002",
        )
    ]
