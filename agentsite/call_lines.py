"""What came of calls of tools, in lines for people."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from agentsite.agent.tool_execution import ToolExecution
from progress.models import OperationRun

SAID = 300  # characters of a line
DETAILS = 4_000  # characters of a result shown in full


def call_lines(run: OperationRun) -> list[dict[str, Any]]:
    """Return a line for each call that `run` made: the tool, how it ended, what it said in short, and the whole of it."""
    return [_line(each) for each in _calls(run)]


def charts_of_calls(run: OperationRun) -> list[UUID]:
    """Return the charts that its calls made."""
    made = (each.get("result") for each in _calls(run) if each["name"] == "make_chart")
    return [UUID(result["id"]) for result in made if isinstance(result, dict) and "id" in result]


def about_calls(params: dict[str, Any]) -> str:
    """Name a run by what it is for, or by the tools that it calls."""
    return str(params.get("query") or ", ".join(dict.fromkeys(_label(each["name"]) for each in params["tools"])))


def _calls(run: OperationRun) -> list[dict[str, Any]]:
    if run.operation != ToolExecution.operation_name or not isinstance(run.result, dict):
        return []
    return list(run.result.get("results", ()))


def _line(call: dict[str, Any]) -> dict[str, Any]:
    about = {"tool": _label(call["name"]), "status": call["status"]}
    if call.get("error"):
        return {**about, "said": call["error"]["message"]}
    result = call["result"]
    said = _in_short(result)
    if call["name"] == "run_query" and isinstance(result, dict) and {"columns", "rows"} <= result.keys():
        return {**about, "said": said, "columns": result["columns"], "rows": result["rows"]}
    return {**about, "said": said, "details": "" if result == said else _written(result)}


def _label(name: str) -> str:
    return name.replace("__", ": ").replace("_", " ").capitalize()


def _in_short(result: Any) -> str:
    """Return what of a result is worth a line: an answer, a value, a number of rows, or itself where it is short."""
    if isinstance(result, dict):
        if "row_count" in result and "answer" not in result:
            return "1 row" if result["row_count"] == 1 else f"{result['row_count']:,} rows"
        found = next((result[key] for key in ("answer", "value", "note") if isinstance(result.get(key), str)), "")
        return found[:SAID]
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return text if len(text) <= SAID else ""


def _written(result: Any) -> str:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, indent=2)
    if len(text) <= DETAILS:
        return text
    return f"{text[:DETAILS]}\n… ({len(text) - DETAILS:,} more characters, which the API has)"
