from datetime import datetime

import pytest

from charts.periods import format_like, parse_period, period_end, period_label, period_steps
from charts.plan import Grain

MARCH = datetime(2024, 3, 1)


@pytest.mark.parametrize(
    ("cell", "start"),
    [
        ("2024-03", MARCH),
        ("2024-03-01", MARCH),
        ("2024-03-01 00:00:00", MARCH),
        ("2024-03-01T00:00:00Z", MARCH),
        ("2024-Q2", datetime(2024, 4, 1)),
        ("2024-W01", datetime(2024, 1, 1)),
        ("2024", datetime(2024, 1, 1)),
        (2024, datetime(2024, 1, 1)),
        (2024.0, datetime(2024, 1, 1)),
        ("2024-13", None),
        ("Germany", None),
        ("14/03/2024", None),
        (None, None),
        (True, None),
    ],
)
def test_parse_period(cell, start):
    assert parse_period(cell) == start


@pytest.mark.parametrize(
    ("grain", "end", "label"),
    [
        (Grain.YEAR, datetime(2025, 3, 1), "2024"),
        (Grain.QUARTER, datetime(2024, 6, 1), "Q1 2024"),
        (Grain.MONTH, datetime(2024, 4, 1), "March 2024"),
        (Grain.WEEK, datetime(2024, 3, 8), "1 March 2024"),
        (Grain.DAY, datetime(2024, 3, 2), "1 March 2024"),
        (Grain.HOUR, datetime(2024, 3, 1, 1), "1 March 2024, 00:00"),
        (None, datetime(2024, 3, 2), "1 March 2024"),
    ],
)
def test_end_and_label(grain, end, label):
    assert (period_end(MARCH, grain), period_label(MARCH, grain)) == (end, label)


def test_steps_cross_the_year():
    steps = period_steps(datetime(2024, 11, 1), datetime(2025, 2, 1), Grain.MONTH)
    assert [period_label(start, Grain.MONTH, short=True) for start in steps] == [
        "Nov 2024",
        "Dec 2024",
        "Jan 2025",
        "Feb 2025",
    ]


@pytest.mark.parametrize(
    "example", ["2023-07", 2023, "2023", "2023-Q3", "2023-W27", "2023-07-03", "2023-07-03 04:00", "2023-07-03T04:00:00"]
)
def test_format_like_round_trips(example):
    assert format_like(parse_period(example), example) == example
