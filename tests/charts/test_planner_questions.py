"""What the planner understands beyond the starters, each with a query written by hand."""

import pytest

from charts.plan import ChartType

from .sample_shop import ask, gold, run, same, understood

LINE_AMOUNT = "SUM(l.quantity * l.unit_price * (1 - l.discount))"
SALES = '"order lines" l JOIN orders o ON o.id = l.order_id'
QUESTIONS = {
    # values
    "web orders per month":
        "SELECT strftime('%Y-%m', ordered_at), COUNT(*) FROM orders WHERE channel = 'web' GROUP BY 1 ORDER BY 1",
    "how many customers are there in Germany": "SELECT COUNT(*) FROM customers WHERE country = 'Germany'",
    "how many german customers": "SELECT COUNT(*) FROM customers WHERE country = 'Germany'",
    "how many customers in Berlin or Hamburg": "SELECT COUNT(*) FROM customers WHERE city IN ('Berlin', 'Hamburg')",
    "how many customers are not in Germany": "SELECT COUNT(*) FROM customers WHERE country != 'Germany'",
    "number of orders by status excluding cancelled":
        "SELECT status, COUNT(*) n FROM orders WHERE status != 'cancelled' GROUP BY 1 ORDER BY n DESC, 1",
    "number of support tickets with high priority": "SELECT COUNT(*) FROM support_tickets WHERE priority = 'high'",
    "how many customers have a name that starts with A": "SELECT COUNT(*) FROM customers WHERE name LIKE 'a%'",
    # comparisons
    "how many products have a list price over 100": "SELECT COUNT(*) FROM products WHERE list_price > 100",
    "number of products with list price between 50 and 100":
        "SELECT COUNT(*) FROM products WHERE list_price BETWEEN 50 AND 100",
    "how many customers have more than 15 orders":
        "SELECT COUNT(*) FROM (SELECT c.id FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY 1 HAVING COUNT(*) > 15)",
    "how many customers have fewer than 3 orders":
        "SELECT COUNT(*) FROM customers c WHERE (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) < 3",
    # what is missing
    "how many customers are without orders":
        "SELECT COUNT(*) FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)",
    "unshipped orders by country":
        "SELECT c.country, COUNT(*) n FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE o.shipped_at IS NULL "
        "GROUP BY 1 ORDER BY n DESC, 1",
    "how many tickets were never closed": "SELECT COUNT(*) FROM support_tickets WHERE closed_at IS NULL",
    # times
    "number of orders in 2025": "SELECT COUNT(*) FROM orders WHERE ordered_at LIKE '2025%'",
    "number of orders last month": "SELECT COUNT(*) FROM orders WHERE ordered_at LIKE '2026-10%'",
    "revenue in the last 6 months":
        f"SELECT {LINE_AMOUNT} FROM {SALES} WHERE o.ordered_at >= '2026-05-01' AND o.ordered_at < '2026-11-01'",
    "number of orders since May": "SELECT COUNT(*) FROM orders WHERE ordered_at >= '2026-05-01'",
    "number of orders in Q3 2025": "SELECT COUNT(*) FROM orders WHERE ordered_at >= '2025-07-01' AND ordered_at < '2025-10-01'",
    "how many orders were delivered in March 2025": "SELECT COUNT(*) FROM orders WHERE delivered_at LIKE '2025-03%'",
    "how many customers joined in 2025": "SELECT COUNT(*) FROM customers WHERE joined_on LIKE '2025%'",
    "how many products were launched per year":
        "SELECT substr(launched, 7, 4), COUNT(*) FROM products GROUP BY 1 ORDER BY 1",
    "orders per quarter":
        "SELECT substr(ordered_at, 1, 4) || '-Q' || ((substr(ordered_at, 6, 2) + 2) / 3), COUNT(*) "
        "FROM orders GROUP BY 1 ORDER BY 1",
    "orders per year, newest first": "SELECT substr(ordered_at, 1, 4), COUNT(*) FROM orders GROUP BY 1 ORDER BY 1 DESC",
    # numbers
    "average rating by priority":
        "SELECT priority, AVG(rating) a FROM support_tickets GROUP BY 1 ORDER BY a DESC",
    "highest and lowest list price": "SELECT MAX(list_price), MIN(list_price) FROM products",
    "number of different cities": "SELECT COUNT(DISTINCT city) FROM customers",
    "total refund by reason":
        "SELECT reason, SUM(CAST(replace(substr(refund, 3), ',', '') AS REAL)) r FROM returns GROUP BY 1 ORDER BY r DESC",
    "total seconds by device": "SELECT device, SUM(seconds) s FROM web_sessions GROUP BY 1 ORDER BY s DESC",
    # ranking and order
    "top 3 countries by number of customers":
        "SELECT country, COUNT(*) n FROM customers GROUP BY 1 ORDER BY n DESC LIMIT 3",
    "bottom 5 products by revenue":
        f'SELECT p.name, {LINE_AMOUNT} r FROM "order lines" l JOIN products p ON p.id = l.product_id '
        "GROUP BY p.id ORDER BY r LIMIT 5",
    "which country has the most customers": "SELECT country, COUNT(*) n FROM customers GROUP BY 1 ORDER BY n DESC LIMIT 1",
    "which month had the highest revenue":
        f"SELECT strftime('%Y-%m', o.ordered_at), {LINE_AMOUNT} r FROM {SALES} GROUP BY 1 ORDER BY r DESC LIMIT 1",
    "the 5 most expensive products": "SELECT name, list_price FROM products ORDER BY list_price DESC, name LIMIT 5",
    "returns by reason sorted alphabetically": "SELECT reason, COUNT(*) FROM returns GROUP BY 1 ORDER BY 1",
    "returns by reason from low to high": "SELECT reason, COUNT(*) n FROM returns GROUP BY 1 ORDER BY n, 1",
    "number of orders by channel, sorted by channel in descending order":
        "SELECT channel, COUNT(*) FROM orders GROUP BY 1 ORDER BY 1 DESC",
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_question(question):
    assert same(ask(question).rows, gold(QUESTIONS[question]))


@pytest.mark.parametrize(
    ("question", "chart"),
    [
        ("revenue by channel as a pie", ChartType.PIE),
        ("draw a pie chart of orders by channel", ChartType.PIE),
        ("line chart of orders per quarter", ChartType.LINE),
        ("orders per month as a line", ChartType.LINE),
        ("scatter plot of list price and id of products", ChartType.SCATTER),
        ("histogram of list price", ChartType.HISTOGRAM),
        ("stacked bar chart of orders by channel and status", ChartType.STACKED_BAR),
        ("order lines by quantity", None),
        ("orders by channel in a table", ChartType.TABLE),
    ],
)
def test_chart_wish(question, chart):
    assert understood(question).plan.chart == chart


def test_weekdays_keep_their_order():
    assert [row[0] for row in ask("orders per weekday").rows] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_two_years_are_laid_over_each_other():
    rows = ask("compare 2025 and 2026 revenue by month").rows
    assert [row[:2] for row in rows[:3]] == [("Jan", "2025"), ("Jan", "2026"), ("Feb", "2025")]
    assert len(rows) == 23


def test_a_condition_on_what_is_missing_stays_with_it():
    rows = ask("customers without orders in 2026").rows
    expected = "SELECT id FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE ordered_at LIKE '2026%')"
    assert same([row[:1] for row in rows], gold(expected))


def test_time_runs_along_the_x_axis():
    first, second = understood("support tickets by priority and month").plan.dimensions
    assert (first.of.column, second.of.column) == ("opened_at", "priority")


def test_a_thing_of_which_names_repeat_is_told_apart_by_its_key():
    from dataclasses import replace

    from charts.planner import plan_question

    from .sample_shop import TODAY, profile

    tables = tuple(
        replace(table, columns=tuple(replace(c, unique=c.unique and c.name != "name") for c in table.columns))
        for table in profile().tables
    )
    found = plan_question("number of orders for each customer", replace(profile(), tables=tables), today=TODAY)
    (dimension,) = found.plan.dimensions
    assert (dimension.of.column, dimension.key.column) == ("name", "id")
    assert 'GROUP BY\n  "customers"."id"' in run(found.plan).query.sql


def test_the_account_says_what_became_of_the_words():
    found = understood("montly revenu in Germany")
    assert ("Germany", "customers.country = Germany") in [(link.phrase, link.meaning) for link in found.links]
    assert "Read “revenu” as “revenue”" in found.assumptions
    assert any("quantity x unit_price" in line for line in found.assumptions)
    assert 0 < found.confidence <= 1


def test_words_that_carry_nothing_are_listed():
    assert "Show" in understood("Show revenue per month").ignored
