"""Cut a time into buckets: one expression per grain and dialect, giving text labels that sort like time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan import Grain

if TYPE_CHECKING:
    from sqlglot import exp

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CYCLES = {Grain.WEEKDAY: WEEKDAYS, Grain.MONTH_OF_YEAR: MONTHS}

SQLITE = {Grain.YEAR: "%Y", Grain.MONTH: "%Y-%m", Grain.DAY: "%Y-%m-%d", Grain.HOUR: "%Y-%m-%d %H:00"}
POSTGRES = {
    Grain.YEAR: "YYYY",
    Grain.QUARTER: 'YYYY"-Q"Q',
    Grain.MONTH: "YYYY-MM",
    Grain.DAY: "YYYY-MM-DD",
    Grain.HOUR: "YYYY-MM-DD HH24:00",
}


def bucket(time: exp.Expr, grain: Grain, dialect: str) -> exp.Expr:
    """Return the text label of the bucket: '2024-03', '2024-Q1', '2024', '2024-03-09', the ISO Monday of a week, 'Mon', 'Jan'."""
    if grain in CYCLES:
        return _name(cycle_number(time, grain, dialect), CYCLES[grain])
    cut = {"sqlite": _sqlite, "postgres": _postgres, "duckdb": _duckdb}[dialect]
    return cut(time, grain)


def cycle_number(time: exp.Expr, grain: Grain, dialect: str) -> exp.Expr:
    """Return 1 to 7 from Monday, or 1 to 12 from January: what weekdays and months of the year are sorted by."""
    weekday = grain is Grain.WEEKDAY
    if dialect == "sqlite":
        number = _integer(_call("STRFTIME", "%w" if weekday else "%m", time))
        return _sunday_last(number) if weekday else number
    from sqlglot import exp

    part = "ISODOW" if weekday else "MONTH"
    return _integer(exp.Extract(this=exp.Var(this=part), expression=time.copy()))


def _sunday_last(number: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    shifted = exp.paren(exp.Add(this=number, expression=exp.Literal.number(6)))
    return exp.Add(this=exp.Mod(this=shifted, expression=exp.Literal.number(7)), expression=exp.Literal.number(1))


def _name(number: exp.Expr, names: tuple[str, ...]) -> exp.Expr:
    from sqlglot import exp

    case = exp.Case(this=number)
    for index, name in enumerate(names, 1):
        case = case.when(exp.Literal.number(index), exp.Literal.string(name))
    return case


def _sqlite(time: exp.Expr, grain: Grain) -> exp.Expr:
    if grain in SQLITE:
        return _call("STRFTIME", SQLITE[grain], time)
    if grain is Grain.WEEK:
        return _call("DATE", time, "-6 days", "weekday 1")
    return _quarter(_call("STRFTIME", "%Y", time), _integer(_call("STRFTIME", "%m", time)))


def _quarter(year: exp.Expr, month: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    shifted = exp.paren(exp.Add(this=month, expression=exp.Literal.number(2)))
    number = exp.paren(exp.Div(this=shifted, expression=exp.Literal.number(3), typed=True, safe=True))
    text = exp.DPipe(this=year, expression=exp.Literal.string("-Q"), safe=True)
    return exp.DPipe(this=text, expression=number, safe=True)


def _postgres(time: exp.Expr, grain: Grain) -> exp.Expr:
    if grain is Grain.WEEK:
        return _call("TO_CHAR", _call("DATE_TRUNC", "week", time), POSTGRES[Grain.DAY])
    return _call("TO_CHAR", time, POSTGRES[grain])


def _duckdb(time: exp.Expr, grain: Grain) -> exp.Expr:
    from sqlglot import exp

    if grain is Grain.WEEK:
        return _call("STRFTIME", _call("DATE_TRUNC", "week", time), SQLITE[Grain.DAY])
    if grain is Grain.QUARTER:
        head = exp.DPipe(this=_call("STRFTIME", time, "%Y"), expression=exp.Literal.string("-Q"), safe=True)
        return exp.DPipe(this=head, expression=_call("QUARTER", time), safe=True)
    return _call("STRFTIME", time, SQLITE[grain])


def _call(name: str, *arguments: exp.Expr | str) -> exp.Expr:
    from sqlglot import exp

    parts = [exp.Literal.string(part) if isinstance(part, str) else part.copy() for part in arguments]
    return exp.Anonymous(this=name, expressions=parts)


def _integer(value: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return exp.cast(value, "INT")
