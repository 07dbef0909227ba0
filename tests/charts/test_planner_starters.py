"""The ten questions of the first page and twenty rewordings of each: right rows, right order, right chart."""

import json
from pathlib import Path

import pytest

from .sample_shop import ask, gold, same

STARTERS = json.loads((Path(__file__).parent / "data" / "starters.json").read_text(encoding="utf-8"))
CASES = [pytest.param(starter, question, id=question) for starter in STARTERS for question in starter["questions"]]


@pytest.mark.parametrize(("starter", "question"), CASES)
def test_starter(starter, question):
    answered = ask(question)
    rows, expected = answered.rows, gold(starter["sql"])
    if starter["charts"] == ["table"]:  # which columns a list shows is the planner's choice; its first is the key
        rows = [row[:1] for row in rows]
    if starter["charts"] == ["scatter"]:
        labels = [column.label for column in answered.query.columns]
        order = [labels.index(label) for label in ("Quantity", "Discount")]
        rows = [tuple(row[index] for index in order) for row in rows]
    assert same(rows, expected, ordered=starter["ordered"])
    assert answered.chart in starter["charts"]


def test_there_are_twenty_rewordings_of_each():
    asked: dict[str, set[str]] = {}
    for starter in STARTERS:
        asked.setdefault(starter["starter"], set()).update(starter["questions"])
    assert len(asked) == 10
    assert all(len(questions - {starter}) >= 20 for starter, questions in asked.items())


def test_against_puts_the_first_on_the_y_axis():
    against = ask("Discount against quantity").query.columns
    between = ask("Is there a relationship between discount and quantity?").query.columns
    assert [column.label for column in against] == ["Quantity", "Discount"]
    assert [column.label for column in between] == ["Discount", "Quantity"]
