"""What values are, whatever their column is declared to be."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from charts.profile import Type
from charts.profiling.found import Found, declared_type, find_type, number
from charts.profiling.words import tokens


def find(*values, name="value", declared="TEXT"):
    return find_type(values, declared, tokens(name))


class TestDates:
    @pytest.mark.parametrize(
        ("values", "format_", "low", "high"),
        [
            (["2024-03-01", "2023-12-31"], "iso", "2023-12-31", "2024-03-01"),
            (["2024-3-1", "2023-12-31"], "ymd", "2023-12-31", "2024-03-01"),
            (["2024/03/01"], "ymd", "2024-03-01", "2024-03-01"),
            (["14/03/2024", "01/12/2023"], "dmy", "2023-12-01", "2024-03-14"),
            (["3/14/2024", "12/1/2023"], "mdy", "2023-12-01", "2024-03-14"),
            (["14.03.2024"], "dmy", "2024-03-14", "2024-03-14"),
            (["18 February 1992", "3 Mar 1990"], "d mon yyyy", "1990-03-03", "1992-02-18"),
            (["18-Feb-1992"], "d mon yyyy", "1992-02-18", "1992-02-18"),
            (["May 26, 1986", "Dec 1 1985"], "mon d yyyy", "1985-12-01", "1986-05-26"),
            (["July 1942", "Sept 1941"], "mon yyyy", "1941-09-01", "1942-07-01"),
            (["2024-02", "2023-11"], "yyyy-mm", "2023-11-01", "2024-02-01"),
        ],
    )
    def test_text_dates(self, values, format_, low, high):
        found = find(*values)
        assert (found.type, found.format, found.minimum, found.maximum) == (Type.DATE, format_, low, high)
        assert not found.ambiguous

    @pytest.mark.parametrize(
        ("value", "format_", "moment"),
        [
            ("2024-03-01 10:30:00", "iso", "2024-03-01 10:30:00"),
            ("2024-03-01T10:30:00.5Z", "iso", "2024-03-01T10:30:00.5Z"),
            ("14/03/2024 10:30", "dmy", "2024-03-14 10:30"),
            ("26 May 1986 08:00", "d mon yyyy", "1986-05-26 08:00"),
        ],
    )
    def test_text_with_a_time(self, value, format_, moment):
        found = find(value)
        assert (found.type, found.format, found.minimum) == (Type.DATETIME, format_, moment)

    def test_day_or_month_first_is_told_by_any_value_above_12(self):
        assert find("01/02/2024", "13/02/2024").format == "dmy"
        assert find("01/02/2024", "02/13/2024").format == "mdy"

    def test_where_nothing_tells_the_shorter_span_is_taken_and_said(self):
        same_month = find("04/12/2005", "05/12/2005", "06/12/2005")
        assert (same_month.format, same_month.ambiguous) == ("dmy", True)
        same_day = find("12/04/2005", "12/05/2005", "12/06/2005")
        assert (same_day.format, same_day.ambiguous) == ("mdy", True)
        assert not find("04.12.2005").ambiguous

    @pytest.mark.parametrize("value", ["31/02/2024", "2024-13-01", "21 May", "1-0", "1992-94", "12/2024/01"])
    def test_what_is_no_date_stays_text(self, value):
        assert find(value).type == Type.TEXT

    def test_one_bad_value_in_twenty_is_forgiven(self):
        days = [f"2024-01-{day:02}" for day in range(1, 21)]
        assert find(*days, "soon").format == "iso"
        assert find(*days, "soon").maximum == "2024-01-20"
        assert find(*days, "soon", "later").type == Type.TEXT

    def test_moments_kept_as_numbers(self):
        assert find(1577836800, 1577840400, name="arrival_time") == Found(
            type=Type.DATETIME, format="epoch", minimum="2020-01-01 00:00:00", maximum="2020-01-01 01:00:00"
        )
        assert find(1577836800000, name="created_at").format == "epoch ms"
        assert find(20240131, 20231201, name="order_date") == Found(
            type=Type.DATE, format="yyyymmdd", minimum="2023-12-01", maximum="2024-01-31"
        )
        assert find("20240131", name="order_date").format == "yyyymmdd"
        assert find(1577836800, name="views").type == Type.INTEGER

    def test_dates_of_the_driver(self):
        assert find(date(2024, 1, 2)) == Found(type=Type.DATE, minimum="2024-01-02", maximum="2024-01-02")
        assert find(datetime(2024, 1, 2, 3), date(2024, 1, 1), datetime(2024, 1, 1)).type == Type.DATETIME

    def test_times_of_day(self):
        assert find("08:30", "17:05:10", "4:00 pm") == Found(
            type=Type.TEXT, format="time", minimum="08:30", maximum="4:00 pm"
        )

    @pytest.mark.parametrize("name", ["year", "built", "release_date", "season", "open_year"])
    @pytest.mark.parametrize("value", [1995, 1995.0, "1995"])
    def test_years(self, name, value):
        found = find(value, name=name)
        assert (found.type, found.format, found.minimum) == (Type.INTEGER, "year", 1995)

    def test_not_every_number_like_a_year_is_one(self):
        assert find(1995, 1800, name="calories").format is None
        assert find(1995, 80, name="year").format is None


class TestNumbers:
    @pytest.mark.parametrize(
        ("values", "type_", "format_", "unit", "low", "high"),
        [
            (["12", "7"], Type.INTEGER, "number", None, 7, 12),
            (["12.5", "-7"], Type.REAL, "number", None, -7.0, 12.5),
            (["€ 1,234.50", "€ 12.00"], Type.REAL, "number", "€", 12.0, 1234.5),
            (["$1,200", "-$5"], Type.REAL, "number", "$", -5.0, 1200.0),
            (["12.50 EUR"], Type.REAL, "number", "EUR", 12.5, 12.5),
            (["1.234,56", "7,5"], Type.REAL, "number comma", None, 7.5, 1234.56),
            (["1 234,56 €"], Type.REAL, "number comma", "€", 1234.56, 1234.56),
            (["12 %", "7.5%"], Type.REAL, "percent", "%", 7.5, 12.0),
            (["0", "1"], Type.INTEGER, "number", None, 0, 1),
            (["1'250.00"], Type.REAL, "number", None, 1250.0, 1250.0),
        ],
    )
    def test_text_numbers(self, values, type_, format_, unit, low, high):
        assert find(*values) == Found(type=type_, format=format_, unit=unit, minimum=low, maximum=high)

    @pytest.mark.parametrize(
        "value", ["001", "06510", "12345678901234567", "1-0", "555-1234", "5.0.0.8", "12a", "A1", "1,23,4"]
    )
    def test_codes_stay_text(self, value):
        assert find(value).type == Type.TEXT

    def test_a_name_of_digits_stays_a_name(self):
        assert find("900", "338", name="account_name").type == Type.TEXT

    def test_number_reads_either_decimal_mark(self):
        assert number("1,234", comma=False) == 1234
        assert number("1.234", comma=True) == 1234
        assert number("-€ 5.5", comma=False) == -5.5
        assert number("5,5", comma=False) is None
        assert number("", comma=False) is None

    def test_stored_numbers(self):
        assert find(3, 1, 2) == Found(type=Type.INTEGER, minimum=1, maximum=3)
        assert find(3, 1.5) == Found(type=Type.REAL, minimum=1.5, maximum=3.0)
        assert find(Decimal("1.10"), Decimal("2")) == Found(type=Type.REAL, minimum=1.1, maximum=2.0)
        assert find(True, False).type == Type.BOOLEAN

    def test_placeholders_do_not_count(self):
        assert find(1, 2, 3, "", "N/A", "-").type == Type.INTEGER
        assert find("1", "2", "?", "unknown").format == "number"

    def test_mixed_values_are_text(self):
        assert find(1, "two", 3.0, "four").type == Type.TEXT
        assert find(1, "two", b"\x00").type == Type.TEXT
        assert find(b"\x00", b"\x01").type == Type.BINARY


@pytest.mark.parametrize(
    ("declared", "type_"),
    [
        ("INTEGER", Type.INTEGER),
        ("bigint unsigned", Type.INTEGER),
        ("VARCHAR(20)", Type.TEXT),
        ("DECIMAL(10,2)", Type.REAL),
        ("double precision", Type.REAL),
        ("timestamp with time zone", Type.DATETIME),
        ("DATE", Type.DATE),
        ("boolean", Type.BOOLEAN),
        ("BLOB", Type.BINARY),
        ("interval", Type.TEXT),
        ("", Type.TEXT),
    ],
)
def test_without_values_the_declaration_decides(declared, type_):
    assert declared_type(declared) == type_
    assert find(declared=declared).type == type_
    assert find("", "n/a", declared=declared).type == type_
