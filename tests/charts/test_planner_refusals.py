"""Questions that must not give a chart: the planner says why, what there is, and what would work."""

import pytest

from charts.plan import Understanding
from charts.planner import Ambiguous, NotUnderstood

from .sample_shop import plan, run


@pytest.mark.parametrize(
    "question",
    [
        "",
        "   ",
        "?",
        "🙂🙂",
        "hello",
        "what can you do",
        "write me a poem",
        "what is the weather",
        "thanks",
        "who are you",
    ],
)
def test_no_question_about_data(question):
    found = plan(question)
    assert isinstance(found, NotUnderstood)
    assert found.why


@pytest.mark.parametrize(
    "question", ["delete all orders", "DROP TABLE orders; --", "please update the prices", "insert a new customer"]
)
def test_changes_are_refused_by_name(question):
    found = plan(question)
    assert isinstance(found, NotUnderstood)
    assert "only read" in found.why


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("orders in Atlantis", "Atlantis"),
        ("revenue by foo", "foo"),
        ("median price", "median"),
        ("conversion rate", "conversion"),
        ("orders with status 'teleported'", "teleported"),
    ],
)
def test_unknown_words_are_named(question, word):
    found = plan(question)
    assert isinstance(found, NotUnderstood)
    assert word in found.words
    assert word in found.why


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("orders with priority high", "Priority belongs to support tickets, not to orders"),
        ("products with list price above the average", "comparison with another number"),
        ("customers in Germany or orders over 100", ""),
        ("average order value by country", "orders"),
    ],
)
def test_what_cannot_be_said_in_a_plan_is_refused(question, why):
    found = plan(question)
    assert isinstance(found, NotUnderstood)
    assert why in found.why


def test_a_refusal_tells_what_the_source_holds():
    found = plan("hello")
    assert "orders: id, customer id, ordered at, shipped at, delivered at, carrier id, status, channel" in found.holds


def test_the_questions_of_a_refusal_work():
    found = plan("hello")
    assert len(found.questions) == 3
    for question in found.questions:
        answer = plan(question)
        assert isinstance(answer, Understanding)
        assert run(answer.plan).rows


@pytest.mark.parametrize("question", ["top 5 customers", "best products", "Who are our best customers?"])
def test_a_ranking_by_nothing_offers_readings(question):
    found = plan(question)
    assert isinstance(found, Ambiguous)
    assert 2 <= len(found.readings) <= 3
    for reading in found.readings:
        assert plan(reading.question).plan == reading.plan
    assert any("revenue" in reading.question for reading in found.readings)


def test_a_word_with_two_meanings_offers_both():
    from charts.planner import plan_question

    from .two_meanings import PROFILE, TODAY

    found = plan_question("number of visits by colour", PROFILE, today=TODAY)
    assert isinstance(found, Ambiguous)
    assert [reading.question for reading in found.readings] == [
        "number of visits by room colour",
        "number of visits by guest colour",
    ]
    tables = [reading.plan.dimensions[0].of.table for reading in found.readings]
    assert tables == ["rooms", "guests"]


@pytest.mark.parametrize(
    "question",
    [
        "orders per month in 2199",
        "revenue in 0000",
        "orders by country with 99 things",
        "who bought nothing",
        "which carrier is slowest",
        "What percentage of orders were cancelled",
        "revenue growth month over month",
    ],
)
def test_a_word_that_would_change_the_answer_is_not_dropped(question):
    assert not isinstance(plan(question), Understanding)
