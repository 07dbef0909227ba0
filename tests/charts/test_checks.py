import pytest

from charts.checks import CHECKS, Outcome, partial_periods, repaired_plan
from charts.checks.emptiness import closest, edit_distance
from charts.checks.encoding import baseline_faults
from charts.checks.text import parse_number
from charts.plan import Aggregate, ChartType, Dimension, Grain, Having, Order
from charts.sources import QueryFailed

from .shop import (
    COUNTRY,
    MONTH,
    PRODUCT,
    PROFILE,
    check,
    compiled,
    database,
    dimension,
    measure,
    months,
    of,
    orders,
    plan,
    result,
    scalar,
    total,
    where,
)

PASS, REPAIR, CHANGE, WARN, FAIL = Outcome.PASS, Outcome.REPAIR, Outcome.CHANGE, Outcome.WARN, Outcome.FAIL


def names(count: int) -> list[tuple[str, float]]:
    return [(f"Place {number:02}", float(count - number)) for number in range(count)]


class TestAll:
    def test_every_check_leaves_a_line_on_a_sound_chart(self):
        lines = check(plan(total(), by=(COUNTRY,)))
        assert list(lines) == list(CHECKS)
        assert {name for name, line in lines.items() if line.outcome is not PASS} == {"null-label"}
        assert all(line.message.endswith(".") for line in lines.values())

    def test_a_check_whose_own_query_fails_warns_and_the_others_run(self):
        from charts.checks import run_checks

        def refuse(sql: str) -> None:
            raise QueryFailed("no such table: t")

        asked = plan(total(), by=(COUNTRY,))
        query = compiled(asked)
        lines = run_checks(asked, PROFILE, query, result(query.columns, [("Germany", 3.0)] * 2), count=refuse)
        assert [line.name for line in lines if "could not be checked" in line.message] == ["recount"]
        assert len(lines) == len(CHECKS)


class TestEmpty:
    def test_a_misspelt_value_is_repaired(self):
        line = check(plan(orders(), by=(MONTH,), filters=(where("customers.country", "=", "Germny"),)))["empty"]
        assert line.outcome is REPAIR
        assert line.plan.filters[0].values == ("Germany",)
        assert line.message == "No country is called 'Germny'; taken was 'Germany' in place of 'Germny'."

    def test_case_and_accents_are_repaired(self):
        line = check(plan(orders(), filters=(where("customers.country", "=", "SAO TOME"),)))["empty"]
        assert line.plan.filters[0].values == ("São Tomé",)

    def test_an_unknown_value_fails_with_what_exists(self):
        line = check(plan(orders(), by=(MONTH,), filters=(where("customers.country", "=", "Peru"),)))["empty"]
        assert line.outcome is FAIL
        assert line.message == "Nothing fits “country is Peru”. What exists: France, Germany, São Tomé."

    def test_a_number_beyond_the_data_fails_with_the_range(self):
        line = check(plan(orders(), by=(MONTH,), filters=(where("orders.total", ">", 1000),)))["empty"]
        assert line.outcome is FAIL
        assert "Total runs from 5 to 40" in line.message

    def test_a_relation_that_no_row_has_fails_without_a_range(self):
        none = where("orders.customer_id", "none")
        line = check(plan(orders(table="customers"), by=(COUNTRY,), filters=(none,), table="customers"))["empty"]
        assert (line.outcome, line.message) == (FAIL, "Nothing fits “without orders”.")

    def test_conditions_that_only_together_fit_nothing_name_the_pair(self):
        filters = (where("customers.country", "=", "Germany"), where("orders.total", ">", 35))
        line = check(plan(orders(), by=(MONTH,), filters=filters))["empty"]
        assert line.outcome is FAIL
        assert "together with" in line.message

    def test_a_condition_on_groups_tells_how_far_they_reach(self):
        having = Having(measure=orders(), operator=">", values=(15,))
        line = check(plan(orders(), by=(COUNTRY,), having=(having,)))["empty"]
        assert line.outcome is FAIL
        assert line.numbers["highest"] == 2
        assert "the highest found is 2" in line.message

    def test_a_count_of_0_for_a_name_that_does_not_exist_is_empty_too(self):
        assert check(plan(orders(), filters=(where("customers.country", "=", "Peru"),)))["empty"].outcome is FAIL

    def test_a_result_with_rows_passes(self):
        assert check(plan(orders(), filters=(where("customers.country", "=", "France"),)))["empty"].outcome is PASS

    @pytest.mark.parametrize(
        ("word", "found"),
        [("GERMANY ", "Germany"), ("Germayn", "Germany"), ("Frnce", "France"), ("Spain", None), ("USA", None)],
    )
    def test_closest(self, word, found):
        assert closest(word, ("Germany", "France", "UTA")) == found

    def test_two_equally_near_values_are_not_guessed(self):
        assert closest("Austrolia", ("Australia", "Austrolio")) is None

    @pytest.mark.parametrize(
        ("a", "b", "errors"), [("abc", "abc", 0), ("abc", "acb", 1), ("abc", "xyz", 3), ("a", "abcdef", 3)]
    )
    def test_edit_distance(self, a, b, errors):
        assert edit_distance(a, b, 2) == errors


class TestStaleNow:
    def test_a_time_after_the_newest_row_fails_with_the_last_month(self):
        filters = (where("orders.ordered_at", "between", "2026-01-01", "2026-01-31", phrase="last month"),)
        line = check(plan(orders(), filters=filters))["stale-now"]
        assert line.outcome is FAIL
        assert "“last month” begins on 1 January 2026" in line.message
        assert line.numbers["month"] == "November 2025"

    def test_a_time_within_the_data_passes(self):
        filters = (where("orders.ordered_at", ">=", "2025-11-01"),)
        assert check(plan(orders(), filters=filters))["stale-now"].outcome is PASS


class TestShape:
    def test_one_number_is_shown_as_a_number(self):
        assert check(plan(total()))["single"].outcome is CHANGE

    def test_no_measure_is_repaired_to_a_count_where_a_chart_is_wished(self):
        line = check(plan(by=(COUNTRY,), chart=ChartType.BAR))["no-measure"]
        assert line.outcome is REPAIR
        assert line.plan.measures[0].aggregate is Aggregate.COUNT
        assert check(plan(by=(COUNTRY,)))["no-measure"].outcome is PASS


class TestTruncated:
    def test_too_many_groups_become_the_highest(self):
        cut = result((dimension(), measure()), names(40), truncated=True)
        line = check(plan(total(), by=(COUNTRY,)), result=cut)["truncated"]
        assert line.outcome is REPAIR
        assert (line.plan.limit, line.plan.order[0].by, line.plan.order[0].descending) == (20, "measure", True)

    def test_too_many_periods_become_longer_ones(self):
        cut = result((dimension("Month", "temporal", grain=Grain.MONTH), measure()), months(1, 2, 3), truncated=True)
        line = check(plan(total(), by=(MONTH,)), result=cut)["truncated"]
        assert line.plan.dimensions[0].grain is Grain.QUARTER

    def test_rows_are_only_warned_of(self):
        cut = result((dimension(),), [("a",), ("b",)], truncated=True)
        line = check(plan(details=(of("customers.country"),)), result=cut)["truncated"]
        assert line.outcome is WARN
        assert "first 2 rows" in line.message

    def test_a_whole_result_passes(self):
        assert check(plan(total(), by=(COUNTRY,)))["truncated"].outcome is PASS


FANNED = """SELECT c.country AS c0, {what} AS c1 FROM orders AS o JOIN customers AS c ON o.customer_id = c.id
JOIN lines AS l ON l.order_id = o.id GROUP BY c.country"""


class TestFanOut:
    def test_an_inflated_sum_fails_with_the_numbers(self):
        line = check(plan(total(), by=(COUNTRY,)), FANNED.format(what="SUM(o.total)"))["fan-out"]
        assert line.outcome is FAIL
        assert (line.numbers["joined"], line.numbers["single"]) == (5, 4)
        assert "5 joined rows hold 4 different ones" in line.message

    def test_an_inflated_count_is_repaired_to_a_count_of_different_rows(self):
        line = check(plan(orders(), by=(COUNTRY,)), FANNED.format(what="COUNT(*)"))["fan-out"]
        assert line.outcome is REPAIR
        assert line.plan.measures[0].aggregate is Aggregate.COUNT_DISTINCT
        assert line.plan.measures[0].of == of("orders.id")

    @pytest.mark.parametrize("what", ["MAX(o.total)", "MIN(o.total)", "COUNT(DISTINCT o.id)", "SUM(l.quantity)"])
    def test_what_repetition_does_not_change_passes(self, what):
        assert check(plan(total(), by=(COUNTRY,)), FANNED.format(what=what))["fan-out"].outcome is PASS

    def test_a_join_that_repeats_nothing_within_a_group_passes(self):
        sql = "SELECT l.product AS c0, SUM(o.total) AS c1 FROM orders AS o JOIN lines AS l ON l.order_id = o.id GROUP BY 1"
        assert check(plan(total(), by=(PRODUCT,)), sql)["fan-out"].outcome is PASS

    def test_a_join_without_equal_columns_is_counted(self):
        joined = "orders AS o CROSS JOIN lines AS l JOIN customers AS c ON c.id = o.customer_id"
        sql = f"SELECT c.country AS c0, SUM(o.total) AS c1 FROM {joined} GROUP BY 1"
        assert check(plan(total(), by=(COUNTRY,)), sql)["fan-out"].outcome is FAIL

    def test_a_fault_inside_a_subquery_is_found(self):
        line = check(
            plan(total(), by=(COUNTRY,)), f"SELECT c0, c1 FROM ({FANNED.format(what='SUM(o.total)')}) AS part"
        )["fan-out"]
        assert line.outcome is FAIL

    @pytest.mark.parametrize(
        "asked", [plan(total(), by=(COUNTRY,)), plan(total(), by=(PRODUCT,)), plan(orders(), by=(PRODUCT,))]
    )
    def test_what_the_compiler_writes_passes(self, asked):
        assert check(asked)["fan-out"].outcome is PASS


class TestTruth:
    def test_a_key_is_counted_and_not_added_up(self):
        line = check(plan(total(of=of("orders.customer_id"), label="Customer ids"), by=(MONTH,)))["id-agg"]
        assert line.outcome is REPAIR
        assert (line.plan.measures[0].aggregate, line.plan.measures[0].label) == (Aggregate.COUNT, "Number of orders")

    def test_an_amount_may_be_added_up(self):
        assert check(plan(total(), by=(MONTH,)))["id-agg"].outcome is PASS

    def test_ages_are_averaged_and_not_added_up(self):
        asked = plan(
            total(of=of("customers.age"), table="customers", label="Age", unit=None), by=(COUNTRY,), table="customers"
        )
        line = check(asked)["rate-sum"]
        assert line.outcome is REPAIR
        assert line.plan.measures[0].aggregate is Aggregate.AVERAGE

    def test_prices_are_left_with_a_warning(self):
        asked = plan(total(of=of("lines.price"), table="lines", label="Price"), by=(PRODUCT,), table="lines")
        assert check(asked)["rate-sum"].outcome is WARN
        assert check(plan(total(), by=(MONTH,)))["rate-sum"].outcome is PASS

    def test_numbers_that_are_all_empty_fail_and_mostly_empty_ones_warn(self):
        columns = (dimension(), measure())
        asked = plan(total(), by=(COUNTRY,))
        assert check(asked, result=result(columns, [("a", None), ("b", None)]))["all-null"].outcome is FAIL
        assert check(asked, result=result(columns, [("a", None), ("b", None), ("c", 1.0)]))["all-null"].outcome is WARN

    def test_equal_numbers_are_pointed_out(self):
        rows = [("a", 37.62), ("b", 37.62), ("c", 37.62)]
        line = check(plan(total(), by=(COUNTRY,)), result=result((dimension(), measure(unit="€")), rows))["constant"]
        assert (line.outcome, line.message) == (WARN, "Every Revenue is €37.62.")

    def test_rows_without_a_name_are_counted(self):
        line = check(plan(total(), by=(COUNTRY,)))["null-label"]
        assert (line.outcome, line.message) == (WARN, "“(none)” stands for rows without Country: €5 in all.")

    def test_groups_that_do_not_add_up_fail(self):
        wrong = result(compiled(plan(total(), by=(COUNTRY,))).columns, [("Germany", 30.0), ("France", 12.0)])
        line = check(plan(total(), by=(COUNTRY,)), result=wrong)["recount"]
        assert line.outcome is FAIL
        assert line.message == "The groups add up to €42, but Revenue over all rows is €105."

    def test_groups_that_add_up_pass_with_the_numbers(self):
        line = check(plan(total(), by=(MONTH,)))["recount"]
        assert (line.outcome, line.numbers["parts"], line.numbers["whole"]) == (PASS, 105, 105)

    @pytest.mark.parametrize("measured", [orders(), total()])
    def test_rows_in_several_groups_only_warn(self, measured):
        line = check(plan(measured, by=(PRODUCT,)))["recount"]
        assert line.outcome is WARN
        assert line.message.endswith("some rows belong to several groups, or to none.")


class TestText:
    def test_raw_text_in_a_sum_is_repaired(self):
        asked = plan(total(of=of("orders.paid"), label="Paid"), by=(COUNTRY,))
        joined = "orders JOIN customers ON customers.id = orders.customer_id"
        sql = f"SELECT customers.country AS c0, SUM(orders.paid) AS c1 FROM {joined} GROUP BY 1"
        line = check(asked, sql)["text-number"]
        assert line.outcome is REPAIR
        assert "'€ 10.00'" in line.message

    def test_the_compiler_reads_the_numbers(self):
        lines = check(plan(total(of=of("orders.paid"), label="Paid")))
        assert lines["text-number"].outcome is PASS

    def test_numbers_that_come_as_text_are_read(self):
        found = result((dimension(), measure()), [("a", "€ 12.50"), ("b", "1,200"), ("c", None)])
        line = check(plan(total(None), by=(COUNTRY,)), result=found)["text-number"]
        assert line.outcome is CHANGE
        assert line.result.rows == (("a", 12.5), ("b", 1200.0), ("c", None))

    @pytest.mark.parametrize(
        ("text", "number"), [("12 %", 12.0), ("-3.5", -3.5), ("$1,234.50", 1234.5), ("1.2.3", None), ("ten", None)]
    )
    def test_parse_number(self, text, number):
        assert parse_number(text) == number

    def test_text_dates_are_put_in_the_order_of_time(self):
        found = result(
            (dimension("Joined"), measure()), [("01/02/2025", 1.0), ("13/01/2025", 2.0), ("25/12/2024", 3.0)]
        )
        line = check(plan(total(), by=(COUNTRY,)), result=found)["text-date"]
        assert line.outcome is CHANGE
        assert line.result.columns[0].kind == "temporal"
        assert line.result.rows == (("2024-12-25", 3.0), ("2025-01-13", 2.0), ("2025-02-01", 1.0))

    def test_days_that_could_be_months_are_left_with_a_warning(self):
        found = result(
            (dimension("Joined"), measure()), [("01/02/2025", 1.0), ("03/01/2025", 2.0), ("05/12/2024", 3.0)]
        )
        assert check(plan(total(), by=(COUNTRY,)), result=found)["text-date"].outcome is WARN

    def test_periods_that_all_came_out_empty_are_repaired(self):
        joined = Dimension(label="Month", of=of("customers.joined"), grain=Grain.MONTH)
        asked = plan(orders(table="customers", label="Customers"), by=(joined,), table="customers")
        sql = "SELECT STRFTIME('%Y-%m', joined) AS c0, COUNT(*) AS c1 FROM customers GROUP BY 1"
        assert check(asked, sql)["text-date"].outcome is REPAIR
        assert check(asked)["text-date"].outcome is PASS

    def test_names_are_no_dates(self):
        assert check(plan(total(), by=(COUNTRY,)))["text-date"].outcome is PASS

    def test_years_are_no_amounts(self):
        years = result((dimension("Year", "quantitative"), measure()), [(2023, 1.0), (2024, 2.0)])
        line = check(plan(total(), by=(COUNTRY,)), result=years)["year-int"]
        assert line.result.columns[0].kind == "ordinal"
        ages = result((dimension("Age", "quantitative"), measure()), [(23, 1.0), (24, 2.0)])
        assert check(plan(total(), by=(COUNTRY,)), result=ages)["year-int"].outcome is PASS


class TestDupX:
    def rows(self, **more: object):
        return result((dimension(), measure(**more)), [("a", 1.0), ("b", 5.0), ("a", 3.0)])

    def test_raw_amounts_are_added_up_openly(self):
        line = check(plan(total(None), by=(COUNTRY,)), result=self.rows())["dup-x"]
        assert line.outcome is CHANGE
        assert line.result.rows == (("a", 4.0), ("b", 5.0))
        assert line.message == "1 Country had several rows: Revenue was added up."

    def test_raw_rates_are_averaged(self):
        line = check(plan(total(None), by=(COUNTRY,)), result=self.rows(additive=False))["dup-x"]
        assert line.result.rows == (("a", 2.0), ("b", 5.0))

    def test_different_things_of_one_name_are_told_apart(self):
        line = check(plan(total(), by=(COUNTRY,)), result=self.rows(aggregate=Aggregate.SUM))["dup-x"]
        assert line.result.rows == (("a", 1.0), ("b", 5.0), ("a (2)", 3.0))

    def test_one_row_for_each_group_passes(self):
        assert check(plan(total(), by=(COUNTRY,)))["dup-x"].outcome is PASS


class TestManyCats:
    asked = plan(total(), by=(COUNTRY,))

    def test_many_bars_become_the_top_20_and_all_others(self):
        line = check(self.asked, result=result((dimension(), measure()), names(50)))["many-cats"]
        assert line.outcome is CHANGE
        assert len(line.result.rows) == 21
        assert line.result.rows[-1] == ("All others (30)", sum(range(1, 31)))

    def test_averages_are_not_put_together(self):
        line = check(self.asked, result=result((dimension(), measure(additive=False)), names(50)))["many-cats"]
        assert len(line.result.rows) == 20
        assert "30 more are left out" in line.message

    def test_a_pie_of_many_slices_becomes_bars(self):
        pie = self.asked.model_copy(update={"chart": ChartType.PIE})
        line = check(pie, result=result((dimension(), measure()), names(12)))["many-cats"]
        assert line.outcome is CHANGE
        assert "12 slices" in line.message

    def test_many_colours_become_eight_and_all_others(self):
        columns = (dimension("Month", "temporal", grain=Grain.MONTH), dimension(), measure())
        rows = [(f"2025-{month:02}", f"P{number}", number) for month in range(1, 5) for number in range(12)]
        line = check(plan(total(), by=(MONTH, COUNTRY)), result=result(columns, rows))["many-cats"]
        assert {row[1] for row in line.result.rows} == {*(f"P{number}" for number in range(4, 12)), "All others (4)"}
        assert sum(row[2] for row in line.result.rows) == 4 * sum(range(12))

    def test_what_was_asked_for_by_number_is_kept(self):
        fifty = self.asked.model_copy(update={"limit": 50, "order": (Order(by="measure", descending=True),)})
        assert check(fifty, result=result((dimension(), measure()), names(50)))["many-cats"].outcome is PASS

    def test_few_bars_pass(self):
        assert check(self.asked, result=result((dimension(), measure()), names(8)))["many-cats"].outcome is PASS


class TestPeriods:
    def test_the_running_month_is_partial(self):
        lines = check(plan(total(), by=(MONTH,)))
        line = lines["partial-period"]
        assert (line.outcome, line.numbers["last"]) == (WARN, "2025-11")
        assert line.message == "November 2025 is not complete: data until 22 November 2025."
        assert partial_periods(list(lines.values())) == {"2025-11"}

    def test_a_month_that_the_question_cuts_is_partial(self):
        filters = (where("orders.ordered_at", "between", "2025-09-05", "2025-10-31"),)
        line = check(plan(total(), by=(MONTH,), filters=filters))["partial-period"]
        assert line.numbers == {"first": "2025-09"}

    def test_whole_months_pass(self):
        filters = (where("orders.ordered_at", "between", "2025-08-01", "2025-10-31"),)
        assert check(plan(total(), by=(MONTH,), filters=filters))["partial-period"].outcome is PASS

    def test_a_missing_month_is_0_for_sums_and_a_gap_for_averages(self):
        columns = (dimension("Month", "temporal", grain=Grain.MONTH), measure())
        rows = [("2025-01", 1.0), ("2025-02", 2.0), ("2025-04", 4.0)]
        line = check(plan(total(), by=(MONTH,)), result=result(columns, rows))["gap"]
        assert line.result.rows[2] == ("2025-03", 0)
        assert "March 2025" in line.message
        mean = check(
            plan(total(Aggregate.AVERAGE), by=(MONTH,)), result=result((columns[0], measure(additive=False)), rows)
        )
        assert mean["gap"].result.rows[2] == ("2025-03", None)

    def test_months_without_a_gap_pass(self):
        assert check(plan(total(), by=(MONTH,)))["gap"].outcome is PASS


class TestEncoding:
    def test_a_wish_that_cannot_be_met_is_reported(self):
        line = check(plan(total(), by=(COUNTRY,), chart=ChartType.LINE))["line-nominal"]
        assert line.outcome is CHANGE
        assert line.message.startswith("Not drawn as a line chart: Country has no order")

    def test_a_line_of_two_points_becomes_bars(self):
        columns = (dimension("Month", "temporal", grain=Grain.MONTH), measure())
        assert check(plan(total(), by=(MONTH,)), result=result(columns, months(1, 2)))["few-points"].outcome is CHANGE
        assert check(plan(total(), by=(MONTH,)), result=result(columns, months(1, 2, 3)))["few-points"].outcome is PASS

    def test_a_pie_below_zero_becomes_bars(self):
        columns, asked = (dimension(), measure()), plan(total(), by=(COUNTRY,), chart=ChartType.PIE)
        assert check(asked, result=result(columns, [("a", -1.0), ("b", 2.0)]))["neg-pie"].outcome is CHANGE
        assert check(asked, result=result(columns, [("a", 1.0), ("b", 2.0)]))["neg-pie"].outcome is PASS

    def test_a_pie_of_nearly_one_slice_is_warned_of(self):
        columns, asked = (dimension(), measure()), plan(total(), by=(COUNTRY,), chart=ChartType.PIE)
        assert check(asked, result=result(columns, [("a", 1.0), ("b", 99.0)]))["one-slice"].outcome is WARN
        assert check(asked, result=result(columns, [("a", 1.0), ("b", 2.0)]))["one-slice"].outcome is PASS

    def test_averages_are_not_stacked(self):
        columns = (dimension(), dimension("Month"), measure(additive=False))
        rows = [("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 1.0)]
        asked = plan(total(Aggregate.AVERAGE), by=(COUNTRY, PRODUCT))
        assert check(asked, result=result(columns, rows))["stack-mean"].outcome is CHANGE
        assert check(plan(total(), by=(COUNTRY,)))["stack-mean"].outcome is PASS

    def test_long_names_lay_the_bars_down(self):
        columns = (dimension(), measure())
        asked = plan(total(), by=(COUNTRY,))
        assert check(asked, result=result(columns, [("A" * 30, 1.0), ("b", 2.0)]))["long-label"].outcome is CHANGE
        assert check(asked, result=result(columns, [("a", 1.0), ("b", 2.0)]))["long-label"].outcome is PASS


class TestZeroBase:
    def bars(self, zero: bool) -> dict[str, object]:
        number = {"field": "c1", "type": "quantitative", "axis": {"title": "Revenue"}, "scale": {"zero": zero}}
        return {"mark": {"type": "bar"}, "encoding": {"x": {"field": "c0", "type": "nominal"}, "y": number}}

    def test_bars_that_do_not_start_at_0_are_found(self):
        assert list(baseline_faults(self.bars(zero=False))) == ["Revenue"]
        assert list(baseline_faults({"vconcat": [self.bars(zero=True), self.bars(zero=False)]})) == ["Revenue"]
        assert list(baseline_faults({"layer": [{**self.bars(zero=False), "mark": {"type": "area"}}]})) == ["Revenue"]

    def test_bars_from_0_and_lines_pass(self):
        assert list(baseline_faults(self.bars(zero=True))) == []
        assert list(baseline_faults({**self.bars(zero=False), "mark": {"type": "line"}})) == []

    def test_a_chart_that_would_mislead_fails(self, monkeypatch):
        monkeypatch.setattr("charts.checks.encoding.build_spec", lambda *args, **more: self.bars(zero=False))
        lines = check(plan(total(), by=(COUNTRY,)))
        assert lines["zero-base"].outcome is FAIL
        assert lines["spec"].outcome is FAIL

    @pytest.mark.parametrize("chart", list(ChartType))
    def test_every_chart_of_close_values_passes(self, chart):
        asked = plan(total(), by=(COUNTRY,), chart=chart)
        lines = check(asked, result=result((dimension(), measure()), [("a", 980.0), ("b", 1000.0), ("c", 990.0)]))
        assert (lines["zero-base"].outcome, lines["spec"].outcome) == (PASS, PASS)


def test_repairs_add_up():
    filters = (where("customers.country", "=", "Germny"),)
    lines = check(plan(total(of=of("orders.customer_id")), by=(MONTH,), filters=filters))
    mended = repaired_plan(list(lines.values()))
    assert mended.filters[0].values == ("Germany",)
    assert mended.measures[0].aggregate is Aggregate.COUNT
    with database() as connection:
        assert scalar(connection, f"SELECT COUNT(*) FROM ({compiled(mended).sql})") == 2
    connection.close()
    assert repaired_plan(list(check(plan(total())).values())) is None
