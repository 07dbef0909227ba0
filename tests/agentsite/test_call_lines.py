"""Calls of tools in lines for people."""

import uuid

from django.test import SimpleTestCase

from agentsite.call_lines import DETAILS, about_calls, call_lines, charts_of_calls
from progress.models import OperationRun

CHART = uuid.uuid4()


def run_of(*results, operation="tool_execution"):
    return OperationRun(operation=operation, params={"tools": []}, result={"results": list(results)})


def done(name, result):
    return {"toolCallId": "c", "name": name, "status": "completed", "result": result}


class CallLineTests(SimpleTestCase):
    def line(self, name, result):
        (line,) = call_lines(run_of(done(name, result)))
        return line

    def test_a_failure_says_why(self):
        error = {"code": "no_data", "message": "The shelf is empty."}
        (line,) = call_lines(run_of({"toolCallId": "c", "name": "shop__count", "status": "failed", "error": error}))
        assert line == {"tool": "Shop: count", "status": "failed", "said": "The shelf is empty."}

    def test_a_query_shows_its_rows(self):
        line = self.line("run_query", {"columns": ["a"], "rows": [[1]], "row_count": 1})
        assert line == {"tool": "Run query", "status": "completed", "said": "1 row", "columns": ["a"], "rows": [[1]]}
        assert self.line("run_query", {"columns": ["a"], "rows": [[1]], "row_count": 2_000})["said"] == "2,000 rows"

    def test_a_short_result_is_the_line_itself(self):
        for result, said in (("fine", "fine"), (3, "3"), (None, "null"), ([1, 2], "[1, 2]")):
            assert self.line("any", result)["said"] == said
        assert self.line("calculate", {"value": "0.3", "exact": True})["said"] == "0.3"
        assert self.line("make_chart", {"answer": "It grew.", "row_count": 3})["said"] == "It grew."

    def test_a_long_one_is_folded_away_and_cut(self):
        line = self.line("any", "x" * 10_000)
        assert line["said"] == ""
        assert line["details"].endswith(f"… ({10_000 - DETAILS:,} more characters, which the API has)")

    def test_results_of_any_shape_have_a_line(self):
        for result in (
            {"row_count": 1},
            {"answer": 5},
            {"rows": 1},
            [],
            {},
            True,
            [[[]]],
            {"cut": True, "note": "Cut."},
        ):
            assert self.line("run_query", result)["status"] == "completed"

    def test_charts_are_those_that_calls_made(self):
        results = [
            done("make_chart", {"id": str(CHART)}),
            done("other", {"id": "x"}),
            done("make_chart", {"cut": True}),
        ]
        assert charts_of_calls(run_of(*results)) == [CHART]
        assert charts_of_calls(run_of(*results, operation="chat")) == []

    def test_a_run_is_named_by_what_it_is_for_or_what_it_calls(self):
        tools = [{"name": "run_query"}, {"name": "calculate"}, {"name": "run_query"}]
        assert about_calls({"tools": tools, "query": ""}) == "Run query, Calculate"
        assert about_calls({"tools": tools, "query": "why"}) == "why"
