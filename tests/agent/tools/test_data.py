"""The tools that look at the data, used by people with rights of their own, and by attackers."""

import asyncio
import json
import re
import sqlite3
import time
from contextlib import closing
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.test import override_settings

from agentsite.agent.tools import ToolCall, ToolContext, tool
from agentsite.agent.tools.charting import make_chart
from agentsite.agent.tools.data import describe_table, list_sources, profile_column, run_query
from charts.models import Chart, Source
from progress.owners import Owner
from tests.charts.case import ShopCase, make_slow_source
from tests.charts.case import make_chart as make_chart_row
from tests.charts.test_guard import corpus, fixture_statements

from .case import call_one, called


def without_ids(text):
    return re.sub(r"[0-9a-f-]{36}", "", text)


class DataToolTests(ShopCase):
    def setUp(self):
        super().setUp()
        alice, bob = (get_user_model().objects.create_user(name, password="x") for name in ("alice", "bob"))
        self.alice, self.bob = Owner(user=alice.pk), Owner(user=bob.pk)

    def source(self, slug, *statements, **values):
        path = self.folder / f"{slug}.sqlite3"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(";\n".join(statements))
        return Source.objects.create(slug=slug, title=slug.title(), location=f"{slug}.sqlite3", **values)

    def result(self, used, owner=None, **arguments):
        outcome, _ = call_one(used, owner=owner or self.alice, **arguments)
        assert outcome.error is None, outcome.error
        return outcome.result

    def error(self, used, owner=None, **arguments):
        outcome, _ = call_one(used, owner=owner or self.alice, **arguments)
        return outcome.error

    def test_sources_are_listed_with_their_tables(self):
        (self.folder / "broken.sqlite3").write_text("not a database, but long enough to be looked at")
        Source.objects.create(slug="broken", title="Broken", location="broken.sqlite3", is_public=True)
        found = self.result(list_sources)
        broken, sample = sorted(found["sources"], key=lambda source: source["slug"])
        assert (sample["slug"], "order lines" in sample["tables"]) == ("sample", True)
        assert "tables" not in broken
        assert found["more"] is False

    def test_a_table_is_described_without_its_values(self):
        found = self.result(describe_table, table="ORDERS")
        assert (found["table"], found["source"], found["primary_key"]) == ("orders", "sample", ["id"])
        columns = {column["name"]: column for column in found["columns"]}
        assert columns["customer_id"] == {
            "name": "customer_id",
            "type": "integer",
            "role": "id",
            "references": "customers.id",
        }
        assert "shipped" not in json.dumps([column for column in found["columns"] if column["name"] == "status"])

    def test_a_column_is_profiled(self):
        found = self.result(profile_column, table="order lines", column="quantity")
        assert (found["type"], found["role"], found["missing"]) == ("integer", "additive", 0)
        assert found["minimum"] <= found["mean"] <= found["maximum"]
        counts = [line["rows"] for line in found["most_frequent"]]
        assert counts == sorted(counts, reverse=True)
        assert len(counts) <= 10
        assert found["rows"] >= sum(counts)
        assert "mean" not in self.result(profile_column, table="customers", column="country")

    def test_names_that_are_not_there_are_told_from_those_near_them(self):
        assert self.error(describe_table, table="custumers") == {
            "code": "invalid_request",
            "message": "There is no table 'custumers'; there is customers.",
        }
        wrong = self.error(profile_column, table="customers", column="country; DROP TABLE customers")
        assert wrong["code"] == "invalid_request"

    def test_names_from_the_data_are_quoted_wherever_they_go(self):
        name = 'x" FROM customers; DROP TABLE t --'
        quoted = name.replace('"', '""')
        self.source(
            "odd",
            f'CREATE TABLE "{quoted}" ("{quoted}" TEXT)',
            f'INSERT INTO "{quoted}" VALUES (1), (1)',
            is_public=True,
        )
        found = self.result(profile_column, table=name, column=name, source="odd")
        assert found["most_frequent"] == [{"value": "1", "rows": 2}]

    def test_a_query_gives_its_first_rows(self):
        found = self.result(run_query, sql="SELECT id, country FROM customers ORDER BY id", limit=3)
        assert found["columns"] == ["id", "country"]
        assert [row[0] for row in found["rows"]] == [1, 2, 3]
        assert found["row_count"] > 3
        assert found["note"] == "Only 3 of them are shown."
        assert found["truncated"] is False

    def test_of_many_wide_rows_as_many_are_given_as_there_is_room_for(self):
        wide = f"SELECT '{'ä' * 250}' AS text, id FROM customers"
        found = self.result(run_query, sql=wide, limit=200)
        assert 5 < len(found["rows"]) < 200
        assert found["note"] == f"Only {len(found['rows'])} of them are shown."
        assert len(json.dumps(found)) < 20_000
        (cell,) = self.result(run_query, sql=f"SELECT '{'x' * 5000}'")["rows"][0]
        assert cell == "x" * 300 + "… (5,000 characters)"

    def test_more_rows_than_a_query_may_find_are_said_to_be_more(self):
        found = self.result(run_query, sql="SELECT a.id FROM customers a, customers b, customers c", limit=1)
        assert (found["row_count"], found["truncated"]) == (5000, True)

    def test_no_attack_of_the_corpus_passes_and_every_harmless_query_does(self):
        self.source("corpus", *fixture_statements(), is_public=True)
        before = (self.folder / "corpus.sqlite3").read_bytes()
        for verdict, wanted in (("refuse", "failed"), ("allow", "completed")):
            rows = [parameter.values[1] for parameter in corpus(verdict, dialects={"sqlite"})]
            assert len(rows) > 20
            calls = [ToolCall(name="run_query", arguments={"sql": sql, "source": "corpus"}) for sql in rows]
            outcomes, events = called(run_query, calls=calls, owner=self.alice)
            assert [sql for sql, outcome in zip(rows, outcomes, strict=True) if outcome.status != wanted] == []
            assert {outcome.error["code"] for outcome in outcomes if outcome.error} <= {
                "not_allowed",
                "invalid_request",
            }
            assert events[-1].type == "done"
        assert (self.folder / "corpus.sqlite3").read_bytes() == before

    def test_the_sites_own_tables_are_not_there(self):
        for sql in ("SELECT * FROM auth_user", "SELECT * FROM sqlite_master", "SELECT load_extension('x')"):
            assert self.error(run_query, sql=sql)["code"] in ("not_allowed", "query_failed")

    def test_a_query_without_end_is_stopped_with_its_call(self):
        make_slow_source(self.folder)
        slow = "SELECT count(*) FROM pages JOIN visits ON page = code"

        @tool(timeout=0.5)
        def hasty(context: ToolContext, *, sql: str) -> object:
            """run_query in a hurry."""
            try:
                return asyncio.run(run_query.call(context, {"sql": sql, "source": "slow", "limit": 1}))
            finally:
                ended.append(time.monotonic())

        ended = []
        assert self.error(hasty, sql=slow)["code"] == "timeout"
        deadline = time.monotonic() + 10
        while not ended and time.monotonic() < deadline:
            time.sleep(0.02)
        assert ended  # the engine, too

    def test_what_others_have_looks_as_if_it_were_not_there(self):
        self.source("secret", "CREATE TABLE salaries (name TEXT, amount INT)", user_id=self.bob.user)
        others = [self.alice, Owner(visitor="somebody"), Owner()]
        for owner in others:
            assert "secret" not in json.dumps(self.result(list_sources, owner=owner))
            for used, arguments in (
                (describe_table, {"table": "salaries"}),
                (profile_column, {"table": "salaries", "column": "amount"}),
                (run_query, {"sql": "SELECT * FROM salaries"}),
                (make_chart, {"question": "number of salaries by name"}),
            ):
                foreign = self.error(used, owner=owner, source="secret", **arguments)
                missing = self.error(used, owner=owner, source="nobody", **arguments)
                assert foreign == {**missing, "message": missing["message"].replace("nobody", "secret")}
                assert foreign["code"] == "invalid_request"
        assert "secret" in json.dumps(self.result(list_sources, owner=self.bob))
        assert self.result(run_query, owner=self.bob, sql="SELECT * FROM salaries", source="secret")["rows"] == []

    def test_another_source_cannot_be_reached_through_one(self):
        self.source("secret", "CREATE TABLE salaries (name TEXT, amount INT)", user_id=self.alice.user)
        sql = f"ATTACH '{self.folder}/secret.sqlite3' AS other"
        assert self.error(run_query, sql=sql)["code"] == "not_allowed"
        assert self.error(run_query, sql="SELECT * FROM other.salaries")["code"] == "not_allowed"

    def test_a_chart_is_made_for_its_owner_and_told_in_short(self):
        outcome, events = call_one(make_chart, owner=self.alice, question="orders by country as a bar chart")
        made = outcome.result
        chart = Chart.objects.get(pk=made["id"])
        assert chart.owner == self.alice
        assert (made["title"], made["answer"], made["chart_type"]) == (chart.title, chart.answer, "bar")
        assert made["url"] == f"/charts/{chart.pk}/"
        assert made["spec_url"] == f"/api/charts/{chart.pk}.json"
        assert made["rows"] == chart.rows[:10]
        assert len(made["columns"]) == len(made["rows"][0])
        nested = [event.data for event in events if event.data["operation"] == "chart_generation"]
        assert {data["metadata"]["toolCallId"] for data in nested} == {"c1"}
        assert nested[-1]["currentState"] == "completed"

    def test_a_chart_of_somebody_elses_cannot_be_followed(self):
        theirs = make_chart_row(user_id=self.bob.user, source=self.shop)
        foreign = self.error(make_chart, question="as a line", follows=str(theirs.pk))
        missing = self.error(make_chart, question="as a line", follows=str(uuid4()))
        assert foreign["code"] == missing["code"] != "internal"
        assert without_ids(foreign["message"]) == without_ids(missing["message"])
        assert "Germany" not in str(foreign)
        assert self.error(make_chart, question="as a line", follows="1 OR 1=1")["code"] == "invalid_request"

    def test_a_question_that_is_none_fails_with_its_advice(self):
        outcome, _ = call_one(make_chart, owner=self.alice, question="what is love")
        assert outcome.error["code"] == "invalid_request"
        assert outcome.failure.metadata.get("suggestions")
        assert self.error(make_chart, question=" ")["code"] == "invalid_request"
        assert self.error(make_chart, question="orders", chart="hologram")["code"] == "invalid_request"

    @override_settings(AGENT={"TOOL_RESULT_LENGTH": 3_000})
    def test_every_result_keeps_to_its_limit(self):
        for used, arguments in (
            (list_sources, {}),
            (run_query, {"sql": "SELECT * FROM orders", "limit": 200}),
            (describe_table, {"table": "orders"}),
        ):
            assert len(json.dumps(self.result(used, **arguments), separators=(",", ":"))) <= 3_000
