"""Stretches of time in words, counted from Sunday 22 November 2026."""

from datetime import date

import pytest

from charts.planner.text import tokenize
from charts.planner.times import find_times

TODAY = date(2026, 11, 22)


def found(text: str, today: date = TODAY) -> list[tuple[str, str, str]]:
    return [(hit.operator, str(hit.first), str(hit.last)) for hit in find_times(tokenize(text), today)]


@pytest.mark.parametrize(
    ("text", "operator", "first", "last"),
    [
        ("in 2024", "in", "2024-01-01", "2024-12-31"),
        ("orders of the year 2024", "in", "2024-01-01", "2024-12-31"),
        ("in the 1990s", "in", "1990-01-01", "1999-12-31"),
        ("in March 2024", "in", "2024-03-01", "2024-03-31"),
        ("in february 2024", "in", "2024-02-01", "2024-02-29"),
        ("in 2024-02", "in", "2024-02-01", "2024-02-29"),
        ("on 5 March 2024", "in", "2024-03-05", "2024-03-05"),
        ("on March 5th, 2024", "in", "2024-03-05", "2024-03-05"),
        ("on 2024-03-05", "in", "2024-03-05", "2024-03-05"),
        ("in Q3 2024", "in", "2024-07-01", "2024-09-30"),
        ("in the third quarter of 2024", "in", "2024-07-01", "2024-09-30"),
        ("in the first half of 2024", "in", "2024-01-01", "2024-06-30"),
        ("in May", "in", "2026-05-01", "2026-05-31"),
        ("in December", "in", "2025-12-01", "2025-12-31"),
        ("today", "in", "2026-11-22", "2026-11-22"),
        ("yesterday", "in", "2026-11-21", "2026-11-21"),
        ("this week", "in", "2026-11-16", "2026-11-22"),
        ("last week", "in", "2026-11-09", "2026-11-15"),
        ("this month", "in", "2026-11-01", "2026-11-30"),
        ("last month", "in", "2026-10-01", "2026-10-31"),
        ("last 6 months", "in", "2026-05-01", "2026-10-31"),
        ("in the past two years", "in", "2024-01-01", "2025-12-31"),
        ("last quarter", "in", "2026-07-01", "2026-09-30"),
        ("the last 7 days", "in", "2026-11-16", "2026-11-22"),
        ("year to date", "in", "2026-01-01", "2026-11-22"),
        ("since May", ">=", "2026-05-01", "2026-05-31"),
        ("from 2023 onwards", ">=", "2023-01-01", "2023-12-31"),
        ("before 2020", "<", "2020-01-01", "2020-12-31"),
        ("after 5 March 2024", ">", "2024-03-05", "2024-03-05"),
        ("until June 2024", "<=", "2024-06-01", "2024-06-30"),
        ("between 2020 and 2022", "between", "2020-01-01", "2022-12-31"),
        ("from May 2023 to July 2023", "between", "2023-05-01", "2023-07-31"),
        ("between 2024-01-05 and 2024-02-07", "between", "2024-01-05", "2024-02-07"),
    ],
)
def test_stretch(text, operator, first, last):
    assert found(text) == [(operator, first, last)]


def test_last_month_is_counted_from_the_first_of_the_month():
    assert found("last month", date(2026, 3, 30)) == [("in", "2026-02-01", "2026-02-28")]
    assert found("last month", date(2026, 1, 31)) == [("in", "2025-12-01", "2025-12-31")]


@pytest.mark.parametrize("text", ["more than 2000 orders", "price over 1999", "top 2000 products", "'in 2024'"])
def test_no_time(text):
    assert found(text) == []


@pytest.mark.parametrize("text", ["31 February 2024", "between 2022 and 2020", "on 2024-13-01", "last 99999 years"])
def test_no_such_time(text):
    (hit,) = find_times(tokenize(text), TODAY)
    assert not hit.valid


def test_two_stretches_do_not_overlap():
    hits = find_times(tokenize("compare 2024 and last month"), TODAY)
    assert [hit.phrase for hit in hits] == ["2024", "last month"]
    assert hits[0].end <= hits[1].start
