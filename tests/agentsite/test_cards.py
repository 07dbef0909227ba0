from datetime import timedelta

import pytest
from django.utils import timezone

from agentsite.agent.models import Conversation
from agentsite.cards import SHOWN_ROWS, chart_card, history, outcome_of, question_of, standing_of, timeline
from charts.models import Chart, Source
from progress.events import encode
from progress.models import OperationEvent, OperationRun, Status
from progress.owners import Owner

pytestmark = pytest.mark.django_db

VISITOR = Owner(visitor="somebody")
MONTH = {"name": "c0", "label": "Month", "part": "dimension", "kind": "temporal", "grain": "month"}
REVENUE = {"name": "c1", "label": "Revenue", "part": "measure", "kind": "quantitative", "unit": "€", "share": False}


def a_chart(**fields: object) -> Chart:
    given = {
        "visitor": "somebody",
        "question": "Revenue per month",
        "title": "Revenue per month",
        "sql": "SELECT 1",
        "dialect": "sqlite",
        "chart_type": "line",
        "spec": {"mark": "line"},
        "columns": [MONTH, REVENUE],
        "rows": [["2026-01-01", 1234.5], ["2026-02-01", None]],
        "checks": [{"name": "fan-out", "outcome": "pass", "message": "No row is counted twice."}],
    }
    return Chart.objects.create(**(given | fields))


def a_run(**fields: object) -> OperationRun:
    given = {"operation": "chat", "visitor": "somebody", "params": {"message": "Revenue per month"}}
    return OperationRun.objects.create(**(given | fields))


def test_a_card_writes_rows_for_people() -> None:
    card = chart_card(a_chart())
    assert card["columns"] == [{"label": "Month", "numeric": False}, {"label": "Revenue", "numeric": True}]
    assert [[cell["text"] for cell in row] for row in card["table"]] == [
        ["January 2026", "€1,234.50"],
        ["February 2026", "(none)"],
    ]
    assert [cell["numeric"] for cell in card["table"][0]] == [False, True]


def test_a_card_shows_the_first_rows_of_many() -> None:
    card = chart_card(a_chart(rows=[["2026-01-01", 1]] * (SHOWN_ROWS + 7)))
    assert len(card["table"]) == SHOWN_ROWS
    assert card["more_rows"] == 7


def test_a_table_is_not_drawn() -> None:
    assert chart_card(a_chart())["drawn"]
    assert not chart_card(a_chart(chart_type="table"))["drawn"]
    assert not chart_card(a_chart(spec={}))["drawn"]


def test_a_card_names_the_chart_that_it_follows() -> None:
    before = a_chart()
    card = chart_card(a_chart(question="only 2025", follows=before))
    assert card["follows"] == {"question": "Revenue per month", "url": f"/charts/{before.pk}/"}
    assert chart_card(before)["follows"] is None


def test_a_card_names_its_source_and_what_the_checks_found() -> None:
    source = Source.objects.create(slug="shop", title="The shop", location="shop.sqlite3")
    checks = [{"name": name, "outcome": name, "message": "?"} for name in ("pass", "warn")]
    card = chart_card(a_chart(source=source, checks=checks))
    assert card["source"] == "The shop"
    assert [check["label"] for check in card["passed"]] == ["fine"]
    assert [check["label"] for check in card["findings"]] == ["note"]
    assert chart_card(a_chart())["source"] == "a source that was deleted"


def test_a_card_says_each_thing_once() -> None:
    subtitle = ["Only where Country is", "France", "The year is not", "complete.", "The first 20 of 386 rows"]
    warnings = ["The year is not complete.", "Few rows."]
    card = chart_card(
        a_chart(spec={"title": {"text": "?", "subtitle": subtitle}}, warnings=warnings, answer="12. Few rows.")
    )
    assert card["conditions"] == ["Only where Country is", "France"]
    assert card["warnings"] == ["The year is not complete."]


def test_an_active_run_has_no_outcome() -> None:
    assert outcome_of(a_run()) is None
    assert outcome_of(a_run(status=Status.RUNNING)) is None


def test_the_outcome_of_a_chat_are_its_charts() -> None:
    chart, other = a_chart(), a_chart(visitor="somebody else")
    result = {"message": "It rose.", "charts": [{"id": str(chart.pk)}, {"id": str(other.pk)}]}
    outcome = outcome_of(a_run(status=Status.COMPLETED, result=result))
    assert outcome is not None
    assert outcome["prose"] == outcome["answer"] == "It rose."
    assert [card["id"] for card in outcome["charts"]] == [str(chart.pk)]


def test_what_a_chart_says_of_itself_is_not_said_twice() -> None:
    chart = a_chart(answer="It rose.")
    result = {"message": "It rose.", "charts": [{"id": str(chart.pk)}]}
    assert (outcome_of(a_run(status=Status.COMPLETED, result=result)) or {})["prose"] == ""


def test_a_chat_that_asks_back_offers_what_to_ask_instead() -> None:
    result = {"message": "Which?", "charts": [], "readings": ["A?", "B?"]}
    outcome = outcome_of(a_run(status=Status.COMPLETED, result=result))
    assert (outcome or {})["advice"] == {"readings": ["A?", "B?"], "suggestions": []}


def test_the_outcome_of_a_chart_run_is_its_chart() -> None:
    chart = a_chart()
    run = a_run(operation="chart_generation", status=Status.COMPLETED, result={"chartId": str(chart.pk)})
    assert [card["id"] for card in (outcome_of(run) or {})["charts"]] == [str(chart.pk)]


@pytest.mark.parametrize("result", [None, {}, "text", {"steps": 10}, {"charts": []}])
def test_a_result_without_a_chart_is_an_outcome_too(result: object) -> None:
    assert (outcome_of(a_run(status=Status.COMPLETED, result=result)) or {})["charts"] == []


def test_an_error_offers_what_to_ask_instead() -> None:
    error = {"message": "?", "readings": [{"question": "A?"}, "B?"], "suggestions": ["C?"]}
    outcome = outcome_of(a_run(status=Status.FAILED, error=error))
    assert outcome == {"advice": {"readings": ["A?", "B?"], "suggestions": ["C?"]}}


def test_an_error_without_advice() -> None:
    assert outcome_of(a_run(status=Status.CANCELLED)) == {"advice": {"readings": [], "suggestions": []}}


def test_a_run_is_named_by_its_question() -> None:
    assert question_of(a_run()) == "Revenue per month"
    assert question_of(a_run(operation="chart_generation", params={"question": "Q"})) == "Q"
    assert question_of(a_run(operation="import_sales", params={})) == "Import sales"
    assert question_of(a_run(operation="llm_generation", params={"prompt": "A\n poem"})) == "A poem"
    assert len(question_of(a_run(operation="llm_generation", params={"prompt": "word " * 4_000}))) <= 120


def test_history_is_the_owners_conversations_and_other_questions_newest_first() -> None:
    earlier, later = (timezone.now() - timedelta(hours=hours) for hours in (2, 1))
    new, old = (Conversation.objects.create(visitor="somebody", title=title) for title in ("New", "Old"))
    for talk, at in ((old, earlier), (new, later)):
        Conversation.objects.filter(pk=talk.pk).update(updated_at=at)
    Conversation.objects.create(visitor="somebody else", title="Not mine")
    a_run(params={"message": "goes on", "conversation": str(old.pk)}, status=Status.RUNNING)
    begun = a_run(params={"message": "begun"})
    chart = a_run(
        operation="chart_generation", params={"question": "Q"}, status=Status.FAILED, error={"code": "no_data"}
    )
    a_run(params={"message": "not mine"}, visitor="somebody else")
    a_run(operation="demo", params={})
    assert [(entry["title"], entry["url"], entry["standing"]) for entry in history(VISITOR)] == [
        ("Q", f"/runs/{chart.pk}/", "asked back"),
        ("begun", f"/?conversation={begun.pk}", "queued"),
        ("New", f"/?conversation={new.pk}", ""),
        ("Old", f"/?conversation={old.pk}", "running"),
    ]
    assert len(history(VISITOR, limit=1)) == 1


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({}, "queued"),
        ({"status": Status.FAILED, "error": {"code": "timeout"}}, "failed"),
        ({"status": Status.FAILED, "error": {"code": "no_data"}}, "asked back"),
        ({"status": Status.CANCELLED, "error": {"code": "cancelled"}}, "cancelled"),
    ],
)
def test_a_question_back_is_no_failure(fields: dict[str, object], standing: str) -> None:
    assert standing_of(a_run(**fields)) == standing


def test_the_timeline_has_a_row_per_event() -> None:
    run = a_run()
    events = [
        (
            "progress",
            {
                "operation": "chat",
                "percentage": 41.7,
                "message": "Reading",
                "currentState": "reading",
                "metadata": {"elapsedMs": 1234},
            },
        ),
        ("content", {"operation": "chat", "content": "It rose.", "timestamp": 1}),
        ("done", {"operation": "chat", "message": "Completed", "metadata": {}}),
    ]
    for seq, (type, data) in enumerate(events, 1):
        OperationEvent.objects.create(run=run, seq=seq, at=1, type=type, payload=encode({"type": type, "data": data}))
    rows = timeline(run)
    assert rows[0] == {
        "seq": 1,
        "after": "1.23 s",
        "operation": "chat",
        "state": "reading",
        "message": "Reading",
        "percentage": 41,
    }
    assert [(row["state"], row["message"], row["percentage"]) for row in rows[1:]] == [
        ("content", "It rose.", ""),
        ("done", "Completed", ""),
    ]
    assert len(timeline(run, limit=2)) == 2
