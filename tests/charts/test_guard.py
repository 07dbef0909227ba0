"""The guard against a corpus of attacks and of harmless queries, and what each of its rules says."""

import contextlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from charts.guard import ALLOWED_FUNCTIONS, SQLRefused, check_sql
from charts.guard.scanner import DIALECTS
from charts.sources import QueryFailed, QueryTimeout
from charts.sources.sqlite import SQLiteSource
from progress.exceptions import OperationFailed

CORPUS = Path(__file__).parent / "data" / "sql_guard.tsv"
TABLES = ("customers", "orders", "order", "events_log")


def corpus(*verdicts, dialects=DIALECTS):
    """Return a parameter (dialect, sql) for each row, one for each dialect where the row is for any."""
    rows = [line.split("\t") for line in CORPUS.read_text().splitlines() if not line.startswith("#")]
    return [
        pytest.param(each, json.loads(sql), id=f"{name}-{each}")
        for name, dialect, verdict, sql in rows
        for each in (sorted(dialects) if dialect == "any" else [dialect])
        if verdict in verdicts and each in dialects
    ]


def fixture_statements():
    lines = CORPUS.read_text().splitlines()
    return [line.removeprefix("#   ") for line in lines if line.startswith(("#   CREATE TABLE", "#   INSERT"))]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The database of the corpus as a source."""
    path = tmp_path_factory.mktemp("guard") / "shop.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("\n".join(fixture_statements()))
    return SQLiteSource(path, slug="shop")


def run(source, sql, timeout=10.0):
    check_sql(sql, dialect="sqlite", tables=[table.name for table in source.schema()])
    return source.execute(sql, timeout=timeout)


def reason(sql, dialect="sqlite", tables=TABLES):
    with pytest.raises(SQLRefused) as caught:
        check_sql(sql, dialect=dialect, tables=tables)
    return str(caught.value)


class TestCorpus:
    @pytest.mark.parametrize(("dialect", "sql"), corpus("refuse"))
    def test_attacks_are_refused(self, dialect, sql):
        assert reason(sql, dialect)

    @pytest.mark.parametrize(("dialect", "sql"), corpus("allow"))
    def test_harmless_queries_are_allowed(self, dialect, sql):
        check_sql(sql, dialect=dialect, tables=TABLES)

    @pytest.mark.parametrize(("dialect", "sql"), corpus("allow", dialects={"sqlite"}))
    def test_harmless_queries_return(self, shop, dialect, sql):
        assert run(shop, sql).columns

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT value FROM json_each('[1, 2]')",
            "SELECT key FROM events_log, json_each(events_log.payload)",
            "SELECT row_number() OVER w FROM orders WINDOW w AS (PARTITION BY status ORDER BY id)",
            "VALUES (1), (2)",
            "SELECT payload ->> '$.k', payload -> '$.k' FROM events_log",
            "SELECT current_date, date('now', 'localtime')",
            "SELECT name COLLATE NOCASE FROM customers WHERE name GLOB 'A*' OR name LIKE 'a\\%' ESCAPE '\\'",
            "SELECT sum(amount) FILTER (WHERE status = 'paid') FROM orders",
            'SELECT [select], `group`, "drop table" FROM main.[order]',
        ],
    )
    def test_what_people_write_returns(self, shop, sql):
        assert run(shop, sql).columns

    @pytest.mark.parametrize(("dialect", "sql"), corpus("neutralise", dialects={"sqlite"}))
    def test_expensive_queries_are_refused_or_ended(self, shop, dialect, sql):
        before = shop.path.read_bytes()
        with pytest.raises((SQLRefused, QueryFailed, QueryTimeout)):
            run(shop, sql, timeout=0.3)
        assert shop.path.read_bytes() == before

    def test_it_has_rows_of_every_verdict(self):
        assert len(corpus("refuse", dialects={"sqlite"})) > 60
        assert len(corpus("allow", dialects={"sqlite"})) > 30
        assert len(corpus("neutralise", dialects={"sqlite"})) > 5


class TestTables:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM sqlite_master",
            "SELECT * FROM main.sqlite_schema",
            "SELECT * FROM pragma_table_info('orders')",
            "SELECT * FROM pragma_database_list",
            "SELECT * FROM temp.orders",
            "SELECT * FROM other.orders",
            "SELECT * FROM x.main.orders",
            "SELECT * FROM (SELECT * FROM sqlite_master)",
            "SELECT (SELECT name FROM sqlite_master LIMIT 1)",
            "SELECT 1 FROM orders ORDER BY (SELECT name FROM sqlite_master)",
            "SELECT 1 WHERE 1 IN sqlite_master",
            "SELECT 1 WHERE 1 IN main.pragma_table_info('orders')",
            "SELECT * FROM orders INDEXED BY sqlite_autoindex_orders_1",
            "SELECT * FROM 'sqlite_master'",
        ],
    )
    def test_only_known_ones_may_be_read(self, sql):
        assert reason(sql)

    def test_the_reason_names_the_table(self):
        assert reason("SELECT * FROM secrets") == "This SQL was not run: there is no table secrets in this source."

    @pytest.mark.parametrize(
        "name", ["ORDERS", "Orders", '"oRDERS"', "[orders]", "`orders`", "main.orders", "MAIN.orders"]
    )
    def test_case_and_quotes_do_not_matter_to_sqlite(self, name):
        check_sql(f"SELECT * FROM {name}", dialect="sqlite", tables=TABLES)

    def test_quoted_names_are_exact_in_postgresql(self):
        check_sql("SELECT * FROM ORDERS", dialect="postgres", tables=TABLES)
        check_sql('SELECT * FROM "Mixed"', dialect="postgres", tables=["Mixed"])
        assert reason('SELECT * FROM "Orders"', "postgres")
        assert reason("SELECT * FROM Mixed", "postgres", ["Mixed"])

    def test_letters_that_fold_into_ascii_do_not_name_a_known_table(self):
        assert reason('SELECT * FROM "\N{KELVIN SIGN}eys"', tables=["keys"])

    def test_a_blank_in_a_name(self):
        check_sql('SELECT * FROM "order lines"', dialect="sqlite", tables=["order lines"])


class TestCommonTables:
    @pytest.mark.parametrize(
        ("dialect", "sql"),
        [
            ("sqlite", "WITH a AS (SELECT 1 AS x) SELECT * FROM a UNION SELECT * FROM A"),
            ("sqlite", "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"),
            ("sqlite", "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT * FROM n"),
            ("sqlite", "WITH a AS (SELECT 1) SELECT * FROM orders WHERE id IN (SELECT * FROM a)"),
            ("postgres", "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b"),
            ("postgres", "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"),
        ],
    )
    def test_they_may_be_read(self, dialect, sql):
        check_sql(sql, dialect=dialect, tables=TABLES)

    @pytest.mark.parametrize(
        ("dialect", "sql"),
        [
            # In the first two PostgreSQL reads the real table, whatever the name is given to.
            ("postgres", "WITH pg_authid AS (SELECT * FROM pg_authid) SELECT * FROM pg_authid"),
            ("postgres", "WITH a AS (SELECT * FROM pg_authid), pg_authid AS (SELECT 1) SELECT * FROM a"),
            ("postgres", "SELECT * FROM pg_authid UNION (WITH pg_authid AS (SELECT 1) SELECT * FROM pg_authid)"),
            ("postgres", "WITH pg_authid AS (SELECT 1) SELECT * FROM pg_catalog.pg_authid"),
            ("sqlite", "SELECT * FROM sqlite_master WHERE 1 IN (WITH sqlite_master AS (SELECT 1) SELECT 1)"),
            ("sqlite", "WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x"),
        ],
    )
    def test_their_names_do_not_hide_other_tables(self, dialect, sql):
        assert reason(sql, dialect)


class TestFunctions:
    @pytest.mark.parametrize("name", ["load_extension", '"load_extension"', "[load_extension]", "`Load_Extension`"])
    def test_quotes_hide_no_name(self, name):
        assert "load_extension" in reason(f"SELECT {name} /* x */ ('x')").lower()

    @pytest.mark.parametrize(
        "place",
        [
            "SELECT {}",
            "SELECT abs({})",
            "SELECT 1 FROM orders WHERE {} IS NULL",
            "SELECT 1 FROM orders GROUP BY {}",
            "SELECT 1 FROM orders GROUP BY id HAVING {} > 1",
            "SELECT 1 FROM orders ORDER BY {}",
            "SELECT 1 LIMIT {}",
            "SELECT 1 FROM orders JOIN customers ON {}",
            "SELECT sum(id) FILTER (WHERE {}) FROM orders",
            "SELECT sum(id) OVER (ORDER BY {}) FROM orders",
            "SELECT CASE WHEN {} THEN 1 END",
            "SELECT CAST({} AS TEXT)",
            "VALUES ({})",
            "SELECT 1 UNION SELECT {}",
            "SELECT * FROM (SELECT {})",
            "WITH a AS (SELECT {}) SELECT 1",
        ],
    )
    @pytest.mark.parametrize("dialect", sorted(DIALECTS))
    def test_no_place_is_forgotten(self, place, dialect):
        assert "danger()" in reason(place.format("danger(1)"), dialect)

    @pytest.mark.parametrize(
        ("dialect", "sql"),
        [
            ("postgres", "SELECT * FROM ROWS FROM (pg_sleep(1))"),
            ("postgres", "SELECT pg_catalog.pg_sleep(1)"),
            ("postgres", "SELECT 'pg_authid'::regclass"),
            ("postgres", "SELECT version()"),
            ("postgres", "SELECT current_user"),
            ("postgres", "SELECT user"),
            ("postgres", "SELECT 1 OPERATOR(pg_catalog.+) 1"),
            ("duckdb", "SELECT list_transform([1], x -> getenv('HOME'))"),
            ("duckdb", "SELECT [getenv(x) FOR x IN ['HOME']]"),
            ("duckdb", "SELECT * REPLACE (getenv('HOME') AS id) FROM orders"),
            ("duckdb", "SELECT 'x'.read_text()"),
            ("duckdb", "FROM 'a.csv'"),
            ("duckdb", "SUMMARIZE 'a.csv'"),
            ("duckdb", "DESCRIBE SELECT * FROM read_csv('a.csv')"),
        ],
    )
    def test_ways_of_single_dialects(self, dialect, sql):
        assert reason(sql, dialect)

    def test_a_column_may_have_the_name_of_a_role_word(self):
        check_sql('SELECT "user", c.user FROM customers c', dialect="postgres", tables=TABLES)

    def test_none_that_reads_files_or_waits_is_listed(self):
        for dialect in DIALECTS:
            assert not ALLOWED_FUNCTIONS[dialect] & {
                "load_extension",
                "readfile",
                "writefile",
                "pg_sleep",
                "read_csv",
                "repeat",
            }


class TestCost:
    @pytest.mark.parametrize(
        "call",
        [
            "trim(name, region)",
            "trim(region from name)",
            "ltrim(name, lower('b'))",
            "rtrim(name, 'x' || region)",
            '"instr"(name, region)',
            "replace(name, region, '')",
            f"instr(name, '{'x' * 101}')",
            "printf('%.*c', 2000000000, 'x')",
            "printf('%*d', 2000000000, 1)",
            "printf('%-,2000000000d', 1)",
            "format('%.' || '2000000000c', 'x')",
            "[printf](name)",
            "json_group_array(name)",
            "json_group_object(name, name)",
        ],
    )
    def test_a_call_that_no_clock_and_no_limit_ends_is_refused_in_sqlite(self, call):
        assert "json_group" in call or "in quotes" in reason(f"SELECT {call} FROM customers")
        assert reason(f"SELECT 1 FROM customers ORDER BY (SELECT {call})")

    @pytest.mark.parametrize(
        "call",
        [
            "trim(name)",
            "trim(name, ' .')",
            "instr(name, '/')",
            "replace(name, 'a', region)",
            "printf('%04d-%02d-%02d %% of %.2f', 1, 2, 3, 4)",
            "format('%,d', 1)",
        ],
    )
    def test_what_people_write_is_not(self, call):
        check_sql(f"SELECT {call} FROM customers", dialect="sqlite", tables=TABLES)

    def test_other_engines_end_a_call_themselves(self):
        check_sql("SELECT replace(name, region, '') FROM customers", dialect="postgres", tables=TABLES)


class TestText:
    """What the scanner and the engine must see alike."""

    @pytest.mark.parametrize(
        ("dialect", "sql"),
        [
            ("postgres", r"SELECT 'a\', danger(1), 'b'"),
            ("postgres", r"SELECT E'\\', danger(1), E'\\'"),
            ("postgres", "SELECT $a$ $b$ $a$, danger(1), $b$ $b$"),
            ("postgres", "SELECT 1 /* /* */ danger */ , danger(1) */"),
            ("duckdb", "SELECT 1 /* /* */ , danger(1)"),
            ("sqlite", "SELECT '\\', danger(1), '\\'"),
            ("sqlite", "SELECT 1 {# #}, danger(1)"),
            ("sqlite", "SELECT 1 /*/ , 2 /*/, danger(1)"),
        ],
    )
    def test_nothing_hides_in_a_literal_that_has_ended(self, dialect, sql):
        assert reason(sql, dialect)

    @pytest.mark.parametrize(
        ("sql", "part"),
        [
            ("", "no statement"),
            (" -- nothing", "no statement"),
            ("SELECT 'open", "do not close"),
            ("SELECT [open", "do not close"),
            ("SELECT 1 /* open", "comment does not end"),
            ("SELECT 1; SELECT 2", "more than one statement"),
            ("SELECT 1 -- x\r; DELETE FROM orders", "carriage return"),
            ("SELECT 1\x00", "U+0000"),
            ("\ufeffSELECT 1", "ZERO WIDTH NO-BREAK SPACE"),
            ("SELECT\u00a01", "NO-BREAK SPACE"),
            ("SELECT 1\uff1b DELETE FROM orders", "FULLWIDTH SEMICOLON"),
            ("SELECT 1 UN\u0131ON SELECT 2", "only look like others"),
            ("\uff33ELECT 1", "only look like others"),
            ("SELECT ?", "QUESTION MARK"),
            ("SELECT :name", "COLON"),
            ("SELEC 1", "only SELECT is allowed, not SELEC"),
            ("EXPLAIN SELECT 1", "not EXPLAIN"),
            ("SELECT FROM WHERE", "could not be read as sqlite SQL"),
            ("SELECT " + "1, " * 10_000 + "1", "longer than 20,000 characters"),
            ("SELECT " + "(" * 500 + "1" + ")" * 500, "nested more than 60"),
        ],
    )
    def test_the_reason_says_what_is_wrong(self, sql, part):
        assert part in reason(sql)

    def test_accents_are_letters(self):
        check_sql("SELECT 1 AS größe, '\uff21 \uff1b' AS été", dialect="sqlite", tables=TABLES)

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT " + "NOT " * 4000 + "1",
            "SELECT " + "- " * 4000 + "1",
            "SELECT " + "CASE WHEN " * 900 + "1" + " THEN 1 END" * 900,
            "SELECT 1" + " UNION SELECT 1" * 1200,
            "SELECT " + "abs(" * 59 + "1" + ")" * 59,
            "SELECT 1" + "".join(f" AND {n}" for n in range(2500)),
            "SELECT 1 FROM " + "(SELECT 1 FROM " * 58 + "orders" + ")" * 58,
        ],
    )
    @pytest.mark.parametrize("dialect", sorted(DIALECTS))
    def test_deep_text_ends_in_a_verdict(self, sql, dialect):
        with contextlib.suppress(SQLRefused):
            check_sql(sql, dialect=dialect, tables=TABLES)


def test_a_refusal_is_an_error_that_users_may_read():
    with pytest.raises(OperationFailed) as caught:
        check_sql("DROP TABLE orders", dialect="sqlite", tables=TABLES)
    assert (caught.value.code, caught.value.retryable) == ("not_allowed", False)
    assert caught.value.message == "This SQL was not run: only SELECT is allowed, not DROP."


def test_an_unknown_dialect_is_refused():
    assert "'oracle'" in reason("SELECT 1", "oracle")
