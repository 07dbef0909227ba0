from uuid import uuid4

import pytest

from agentsite.agent.models import Conversation, Message
from agentsite.agent.tool_words import phrase
from agentsite.turns import SHOWN_TURNS, UNFINISHED, show_conversation
from progress.models import OperationRun, Status
from progress.owners import Owner
from tests.charts.case import make_chart

pytestmark = pytest.mark.django_db

VISITOR = Owner(visitor="somebody")


@pytest.fixture
def talk():
    return Conversation.objects.create(visitor="somebody", title="Revenue")


def said(talk, position, role, **fields):
    return Message.objects.create(conversation=talk, position=position, role=role, **fields)


def test_a_conversation_outlives_its_runs(talk):
    run = uuid4()
    chart = make_chart(visitor="somebody", answer="It rose.")
    said(talk, 0, "user", text="Revenue?", run=run)
    call = {"id": "1", "name": "make_chart", "arguments": {}, "status": "completed", "result": ""}
    said(talk, 1, "assistant", text="It rose.", run=run, charts=[{"id": str(chart.pk)}], tool_calls=[call])
    said(talk, 2, "user", text="And now?", run=uuid4())
    shown = show_conversation(talk.pk, VISITOR)
    answered, unfinished = shown.turns
    assert [card["id"] for card in answered.outcome["charts"]] == [str(chart.pk)]
    assert answered.calls == [{"text": "Made a chart", "status": "completed"}]
    assert not answered.bar
    assert (unfinished.error, unfinished.outcome, unfinished.latest) == (UNFINISHED, None, True)
    chart.delete()
    assert show_conversation(talk.pk, VISITOR).turns[0].outcome["charts"] == []


def test_runs_that_wait_and_runs_whose_worker_was_lost(talk):
    lost = OperationRun.objects.create(
        operation="chat", visitor="somebody", params={"message": "a"}, status=Status.FAILED, error={"message": "Lost."}
    )
    said(talk, 0, "user", text="a", run=lost.pk)
    params = {"message": "b", "conversation": str(talk.pk)}
    waiting = OperationRun.objects.create(operation="chat", visitor="somebody", params=params)
    OperationRun.objects.create(operation="chat", visitor="another", params=params)
    shown = show_conversation(talk.pk, VISITOR)
    assert [(turn.question, turn.error, turn.bar) for turn in shown.turns] == [("a", "Lost.", False), ("b", "", True)]
    assert shown.turns[1].run == waiting
    assert shown.active


def test_charts_of_others_are_not_shown(talk):
    chart = make_chart(visitor="another")
    said(talk, 0, "user", text="?")
    run = uuid4()
    said(talk, 1, "user", text="?", run=run)
    said(talk, 2, "assistant", text="!", run=run, charts=[{"id": str(chart.pk)}])
    assert show_conversation(talk.pk, VISITOR).turns[1].outcome["charts"] == []


def test_long_conversations_are_shown_in_parts(talk):
    for position in range(2 * SHOWN_TURNS + 10):
        run = uuid4() if position % 2 == 0 else run  # noqa: F821
        said(talk, position, "assistant" if position % 2 else "user", text=str(position), run=run)
    latest = show_conversation(talk.pk, VISITOR)
    assert (latest.turns[0].question, latest.turns[-1].question, latest.before) == ("10", "48", 10)
    earlier = show_conversation(talk.pk, VISITOR, before=10)
    assert [turn.question for turn in earlier.turns] == ["0", "2", "4", "6", "8"]
    assert earlier.before is None


def test_none_of_somebody_else(talk):
    assert show_conversation(talk.pk, Owner(visitor="another")) is None
    assert show_conversation(uuid4(), VISITOR) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"name": "describe_table", "arguments": {"table": "orders"}, "status": "running"}, "Looking at orders"),
        ({"name": "describe_table", "arguments": {"table": 3}, "status": "completed"}, "Used describe table"),
        ({"name": "shop__stock_level", "arguments": {}, "status": "failed"}, "Shop: stock level failed"),
        ({"name": "calculate", "arguments": {"expression": "1 +\n" + "1" * 90}, "status": "failed"},
         f"Could not calculate 1 + {'1' * 56}…"),
        ({"name": "describe_table", "arguments": {"table": "{tool}"}, "status": "completed"}, "Looked at {tool}"),
    ],
)  # fmt: skip
def test_calls_in_words(call, words):
    assert phrase(call) == words
