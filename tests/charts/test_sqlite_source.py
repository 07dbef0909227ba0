"""A SQLite source reads what it should, and holds against what it should not do, with no guard before it."""

import hashlib
import json
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from charts.plan import Column
from charts.query import OutputColumn
from charts.sources import ForeignKeySchema, QueryCancelled, QueryFailed, QueryTimeout
from charts.sources.sqlite import SQLiteSource
from progress.exceptions import OperationCancelled, OperationFailed

CORPUS = Path(__file__).parent / "data" / "sql_guard.tsv"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def source_of(path, script):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return SQLiteSource(path, slug="test")


def corpus(verdict):
    rows = [line.split("\t") for line in CORPUS.read_text().splitlines() if not line.startswith("#")]
    return [
        pytest.param(json.loads(sql), id=name)
        for name, dialect, found, sql in rows
        if found == verdict and dialect in ("any", "sqlite")
    ]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The database that the corpus describes."""
    lines = [line.removeprefix("#   ") for line in CORPUS.read_text().splitlines()]
    script = "\n".join(line for line in lines if line.startswith(("CREATE TABLE", "INSERT")))
    return source_of(tmp_path_factory.mktemp("source") / "shop.sqlite3", script)


@pytest.fixture
def unchanged(shop):
    """Check that the file and its folder are as before."""
    before, files = digest(shop.path), sorted(shop.path.parent.iterdir())
    yield
    assert digest(shop.path) == before
    assert sorted(shop.path.parent.iterdir()) == files


def failure(source, sql, **options):
    with pytest.raises(QueryFailed) as caught:
        source.execute(sql, **options)
    return str(caught.value)


class TestSchema:
    def test_tables_columns_and_keys(self, tmp_path):
        source = source_of(
            tmp_path / "a.sqlite3",
            """
            CREATE TABLE Teams (Code TEXT PRIMARY KEY, "full name" VARCHAR(20));
            CREATE TABLE players (a INTEGER, b INTEGER, team TEXT REFERENCES teams, mate INTEGER,
                PRIMARY KEY (b, a), FOREIGN KEY (mate) REFERENCES PLAYERS (B));
            CREATE VIEW scores AS SELECT a AS goals FROM players;""",
        )
        teams, players, scores = source.schema()
        assert (teams.name, teams.columns) == ("Teams", (("Code", "TEXT"), ("full name", "VARCHAR(20)")))
        assert teams.primary_key == ("Code",)
        assert players.primary_key == ("b", "a")
        assert set(players.foreign_keys) == {
            ForeignKeySchema(column="team", to_table="Teams", to_column="Code"),
            ForeignKeySchema(column="mate", to_table="players", to_column="b"),
        }
        assert (scores.view, scores.columns) == (True, (("goals", "INTEGER"),))

    def test_keys_to_nowhere_and_broken_views_are_left_out(self, tmp_path):
        source = source_of(
            tmp_path / "a.sqlite3",
            """
            CREATE TABLE t (a REFERENCES gone (id), b REFERENCES t (absent), c, d, FOREIGN KEY (c, d) REFERENCES t (a, b));
            CREATE VIEW broken AS SELECT * FROM gone;""",
        )
        (table,) = source.schema()
        assert table.foreign_keys == ()

    def test_generated_columns_count_and_the_engines_tables_do_not(self, tmp_path):
        source = source_of(
            tmp_path / "a.sqlite3",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT, twice INT AS (n * 2)); INSERT INTO t (n) VALUES (4);",
        )
        assert [(table.name, [name for name, _ in table.columns]) for table in source.schema()] == [
            ("t", ["id", "n", "twice"])
        ]
        assert source.execute("SELECT twice FROM t").rows == ((8,),)

    def test_an_empty_database_has_no_tables(self, tmp_path):
        assert source_of(tmp_path / "a.sqlite3", "").schema() == ()

    def test_version_changes_with_the_file(self, tmp_path):
        source = source_of(tmp_path / "a.sqlite3", "CREATE TABLE t (a)")
        before = source.version
        assert source.version == before
        os.utime(source.path, ns=(1, 1))
        assert source.version != before

    def test_a_missing_file_says_so(self, tmp_path):
        with pytest.raises(QueryFailed, match="'lost' is missing") as caught:
            SQLiteSource(tmp_path / "none.sqlite3", slug="lost").schema()
        assert caught.value.code == "unavailable"
        assert not (tmp_path / "none.sqlite3").exists()

    def test_another_kind_of_file_says_so(self, tmp_path):
        (tmp_path / "a.sqlite3").write_text("hello " * 1000)
        with pytest.raises(QueryFailed, match="not a database"):
            SQLiteSource(tmp_path / "a.sqlite3", slug="text").schema()

    def test_odd_paths(self, tmp_path):
        folder = tmp_path / "50% of it? #1 é"
        folder.mkdir()
        source = source_of(folder / "a?mode=rwc.sqlite3", "CREATE TABLE t (a)")
        assert source.execute("SELECT count(*) FROM t").rows == ((0,),)


class TestExecute:
    def test_rows_come_with_the_columns_given(self, shop):
        columns = [
            OutputColumn(name="c0", label="Country", part="dimension", kind="nominal"),
            OutputColumn(
                name="c1",
                label="Customers",
                part="measure",
                kind="quantitative",
                sources=(Column(table="customers", column="id"),),
            ),
        ]
        sql = "SELECT country AS c0, count(*) AS c1 FROM customers GROUP BY 1 ORDER BY 1"
        result = shop.execute(sql, columns)
        assert result.columns == tuple(columns)
        assert result.rows == ((None, 1), ("DE", 1), ("FR", 1))
        assert not result.truncated
        assert result.milliseconds > 0

    def test_columns_that_nobody_described_are_told_by_their_rows(self, shop):
        result = shop.execute("SELECT name, signed_up, id, NULL AS empty FROM customers WHERE id < 3")
        assert [(column.name, column.label, column.part, column.kind) for column in result.columns] == [
            ("c0", "name", "dimension", "nominal"),
            ("c1", "signed_up", "dimension", "temporal"),
            ("c2", "id", "measure", "quantitative"),
            ("c3", "empty", "dimension", "nominal"),
        ]

    def test_another_number_of_columns_is_an_error(self, shop):
        column = OutputColumn(name="c0", label="a", part="detail", kind="nominal")
        assert "2 columns where 1" in failure(shop, "SELECT 1, 2", columns=[column])

    def test_the_row_limit_is_noticed(self, shop):
        all_rows = shop.execute("SELECT id FROM orders", max_rows=6)
        assert (len(all_rows.rows), all_rows.truncated) == (6, False)
        cut = shop.execute("SELECT id FROM orders", max_rows=5)
        assert (len(cut.rows), cut.truncated) == (5, True)

    def test_cells_fit_json(self, tmp_path):
        source = source_of(
            tmp_path / "a.sqlite3",
            "CREATE TABLE t (a); INSERT INTO t VALUES (9e999), (x'00ff'), (CAST(x'ff41' AS TEXT)), (1), (NULL), ('é');",
        )
        assert [row for (row,) in source.execute("SELECT a FROM t").rows] == [
            None,
            "(2 bytes)",
            "\ufffdA",
            1,
            None,
            "é",
        ]
        assert source.scalar("SELECT a FROM t LIMIT 1") is None

    def test_scalar(self, shop):
        assert shop.scalar("SELECT count(*) FROM orders") == 6
        assert shop.scalar("SELECT id FROM orders WHERE id > 100") is None

    @pytest.mark.parametrize("sql", ["", " ", "-- nothing", ";", "/* */"])
    def test_no_query(self, shop, sql):
        assert "write one SELECT" in failure(shop, sql)

    def test_mistakes_are_named(self, shop):
        assert "no such column: amoun" in failure(shop, "SELECT amoun FROM orders")
        assert "no such table: missing" in failure(shop, "SELECT * FROM missing")
        assert "syntax error" in failure(shop, "SELECT FROM")

    def test_failures_are_operation_failures(self):
        assert issubclass(QueryFailed, OperationFailed)
        assert issubclass(QueryCancelled, OperationCancelled)
        assert (QueryFailed("x").code, QueryTimeout(3).code, QueryTimeout(3).retryable) == (
            "query_failed",
            "timeout",
            True,
        )
        assert "after 3 s" in str(QueryTimeout(3.0))

    def test_it_reads_beside_a_writer(self, tmp_path):
        source = source_of(
            tmp_path / "a.sqlite3", "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1);"
        )
        with closing(sqlite3.connect(source.path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("INSERT INTO t VALUES (2)")
            assert source.scalar("SELECT count(*) FROM t") == 1
            writer.execute("COMMIT")
        assert source.scalar("SELECT count(*) FROM t") == 2


@pytest.mark.usefixtures("unchanged")
class TestWall:
    @pytest.mark.parametrize("sql", corpus("refuse"))
    def test_attacks_fail_at_the_engine(self, shop, sql):
        failure(shop, sql, timeout=5.0)

    @pytest.mark.parametrize("sql", corpus("neutralise"))
    def test_attacks_are_contained(self, shop, sql):
        with pytest.raises((QueryFailed, QueryTimeout)):
            shop.execute(sql, timeout=0.3)

    @pytest.mark.parametrize("sql", corpus("allow"))
    def test_harmless_queries_run(self, shop, sql):
        assert shop.execute(sql).columns

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO orders (id) VALUES (99)",
            "REPLACE INTO orders (id) VALUES (1)",
            "UPDATE orders SET amount = 0",
            "DELETE FROM orders",
            "CREATE TABLE t (a)",
            "CREATE TEMP TABLE t (a)",
            "CREATE TEMP TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END",
            "ALTER TABLE orders RENAME TO t",
            "DROP TABLE orders",
            "REINDEX",
            "ANALYZE",
            "VACUUM",
            "VACUUM INTO '/tmp/guard_probe.sqlite3'",
            "ATTACH '/tmp/guard_probe.sqlite3' AS t",
            "ATTACH ':memory:' AS t",
            "DETACH main",
            "PRAGMA query_only = OFF",
            "PRAGMA user_version = 5",
            "PRAGMA table_info(orders)",
            "BEGIN IMMEDIATE",
            "SAVEPOINT s",
            "CREATE VIRTUAL TABLE t USING fts5(a)",
        ],
    )
    def test_no_statement_writes_or_configures(self, shop, sql):
        failure(shop, sql)

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT sql FROM sqlite_master",
            "SELECT * FROM sqlite_schema",
            "SELECT * FROM main.sqlite_master",
            "SELECT * FROM sqlite_temp_master",
            "SELECT * FROM pragma_table_info('orders')",
            "SELECT * FROM pragma_database_list",
            "SELECT (SELECT count(*) FROM sqlite_master)",
            "SELECT count(*) FROM pragma_table_list",
            "WITH customers AS (SELECT * FROM sqlite_master) SELECT * FROM customers",
            "SELECT * FROM dbstat",
        ],
    )
    def test_the_engines_own_tables_are_closed(self, shop, sql):
        failure(shop, sql)

    @pytest.mark.parametrize(
        "call",
        [
            "load_extension('x')",
            "readfile('/etc/passwd')",
            "writefile('/tmp/guard_probe', 'x')",
            "edit('x')",
            "randomblob(10)",
            "zeroblob(100000000)",
            "sqlite_compileoption_get(1)",
            "fts3_tokenizer('simple')",
            "last_insert_rowid()",
        ],
    )
    def test_functions_that_are_not_listed_are_closed(self, shop, call):
        failure(shop, f"SELECT {call}")

    def test_a_view_opens_nothing(self, tmp_path):
        source = source_of(
            tmp_path / "a.sqlite3",
            """CREATE TABLE t (a); CREATE VIEW good AS SELECT a FROM t;
            CREATE VIEW names AS SELECT name FROM sqlite_master; CREATE VIEW noise AS SELECT random() AS r, randomblob(9) AS b;""",
        )
        assert source.execute("SELECT * FROM good").rows == ()
        failure(source, "SELECT * FROM names")
        failure(source, "SELECT b FROM noise")

    def test_even_a_writable_trick_leaves_a_copy_unchanged(self, shop, tmp_path):
        copy = SQLiteSource(shutil.copy(shop.path, tmp_path / "copy.sqlite3"), slug="copy")
        before = digest(copy.path)
        with copy.reader() as reader:
            reader.connection.set_authorizer(None)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.connection.execute("DELETE FROM orders")
        assert digest(copy.path) == before


class TestLimits:
    def test_the_time_limit_ends_an_endless_query(self, shop):
        with pytest.raises(QueryTimeout, match=r"after 0\.2 s"):
            shop.execute(ENDLESS, timeout=0.2)

    def test_the_time_limit_ends_an_endless_flow_of_rows(self, shop):
        endless = ENDLESS.replace("count(*)", "i") + " WHERE i < 0"
        with pytest.raises(QueryTimeout):
            shop.execute(endless, timeout=0.2)

    def test_another_thread_cancels(self, shop):
        cancelled, running, outcome = threading.Event(), threading.Event(), []

        def look():
            running.set()
            return cancelled.is_set()

        def ask():
            try:
                shop.execute(ENDLESS, timeout=60.0, cancelled=look)
            except QueryCancelled as error:
                outcome.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert running.wait(5)
        cancelled.set()
        thread.join(1.0)
        assert not thread.is_alive()
        assert len(outcome) == 1

    def test_cancelled_before_it_began(self, shop):
        with pytest.raises(QueryCancelled):
            shop.scalar(ENDLESS, cancelled=lambda: True)

    def test_a_result_has_a_size(self, shop):
        wide = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT printf('%.*c', 900000, 'x') FROM n"
        with pytest.raises(QueryFailed, match="more than 20 MB") as caught:
            shop.execute(wide)
        assert caught.value.code == "limit_exceeded"

    def test_a_value_has_a_length(self, shop):
        with pytest.raises(QueryFailed, match="value of more than 1,000,000") as caught:
            shop.execute("SELECT replace(printf('%.*c', 2000, 'x'), 'x', printf('%.*c', 2000, 'y'))")
        assert caught.value.code == "limit_exceeded"

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT " + "1 + " * 300 + "1",
            "SELECT 1" + " UNION ALL SELECT 1" * 100,
            "SELECT '" + "x" * 100_001 + "'",
            "SELECT max(" + ", ".join("1" * 30) + ")",
            "SELECT 1 WHERE 'a' LIKE '" + "%" * 600 + "'",
        ],
    )
    def test_a_statement_has_a_size(self, shop, sql):
        failure(shop, sql)
