import pytest

from charts.figures import axis_title, cell_text, count_noun, figure, join_words, listed, plain
from charts.plan import Grain
from charts.spec.ordering import natural_order

from .shop import dimension, measure


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234567.891, None, "1,234,568"),
        (1234.5, "€", "€1,234.50"),
        (-12.5, "$", "-$12.50"),
        (1000, "EUR", "€1,000"),
        (12.345, "%", "12.35 %"),
        (3.14159, "days", "3.14 days"),
        (0.001234, None, "0.00123"),
        (0, None, "0"),
    ],
)
def test_figure(value, unit, text):
    assert figure(value, measure(unit=unit)) == text


def test_a_share_is_a_percentage():
    assert figure(0.1234, measure(share=True)) == "12.3 %"


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "(none)"), (" ", "(empty)"), (True, "yes"), (3.0, "3"), ("France", "France")]
)
def test_cell_text(cell, text):
    assert cell_text(cell, dimension()) == text


def test_periods_are_named():
    assert cell_text("2024-03", dimension("Month", "temporal", grain=Grain.MONTH)) == "March 2024"
    assert cell_text("Mon", dimension("Weekday", "ordinal", grain=Grain.WEEKDAY)) == "Mon"


def test_titles_carry_the_unit_once():
    assert axis_title(measure("revenue", unit="EUR")) == "Revenue (€)"
    assert axis_title(measure("Revenue (€)", unit="€")) == "Revenue (€)"
    assert axis_title(measure("Share", unit="%", share=True)) == "Share"


def test_words():
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert (count_noun(1, "row"), count_noun(1200, "row"), count_noun(2, "country", "countries")) == (
        "1 row",
        "1,200 rows",
        "2 countries",
    )
    assert plain(123.456) == "123.5"


@pytest.mark.parametrize(
    ("cells", "ordered"),
    [
        (["Fri", "Mon", "Wed"], ["Mon", "Wed", "Fri"]),
        (["March", None, "January"], ["January", "March", None]),
        (["high", "low", "normal"], ["low", "normal", "high"]),
        (["XL", "S", "M"], ["S", "M", "XL"]),
        ([10, 2, None], [2, 10, None]),
        (["web", "app"], None),
        (["May", "Germany"], None),
        ([None], None),
    ],
)
def test_natural_order(cells, ordered):
    assert natural_order(cells) == ordered
