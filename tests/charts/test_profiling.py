"""The profile of the sample shop, and of databases as awkward as they come."""

import sqlite3
from contextlib import closing
from datetime import date

import pytest

from charts.plan import Column, Complement, DaysBetween, Product
from charts.profile import Role, Type
from charts.profiling import build_profile, profile_source
from charts.sample import create_sample
from charts.sources import QueryFailed
from charts.sources.sqlite import SQLiteSource


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "shop.sqlite3"
    create_sample(path, today=date(2026, 3, 18))
    return profile_source(SQLiteSource(path, slug="shop"))


@pytest.fixture
def profile(tmp_path):
    """Return the profile of what a script makes; `rows` go into the table `t`."""

    def build(script, rows=(), **options):
        path = tmp_path / "test.sqlite3"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executescript(script)
            for row in rows:
                connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
        return build_profile(SQLiteSource(path, slug="test"), **options)

    return build


class TestSample:
    @pytest.mark.parametrize(
        ("table", "column", "role"),
        [
            ("customers", "id", Role.ID),
            ("customers", "name", Role.LABEL),
            ("customers", "email", Role.TEXT),
            ("customers", "country", Role.CATEGORY),
            ("customers", "segment", Role.CATEGORY),
            ("customers", "joined_on", Role.TIME),
            ("products", "name", Role.LABEL),
            ("products", "category_id", Role.ID),
            ("products", "list_price", Role.INTENSIVE),
            ("products", "launched", Role.TIME),
            ("orders", "ordered_at", Role.TIME),
            ("orders", "status", Role.CATEGORY),
            ("order lines", "quantity", Role.ADDITIVE),
            ("order lines", "unit_price", Role.INTENSIVE),
            ("order lines", "discount", Role.INTENSIVE),
            ("returns", "refund", Role.ADDITIVE),
            ("support_tickets", "priority", Role.ORDINAL),
            ("support_tickets", "rating", Role.INTENSIVE),
            ("web_sessions", "seconds", Role.ADDITIVE),
        ],
    )
    def test_roles(self, sample, table, column, role):
        assert sample.column(table, column).role == role

    def test_what_is_kept_as_text_is_recognised(self, sample):
        launched = sample.column("products", "launched")
        assert (launched.type, launched.format, launched.ambiguous) == (Type.DATE, "dmy", False)
        assert launched.minimum < "2024" < launched.maximum
        refund = sample.column("returns", "refund")
        assert (refund.type, refund.format, refund.unit) == (Type.REAL, "number", "€")
        assert refund.minimum > 0

    def test_counts(self, sample):
        segment = sample.column("customers", "segment")
        assert (segment.rows, segment.nulls, segment.distinct, segment.unique) == (400, 12, 3, False)
        assert segment.values == ("Business", "Consumer", "Public sector")
        assert segment.values_complete
        email = sample.column("customers", "email")
        assert (email.unique, len(email.values)) == (True, 400)
        discount = sample.column("order lines", "discount")
        assert (discount.minimum, discount.maximum, discount.unit, discount.values) == (0.0, 0.3, "ratio", ())

    def test_tables(self, sample):
        lines = sample.table("Order Lines")
        assert (lines.words, lines.primary_key, lines.display) == (("order", "lines"), ("id",), None)
        assert {table.name: table.display for table in sample.tables if table.display} == dict.fromkeys(
            ("carriers", "categories", "customers", "products"), "name"
        )

    def test_foreign_keys(self, sample):
        found = {(key.table, key.column): (key.to_table, key.orphans) for key in sample.foreign_keys}
        assert found == {
            ("order lines", "order_id"): ("orders", 0),
            ("order lines", "product_id"): ("products", 1),
            ("orders", "customer_id"): ("customers", 2),
            ("orders", "carrier_id"): ("carriers", 0),
            ("products", "category_id"): ("categories", 0),
            ("returns", "order_line_id"): ("order lines", 0),
            ("support_tickets", "customer_id"): ("customers", 0),
            ("web_sessions", "customer_id"): ("customers", 0),
        }

    def test_revenue(self, sample):
        (revenue,) = [measure for measure in sample.derived if measure.name == "revenue"]
        quantity, price, discount = (
            Column(table="order lines", column=name) for name in ("quantity", "unit_price", "discount")
        )
        assert revenue.of == Product(factors=(quantity, price, Complement(of=discount)))
        assert (revenue.table, revenue.role) == ("order lines", Role.ADDITIVE)
        assert ("sales",) in revenue.words
        assert revenue.note == "revenue is quantity x unit_price x (1 - discount)"

    def test_days(self, sample):
        found = {
            measure.name: (measure.of.start.column, measure.of.end.column)
            for measure in sample.derived
            if isinstance(measure.of, DaysBetween)
        }
        assert found == {
            "shipping days": ("ordered_at", "shipped_at"),
            "delivery days": ("ordered_at", "delivered_at"),
            "transit days": ("shipped_at", "delivered_at"),
            "resolution days": ("opened_at", "closed_at"),
        }
        assert {measure.unit for measure in sample.derived if measure.name in found} == {"days"}


class TestCache:
    def test_a_profile_lives_as_long_as_its_file_is_unchanged(self, tmp_path):
        path = tmp_path / "a.sqlite3"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("CREATE TABLE t (a)")
            first = profile_source(SQLiteSource(path, slug="a"))
            assert profile_source(SQLiteSource(path, slug="a")) is first
            assert profile_source(SQLiteSource(path, slug="b")).source == "b"
            connection.executescript("INSERT INTO t VALUES (1); CREATE TABLE u (b)")
        assert len(profile_source(SQLiteSource(path, slug="a")).tables) == 2

    def test_a_file_that_is_gone_fails(self, tmp_path):
        with pytest.raises(QueryFailed, match="missing"):
            profile_source(SQLiteSource(tmp_path / "gone.sqlite3", slug="gone"))


class TestAwkward:
    def test_nothing_at_all(self, profile):
        found = profile("")
        assert (found.tables, found.foreign_keys, found.derived) == ((), (), ())

    def test_empty_tables_are_told_by_their_declarations(self, profile):
        table = profile(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(9), price DECIMAL(9,2), day DATE, x)"
        ).tables[0]
        assert [(column.type, column.role) for column in table.columns] == [
            (Type.INTEGER, Role.ID),
            (Type.TEXT, Role.LABEL),
            (Type.REAL, Role.INTENSIVE),
            (Type.DATE, Role.TIME),
            (Type.TEXT, Role.CATEGORY),
        ]
        assert (table.rows, table.display) == (0, "name")

    def test_columns_of_nothing_but_null(self, profile):
        column = profile("CREATE TABLE t (a TEXT, b REAL)", [(None, None)] * 3).column("t", "b")
        assert (column.rows, column.nulls, column.distinct, column.minimum, column.unique) == (3, 3, 0, None, False)

    @pytest.mark.parametrize(
        "name",
        [
            "order",
            "select",
            'a"b',
            "a'b",
            "a b",
            "a.b",
            "größe",
            "客户",
            "1st",
            "%",
            "a;b",
            "--",
            "[x]",
            "`x`",
            " ",
            "a\nb",
            "😀",
        ],
    )
    def test_odd_names(self, profile, name):
        quoted = '"' + name.replace('"', '""') + '"'
        script = (
            f"CREATE TABLE {quoted} ({quoted} INTEGER, other TEXT); INSERT INTO {quoted} VALUES (1, 'x'), (2, NULL);"
        )
        column = profile(script).column(name, name)
        assert (column.rows, column.distinct, column.maximum) == (2, 2, 2)

    def test_many_types_in_one_column(self, profile):
        rows = [(1,), (2.5,), ("three",), (b"\x04",), (None,)]
        column = profile("CREATE TABLE t (a)", rows).column("t", "a")
        assert (column.type, column.role, column.distinct, column.nulls) == (Type.TEXT, Role.CATEGORY, 4, 1)
        assert column.values == ("three",)

    def test_blobs_are_not_read(self, profile):
        column = profile("CREATE TABLE t (photo BLOB)", [(b"\x00" * 1000,), (b"\x01",)]).column("t", "photo")
        assert (column.type, column.role, column.values, column.minimum) == (Type.BINARY, Role.TEXT, (), None)

    def test_views_are_tables_too(self, profile):
        found = profile(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n REAL); CREATE VIEW v AS SELECT n * 2 AS twice FROM t;",
            [(1, 1.5)],
        )
        assert found.table("v").view
        assert found.column("v", "twice").maximum == 3.0
        assert not found.table("t").view

    def test_broken_views_are_left_out(self, profile):
        script = (
            "CREATE TABLE t (a); CREATE VIEW gone AS SELECT * FROM missing; CREATE VIEW bad AS SELECT missing FROM t;"
        )
        assert [table.name for table in profile(script).tables] == ["t"]

    def test_two_columns_as_a_key(self, profile):
        table = profile("CREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (b, a))", [(1, 1), (1, 2)]).tables[0]
        assert table.primary_key == ("b", "a")

    def test_long_texts_stay_out_of_the_index(self, profile):
        column = profile("CREATE TABLE t (body TEXT)", [("x" * 300,), ("short",)]).column("t", "body")
        assert (column.values, column.values_complete, column.distinct) == (("short",), False, 2)
        assert len(column.maximum) <= 200

    def test_texts_too_long_for_a_result(self, profile):
        rows = [("x" * 900_000 + str(number), number) for number in range(30)]
        found = profile("CREATE TABLE t (body TEXT, n INTEGER)", rows)
        assert found.column("t", "body").role == Role.TEXT
        assert not found.column("t", "body").values_complete
        assert found.column("t", "n").distinct == 30

    def test_the_index_of_values_is_cut_and_says_so(self, profile):
        rows = [(f"value {number:03}", number, f"2024-01-{number % 28 + 1:02}") for number in range(100)]
        found = profile("CREATE TABLE t (a TEXT, b INTEGER, c TEXT)", rows, max_values=10)
        text = found.column("t", "a")
        assert (len(text.values), text.values_complete, text.distinct, text.unique) == (10, False, 100, True)
        assert (text.minimum, text.maximum) == ("value 000", "value 099")
        assert (found.column("t", "b").minimum, found.column("t", "b").maximum) == (0, 99)
        assert found.column("t", "c").maximum == "2024-01-28"

    def test_bytes_that_are_no_utf_8(self, profile):
        script = "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'4dfc6e' AS TEXT));"
        assert profile(script).column("t", "a").values == ("M\ufffdn",)

    def test_infinity_and_huge_integers(self, profile):
        column = profile("CREATE TABLE t (a REAL, b INTEGER)", [(float("inf"), 2**62), (1.5, -(2**62))]).column(
            "t", "a"
        )
        assert (column.type, column.minimum, column.maximum) == (Type.REAL, 1.5, float("inf"))

    def test_two_hundred_tables(self, profile):
        tables = [
            f"CREATE TABLE thing_{number} (id INTEGER PRIMARY KEY, name TEXT, thing_{max(0, number - 1)}_id INTEGER);"
            f"INSERT INTO thing_{number} VALUES (1, 'a', 1), (2, 'b', 2);"
            for number in range(200)
        ]
        found = profile("BEGIN;" + "\n".join(tables) + "COMMIT;")
        assert len(found.tables) == 200
        keys = {(key.table, key.to_table) for key in found.foreign_keys}
        assert {(f"thing_{number}", f"thing_{number - 1}") for number in range(1, 200)} <= keys


class TestDisplay:
    @pytest.mark.parametrize(
        ("columns", "display"),
        [
            ("id INTEGER, country TEXT, name TEXT", "name"),
            ("t_name TEXT, manager_name TEXT", "t_name"),
            ("title TEXT, login_name TEXT", "title"),
            ("first_name TEXT, last_name TEXT", "last_name"),
            ("code TEXT, description TEXT", "description"),
            ("t TEXT, city TEXT", "t"),
            ("manager_name TEXT, city TEXT", None),
            ("id INTEGER, amount REAL", None),
        ],
    )
    def test_the_column_that_names_a_row(self, profile, columns, display):
        names = columns.split(", ")
        rows = [tuple(f"{name[0]}{row}" if "TEXT" in name else row for name in names) for row in range(3)]
        assert profile(f"CREATE TABLE t ({columns})", rows).table("t").display == display


class TestDerived:
    def test_a_price_next_door(self, profile):
        (revenue,) = profile("""
            CREATE TABLE products (id INTEGER PRIMARY KEY, price REAL); INSERT INTO products VALUES (1, 9.5), (2, 3.0);
            CREATE TABLE sales (product_id INTEGER, qty INTEGER); INSERT INTO sales VALUES (1, 3), (1, 4);""").derived
        assert revenue.of == Product(
            factors=(Column(table="sales", column="qty"), Column(table="products", column="price"))
        )

    def test_the_total_of_a_table_of_sales(self, profile):
        (revenue,) = profile(
            "CREATE TABLE invoices (id INTEGER, total REAL); INSERT INTO invoices VALUES (1, 2.5)"
        ).derived
        assert revenue.of == Column(table="invoices", column="total")
        assert revenue.note == "revenue is total of invoices"

    def test_a_column_of_revenue_needs_no_help(self, profile):
        assert profile("CREATE TABLE sales (quantity INTEGER, price REAL, revenue REAL)").derived == ()

    def test_days_need_dates_in_order(self, profile):
        script = "CREATE TABLE t (order_date TEXT, delivery_date TEXT)"
        assert [measure.name for measure in profile(script, [("2024-01-01", "2024-01-05")]).derived] == [
            "delivery days"
        ]

    def test_dates_out_of_order_are_no_duration(self, profile):
        script = "CREATE TABLE t (order_date TEXT, delivery_date TEXT)"
        assert profile(script, [("2024-01-01", "2023-01-05"), ("2024-01-01", "2024-01-05")]).derived == ()

    def test_planned_dates_do_not_count(self, profile):
        script = "CREATE TABLE t (start_date TEXT, planned_end_date TEXT, end_date TEXT)"
        (measure,) = profile(script, [("2024-01-01", "2024-01-03", "2024-01-05")]).derived
        assert (measure.name, measure.of.end.column) == ("duration days", "end_date")
