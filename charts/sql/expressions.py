"""Turn what a plan names (a column, a product, days between two dates) into sqlglot expressions of one dialect."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from ..plan import Column, Complement, DaysBetween, Expression, Product, Scalar
from ..profile import ColumnProfile, Profile, Type

if TYPE_CHECKING:
    from sqlglot import exp

MONTH_NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CURRENCY = "€$£¥, \u00a0'"
TIMES = (Type.DATE, Type.DATETIME)


def columns_of(expression: Expression) -> tuple[Column, ...]:
    """Return every column that an expression reads."""
    match expression:
        case Column():
            return (expression,)
        case Product(factors=factors):
            return tuple(column for factor in factors for column in columns_of(factor))
        case Complement(of=of):
            return (of,)
        case DaysBetween(start=start, end=end):
            return (start, end)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Return a function call that sqlglot writes as it stands."""
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=list(arguments))


def literal(value: Scalar) -> exp.Expr:
    """Return a value as SQL text can hold it; quotes are escaped by the writer."""
    from sqlglot import exp

    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    return exp.convert(value)


def identifier(name: str) -> exp.Identifier:
    from sqlglot import exp

    return exp.to_identifier(name, quoted=True)


class Values:
    """Writes the values of one source's columns, with text that holds dates or numbers converted."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.dialect = profile.dialect

    def stored(self, column: Column) -> exp.Expr:
        """Return the column itself, as stored."""
        from sqlglot import exp

        found = self.profile.column(column.table, column.column)
        return exp.Column(this=identifier(found.name), table=identifier(self.profile.table(column.table).name))

    def value(self, expression: Expression) -> exp.Expr:
        """Return the expression with its values as what they mean: numbers as numbers, dates as dates."""
        match expression:
            case Column():
                return self._converted(expression, self.profile.column(expression.table, expression.column))
            case Product(factors=factors):
                from sqlglot import exp

                return reduce(lambda a, b: exp.Mul(this=a, expression=b), map(self._factor, factors))
            case Complement():
                return self._factor(expression)
            case DaysBetween(start=start, end=end):
                return self._days(self.value(start), self.value(end))

    def _factor(self, expression: Expression) -> exp.Expr:
        from sqlglot import exp

        if not isinstance(expression, Complement):
            return self.value(expression)
        rest = exp.Coalesce(this=self.value(expression.of), expressions=[exp.Literal.number(0)])
        return exp.paren(exp.Sub(this=exp.Literal.number(1), expression=rest))

    def _days(self, start: exp.Expr, end: exp.Expr) -> exp.Expr:
        from sqlglot import exp

        if self.dialect == "sqlite":
            return exp.Sub(this=call("JULIANDAY", end), expression=call("JULIANDAY", start))
        moments = [exp.cast(moment, "TIMESTAMP") for moment in (end, start)]
        gap = exp.paren(exp.Sub(this=moments[0], expression=moments[1]))
        seconds = exp.Extract(this=exp.Var(this="EPOCH"), expression=gap)
        return exp.Div(this=seconds, expression=exp.Literal.number("86400.0"), typed=False, safe=False)

    def _converted(self, column: Column, found: ColumnProfile) -> exp.Expr:
        stored = self.stored(column)
        if found.format in ("number", "percent"):
            return self._number(stored, found.format)
        if found.format in ("dmy", "mdy"):
            return self._date_of_parts(stored, found.format)
        if found.format == "mon yyyy":
            return self._date_of_month_name(stored)
        if found.format == "iso" and found.type in TIMES and self.dialect != "sqlite":
            from sqlglot import exp

            return exp.cast(stored, "TIMESTAMP" if found.type is Type.DATETIME else "DATE")
        return stored

    def _number(self, text: exp.Expr, format: str) -> exp.Expr:
        from sqlglot import exp

        if self.dialect == "sqlite":
            signs = CURRENCY + "%"
            empty = exp.Literal.string("")
            bare = reduce(
                lambda inner, sign: call("REPLACE", inner, exp.Literal.string(sign), empty.copy()), signs, text
            )
            number = exp.cast(bare, "REAL")
        else:
            parts = [exp.Literal.string(part) for part in ("[^0-9.-]", "", "g")]
            bare = call("NULLIF", call("REGEXP_REPLACE", text, *parts), exp.Literal.string(""))
            number = exp.cast(bare, "DOUBLE")
        return number if format == "number" else exp.Div(this=number, expression=exp.Literal.number("100.0"))

    def _date_of_parts(self, text: exp.Expr, format: str) -> exp.Expr:
        from sqlglot import exp

        day_first = format == "dmy"
        if self.dialect == "postgres":
            return call("TO_DATE", text, exp.Literal.string("DD/MM/YYYY" if day_first else "MM/DD/YYYY"))
        if self.dialect == "duckdb":
            order = "%d{0}%m{0}%Y" if day_first else "%m{0}%d{0}%Y"
            forms = exp.Array(expressions=[exp.Literal.string(order.format(mark)) for mark in "/-."])
            return exp.cast(call("TRY_STRPTIME", text, forms), "DATE")
        return _sqlite_date(text, day_first)

    def _date_of_month_name(self, text: exp.Expr) -> exp.Expr:
        from sqlglot import exp

        if self.dialect == "postgres":
            return call("TO_DATE", text, exp.Literal.string("Mon YYYY"))
        if self.dialect == "duckdb":
            return exp.cast(call("TRY_STRPTIME", text, exp.Literal.string("%b %Y")), "DATE")
        month = exp.Case(this=call("LOWER", _substring(text, 1, 3)))
        for number, name in enumerate(MONTH_NAMES, 1):
            month = month.when(exp.Literal.string(name), exp.Literal.string(f"-{number:02}-01"))
        return exp.DPipe(this=_substring(text, -4), expression=month, safe=True)


def _substring(text: exp.Expr, start: int | exp.Expr, length: int | exp.Expr | None = None) -> exp.Expr:
    parts = [part if not isinstance(part, int) else literal(part) for part in (start, length) if part is not None]
    return call("SUBSTR", text.copy(), *parts)


def _sqlite_date(text: exp.Expr, day_first: bool) -> exp.Expr:
    """Return 'YYYY-MM-DD' of d/m/y or m/d/y text; parts may lack the leading zero, marks may be / - or a point."""
    from sqlglot import exp

    slash, one = exp.Literal.string("/"), exp.Literal.number(1)

    def before(value: exp.Expr) -> exp.Expr:
        return _substring(value, 1, exp.Sub(this=call("INSTR", value.copy(), slash.copy()), expression=one.copy()))

    def after(value: exp.Expr) -> exp.Expr:
        return _substring(value, exp.Add(this=call("INSTR", value.copy(), slash.copy()), expression=one.copy()))

    for mark in "-.":
        text = call("REPLACE", text, exp.Literal.string(mark), slash.copy())
    first, second, year = before(text), before(after(text)), _substring(after(after(text)), 1, 4)
    day, month = (first, second) if day_first else (second, first)
    date = call("PRINTF", exp.Literal.string("%04d-%02d-%02d"), year, month, day)
    return exp.Case().when(exp.Like(this=text.copy(), expression=exp.Literal.string("%/%/%")), date)
