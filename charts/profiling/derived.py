"""Numbers that people ask for by name and no column holds: revenue, and the days from one date to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..plan import Column, Complement, DaysBetween, Expression, Product
from ..profile import ColumnProfile, DerivedMeasure, ForeignKey, Role, TableProfile, Type
from ..sources import Reader
from .keys import quote
from .words import singular

SALES = (("revenue",), ("turnover",), ("sales",), ("sales", "amount"), ("sales", "revenue"), ("total", "sales"))
SOLD = {"order", "sale", "invoice", "purchase", "transaction", "booking", "payment"}
PRICES = (("unit", "price"), ("sale", "price"), ("selling", "price"), ("price",), ("list", "price"), ("unit", "cost"))
STARTS = (
    *("ordered", "order", "requested", "request", "opened", "created", "submitted", "reported", "placed", "received"),
    *("started", "start", "begin", "from", "hired", "joined", "admitted", "booked"),
)
ENDS = {  # a word of the later date -> what the days are called
    "delivered": "delivery",
    "delivery": "delivery",
    "shipped": "shipping",
    "closed": "resolution",
    "resolved": "resolution",
    "completed": "completion",
    "finished": "completion",
    "paid": "payment",
    "end": "duration",
    "ended": "duration",
    "to": "duration",
    "left": "stay",
    "returned": "return",
    "discharged": "stay",
}


def derive(tables: Sequence[TableProfile], keys: Sequence[ForeignKey], reader: Reader) -> Iterator[DerivedMeasure]:
    """Yield what the columns' names, and the values of dates, allow to derive."""
    revenue = [measure for table in tables for measure in _revenue(table, tables, keys)]
    yield from revenue or [measure for table in tables for measure in _amount(table)]
    for table in tables:
        yield from _durations(table, reader)


def _revenue(
    table: TableProfile, tables: Sequence[TableProfile], keys: Sequence[ForeignKey]
) -> Iterator[DerivedMeasure]:
    quantity = _find(table, (("quantity",), ("units", "sold"), ("units",)), Role.ADDITIVE)
    if quantity is None or _sums(table):
        return
    parents = [other for key in keys if key.table == table.name for other in tables if other.name == key.to_table]
    price = next((price for other in (table, *parents) if (price := _find(other, PRICES, Role.INTENSIVE))), None)
    if price is None:
        return
    discount = next((column for column in table.columns if "discount" in column.words and column.unit == "ratio"), None)
    factors: list[Expression] = [_column(quantity), _column(price)]
    note = f"{quantity.name} x {price.name}"
    if discount:
        factors.append(Complement(of=_column(discount)))
        note += f" x (1 - {discount.name})"
    of = Product(factors=tuple(factors))
    yield DerivedMeasure(
        name="revenue",
        words=SALES,
        table=table.name,
        of=of,
        role=Role.ADDITIVE,
        unit=price.unit,
        note=f"revenue is {note}",
    )


def _sums(table: TableProfile) -> bool:
    return any(
        {"revenue", "sales", "turnover"} & set(column.words) and column.role == Role.ADDITIVE
        for column in table.columns
    )


def _amount(table: TableProfile) -> Iterator[DerivedMeasure]:
    """Yield the amount of a table of sales as its revenue, for want of quantities and prices."""
    column = _find(table, (("total", "amount"), ("amount",), ("total",), ("total", "price")), None)
    if column is None or column.role not in (Role.ADDITIVE, Role.INTENSIVE) or _sums(table):
        return
    if SOLD & {singular(word) for word in table.words}:
        note = f"revenue is {column.name} of {table.name}"
        yield DerivedMeasure(
            name="revenue",
            words=SALES,
            table=table.name,
            of=_column(column),
            role=Role.ADDITIVE,
            unit=column.unit,
            note=note,
        )


def _find(table: TableProfile, wanted: Sequence[tuple[str, ...]], role: Role | None) -> ColumnProfile | None:
    """Return the first column whose words end as wanted, the table's own name left out."""
    for words in wanted:
        for column in table.columns:
            if column.words[-len(words) :] == words and (role is None or column.role == role):
                return column
    return None


def _durations(table: TableProfile, reader: Reader) -> Iterator[DerivedMeasure]:
    moments = [
        column for column in table.columns if column.role == Role.TIME and column.type in (Type.DATE, Type.DATETIME)
    ]
    start = min((column for column in moments if _start(column) is not None), key=_start_rank, default=None)
    if start is None:
        return
    named: set[str] = set()
    for end in moments:
        name = _end(end)
        if name and end is not start and name not in named and _follows(start, end, reader):
            named.add(name)
            yield _days(name, start, end)
    shipped, delivered = (
        next((end for end in moments if _end(end) == name), None) for name in ("shipping", "delivery")
    )
    if shipped and delivered and _follows(shipped, delivered, reader):
        yield _days("transit", shipped, delivered)


def _days(name: str, start: ColumnProfile, end: ColumnProfile) -> DerivedMeasure:
    extra = {
        "delivery": (("days", "to", "deliver"),),
        "shipping": (("days", "to", "ship"), ("processing", "time")),
        "resolution": (("days", "to", "close"), ("days", "to", "resolve"), ("closing", "time")),
        "transit": (("days", "in", "transit"),),
    }.get(name, ())
    words = ((name, "days"), (name, "time"), (name, "duration"), *extra)
    return DerivedMeasure(
        name=f"{name} days",
        words=tuple(dict.fromkeys(words if name != "duration" else (("duration",), ("duration", "days"), *extra))),
        table=start.table,
        of=DaysBetween(start=_column(start), end=_column(end)),
        role=Role.INTENSIVE,
        unit="days",
        note=f"{name} days run from {start.name} to {end.name}",
    )


def _column(column: ColumnProfile) -> Column:
    return Column(table=column.table, column=column.name)


def _start(column: ColumnProfile) -> int | None:
    if _end(column):
        return None
    return next((rank for rank, word in enumerate(STARTS) if word in column.words), None)


def _start_rank(column: ColumnProfile) -> int:
    rank = _start(column)
    return len(STARTS) if rank is None else rank


def _end(column: ColumnProfile) -> str | None:
    if {"planned", "expected", "estimated", "due", "required", "promised"} & set(column.words):
        return None
    return next((ENDS[word] for word in column.words if word in ENDS), None)


def _follows(start: ColumnProfile, end: ColumnProfile, reader: Reader) -> bool:
    """Whether the end is not before the start in nearly all rows that have both."""
    if {start.format, end.format} not in ({"iso"}, {None}):
        return False  # other formats do not compare as they are written
    first, second = quote(start.name), quote(end.name)
    sql = (
        f"SELECT COUNT(*), SUM(CASE WHEN {second} >= {first} THEN 1 ELSE 0 END) FROM {quote(start.table)} "  # noqa: S608
        f"WHERE {first} IS NOT NULL AND {second} IS NOT NULL"
    )
    both, ordered = reader.rows(sql, max_rows=1)[0]
    return bool(both) and ordered >= 0.95 * both
