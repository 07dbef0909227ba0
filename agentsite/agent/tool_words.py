"""What people read of a call of a tool: while it goes on, when it is done, and where it failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# In braces: arguments. A phrase whose arguments are missing gives way to the general one.
WORDS: dict[str, tuple[str, str, str]] = {
    "make_chart": ("Making a chart", "Made a chart", "Could not make a chart of it"),
    "list_sources": ("Looking at what data there is", "Looked at what data there is", "Could not list the data"),
    "describe_table": ("Looking at {table}", "Looked at {table}", "Could not look at {table}"),
    "profile_column": (
        "Looking at {column} of {table}",
        "Looked at {column} of {table}",
        "Could not look at {column} of {table}",
    ),
    "run_query": ("Running a query", "Ran a query", "The query did not run"),
    "calculate": ("Calculating {expression}", "Calculated {expression}", "Could not calculate {expression}"),
}
GENERAL = ("Using {tool}", "Used {tool}", "{tool} failed")
SHOWN_VALUE = 60  # characters


def phrase(call: Mapping[str, Any]) -> str:
    """Say what became of a call, as `Message.tool_calls` keeps it."""
    moment = {"running": 0, "completed": 1}.get(str(call.get("status")), 2)
    name, arguments = str(call.get("name", "")), call.get("arguments") or {}
    wanted = WORDS.get(name, GENERAL)[moment]
    if any(not isinstance(arguments.get(key), str) for key in re.findall(r"{(\w+)}", wanted)):
        wanted = GENERAL[moment]
    label = name.replace("__", ": ").replace("_", " ") or "a tool"
    found = {"tool": label, **{key: _short(value) for key, value in arguments.items() if isinstance(value, str)}}
    text = re.sub(r"{(\w+)}", lambda at: found.get(at[1], at[1]), wanted)
    return text[:1].upper() + text[1:]


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= SHOWN_VALUE else f"{line[:SHOWN_VALUE]}…"
