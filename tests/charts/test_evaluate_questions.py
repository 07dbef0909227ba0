"""The command that measures the planner on a file of questions."""

import json
import shutil

import pytest
from django.core.management import CommandError, call_command

from .sample_shop import source


@pytest.fixture
def questions(tmp_path):
    shutil.copy(source().path, tmp_path / "shop.sqlite")
    asked = ["orders by channel", "top 5 customers", "delete all orders", "how many customers are in Germany"]
    lines = [json.dumps({"id": i, "db_path": "shop.sqlite", "question": question}) for i, question in enumerate(asked)]
    lines.append(json.dumps({"id": 4, "db_path": "none.sqlite", "question": "orders by channel"}))
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(lines) + "\n\n")
    return path


def evaluate(questions, *more):
    out = questions.with_name("predictions.jsonl")
    call_command("evaluate_questions", str(questions), "--out", str(out), *more)
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_predictions(questions, capsys):
    bars, choice, refusal, number, broken = evaluate(questions)
    assert bars["chart_type"] == "bar"
    assert [row[0] for row in bars["rows"]] == ["web", "app", "phone"]
    assert bars["error"] is None
    assert "GROUP BY" in bars["sql"]
    assert bars["ms"] > 0
    assert (choice["rows"], choice["error"]) == ([], "asked back")
    assert refusal["error"].startswith("not understood")
    assert number["chart_type"] == "number"
    assert "none.sqlite" in broken["error"] or "missing" in broken["error"]
    assert "2 of 5 questions answered" in capsys.readouterr().out


def test_readings_are_listed_on_request(questions):
    predictions = evaluate(questions, "--readings")
    assert "top 5 customers by revenue" in predictions[1]["readings"]
    assert "readings" not in predictions[0]


def test_limit(questions):
    assert len(evaluate(questions, "--limit", "1")) == 1


def test_a_missing_file(tmp_path):
    with pytest.raises(CommandError, match="There is no file"):
        call_command("evaluate_questions", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out.jsonl"))
