import json
import sqlite3
import threading
import uuid
from contextlib import closing

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from charts.attempts import Guarded, Runner
from charts.guard import SQLRefused
from charts.models import Chart, Source
from charts.operations import ChartGeneration, outcome
from charts.plan import Aggregate, ChartType, Column, Dimension, Filter, Grain, Measure, Plan
from charts.profiling import profile_source
from charts.query import OutputColumn
from charts.receipt import EVENT_CHARACTERS, column_json, fitting, read_column
from charts.sources import QueryCancelled
from charts.warming import warm_up
from progress import OperationFailed, Progress, stream_operation
from progress.orchestrator import completion
from progress.reporting import Reporter
from progress.runs import cancel, start

from .case import ShopCase, make_chart, make_slow_source

STATES = [
    "planning",
    "understanding_schema",
    "generating_query",
    "executing_query",
    "validating_results",
    "transforming_data",
]
STARTERS = {
    "Show revenue per month": "line",
    "top 10 products by revenue": "bar",
    "orders by country as a bar chart": "bar",
    "revenue by category and year": "stacked bar",
    "average delivery days by carrier": "bar",
    "share of orders per segment": "pie",
    "orders that were never shipped": "table",
    "discount against quantity": "scatter",
    "monthly orders in Germany vs France": "grouping line",
    "customers with more than 15 orders": "bar",
}


def states(events):
    """The states in order, each once for each time that it was entered."""
    found = [event.data["currentState"] for event in events if event.type == "progress"]
    return [state for at, state in enumerate(found) if at == 0 or found[at - 1] != state]


class OperationCase(ShopCase):
    async def ask(self, question, **params):
        events = []
        result = await stream_operation(ChartGeneration(question=question, **params), events.append)
        return result, events

    async def refusal(self, question, **params):
        events = []
        with pytest.raises(OperationFailed) as caught:
            await stream_operation(ChartGeneration(question=question, **params), events.append)
        return caught.value, events


class TestAnswers(OperationCase):
    async def test_the_starters_work(self):
        for question, chart_type in STARTERS.items():
            with self.subTest(question):
                result, events = await self.ask(question)
                chart = await Chart.objects.aget(pk=result["chartId"])
                assert chart.chart_type == chart_type
                assert result["rowCount"] > 1
                assert states(events) == [*STATES, "completed"]

    async def test_a_result_holds_what_the_contract_says(self):
        result, events = await self.ask("Show revenue per month")
        chart = await Chart.objects.aget(pk=result["chartId"])
        assert set(result) == {
            *("chartId", "chartUrl", "specUrl", "title", "answer", "spec", "sql", "dialect"),
            *("rowCount", "truncated", "checks", "warnings"),
        }
        assert result["chartUrl"] == f"/charts/{chart.pk}/"
        assert result["specUrl"] == f"/api/charts/{chart.pk}.json"
        assert result["spec"] == chart.spec
        assert result["rowCount"] == len(chart.rows)
        assert all({"name", "outcome", "message"} <= set(check) for check in result["checks"])
        assert "Revenue is highest in" in result["answer"]
        assert events[-1].data["metadata"] | result == events[-1].data["metadata"]

    async def test_every_stage_leaves_its_findings(self):
        _, events = await self.ask("monthly revenue in Germany")
        found = {}
        for event in events[:-1]:
            found.setdefault(event.data["currentState"], {}).update(event.data["metadata"])
        assert found["planning"]["question"] == "monthly revenue in Germany"
        assert "order lines" in found["understanding_schema"]["tables"]
        assert any("Germany" in link["phrase"] for link in found["understanding_schema"]["links"])
        assert "SELECT" in found["generating_query"]["sql"]
        assert found["generating_query"]["plan"]["table"] == "order lines"
        assert found["executing_query"]["rowCount"] > 1
        assert not found["executing_query"]["truncated"]
        assert found["validating_results"]["made"] > 10
        assert found["transforming_data"]["chart"]["type"] == "line"

    async def test_the_receipt_is_saved(self):
        result, _ = await self.ask("orders in Germany per month")
        chart = await Chart.objects.aget(pk=result["chartId"])
        assert chart.receipt["links"]
        assert [attempt["sql"] for attempt in chart.receipt["attempts"]] == [chart.sql]
        assert chart.receipt["chart"]["type"] == chart.chart_type
        assert Plan.model_validate(chart.plan).table == "orders"
        assert read_column(chart.columns[0]).label == chart.columns[0]["label"]

    async def test_a_wish_for_a_chart_type_wins(self):
        result, _ = await self.ask("orders per month", chart=ChartType.BAR)
        assert (await Chart.objects.aget(pk=result["chartId"])).chart_type == "bar"

    async def test_the_percentage_never_falls(self):
        _, events = await self.ask("orders by country")
        percentages = [event.data["percentage"] for event in events if event.type == "progress"]
        assert percentages == sorted(percentages)
        assert percentages[-1] == 100

    async def test_control_characters_are_blanks(self):
        result, events = await self.ask("orders\x00by\n\tcountry\x1b")
        chart = await Chart.objects.aget(pk=result["chartId"])
        assert chart.question == events[0].data["metadata"]["question"] == "orders by country"

    async def test_data_that_no_database_could_store(self):
        with closing(sqlite3.connect(self.folder / "odd.sqlite3")) as connection:
            connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, kind TEXT, size REAL)")
            rows = [("a\x00b", 1.0), ("<script>", float("inf")), ("=1+1", 2.0), (b"\xff\xfe".decode("latin-1"), None)]
            connection.executemany("INSERT INTO things (kind, size) VALUES (?, ?)", rows)
            connection.commit()
        await Source.objects.acreate(slug="odd", title="Odd", location="odd.sqlite3", is_public=True)
        result, _ = await self.ask("number of things by kind", source="odd")
        chart = await Chart.objects.aget(pk=result["chartId"])
        assert {row[0] for row in chart.rows} == {"a\ufffdb", "<script>", "=1+1", "\xff\xfe"}

    async def test_a_large_spec_leaves_its_rows_to_its_address(self):
        result, events = await self.ask("discount against quantity")
        chart = await Chart.objects.aget(pk=result["chartId"])
        assert len(chart.spec["data"]["values"]) > 1000
        assert "data" not in result["spec"]
        assert "encoding" in result["spec"]
        assert max(len(event.payload) for event in events) < 32 * 1024


class TestRefusals(OperationCase):
    async def test_an_unknown_word_is_named(self):
        error, events = await self.refusal("revenue per flurbit")
        assert error.code == "invalid_request"
        assert "“flurbit”" in error.message
        assert error.metadata["unknown"] == ["flurbit"]
        assert "order lines, orders" in error.message
        assert any(line.startswith("orders: ") for line in error.metadata["holds"])
        assert not error.metadata["smallTalk"]
        assert states(events) == ["planning", "understanding_schema", "failed"]
        assert events[-1].data["metadata"]["unknown"] == ["flurbit"]
        assert not await Chart.objects.aexists()

    async def test_suggestions_work_themselves(self):
        error, _ = await self.refusal("revenue per flurbit")
        assert len(error.metadata["suggestions"]) == 3
        for suggestion in error.metadata["suggestions"]:
            with self.subTest(suggestion):
                await self.ask(suggestion)

    async def test_an_ambiguous_question_offers_readings_that_work(self):
        error, _ = await self.refusal("best customers")
        assert error.code == "invalid_request"
        assert "Which is meant?" in error.message
        assert len(error.metadata["readings"]) in (2, 3)
        for reading in error.metadata["readings"]:
            with self.subTest(reading):
                await self.ask(reading)

    async def test_small_talk_is_told_apart(self):
        for text in ("hello", "Hi there!", "Thank you", "what can you do?"):
            error, _ = await self.refusal(text)
            assert error.metadata["smallTalk"], text
            assert "data" in error.message

    async def test_a_time_after_the_data_is_no_data(self):
        error, _ = await self.refusal("orders per month in 2031")
        assert error.code == "no_data"
        assert "SELECT" in error.metadata["sql"]
        assert error.metadata["checks"]

    async def test_an_unknown_source(self):
        error, _ = await self.refusal("orders per month", source="nowhere")
        assert error.code == "invalid_request"
        assert "'nowhere'" in error.message

    async def test_a_missing_file(self):
        await Source.objects.acreate(slug="gone", title="Gone", location="gone.sqlite3", is_public=True)
        error, _ = await self.refusal("orders per month", source="gone")
        assert error.code == "unavailable"
        assert str(self.folder) not in error.message

    def test_parameters_are_strict(self):
        for params in (
            {},
            {"question": ""},
            {"question": " "},
            {"question": "x" * 4001},
            {"question": "x", "sql": "SELECT 1"},
        ):
            with pytest.raises(ValueError, match="validation error"):
                ChartGeneration(**params)


class TestFollowUps(OperationCase):
    async def follow(self, words, chart, **params):
        result, events = await self.ask(words, follows=chart, **params)
        return await Chart.objects.select_related("follows", "source").aget(pk=result["chartId"]), events

    async def first(self, question="orders per month", **params):
        result, _ = await self.ask(question, **params)
        return await Chart.objects.aget(pk=result["chartId"])

    async def test_the_plan_of_the_chart_is_changed_and_run_again(self):
        before = await self.first()
        chart, events = await self.follow("only Germany", before.pk)
        whole = await self.first("orders per month in Germany")
        assert (chart.follows_id, chart.question, chart.rows) == (before.pk, "only Germany", whole.rows)
        assert chart.receipt["kept"] == ["Number of orders", "By month"]
        assert chart.receipt["changed"] == ["Added: only where country is Germany"]
        assert chart.as_json()["follows"] == str(before.pk)
        messages = [event.data["message"] for event in events if event.type == "progress"]
        assert "Follows “orders per month”: Added: only where country is Germany" in messages
        assert states(events) == [*STATES, "completed"]

    async def test_its_source_is_that_of_the_chart(self):
        await Source.objects.acreate(slug="a", title="A", location="sample.sqlite3", is_public=True)
        chart, _ = await self.follow("only web", (await self.first(source="a")).pk)
        assert chart.source.slug == "a"
        error, _ = await self.refusal("only web", follows=chart.pk, source="sample")
        assert error.code == "invalid_request"
        assert "'a'" in error.message

    async def test_a_question_of_its_own_follows_nothing(self):
        chart, _ = await self.follow("revenue by category", (await self.first()).pk)
        assert chart.follows is None
        assert "kept" not in chart.receipt
        assert any("stands on its own" in line for line in chart.receipt["assumptions"])

    async def test_undo_goes_back_step_by_step(self):
        first = await self.first()
        second, _ = await self.follow("only Germany", first.pk)
        third, _ = await self.follow("per week", second.pk)
        once, _ = await self.follow("undo", third.pk)
        twice, _ = await self.follow("undo", once.pk)
        assert (once.rows, twice.rows) == (second.rows, first.rows)
        assert once.follows_id == third.pk
        error, _ = await self.refusal("undo", follows=twice.pk)
        assert "nothing to undo" in error.message

    async def test_the_chart_of_another_is_not_there(self):
        theirs = await sync_to_async(make_chart)(visitor="v1", source=self.shop)
        for pk in (theirs.pk, uuid.uuid4()):
            error, _ = await self.refusal("only Germany", follows=pk)
            assert (error.code, error.message) == ("invalid_request", f"There is no chart {pk} to follow up on.")
        alice = await get_user_model().objects.acreate_user("alice")
        run = await self.finished(ChartGeneration(question="only Germany", follows=theirs.pk), owner=alice)
        assert (run.status, run.error["code"]) == ("failed", "invalid_request")

    async def test_a_chart_without_a_plan_or_source(self):
        error, _ = await self.refusal("only Germany", follows=(await sync_to_async(make_chart)(source=self.shop)).pk)
        assert "ask the whole question" in error.message
        error, _ = await self.refusal("only Germany", follows=(await sync_to_async(make_chart)()).pk)
        assert "was deleted" in error.message

    async def test_what_is_offered_instead_works_on_the_same_chart(self):
        chart = await self.first()
        for words, offered in (("by country", "readings"), ("only flurbit", "suggestions")):
            error, _ = await self.refusal(words, follows=chart.pk)
            assert error.code == "invalid_request"
            assert error.metadata["follows"] == str(chart.pk)
            assert len(error.metadata[offered]) >= 2
            for question in error.metadata[offered]:
                with self.subTest(question):
                    await self.follow(question, chart.pk)

    async def test_a_chart_type_that_cannot_be_says_why(self):
        chart, _ = await self.follow("as a line", (await self.first("orders by country")).pk)
        assert chart.chart_type == "bar"
        assert "Not drawn as a line chart: Country has no order that a line could follow." in chart.warnings


class TestRuns(OperationCase):
    async def test_a_chart_belongs_to_who_asked(self):
        alice = await get_user_model().objects.acreate_user("alice")
        run = await self.finished(ChartGeneration(question="orders by country"), owner=alice)
        assert run.status == "completed", run.error
        chart = await Chart.objects.aget(pk=run.result["chartId"])
        assert (chart.user_id, chart.run) == (alice.pk, run.pk)
        await self.assert_one_end(run)

    async def test_the_source_of_another_is_not_found(self):
        await Source.objects.acreate(slug="theirs", title="Theirs", location="sample.sqlite3", visitor="v1")
        alice = await get_user_model().objects.acreate_user("alice")
        run = await self.finished(ChartGeneration(question="orders by country", source="theirs"), owner=alice)
        assert (run.status, run.error["code"]) == ("failed", "invalid_request")

    async def test_a_cancel_ends_the_query(self):
        await sync_to_async(make_slow_source)(self.folder)
        run = await start(ChartGeneration(question="number of visits by title", source="slow"))
        await self.until(run, "executing_query")
        await cancel(run)
        await self.end_of(run)
        assert run.status == "cancelled"
        assert not await Chart.objects.aexists()


class TestRepairs(OperationCase):
    async def run_plan(self, plan):
        events = []
        progress = Progress(Reporter(events.append), ChartGeneration(question="x"))
        source = self.shop.open()
        profile = await sync_to_async(profile_source)(source)
        guarded = Guarded(source=source, profile=profile, cancelled=lambda: False)
        answer = await Runner(progress=progress, profile=profile, source=guarded).run(plan)
        return answer, events, progress

    def orders_in(self, country):
        of = Column(table="customers", column="country")
        return Plan(
            question="x",
            table="orders",
            measures=(Measure(label="Orders", table="orders", aggregate=Aggregate.COUNT),),
            dimensions=(Dimension(label="Country", of=of),),
            filters=(Filter(of=of, operator="=", values=(country,)),),
        )

    async def test_a_repaired_plan_runs_again(self):
        answer, events, _ = await self.run_plan(self.orders_in("Germny"))
        assert answer.plan.filters[0].values == ("Germany",)
        assert answer.ran.rows[0][0] == "Germany"
        assert len(answer.attempts) == 2
        assert any("Germany" in warning for warning in answer.warnings)
        again = [event.data for event in events if event.data["metadata"].get("repair") == 1]
        assert again[0]["currentState"] == "generating_query"
        assert states(events).count("generating_query") == 2

    async def test_the_percentage_stays_during_a_repair(self):
        _, events, progress = await self.run_plan(self.orders_in("Germny"))
        percentages = [event.data["percentage"] for event in [*events, *completion(progress, {})][:-1]]
        assert percentages == sorted(percentages)

    async def test_what_cannot_be_repaired_fails_with_advice(self):
        with pytest.raises(OperationFailed) as caught:
            await self.run_plan(self.orders_in("Atlantis"))
        assert caught.value.code == "no_data"
        assert "Germany" in caught.value.message
        assert "Atlantis" in caught.value.metadata["sql"]
        assert caught.value.metadata["check"] == "empty"


class TestGuarded(ShopCase):
    def guarded(self, cancelled=lambda: False):
        source = self.shop.open()
        return Guarded(source=source, profile=profile_source(source), cancelled=cancelled)

    def test_no_way_in_goes_around_the_guard(self):
        for sql in ("SELECT * FROM sqlite_master", "DELETE FROM orders", "SELECT load_extension('x')"):
            with pytest.raises(SQLRefused):
                self.guarded().execute(sql, ())
            with pytest.raises(SQLRefused):
                self.guarded().scalar(sql)

    def test_a_cancel_reaches_the_database(self):
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(QueryCancelled):
            self.guarded(stop.is_set).execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", ()
            )


class TestMetadata(ShopCase):
    def test_what_fits_is_left_alone(self):
        assert fitting({"a": 1, "b": "x" * 1000}) == {"a": 1, "b": "x" * 1000}

    def test_the_largest_part_goes_first(self):
        found = fitting({"sql": "x" * 5000, "plan": "y" * 20_000, "rows": 3})
        assert found == {"sql": "x" * 5000, "rows": 3}

    def test_text_counts_as_it_is_sent(self):
        assert fitting({"sql": "\N{SNOWMAN}" * 5000, "rows": 3}) == {"rows": 3}

    def test_an_outcome_always_fits(self):
        chart = make_chart(sql="SELECT " + "1, " * 6000, warnings=["x" * 30_000])
        found = outcome(chart)
        assert len(json.dumps(found)) < EVENT_CHARACTERS + 1000
        assert found["chartId"] == str(chart.pk)


class TestWarmUp(ShopCase):
    def test_it_loads_the_sample(self):
        with self.assertNoLogs("charts"):
            warm_up()

    def test_an_error_is_logged(self):
        Source.objects.update(location="../outside.sqlite3")
        with self.assertLogs("charts", "ERROR"):
            warm_up()


def test_columns_survive_their_json():
    column = OutputColumn(name="c0", label="Month", part="dimension", kind="temporal", grain=Grain.MONTH)
    assert read_column(json.loads(json.dumps(column_json(column)))) == column
