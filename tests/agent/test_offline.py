"""The model that is there without any: what it reads out of a message, and what it says of results."""

import json

import pytest

from agentsite.agent.llm.wishes import CALCULATE, CHART, COLUMN, QUERY, SOURCES, TABLE, wish_of
from agentsite.agent.llm.wording import in_words

WISHES = {
    CHART: [
        "Revenue per month", "only 2023", "2023", "2020-2023", "2025-11-28", "as a line", "by region instead",
        "what about Germany?",        "number of orders by source", "show orders", "customers with more than 15 orders", "-5",
        "describe how revenue changed, by year",
        "select the best products", "what is revenue?", "top 10", "hi revenue per month", "how many zeppelins flew over Atlantis?",
    ],
    CALCULATE: [
        "12 * 37", "what is 12 * 37", "What's (1250.40 - 980) / 980 * 100?", "calculate 2^10", "15% of 1,200",
        "how much is 7 times 6", "3 plus 4 =", "sqrt(2)", "round(10 / 3, 2)", "1,000 + 1",
    ],
    SOURCES: [
        "list sources", "which tables are there?", "What data is there?", "show me the tables", "list the data sources", "help",
        "what can you do?", "what's in the database", "which sources are available",
    ],
    QUERY: ["SELECT 1 FROM orders", "select count(*) from orders", "WITH a AS (SELECT 1) SELECT * FROM a\nLIMIT 1"],
}  # fmt: skip


@pytest.mark.parametrize(("tool", "message"), [(tool, text) for tool, texts in WISHES.items() for text in texts])
def test_a_message_asks_for_a_tool(tool, message):
    assert wish_of(message).tool == tool


@pytest.mark.parametrize(
    ("message", "tool", "arguments"),
    [
        ("describe the orders table", TABLE, {"table": "orders"}),
        ("Describe orders.", TABLE, {"table": "orders"}),
        ("describe the table “order lines”", TABLE, {"table": "order lines"}),
        ("which columns does customers have?", TABLE, {"table": "customers"}),
        ("what's in the web_sessions table?", TABLE, {"table": "web_sessions"}),
        ("schema of products", TABLE, {"table": "products"}),
        ("profile status of orders", COLUMN, {"table": "orders", "column": "status"}),
        ("profile orders.status", COLUMN, {"table": "orders", "column": "status"}),
        ("what values does country of customers have?", COLUMN, {"table": "customers", "column": "country"}),
        ("What is 1,250.5 × 2?", CALCULATE, {"expression": "1250.5 × 2"}),  # noqa: RUF001
        ("15% of 1,200", CALCULATE, {"expression": "15 * 1200 / 100"}),
        (" Revenue\nper month ", CHART, {"question": "Revenue\nper month"}),
        ("Hello, what can you do?", SOURCES, {}),
        ("hey there what can you do", SOURCES, {}),
        ("Hi! Revenue per month", CHART, {"question": "Revenue per month"}),
        ("HI revenue per month", CHART, {"question": "HI revenue per month"}),
    ],
)
def test_what_it_is_asked_with(message, tool, arguments):
    wish = wish_of(message)
    assert (wish.tool, wish.arguments) == (tool, arguments)


@pytest.mark.parametrize(
    "message", ["Hello!", "hi there", "thanks a lot", "Thank you.", "great, thanks!", "bye", "how are you?"]
)
def test_small_talk_needs_no_tool(message):
    wish = wish_of(message)
    assert not wish.tool
    assert wish.answer.endswith(".")


def test_words_say_the_numbers_of_the_result():
    table = {
        "table": "orders",
        "rows": 6377,
        "primary_key": ["id"],
        "columns": [{"name": "id", "type": "integer"}, {"name": "total", "type": "real", "unit": "€"}],
    }
    said = in_words(TABLE, "describe orders", table)
    assert said.startswith("The table orders has 6,377 rows. Its key is id.\n\n| Column | Type | Refers to |")
    assert "| total | real, € |  |" in said
    assert in_words(CALCULATE, "", {"expression": "1 / 3", "value": "0.333", "exact": False}) == "1 / 3 ≈ 0.333"
    found = {"columns": ["a|b", "n"], "rows": [["x\ny", None], [1234.5, True]], "row_count": 7, "truncated": False}
    assert in_words(QUERY, "", found) == (
        "7 rows, the first 2 of them:\n\n| a¦b | n |\n| --- | --- |\n| x y | (none) |\n| 1,234.50 | true |"
    )
    assert in_words(QUERY, "", {**found, "rows": [], "row_count": 0}) == "The query found no rows."


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([], "There is no source that you may ask."),
        ([{"title": "Shop", "slug": "s", "tables": ["a", "b"]}], "There is one source, Shop, with these tables: a, b."),
        (
            [
                {"title": "Shop", "slug": "s", "tables": ["a"]},
                {"title": "B", "slug": "b", "unavailable": "It is away."},
            ],
            "There are 2 sources:\n- Shop (`s`): a\n- B (`b`): It is away.",
        ),
    ],
)
def test_sources_in_words(sources, said):
    found = {"sources": sources, "more": False}
    assert in_words(SOURCES, "list sources", found) == said
    assert in_words(SOURCES, "what can you do?", found).endswith(f"\n\n{said}")


def test_a_tool_that_it_does_not_know_is_not_hidden():
    assert in_words("weather", "", {"sun": 3}) == f"weather gave: {json.dumps({'sun': 3}).replace(chr(34), chr(39))}"
