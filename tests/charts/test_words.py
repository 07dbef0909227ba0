import pytest

from charts.checks import CheckResult, Outcome
from charts.choice import choose_chart
from charts.plan import Aggregate, ChartType, Grain, Order
from charts.words import answer_in_words

from .shop import COUNTRY, MONTH, check, dimension, measure, months, of, orders, plan, result, total

TIME = dimension("Month", "temporal", grain=Grain.MONTH)
REVENUE = measure(unit="€")
NAMES = [("Germany", 6000.0), ("France", 3000.0), ("Spain", 1000.0)]


def told(asked, found, *checks: CheckResult) -> str:
    return answer_in_words(asked, found, checks, choose_chart(asked, found))


def warning(name: str, message: str, **numbers: object) -> CheckResult:
    return CheckResult(name=name, outcome=Outcome.WARN, message=message, numbers=numbers)


class TestGroups:
    def test_highest_lowest_total_and_share(self):
        assert told(plan(total(), by=(COUNTRY,)), result((dimension(), REVENUE), NAMES)) == (
            "Revenue is highest for Germany (€6,000) and lowest for Spain (€1,000). In all it is €10,000; Germany is 60 % of that."
        )

    def test_no_total_of_averages(self):
        found = result((dimension(), measure("Average price", additive=False)), NAMES)
        assert told(plan(total(Aggregate.AVERAGE), by=(COUNTRY,)), found) == (
            "Average price is highest for Germany (6,000) and lowest for Spain (1,000)."
        )

    def test_a_top_list_claims_no_lowest_and_no_total(self):
        asked = plan(total(), by=(COUNTRY,), limit=3, order=(Order(by="measure", descending=True),))
        assert told(asked, result((dimension(), REVENUE), NAMES)) == "Revenue is highest for Germany (€6,000)."

    def test_no_total_where_rows_count_twice(self):
        overlap = warning("recount", "The groups add up to more.")
        assert "In all" not in told(plan(total(), by=(COUNTRY,)), result((dimension(), REVENUE), NAMES), overlap)

    def test_rows_that_were_cut_are_told_and_not_added_up(self):
        text = told(plan(total(), by=(COUNTRY,)), result((dimension(), REVENUE), NAMES, truncated=True))
        assert text == (
            "Revenue is highest for Germany (€6,000). Only the first 3 rows were read; there are more, so no total is given."
        )

    def test_ties_are_shared(self):
        found = result((dimension(), REVENUE), [("a", 5.0), ("b", 5.0), (None, 1.0)])
        assert told(plan(total(), by=(COUNTRY,)), found).startswith(
            "Revenue is highest for a and b (€5) and lowest for (none) (€1)."
        )
        same = result((dimension(), REVENUE), [("a", 5.0), ("b", 5.0)])
        assert told(plan(total(), by=(COUNTRY,)), same).startswith("Revenue is €5 in every case.")

    def test_the_group_of_all_others_is_no_winner(self):
        found = result((dimension(), REVENUE), [*NAMES, ("All others (9)", 90_000.0)])
        assert told(plan(total(), by=(COUNTRY,)), found).startswith("Revenue is highest for Germany")

    def test_shares_have_no_total(self):
        found = result((dimension("Segment"), measure("Share of orders", share=True)), [("a", 0.75), ("b", 0.25)])
        assert told(plan(orders(share=True), by=(COUNTRY,)), found) == (
            "The share of orders is highest for a (75.0 %) and lowest for b (25.0 %)."
        )


class TestTime:
    asked = plan(total(), by=(MONTH,))

    def test_change_and_total(self):
        text = told(self.asked, result((TIME, REVENUE), months(100, 300, 250)))
        assert text == (
            "Revenue is highest in February 2025 (€300) and lowest in January 2025 (€100). "
            "From January 2025 to March 2025 it rose by 150 %, from €100 to €250. In all it is €650."
        )

    def test_a_partial_month_is_not_the_lowest_and_is_told(self):
        note = warning("partial-period", "April 2025 is not complete: data until 9 April 2025.", last="2025-04")
        text = told(self.asked, result((TIME, REVENUE), months(300, 200, 250, 7)), note)
        assert "lowest in February 2025" in text
        assert "it fell by 17 %, from €300 to €250" in text
        assert text.endswith("April 2025 is not complete: data until 9 April 2025.")

    def test_a_month_without_rows_is_the_lowest(self):
        gappy = result((TIME, REVENUE), [("2025-01", 5.0), ("2025-02", 6.0), ("2025-04", 7.0)])
        lines = check(self.asked, result=gappy)
        assert "lowest in March 2025 (€0)" in told(self.asked, gappy, *lines.values())

    def test_a_start_at_0_has_no_percentage(self):
        assert "it rose, from €0 to €5" in told(self.asked, result((TIME, REVENUE), months(0, 3, 5)))

    def test_it_agrees_with_the_checks_of_a_real_query(self):
        lines = check(self.asked)
        assert lines["partial-period"].outcome is Outcome.WARN
        columns = (TIME, REVENUE)
        rows = [("2025-08", 10.0), ("2025-09", 20.0), ("2025-10", 30.0), ("2025-11", 45.0)]
        text = told(self.asked, result(columns, rows), *lines.values())
        assert "From August 2025 to October 2025 it rose by 200 %, from €10 to €30." in text


class TestOthers:
    def test_one_number(self):
        assert told(plan(total()), result((measure(unit="€"),), [(1234.5,)])) == "Revenue is €1,234.50."
        assert (
            told(plan(orders()), result((measure("Number of orders"),), [(6000,)])) == "The number of orders is 6,000."
        )
        assert told(plan(total()), result((measure(),), [(None,)])) == "Revenue is not known."

    def test_one_group(self):
        assert (
            told(plan(total(), by=(COUNTRY,)), result((dimension(), REVENUE), NAMES[:1]))
            == "For country Germany, revenue is €6,000."
        )

    def test_rows(self):
        found = result((dimension(),), [("a",), ("b",)])
        assert told(plan(details=(of("orders.id"),)), found) == "2 rows fit."
        cut = result((dimension(),), [("a",), ("b",)], truncated=True)
        assert told(plan(details=(of("orders.id"),)), cut) == "More than 2 rows fit; the first 2 are shown."
        assert told(plan(total(), by=(COUNTRY,)), result((dimension(), REVENUE), [])) == "No rows fit the question."

    def test_two_groupings(self):
        rows = [("2025-01", "a", 1.0), ("2025-01", "b", 9.0), ("2025-02", "a", 20.0), ("2025-02", "b", 15.0)]
        text = told(plan(total(), by=(MONTH, COUNTRY)), result((TIME, dimension(), REVENUE), rows))
        assert text == "Revenue is highest for a, February 2025 (€20). In all, b has the most: €24 of €45."

    @pytest.mark.parametrize(
        ("slope", "words"),
        [
            (1, "The two closely go together (correlation 1.00)."),
            (-1, "The two closely go together in opposite directions (correlation -1.00)."),
        ],
    )
    def test_pairs(self, slope, words):
        found = result((measure("Price", unit="€"), measure("Quantity")), [(float(n), slope * n) for n in range(1, 11)])
        text = told(plan(total(None), total(None, label="Q")), found)
        assert text.startswith("In 10 points price runs from €1 to €10 and quantity from")
        assert text.endswith(words)

    def test_spread(self):
        text = told(plan(total(None)), result((measure("Price", unit="€"),), [(float(n),) for n in range(1, 12)]))
        assert text == "Price runs from €1 to €11 in 11 rows. Half of the rows are at or below €6."

    def test_at_most_three_sentences(self):
        notes = warning("partial-period", "March 2025 is not complete.", last="2025-03")
        found = result((TIME, REVENUE), months(1, 2, 3, 4), truncated=True)
        assert told(plan(total(), by=(MONTH,), chart=ChartType.LINE), found, notes).count(". ") == 2
