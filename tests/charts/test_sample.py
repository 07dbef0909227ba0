"""The sample shop: the same data for the same day, and every flaw that it promises."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from charts.sample import CARRIERS, CITIES, MONTHS, PRODUCTS, create_sample

TODAY = date(2026, 3, 18)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "shop.sqlite3"
    create_sample(path, today=TODAY)
    return path


@pytest.fixture(scope="module")
def ask(path):
    """Return the rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


class TestFile:
    def test_same_day_and_seed_give_the_same_data(self, path, tmp_path):
        create_sample(tmp_path / "again.sqlite3", today=TODAY)
        assert dump(tmp_path / "again.sqlite3") == dump(path)

    def test_another_seed_gives_other_data(self, path, tmp_path):
        create_sample(tmp_path / "other.sqlite3", today=TODAY, seed=8)
        assert dump(tmp_path / "other.sqlite3") != dump(path)

    def test_dates_count_back_from_today_in_utc(self, tmp_path):
        before = datetime.now(UTC).date()
        create_sample(tmp_path / "new.sqlite3")
        with closing(sqlite3.connect(tmp_path / "new.sqlite3")) as connection:
            (last,) = connection.execute("SELECT max(started_at) FROM web_sessions").fetchone()
        assert date.fromisoformat(last[:10]) in (before, datetime.now(UTC).date())

    def test_it_replaces_what_is_there_and_leaves_nothing_else(self, path, tmp_path):
        target = tmp_path / "new" / "shop.sqlite3"
        target.parent.mkdir()
        target.write_text("not a database")
        create_sample(target, today=TODAY)
        assert dump(target) == dump(path)
        assert [file.name for file in target.parent.iterdir()] == ["shop.sqlite3"]

    def test_a_failure_leaves_the_old_file_alone(self, tmp_path, monkeypatch):
        target = tmp_path / "shop.sqlite3"
        target.write_text("old")
        monkeypatch.setattr("charts.sample.SCHEMA", "CREATE NONSENSE;")
        with pytest.raises(sqlite3.OperationalError):
            create_sample(target, today=TODAY)
        assert target.read_text() == "old"
        assert [file.name for file in tmp_path.iterdir()] == ["shop.sqlite3"]

    @pytest.mark.parametrize("today", [date(2024, 2, 29), date(2025, 1, 1), date(2025, 12, 31)])
    def test_any_day_will_do(self, tmp_path, today):
        create_sample(tmp_path / "shop.sqlite3", today=today)
        with closing(sqlite3.connect(tmp_path / "shop.sqlite3")) as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] > 5000


class TestShop:
    def test_sizes(self, ask):
        sizes = {
            name: ask(f'SELECT count(*) FROM "{name}"')[0][0]
            for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        assert sizes["customers"] == 400
        assert sizes["categories"] == len(PRODUCTS) == 8
        assert sizes["products"] == 60
        assert sizes["carriers"] == len(CARRIERS) == 4
        assert 5_000 < sizes["orders"] < 7_500
        assert 12_000 < sizes["order lines"] < 17_000
        assert min(sizes["returns"], sizes["support_tickets"], sizes["web_sessions"]) > 400

    def test_names_and_addresses_are_unique(self, ask):
        assert ask("SELECT count(DISTINCT name), count(DISTINCT email) FROM customers") == [(400, 400)]
        assert ask("SELECT count(*) FROM customers WHERE email GLOB '*[^a-z.@]*'") == [(0,)]

    def test_it_sells_to_eight_countries(self, ask):
        found = {country for (country,) in ask("SELECT DISTINCT country FROM customers WHERE country IS NOT NULL")}
        assert found == set(CITIES)

    def test_nothing_lies_in_the_future(self, ask):
        for table, column in (
            ("orders", "ordered_at"),
            ("orders", "shipped_at"),
            ("orders", "delivered_at"),
            ("returns", "returned_on"),
            ("support_tickets", "closed_at"),
            ("web_sessions", "started_at"),
            ("customers", "joined_on"),
        ):
            assert ask(f"SELECT count(*) FROM {table} WHERE date({column}) > '{TODAY}'") == [(0,)]

    def test_an_order_goes_through_its_days_in_order(self, ask):
        assert ask("SELECT count(*) FROM orders WHERE shipped_at < ordered_at OR delivered_at < shipped_at") == [(0,)]
        assert ask("SELECT count(*) FROM orders WHERE (status = 'delivered') <> (delivered_at IS NOT NULL)") == [(0,)]
        assert ask("SELECT count(*) FROM orders WHERE (carrier_id IS NULL) <> (shipped_at IS NULL)") == [(0,)]

    def test_nobody_buys_before_joining_or_before_launch(self, ask):
        early = "SELECT count(*) FROM orders JOIN customers c ON c.id = customer_id WHERE date(ordered_at) < joined_on"
        assert ask(early) == [(0,)]
        unborn = """
            SELECT count(*) FROM "order lines" l JOIN orders o ON o.id = order_id JOIN products p ON p.id = product_id
            WHERE date(ordered_at) < substr(launched, 7) || '-' || substr(launched, 4, 2) || '-' || substr(launched, 1, 2)"""
        assert ask(unborn) == [(0,)]

    def test_it_grows_and_has_seasons(self, ask):
        years = dict(ask("SELECT substr(ordered_at, 1, 4), count(*) FROM orders GROUP BY 1"))
        assert years["2024"] < years["2025"]
        months = dict(ask("SELECT substr(ordered_at, 1, 7), count(*) FROM orders GROUP BY 1"))
        assert months["2025-12"] > 1.4 * months["2025-08"]

    def test_discounts_come_with_quantity(self, ask):
        few, many = (
            ask(f'SELECT avg(discount) FROM "order lines" WHERE quantity {condition}')[0][0]
            for condition in ("= 1", "> 5")
        )
        assert many > 2 * few
        assert ask('SELECT min(discount), max(discount) FROM "order lines"') == [(0.0, 0.3)]

    def test_carriers_differ_in_speed(self, ask):
        days = dict(
            ask("""SELECT name, avg(julianday(delivered_at) - julianday(shipped_at)) FROM orders JOIN carriers c
                ON c.id = carrier_id GROUP BY name""")
        )
        assert sorted(days, key=days.get) == sorted(CARRIERS, key=CARRIERS.get)

    def test_some_customers_have_more_than_15_orders(self, ask):
        busy = ask("SELECT customer_id FROM orders GROUP BY customer_id HAVING count(*) > 15")
        assert 20 < len(busy) < 200


class TestFlaws:
    @pytest.mark.parametrize("column", ["segment", "country", "city"])
    def test_a_few_customers_lack_a_category(self, ask, column):
        assert 5 <= ask(f"SELECT count(*) FROM customers WHERE {column} IS NULL")[0][0] <= 20

    def test_a_few_keys_point_nowhere(self, ask):
        assert ask("SELECT count(*) FROM orders WHERE customer_id NOT IN (SELECT id FROM customers)") == [(2,)]
        assert ask('SELECT count(*) FROM "order lines" WHERE product_id NOT IN (SELECT id FROM products)') == [(1,)]

    def test_many_sessions_have_no_customer(self, ask):
        assert ask("SELECT avg(customer_id IS NULL) > 0.3 FROM web_sessions") == [(1,)]

    def test_launch_dates_are_text_with_the_day_first(self, ask):
        launched = [text for (text,) in ask("SELECT launched FROM products")]
        assert all(datetime.strptime(text, "%d/%m/%Y") for text in launched)
        assert any(int(text[:2]) > 12 for text in launched)

    def test_refunds_are_text_with_a_currency_and_thousands(self, ask):
        refunds = [text for (text,) in ask("SELECT refund FROM returns")]
        assert all(text.startswith("€ ") and float(text[2:].replace(",", "")) > 0 for text in refunds)
        assert any("," in text for text in refunds)

    def test_the_last_month_has_only_begun(self, ask):
        months = ask("SELECT substr(ordered_at, 1, 7), count(*) FROM orders GROUP BY 1 ORDER BY 1")
        assert len(months) == MONTHS + 1
        assert months[-1][0] == "2026-03"
        assert months[-1][1] < 0.8 * months[-2][1]

    def test_one_week_stands_out(self, ask):
        for table, column, factor in (("web_sessions", "started_at", 20), ("orders", "ordered_at", 2.5)):
            weeks = ask(f"SELECT date({column}, 'weekday 0'), count(*) FROM {table} GROUP BY 1 ORDER BY 2")
            median, largest = weeks[len(weeks) // 2][1], weeks[-1][1]
            assert largest > factor * median
            assert largest > 1.4 * weeks[-2][1]

    def test_some_orders_were_never_shipped(self, ask):
        states = dict(ask("SELECT status, count(*) FROM orders WHERE shipped_at IS NULL GROUP BY status"))
        assert set(states) == {"open", "paid", "cancelled"}
        old = "SELECT count(*) FROM orders WHERE shipped_at IS NULL AND status = 'paid' AND ordered_at < '2026-01-01'"
        assert ask(old)[0][0] > 5
