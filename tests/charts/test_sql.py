"""Plans compiled to SQL: joins that repeat no row, conditions that ask for other rows, buckets of time, three dialects."""

import sqlite3
from dataclasses import replace
from datetime import date, datetime

import pytest

from charts.guard import check_sql
from charts.plan import (
    Aggregate,
    Column,
    Complement,
    DaysBetween,
    Dimension,
    Filter,
    Grain,
    Having,
    Measure,
    Order,
    Plan,
    Product,
)  # fmt: skip
from charts.sql import compile_plan
from charts.sql.joins import distance, is_to_one, path

from .sample_shop import gold, profile, run, same, source, understood

DIALECTS = ("sqlite", "postgres", "duckdb")
ORDERED = Column(table="orders", column="ordered_at")
COUNTRY = Dimension(label="Country", of=Column(table="customers", column="country"))
CATEGORY = Dimension(label="Category", of=Column(table="categories", column="name"))
REASON = Dimension(label="Reason", of=Column(table="returns", column="reason"))
AMOUNT = Product(
    factors=(
        Column(table="order lines", column="quantity"),
        Column(table="order lines", column="unit_price"),
        Complement(of=Column(table="order lines", column="discount")),
    )
)
ORDERS = Measure(label="Orders", table="orders", aggregate=Aggregate.COUNT)
REVENUE = Measure(label="Revenue", table="order lines", aggregate=Aggregate.SUM, of=AMOUNT)
CUSTOMERS = Measure(label="Customers", table="customers", aggregate=Aggregate.COUNT)


def make(*measures, **more) -> Plan:
    return Plan(**{"question": "?", "table": measures[0].table if measures else "orders", "measures": measures, **more})


def rows(*measures, **more):
    return run(make(*measures, **more)).rows


class TestJoins:
    def test_the_shortest_way_with_the_fewest_rows_repeated(self):
        steps = path(profile(), "order lines", "customers")
        assert [(step.table, step.to_table, step.to_many) for step in steps] == [
            ("order lines", "orders", False),
            ("orders", "customers", False),
        ]
        assert path(profile(), "orders", "orders") == ()

    def test_to_many(self):
        assert is_to_one(profile(), "orders", "customers")
        assert not is_to_one(profile(), "customers", "orders")

    def test_nothing_connects(self):
        alone = replace(profile(), foreign_keys=())
        assert path(alone, "orders", "customers") is None
        assert distance(alone, "orders", "customers") == float("inf")
        with pytest.raises(ValueError, match="Nothing connects the tables orders and customers"):
            compile_plan(make(ORDERS, dimensions=(COUNTRY,)), alone)

    def test_a_declared_key_is_preferred(self):
        keys = profile().foreign_keys
        guessed = replace(keys[0], column="id", declared=False)
        doubled = replace(profile(), foreign_keys=(guessed, *keys))
        (step,) = path(doubled, keys[0].table, keys[0].to_table)
        assert step.column == keys[0].column


class TestNoRowCountsTwice:
    def test_a_count_across_many(self):
        expected = (
            'SELECT k.name, COUNT(DISTINCT o.id) n FROM orders o JOIN "order lines" l ON l.order_id = o.id '
            "LEFT JOIN products p ON p.id = l.product_id LEFT JOIN categories k ON k.id = p.category_id "
            "GROUP BY 1 ORDER BY n DESC"
        )
        assert same(rows(ORDERS, dimensions=(CATEGORY,)), gold(expected))

    def test_a_sum_across_many(self):
        price = Measure(
            label="Prices", table="products", aggregate=Aggregate.SUM, of=Column(table="products", column="list_price")
        )
        expected = (
            "SELECT reason, SUM(list_price) s FROM (SELECT DISTINCT r.reason, p.id, p.list_price FROM products p "
            'JOIN "order lines" l ON l.product_id = p.id JOIN returns r ON r.order_line_id = l.id) GROUP BY 1 ORDER BY s DESC'
        )
        assert same(rows(price, dimensions=(REASON,)), gold(expected))

    def test_a_maximum_needs_no_care(self):
        dearest = Measure(
            label="Dearest",
            table="products",
            aggregate=Aggregate.MAXIMUM,
            of=Column(table="products", column="list_price"),
        )
        assert "DISTINCT" not in compile_plan(make(dearest, dimensions=(REASON,)), profile()).sql

    def test_groups_add_up_to_the_whole(self):
        whole = rows(REVENUE)[0][0]
        for dimension in (COUNTRY, CATEGORY):
            assert sum(row[1] for row in rows(REVENUE, dimensions=(dimension,))) == pytest.approx(whole)

    def test_rows_without_a_partner_stay_under_no_label(self):
        assert None in [row[0] for row in rows(ORDERS, dimensions=(COUNTRY,))]

    def test_measures_of_two_tables_side_by_side(self):
        tickets = Measure(label="Tickets", table="support_tickets", aggregate=Aggregate.COUNT)
        expected = (
            "SELECT country, (SELECT COUNT(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer_id "
            "WHERE c.country IS k.country) n, "
            "(SELECT COUNT(*) FROM support_tickets t JOIN customers c ON c.id = t.customer_id WHERE c.country IS k.country) "
            "FROM (SELECT DISTINCT country FROM customers) k ORDER BY n DESC"
        )
        assert same(rows(ORDERS, tickets, dimensions=(COUNTRY,)), gold(expected))


class TestNumbers:
    def test_a_ratio(self):
        found = rows(make_ratio(), dimensions=(COUNTRY,))
        expected = (
            "SELECT c.country, SUM(o.shipped_at IS NOT NULL) * 1.0 / COUNT(*) r FROM orders o LEFT JOIN customers c "
            "ON c.id = o.customer_id GROUP BY 1 ORDER BY r DESC"
        )
        assert same(found, gold(expected))

    def test_shares_add_up_to_one_before_the_limit(self):
        shares = rows(ORDERS.model_copy(update={"share": True}), dimensions=(COUNTRY,))
        assert sum(row[1] for row in shares) == pytest.approx(1)
        few = rows(ORDERS.model_copy(update={"share": True}), dimensions=(COUNTRY,), limit=2)
        assert same(few, shares[:2])

    def test_days_between(self):
        days = DaysBetween(start=ORDERED, end=Column(table="orders", column="delivered_at"))
        found = rows(Measure(label="Days", table="orders", aggregate=Aggregate.AVERAGE, of=days))
        assert same(found, gold("SELECT AVG(julianday(delivered_at) - julianday(ordered_at)) FROM orders"))

    def test_bins(self):
        binned = Dimension(label="Price", of=Column(table="products", column="list_price"), bins=10)
        products = Measure(label="Products", table="products", aggregate=Aggregate.COUNT)
        found = rows(products, dimensions=(binned,))
        assert sum(row[1] for row in found) == 60
        assert [row[0] for row in found] == sorted(row[0] for row in found)
        assert {row[0] % 100 for row in found} == {0}


def make_ratio() -> Measure:
    shipped = Column(table="orders", column="shipped_at")
    return Measure(
        label="Shipped", table="orders", aggregate=Aggregate.COUNT, of=shipped, divided_by=ORDERS
    )  # fmt: skip


class TestConditions:
    def count(self, *filters: Filter, table: str = "customers") -> object:
        measure = Measure(label="n", table=table, aggregate=Aggregate.COUNT)
        return rows(measure, filters=filters)[0][0]

    @pytest.mark.parametrize(
        ("operator", "values", "where"),
        [
            ("=", ("Germany",), "country = 'Germany'"),
            ("!=", ("Germany",), "country <> 'Germany'"),
            ("in", ("Germany", "Italy"), "country IN ('Germany', 'Italy')"),
            ("not in", ("Germany", "Italy"), "country NOT IN ('Germany', 'Italy')"),
            ("contains", ("AN",), "country LIKE '%an%'"),
            ("starts", ("s",), "country LIKE 's%'"),
            ("ends", ("Y",), "country LIKE '%y'"),
            ("null", (), "country IS NULL"),
            ("not null", (), "country IS NOT NULL"),
        ],
    )
    def test_text(self, operator, values, where):
        condition = Filter(of=Column(table="customers", column="country"), operator=operator, values=values)
        assert self.count(condition) == gold(f"SELECT COUNT(*) FROM customers WHERE {where}")[0][0]

    @pytest.mark.parametrize(
        ("operator", "values", "where"),
        [
            ("<", (50,), "list_price < 50"), ("<=", (50.9,), "list_price <= 50.9"), (">", (50,), "list_price > 50"),
            (">=", (50,), "list_price >= 50"), ("between", (20, 50), "list_price BETWEEN 20 AND 50"),
        ],
    )  # fmt: skip
    def test_numbers(self, operator, values, where):
        condition = Filter(of=Column(table="products", column="list_price"), operator=operator, values=values)
        assert self.count(condition, table="products") == gold(f"SELECT COUNT(*) FROM products WHERE {where}")[0][0]

    @pytest.mark.parametrize(
        ("operator", "days", "where"),
        [
            ("between", ("2025-03-01", "2025-03-31"), "substr(ordered_at, 1, 7) = '2025-03'"),
            ("=", ("2025-03-05",), "substr(ordered_at, 1, 10) = '2025-03-05'"),
            ("!=", ("2025-03-05",), "substr(ordered_at, 1, 10) <> '2025-03-05'"),
            (">", ("2025-03-05",), "substr(ordered_at, 1, 10) > '2025-03-05'"),
            (">=", ("2025-03-05",), "substr(ordered_at, 1, 10) >= '2025-03-05'"),
            ("<", ("2025-03-05",), "substr(ordered_at, 1, 10) < '2025-03-05'"),
            ("<=", ("2025-03-05",), "substr(ordered_at, 1, 10) <= '2025-03-05'"),
        ],
    )
    def test_days_hold_all_their_hours(self, operator, days, where):
        condition = Filter(of=ORDERED, operator=operator, values=days)
        assert self.count(condition, table="orders") == gold(f"SELECT COUNT(*) FROM orders WHERE {where}")[0][0]

    def test_none_and_some_split_the_rows(self):
        returned = Column(table="returns", column="order_line_id")
        none = self.count(Filter(of=returned, operator="none"), table="order lines")
        some = self.count(Filter(of=returned, operator="some"), table="order lines")
        assert none + some == gold('SELECT COUNT(*) FROM "order lines"')[0][0]
        assert some == gold("SELECT COUNT(DISTINCT order_line_id) FROM returns")[0][0]

    def test_none_across_two_tables_with_a_condition_inside(self):
        late = Filter(of=Column(table="returns", column="reason"), operator="=", values=("arrived late",))
        returned = Filter(of=Column(table="returns", column="order_line_id"), operator="none", where=(late,))
        expected = (
            'SELECT COUNT(*) FROM orders WHERE id NOT IN (SELECT order_id FROM "order lines" l '
            "JOIN returns r ON r.order_line_id = l.id WHERE r.reason = 'arrived late')"
        )
        assert self.count(returned, table="orders") == gold(expected)[0][0]

    def test_none_of_a_table_that_rows_point_to(self):
        lost = Filter(of=Column(table="customers", column="id"), operator="none")
        assert self.count(lost, table="orders") == 2  # the orphan keys

    def test_a_condition_on_many_rows_asks_whether_one_exists(self):
        urgent = Filter(of=Column(table="support_tickets", column="priority"), operator="=", values=("high",))
        expected = "SELECT COUNT(*) FROM customers WHERE id IN (SELECT customer_id FROM support_tickets WHERE priority = 'high')"
        assert self.count(urgent) == gold(expected)[0][0]

    def test_a_condition_on_rows_that_are_grouped_by_filters_the_groups(self):
        damaged = Filter(of=REASON.of, operator="=", values=("damaged",))
        assert [row[0] for row in rows(REVENUE, dimensions=(REASON,), filters=(damaged,))] == ["damaged"]

    @pytest.mark.parametrize("value", ["'; DROP TABLE orders; --", "O'Neill", '"', "\\", "%", "\x00"])
    def test_values_are_only_values(self, value):
        condition = Filter(of=Column(table="customers", column="name"), operator="=", values=(value,))
        query = compile_plan(make(CUSTOMERS, filters=(condition,)), profile())
        check_sql(query.sql, dialect="sqlite", tables=[table.name for table in profile().tables])
        if "\x00" not in value:
            assert source().execute(query.sql, query.columns).rows == ((0,),)


class TestHaving:
    def test_of_the_groups(self):
        many = Having(measure=ORDERS, operator=">", values=(700,))
        found = rows(ORDERS, dimensions=(COUNTRY,), having=(many,))
        assert [row[0] for row in found] == ["Germany", "France", "Spain"]

    @pytest.mark.parametrize(("operator", "value"), [(">", 15), (">=", 1), ("<", 3), ("=", 0), ("!=", 2), ("<=", 0)])
    def test_of_single_rows_counts_none_as_zero(self, operator, value):
        key = Column(table="customers", column="id")
        having = Having(measure=ORDERS, operator=operator, values=(value,), per=key)
        sql = "SELECT COUNT(*) FROM customers c WHERE (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id)"
        assert rows(CUSTOMERS, having=(having,)) == gold(f"{sql} {operator} {value}")

    def test_of_another_table(self):
        many = Having(measure=ORDERS, operator=">", values=(200,), per=Column(table="customers", column="id"))
        expected = (
            'SELECT SUM(l.quantity * l.unit_price * (1 - l.discount)) FROM "order lines" l JOIN orders o ON o.id = l.order_id '
            "WHERE o.customer_id IN (SELECT customer_id FROM orders WHERE customer_id < 99000 GROUP BY 1 HAVING COUNT(*) > 200)"
        )
        assert same(rows(REVENUE, having=(many,)), gold(expected))


class TestTime:
    MOMENTS = (
        datetime(2023, 12, 31, 23, 59, 59), datetime(2024, 1, 1), datetime(2024, 2, 29, 12), datetime(2024, 3, 31, 7, 30),
        datetime(2024, 12, 29), datetime(2024, 12, 30), datetime(2026, 11, 22, 0, 0, 1),
    )  # fmt: skip
    LABELS = {
        Grain.YEAR: lambda m: f"{m:%Y}",
        Grain.QUARTER: lambda m: f"{m:%Y}-Q{(m.month + 2) // 3}",
        Grain.MONTH: lambda m: f"{m:%Y-%m}",
        Grain.WEEK: lambda m: date.fromisocalendar(*m.isocalendar()[:2], 1).isoformat(),
        Grain.DAY: lambda m: f"{m:%Y-%m-%d}",
        Grain.HOUR: lambda m: f"{m:%Y-%m-%d %H}:00",
        Grain.WEEKDAY: lambda m: f"{m:%a}",
        Grain.MONTH_OF_YEAR: lambda m: f"{m:%b}",
    }

    @pytest.mark.parametrize("grain", LABELS)
    def test_grains_are_iso_text(self, grain):
        query = compile_plan(make(ORDERS, dimensions=(Dimension(label="t", of=ORDERED, grain=grain),)), profile())
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, ordered_at TEXT)")
        for moment in self.MOMENTS:
            connection.execute("DELETE FROM orders")
            connection.execute("INSERT INTO orders VALUES (1, ?)", (str(moment),))
            assert connection.execute(query.sql).fetchone()[0] == self.LABELS[grain](moment)
        connection.close()

    @pytest.mark.parametrize(
        ("format", "text", "iso"),
        [
            ("dmy", "03/09/2024", "2024-09-03"), ("dmy", "3.9.2024", "2024-09-03"), ("mdy", "3/9/2024", "2024-03-09"),
            ("mdy", "12-31-2024", "2024-12-31"), ("mon yyyy", "Mar 2024", "2024-03-01"), ("dmy", None, None), ("dmy", "soon", None),
        ],
    )  # fmt: skip
    def test_dates_in_text(self, format, text, iso):
        assert self.converted("launched", format, text) == iso

    def converted(self, name: str, format: str, text: str | None) -> object:
        tables = tuple(
            replace(
                table, columns=tuple(replace(c, format=format if c.name == name else c.format) for c in table.columns)
            )
            for table in profile().tables
        )
        by_day = Dimension(label="t", of=Column(table="products", column=name), grain=Grain.DAY)
        products = Measure(label="n", table="products", aggregate=Aggregate.COUNT)
        query = compile_plan(make(products, dimensions=(by_day,)), replace(profile(), tables=tables))
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, launched TEXT)")
        connection.execute("INSERT INTO products VALUES (1, ?)", (text,))
        (row,) = connection.execute(query.sql).fetchall()
        connection.close()
        return row[0]

    def test_weekdays_and_months_sort_by_the_calendar(self):
        weekday = Dimension(label="t", of=ORDERED, grain=Grain.WEEKDAY)
        backwards = Order(by="dimension", index=0, descending=True)
        assert [row[0] for row in rows(ORDERS, dimensions=(weekday,), order=(backwards,))][:2] == ["Sun", "Sat"]


class TestLists:
    def test_details_come_in_the_order_of_the_key(self):
        found = run(make(table="products", details=(Column(table="products", column="name"), CATEGORY.of))).rows
        assert found == gold(
            "SELECT p.name, k.name FROM products p JOIN categories k ON k.id = p.category_id ORDER BY p.id"
        )

    def test_raw_pairs(self):
        pair = tuple(
            Measure(label=name, table="order lines", of=Column(table="order lines", column=name))
            for name in ("quantity", "discount")
        )
        assert same(rows(*pair), gold('SELECT quantity, discount FROM "order lines"'), ordered=False)

    def test_different_values(self):
        found = run(make(table="customers", dimensions=(COUNTRY,))).rows
        assert same(found, gold("SELECT DISTINCT country FROM customers"), ordered=False)

    def test_a_plan_of_nothing_is_refused(self):
        with pytest.raises(ValueError, match="asks for nothing"):
            compile_plan(make(), profile())

    def test_unknown_names_are_refused(self):
        with pytest.raises(KeyError):
            compile_plan(make(table="orders", details=(Column(table="orders", column="nope"),)), profile())


def test_columns_say_what_they_are():
    query = compile_plan(understood("average delivery days by carrier").plan, profile())
    carrier, days = query.columns
    assert (carrier.name, carrier.label, carrier.part, carrier.kind) == ("c0", "Carrier", "dimension", "nominal")
    assert (days.name, days.label, days.unit, days.additive) == ("c1", "Average delivery days", "days", False)
    assert [source.column for source in days.sources] == ["ordered_at", "delivered_at"]
    assert set(query.tables) == {"orders", "carriers"}


def test_sums_and_counts_are_additive_and_averages_are_not():
    average = REVENUE.model_copy(update={"aggregate": Aggregate.AVERAGE})
    columns = compile_plan(make(REVENUE, average, dimensions=(COUNTRY,)), profile()).columns
    assert [column.additive for column in columns[1:]] == [True, False]


QUESTIONS = (
    "revenue by category and year",
    "share of orders per segment",
    "average delivery days by carrier",
    "customers with more than 15 orders",
    "how many customers have fewer than 3 orders",
    "orders that were never shipped",
    "customers without orders in 2026",
    "products launched per year",
    "total refund per month",
    "orders per week",
    "orders per quarter",
    "orders per weekday",
    "orders by month of the year",
    "average list price by reason",
    "orders since May by channel",
    "how many products were launched since 2024",
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_dialect_passes_the_guard(question, dialect):
    there = replace(profile(), dialect=dialect)
    query = compile_plan(understood(question).plan, there)
    assert query.dialect == dialect
    check_sql(query.sql, dialect=dialect, tables=[table.name for table in there.tables])


def test_postgresql_gives_the_same_answers(postgres_url):
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        copy_shop(connection)
        for question in QUESTIONS:
            answered = run(understood(question).plan)
            query = compile_plan(answered.plan, replace(profile(), dialect="postgres"))
            found = [tuple(map(plain, row)) for row in connection.execute(query.sql).fetchall()]
            assert same(found, [tuple(map(plain, row)) for row in answered.rows]), question


def plain(cell: object) -> object:
    from decimal import Decimal

    return float(cell) if isinstance(cell, Decimal) else str(cell) if isinstance(cell, date) else cell


def copy_shop(connection) -> None:
    types = {"DATETIME": "TIMESTAMP", "INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION"}
    for table in profile().tables:
        columns = ", ".join(f'"{c.name}" {types.get(c.declared, c.declared)}' for c in table.columns)
        connection.execute(f'DROP TABLE IF EXISTS "{table.name}"')
        connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        with connection.cursor().copy(f'COPY "{table.name}" FROM STDIN') as copy:
            for row in gold(f'SELECT * FROM "{table.name}"'):
                copy.write_row(row)
