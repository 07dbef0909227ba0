"""Charts and runs as the templates show them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from textwrap import shorten
from typing import Any
from uuid import UUID

from agentsite.agent.conversations import conversation_id_of
from agentsite.agent.models import Conversation
from agentsite.agent.tool_execution import ToolExecution
from charts.figures import cell_text
from charts.models import Chart
from charts.plan import Grain
from charts.query import OutputColumn
from progress.batch import Batch
from progress.models import ACTIVE, OperationEvent, OperationRun, Status
from progress.owners import Owner

from .call_lines import about_calls, call_lines, charts_of_calls

SHOWN_ROWS = 200
PROMPT_LENGTH = 120  # characters of what a model is asked to write, as a heading
QUESTIONS_BACK = ("invalid_request", "no_data")  # codes of errors that say what to ask instead
OUTCOMES = {
    "pass": "fine",
    "warn": "note",
    "change": "changed",
    "repair": "repaired",
    "fail": "failed",
    "skip": "skipped",
}


def chart_card(chart: Chart) -> dict[str, Any]:
    """Return the API's JSON of `chart` with its rows and checks laid out for reading."""
    document = chart.as_json()
    columns = [_column(column) for column in chart.columns]
    checks = [{**check, "label": OUTCOMES.get(check["outcome"], check["outcome"])} for check in chart.checks]
    table = [
        [{"text": cell_text(cell, column), "numeric": column.kind == "quantitative"} for cell, column in pairs]
        for pairs in (zip(row, columns, strict=True) for row in chart.rows[:SHOWN_ROWS])
    ]
    return {
        **document,
        "created_at": chart.created_at,
        "follows": {"question": chart.follows.question, "url": chart.follows.get_absolute_url()}
        if chart.follows
        else None,
        "source": chart.source.title if chart.source else "a source that was deleted",
        "columns": [{"label": column.label, "numeric": column.kind == "quantitative"} for column in columns],
        "table": table,
        "more_rows": max(0, len(chart.rows) - SHOWN_ROWS),
        "drawn": bool(chart.spec) and chart.chart_type != "table",
        "conditions": _conditions(chart),
        "warnings": [warning for warning in chart.warnings if warning not in chart.answer],
        "findings": [check for check in checks if check["outcome"] != "pass"],
        "passed": [check for check in checks if check["outcome"] == "pass"],
    }


def _conditions(chart: Chart) -> list[str]:
    """Return the lines below the chart's title, less those that repeat a warning or speak of the picture's size."""
    title = chart.spec.get("title")
    lines = title.get("subtitle", []) if isinstance(title, dict) else []
    warned = " ".join(chart.warnings)
    return [line for line in lines if line not in warned and not line.startswith("The first ")]


def _column(saved: dict[str, Any]) -> OutputColumn:
    known = {name: saved[name] for name in ("name", "label", "part", "kind", "unit", "share") if name in saved}
    return OutputColumn(**known, grain=Grain(saved["grain"]) if saved.get("grain") else None)


def question_of(run: OperationRun) -> str:
    """Return the question that started `run`, or a name for a run that was no question."""
    if run.operation == Batch.operation_name:
        first, *others = run.params["items"]
        return f"Batch of {1 + len(others)}: {_about(first['operation'], first['params'])}{', …' if others else ''}"
    return _about(run.operation, run.params)


def _about(operation: str, params: dict[str, Any]) -> str:
    if operation == ToolExecution.operation_name:
        return about_calls(params)
    if prompt := params.get("prompt"):
        return shorten(str(prompt), PROMPT_LENGTH, placeholder=" …")
    return str(params.get("message") or params.get("question") or operation.replace("_", " ").capitalize())


def names_of_children(run: OperationRun) -> dict[str, str]:
    """Return what the children of a batch are about, by their ids."""
    return {str(child.pk): question_of(child) for child in run.children.only("operation", "params", "parent")}


def history(owner: Owner, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return the owner's latest conversations, and what else was asked, newest first."""
    active = OperationRun.objects.for_owner(owner).filter(operation="chat", status__in=ACTIVE)
    running = {conversation_id_of(run): run for run in active.only("id", "params", "status", "operation", "created_at")}
    conversations = Conversation.objects.for_owner(owner).order_by("-updated_at")
    known = set(conversations.filter(pk__in=running).values_list("pk", flat=True))
    entries = [_about_conversation(each, "running" if each.pk in running else "") for each in conversations[:limit]]
    # A conversation whose first run has not begun is not there yet.
    entries += [_about_run(run, f"/?conversation={pk}", run.status) for pk, run in running.items() if pk not in known]
    asked = OperationRun.objects.for_owner(owner).filter(operation__in=("chart_generation", "batch"), parent=None)
    others = asked.only("id", "params", "operation", "status", "error", "created_at").order_by("-created_at")[:limit]
    entries += [_about_run(run, f"/runs/{run.pk}/", standing_of(run)) for run in others]
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)[:limit]


def _about_conversation(conversation: Conversation, standing: str) -> dict[str, Any]:
    return {
        "id": conversation.pk,
        "url": f"/?conversation={conversation.pk}",
        "title": conversation.title or "Without words",
        "standing": standing,
        "at": conversation.updated_at,
    }


def _about_run(run: OperationRun, url: str, standing: str) -> dict[str, Any]:
    shown = "" if standing == "completed" else standing
    return {"id": run.pk, "url": url, "title": question_of(run), "standing": shown, "at": run.created_at}


def standing_of(run: OperationRun) -> str:
    """Return the run's status; an error that asks for another question is none of the machine's failures."""
    question = run.operation != Batch.operation_name
    asked_back = question and run.status == Status.FAILED and (run.error or {}).get("code") in QUESTIONS_BACK
    return "asked back" if asked_back else str(run.status)


def outcome_of(run: OperationRun) -> dict[str, Any] | None:
    """Return what came of `run`: its charts and answer, or what the error says could be asked instead; None while it is active."""
    if run.is_active:
        return None
    if run.status != Status.COMPLETED:
        return {"advice": advice_of(run.error or {})}
    result = run.result if isinstance(run.result, dict) else {}
    ids = _chart_ids(result) or charts_of_calls(run)
    found = Chart.objects.for_owner(run.owner).select_related("source", "follows").in_bulk(ids)
    charts = [chart_card(found[pk]) for pk in ids if pk in found]
    outcome = answered(result.get("message") or result.get("answer") or "", charts, result)
    return {**outcome, "calls": call_lines(run)}


def answered(text: str, charts: list[dict[str, Any]], advice: dict[str, Any]) -> dict[str, Any]:
    """Lay out an answer; what a chart says of itself is not said twice."""
    told = any(chart["answer"] == text for chart in charts)
    return {"answer": text, "prose": "" if told else text, "charts": charts, "advice": advice_of(advice)}


def _chart_ids(result: dict[str, Any]) -> list[UUID]:
    ids = [chart["id"] for chart in result.get("charts", [])] or [result.get("chartId")]
    return [UUID(value) for value in ids if value]


def advice_of(found: dict[str, Any]) -> dict[str, list[str]]:
    """What to ask instead, from the metadata of an error or the result of a chat that made no chart."""
    return {
        "readings": _texts(found.get("readings", ())),
        "suggestions": _texts(found.get("suggestions", ())),
    }


def _texts(items: Iterable[Any]) -> list[str]:
    return [str(item["question"] if isinstance(item, dict) else item) for item in items]


def timeline(run: OperationRun, *, limit: int = 500) -> list[dict[str, Any]]:
    """Return the first events of the run's log as rows of a table."""
    return [_row(event) for event in OperationEvent.objects.filter(run=run).order_by("seq")[:limit]]


def _row(event: OperationEvent) -> dict[str, Any]:
    data = json.loads(event.payload)["data"]
    elapsed = data.get("metadata", {}).get("elapsedMs")
    percentage = data.get("percentage")
    return {
        "seq": event.seq,
        "after": "" if elapsed is None else f"{elapsed / 1000:.2f} s",
        "operation": data["operation"],
        "state": data.get("currentState", event.type),
        "message": data.get("message", data.get("content", "")),
        "percentage": "" if percentage is None else int(percentage),
    }
