import pytest

from charts.choice import choose_chart
from charts.plan import Aggregate, ChartType, Dimension, Grain, Plan
from charts.query import OutputColumn, Result

from .shop import COUNTRY, MONTH, YEAR, dimension, measure, months, of, orders, plan, result, total

TIME = dimension("Month", "temporal", grain=Grain.MONTH)
YEARS = dimension("Year", "temporal", grain=Grain.YEAR)
NAMES = [("Germany", 3.0), ("France", 2.0), ("Spain", 1.0)]


def chosen(asked: Plan, found: Result) -> ChartType:
    return choose_chart(asked, found).type


class TestByTypes:
    def test_time_is_a_line(self):
        assert chosen(plan(total(), by=(MONTH,)), result((TIME, measure()), months(1, 2, 3))) is ChartType.LINE

    def test_two_periods_are_bars(self):
        assert chosen(plan(total(), by=(MONTH,)), result((TIME, measure()), months(1, 2))) is ChartType.BAR

    def test_weekdays_are_bars(self):
        days = dimension("Weekday", "ordinal", grain=Grain.WEEKDAY)
        weekday = Dimension(label="Weekday", of=of("orders.ordered_at"), grain=Grain.WEEKDAY)
        rows = [("Mon", 1), ("Tue", 2), ("Wed", 3)]
        assert chosen(plan(orders(), by=(weekday,)), result((days, measure()), rows)) is ChartType.BAR

    def test_names_are_bars(self):
        assert chosen(plan(total(), by=(COUNTRY,)), result((dimension(), measure()), NAMES)) is ChartType.BAR

    @pytest.mark.parametrize(("groups", "type"), [(2, ChartType.PIE), (7, ChartType.PIE), (8, ChartType.BAR)])
    def test_shares_are_a_pie_of_up_to_seven(self, groups, type):
        rows = [(f"P{number}", 1 / groups) for number in range(groups)]
        asked = plan(orders(share=True), by=(COUNTRY,))
        assert chosen(asked, result((dimension(), measure(share=True)), rows)) is type

    def test_two_raw_numbers_are_points(self):
        columns = (measure("Price"), measure("Quantity"))
        rows = [(float(number), number) for number in range(9)]
        assert chosen(plan(total(None), total(None, label="Q")), result(columns, rows)) is ChartType.SCATTER

    def test_points_of_few_groups_have_colours_and_names_of_points_have_none(self):
        columns = (dimension(), measure("Price"), measure("Quantity"))
        asked = plan(total(None), total(None, label="Q"), by=(COUNTRY,))
        groups = [(f"P{number % 3}", float(number), number) for number in range(30)]
        single = [(f"P{number}", float(number), number) for number in range(30)]
        assert chosen(asked, result(columns, groups)) is ChartType.GROUPING_SCATTER
        assert chosen(asked, result(columns, single)) is ChartType.SCATTER
        assert chosen(asked, result(columns, single[:6])) is ChartType.SCATTER

    def test_four_points_are_a_table(self):
        columns = (measure("Price"), measure("Quantity"))
        assert chosen(plan(total(None), total(None, label="Q")), result(columns, [(1.0, 1)] * 4)) is ChartType.TABLE

    def test_one_raw_number_is_a_histogram(self):
        rows = [(float(number),) for number in range(20)]
        assert chosen(plan(total(None)), result((measure(),), rows)) is ChartType.HISTOGRAM

    def test_bins_are_a_histogram(self):
        bins = Dimension(label="Age", of=of("customers.age"), bins=10)
        rows = [(20, 3), (30, 4), (40, 2)]
        assert (
            chosen(plan(orders(), by=(bins,)), result((dimension("Age", "ordinal"), measure()), rows))
            is ChartType.HISTOGRAM
        )

    def test_one_value_is_a_number(self):
        assert chosen(plan(total()), result((measure(),), [(5.0,)])) is ChartType.NUMBER
        assert chosen(plan(total(), by=(COUNTRY,)), result((dimension(), measure()), NAMES[:1])) is ChartType.NUMBER

    def test_details_and_no_rows_and_three_groupings_are_tables(self):
        detail = OutputColumn(name="c0", label="Id", part="detail", kind="nominal")
        assert chosen(plan(details=(of("orders.id"),)), result((detail,), [(1,), (2,)])) is ChartType.TABLE
        columns = (dimension(), dimension("B"), dimension("C"), measure())
        assert chosen(plan(total(), by=(COUNTRY,) * 3), result(columns, [("a", "b", "c", 1)] * 2)) is ChartType.TABLE


class TestTwoGroupings:
    def rows(self, periods: int, groups: int = 3) -> list[tuple[str, str, float]]:
        return [(f"{2010 + period}", f"P{group}", 1.0) for period in range(periods) for group in range(groups)]

    def test_months_are_lines(self):
        rows = [(f"2025-{month:02}", name, 1.0) for month in range(1, 7) for name in "ab"]
        asked = plan(total(), by=(MONTH, COUNTRY))
        assert chosen(asked, result((TIME, dimension(), measure()), rows)) is ChartType.GROUPING_LINE

    @pytest.mark.parametrize(
        ("periods", "additive", "type"),
        [(4, True, ChartType.STACKED_BAR), (4, False, ChartType.GROUPING_LINE), (13, True, ChartType.GROUPING_LINE)],
    )
    def test_few_years_of_sums_are_stacked(self, periods, additive, type):
        found = result((YEARS, dimension(), measure(additive=additive)), self.rows(periods))
        assert chosen(plan(total(), by=(YEAR, COUNTRY)), found) is type

    def test_time_goes_to_x_even_if_named_second(self):
        rows = [(group, period, value) for period, group, value in self.rows(13)]
        asked = plan(total(), by=(COUNTRY, YEAR))
        assert chosen(asked, result((dimension(), YEARS, measure()), rows)) is ChartType.GROUPING_LINE

    def test_names_by_names_are_stacked(self):
        choice = choose_chart(
            plan(total(), by=(COUNTRY, COUNTRY)), result((dimension(), dimension("B"), measure()), self.rows(3))
        )
        assert choice.type is ChartType.STACKED_BAR

    def test_averages_stand_side_by_side(self):
        asked = plan(total(Aggregate.AVERAGE), by=(COUNTRY, COUNTRY))
        choice = choose_chart(asked, result((dimension(), dimension("B"), measure(additive=False)), self.rows(3)))
        assert "side by side" in choice.reasons[-1]


class TestWishes:
    def wish(
        self,
        chart: ChartType,
        *rows: tuple[object, ...],
        columns: tuple[OutputColumn, ...] | None = None,
        by=(COUNTRY,),
    ):
        return choose_chart(
            plan(total(), by=by, chart=chart), result(columns or (dimension(), measure()), list(rows) or NAMES)
        )

    @pytest.mark.parametrize("chart", [ChartType.BAR, ChartType.PIE, ChartType.TABLE])
    def test_a_legal_wish_wins(self, chart):
        choice = self.wish(chart)
        assert (choice.type, choice.refused) == (chart, ())
        assert choice.reasons == (f"Asked for: {chart.value}.",)

    def test_a_line_of_two_points_may_be_wished(self):
        assert self.wish(ChartType.LINE, *months(1, 2), columns=(TIME, measure()), by=(MONTH,)).type is ChartType.LINE

    @pytest.mark.parametrize(
        ("chart", "rows", "check"),
        [
            (ChartType.LINE, NAMES, "line-nominal"),
            (ChartType.AREA, NAMES, "line-nominal"),
            (ChartType.PIE, [("a", -1.0), ("b", 3.0)], "neg-pie"),
            (ChartType.PIE, [("a", 0.0), ("b", 0.0)], "neg-pie"),
            (ChartType.PIE, [(f"P{number}", 1.0) for number in range(8)], "many-cats"),
            (ChartType.SCATTER, NAMES, "single"),
            (ChartType.HISTOGRAM, NAMES, "single"),
            (ChartType.NUMBER, NAMES, "single"),
        ],
    )
    def test_an_illegal_wish_gives_way_to_bars_and_says_why(self, chart, rows, check):
        choice = self.wish(chart, *rows)
        assert choice.type is ChartType.BAR
        assert choice.refused[0].check == check
        assert choice.reasons[0].startswith(f"Not drawn as a {chart.value} chart: ")

    @pytest.mark.parametrize(
        ("chart", "drawn"),
        [
            (ChartType.BAR, ChartType.STACKED_BAR),
            (ChartType.LINE, ChartType.GROUPING_LINE),
            (ChartType.AREA, ChartType.AREA),
        ],
    )
    def test_a_wish_takes_in_the_second_grouping(self, chart, drawn):
        rows = [(f"2025-{month:02}", name, 1.0) for month in range(1, 7) for name in "ab"]
        columns = (TIME, dimension(), measure())
        assert self.wish(chart, *rows, columns=columns, by=(MONTH, COUNTRY)).type is drawn

    @pytest.mark.parametrize("chart", [ChartType.STACKED_BAR, ChartType.GROUPING_LINE])
    def test_a_wish_for_groups_is_met_without_a_second_grouping(self, chart):
        drawn = self.wish(chart, *months(1, 2, 3), columns=(TIME, measure()), by=(MONTH,)).type
        assert drawn in (ChartType.BAR, ChartType.LINE)

    def test_two_alternatives_are_named(self):
        found = result((TIME, measure()), months(1, 2, 3))
        assert choose_chart(plan(total(), by=(MONTH,)), found).alternatives == (ChartType.BAR, ChartType.AREA)
