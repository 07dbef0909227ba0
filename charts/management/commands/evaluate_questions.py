"""Measure the planner on a file of questions: python manage.py evaluate_questions FILE.jsonl --out PREDICTIONS.jsonl"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from charts.choice import choose_chart
from charts.plan import ChartType, Understanding
from charts.planner import Ambiguous, NotUnderstood, plan_question
from charts.profiling import profile_source
from charts.query import Result
from charts.sources.sqlite import SQLiteSource
from charts.sql import compile_plan
from progress.exceptions import OperationFailed

CHART_NAMES = {ChartType.AREA: "line", ChartType.HISTOGRAM: "bar"}  # types that the format has no word of its own for


class Command(BaseCommand):
    help = "Answer every question of a JSONL file over SQLite databases and write what a chart of it would show."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "questions", type=Path, help='lines {"id", "db_path", "question"}; db_path is relative to the file'
        )
        parser.add_argument("--out", type=Path, required=True, help="the JSONL file to write")
        parser.add_argument(
            "--readings", action="store_true", help="list the readings offered where a question is ambiguous"
        )
        parser.add_argument("--limit", type=int, help="stop after this many questions")

    def handle(self, *args: Any, **options: Any) -> None:
        questions: Path = options["questions"]
        if not questions.is_file():
            raise CommandError(f"There is no file {questions}.")
        answered = 0
        with options["out"].open("w", encoding="utf-8") as out:
            lines = [line for line in questions.read_text(encoding="utf-8").splitlines() if line.strip()]
            lines = lines[: options["limit"]]
            for line in lines:
                prediction = answer(json.loads(line), questions.parent, options["readings"])
                answered += prediction["error"] is None
                out.write(json.dumps(prediction, ensure_ascii=False) + "\n")
        self.stdout.write(f"{answered} of {len(lines)} questions answered; written to {options['out']}")


def answer(item: dict[str, Any], folder: Path, readings: bool = False) -> dict[str, Any]:
    """Return one line of the output format for one line of the input format."""
    started = perf_counter()
    prediction = {"id": item["id"], "rows": [], "chart_type": None, "sql": None, "error": None}
    try:
        prediction |= _predict(item["question"], folder / item["db_path"], readings)
    except (OperationFailed, ValueError, KeyError) as error:
        prediction["error"] = f"{type(error).__name__}: {error}"
    prediction["ms"] = round((perf_counter() - started) * 1000, 1)
    return prediction


def _predict(question: str, path: Path, readings: bool) -> dict[str, Any]:
    source = SQLiteSource(path, slug=path.stem)
    profile = profile_source(source)
    found = plan_question(question, profile)
    if not isinstance(found, Understanding):
        return _refusal(found, readings)
    query = compile_plan(found.plan, profile)
    result = source.execute(query.sql, query.columns)
    return {"sql": query.sql, "rows": [list(row) for row in result.rows], "chart_type": _chart_name(found, result)}


def _chart_name(found: Understanding, result: Result) -> str:
    chart = choose_chart(found.plan, result).type
    return CHART_NAMES.get(chart, chart.value)


def _refusal(found: Ambiguous | NotUnderstood, readings: bool) -> dict[str, Any]:
    if isinstance(found, NotUnderstood):
        return {"error": f"not understood: {found.why}"}
    offered = {"readings": [reading.question for reading in found.readings]} if readings else {}
    return {"error": "asked back", **offered}
