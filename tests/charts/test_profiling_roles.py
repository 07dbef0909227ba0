"""What columns are good for."""

import pytest

from charts.profile import Role
from charts.profiling.found import find_type
from charts.profiling.roles import Evidence, find_role, find_unit
from charts.profiling.words import Vocabulary


def evidence(name, values, *, primary=False, foreign=False, rows=None, table="things"):
    vocabulary = Vocabulary({table: [name]})
    words = vocabulary.column(table, name)
    distinct = list(dict.fromkeys(values))
    return Evidence(
        words=words,
        table_words=vocabulary.table(table),
        found=find_type(distinct, "", words),
        values=distinct,
        filled=rows or len(values),
        distinct=len(distinct),
        primary=primary,
        foreign=foreign,
    )


def names(text):
    return text.split()


def role(name, values, **options):
    return find_role(evidence(name, values, **options))


MEASURES = [10, 20, 20, 35, 70]


class TestNumbers:
    @pytest.mark.parametrize(
        "name",
        names("""
            order_id orderid thing_key product_code zip postal_code phone_number ssn isbn invoice_no train_number
            EMP_NUM dno fax advisor manager
        """),
    )
    def test_codes_are_never_added_up(self, name):
        assert role(name, MEASURES) == Role.ID
        assert role(name, [str(value) for value in MEASURES]) == Role.ID

    def test_keys(self):
        assert role("n", [1, 2, 3], primary=True) == Role.ID
        assert role("n", [1, 2, 2], foreign=True) == Role.ID

    @pytest.mark.parametrize(
        "name",
        names("""
            amount quantity qty total sales revenue profit cost salary population num_of_rooms no_of_loans
            number_of_goals count votes attendance distance goals seconds pages total_price budget_in_millions area
            market_value stock
        """),
    )
    def test_amounts_are_added_up(self, name):
        assert role(name, MEASURES) == Role.ADDITIVE

    @pytest.mark.parametrize(
        "name",
        names("""
            age price unit_price fare rate tax_rate percentage score rating stars gpa temperature height weight
            length speed density rank ranking average_attendance max_speed min_stay high_temperature low_temperature
            altitude years_working times_per_day credit_score wind_speed_mph rank_of_the_year
        """),
    )
    def test_rates_and_measurements_are_averaged(self, name):
        assert role(name, MEASURES) == Role.INTENSIVE

    @pytest.mark.parametrize(
        "name", ["level", "grade", "floor", "month", "day", "hour", "school_year", "number_in_season"]
    )
    def test_small_numbers_with_an_order(self, name):
        assert role(name, [1, 2, 2, 5, 12]) == Role.ORDINAL

    @pytest.mark.parametrize("value", [1990, 1990.0, "1990"])
    def test_years(self, value):
        assert role("year", [value, value]) == Role.ORDINAL
        assert role("built", [value, value]) == Role.ORDINAL

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("is_active", Role.BOOLEAN),
            ("transfer", Role.BOOLEAN),
            ("paid_flag", Role.BOOLEAN),
            ("stops", Role.ADDITIVE),
            ("num_of_children", Role.ADDITIVE),
            ("quantity", Role.ADDITIVE),
        ],
    )
    def test_zero_and_one(self, name, expected):
        assert role(name, [0, 1, 1, 0]) == expected

    def test_a_discount_is_a_ratio_or_an_amount(self):
        assert role("discount", [0.0, 0.1, 0.25]) == Role.INTENSIVE
        assert role("discount", [0.0, 12.5, 3.0]) == Role.ADDITIVE

    def test_whole_numbers_kept_as_text_are_a_measure_only_by_name(self):
        assert role("section", ["1", "2", "3"]) == Role.ORDINAL
        assert role("goals", ["1", "2", "3"]) == Role.ADDITIVE
        assert role("age", ["31", "42", "53"]) == Role.INTENSIVE

    def test_places(self):
        assert role("lat", [48.1, 52.5]) == role("Longitude", [11.6, 13.4]) == Role.GEO


class TestTexts:
    @pytest.mark.parametrize("name", ["name", "title", "thing_name", "last_name", "thing"])
    def test_names(self, name):
        assert role(name, ["Anna", "Ben", "Carla"]) == Role.LABEL

    @pytest.mark.parametrize("name", ["country", "status", "type", "color", "status_code"])
    def test_categories(self, name):
        assert role(name, ["red", "blue", "red", "red"]) == Role.CATEGORY

    @pytest.mark.parametrize("name", ["code", "sku", "thing_uuid", "card_number"])
    def test_codes(self, name):
        assert role(name, ["A1", "B2", "C3"]) == Role.ID

    @pytest.mark.parametrize("name", ["email", "url", "street_address", "login_name"])
    def test_contacts(self, name):
        assert role(name, ["a@b.example", "b@b.example"]) == Role.TEXT

    def test_prose(self):
        assert role("text", ["word " * 30, "other " * 30]) == Role.TEXT
        assert role("anything", ["word " * 30, "other " * 30]) == Role.TEXT
        assert role("details", ["short", "brief", "short"]) == Role.CATEGORY

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("weekday", ["Monday", "friday"]),
            ("month_name", ["January", "May"]),
            ("priority", ["low", "normal", "high"]),
            ("size", ["S", "M", "XL"]),
            ("grade", ["A", "B", "C"]),
            ("time", ["08:30", "9:15"]),
        ],
    )
    def test_scales(self, name, values):
        assert role(name, values * 3) == Role.ORDINAL

    def test_single_letters_are_a_scale_only_by_name(self):
        assert role("room", ["A", "B", "C", "A"]) == Role.CATEGORY

    @pytest.mark.parametrize("values", [["T", "F"], ["yes", "No"], ["Y", "N"], ["true", "false"]])
    def test_truths(self, values):
        assert role("wide_body", values) == Role.BOOLEAN

    def test_one_truth_alone_needs_a_question(self):
        assert role("is_open", ["Y", "Y"]) == Role.BOOLEAN
        assert role("initial", ["T", "T"]) == Role.CATEGORY

    def test_many_unlike_texts_are_labels(self):
        assert role("venue", [f"Venue {number}" for number in range(60)]) == Role.LABEL
        assert role("venue", [f"Venue {number % 9}" for number in range(60)]) == Role.CATEGORY


def test_dates_are_times():
    assert role("ordered", ["2024-01-01"]) == Role.TIME


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("seconds", MEASURES, "seconds"),
        ("wind_speed_mph", MEASURES, "mph"),
        ("vote_percent", [1.5, 20.0], "%"),
        ("price_usd", [1.5, 20.0], "USD"),
        ("refund", ["€ 1.50"], "€"),
        ("discount", [0.0, 0.3], "ratio"),
        ("tax_rate", [0.07, 0.19], "ratio"),
        ("tax_rate", [7.5, 19.0], None),
        ("price", [1.5, 20.0], None),
        ("year", [1999, 2001], None),
        ("name", ["a"], None),
    ],
)
def test_units(name, values, unit):
    assert find_unit(evidence(name, values)) == unit
