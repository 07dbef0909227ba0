"""The planner never raises, whatever is typed, and what it plans always compiles."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charts.plan import Understanding
from charts.planner import Ambiguous, NotUnderstood
from charts.planner.vocabulary import AGGREGATES, GROUPING, NEGATIONS, OPERATORS, phrases

from .sample_shop import plan, run

WORDS = [
    "orders", "order lines", "customers", "products", "revenue", "country", "Germany", "web", "high", "month", "2025", "last month",
    "delivered", "rating", "list price", "returns", "without", "never", "top", "10", "best", "cheapest", "and", "or", "not", "by",
    "of", "the", ",", ".", "?", "'x'", "as a pie", "sorted by", "descending", "x axis", "share of", "vs", "who", "how many", "null",
    "average", "a", "starts with", "between", "more than", "times", "per", "each", "compare", "over time", "“", "%", "(", "id",
]  # fmt: skip
CUES = [
    " ".join(phrase)
    for text in [*AGGREGATES.values(), *OPERATORS.values(), GROUPING, NEGATIONS]
    for phrase in phrases(text)
]


def answered(text: str) -> Understanding | Ambiguous | NotUnderstood:
    found = plan(text)
    assert isinstance(found, Understanding | Ambiguous | NotUnderstood)
    return found


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text(text):
    answered(text)


@given(st.lists(st.sampled_from(WORDS + CUES), max_size=14))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_words_of_the_trade(words):
    found = answered(" ".join(words))
    plans = [found.plan] if isinstance(found, Understanding) else [r.plan for r in getattr(found, "readings", ())]
    for each in plans:
        run(each)


@pytest.mark.parametrize(
    "text",
    [
        "orders " * 600,
        "a" * 4000,
        "how many " * 450,
        "(" * 4000,
        "'" * 4000,
        "1" * 4000,
        "9999999999999999999999999999 orders",
        "top 99999999999 products by revenue",
        "last 99999 years",
        "in 0000-00-00",
        "orders in 31 June 2024",
        "\x00\x01\x1b[31m orders per month \u202e",
        "طلبات حسب البلد",
        "SELECT * FROM orders WHERE 1=1; DROP TABLE orders",
        "orders per month 🙂",
        "\n\n\t",
        "١٢٣ orders",
        "orders ² ½ Ⅷ",
    ],
)
def test_hostile_text(text):
    answered(text)


def test_a_long_question_is_quick():
    from time import perf_counter

    plan("orders per month")
    started = perf_counter()
    plan("average list price of products by category and month in Germany " * 60)
    assert perf_counter() - started < 5  # against runaway growth, not a measure of speed
