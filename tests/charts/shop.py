"""A small shop in memory, with its profile: the cast of the chart tests."""

import sqlite3
from datetime import date

from charts.checks import CheckResult, run_checks
from charts.plan import Aggregate, Column, Dimension, Filter, Grain, Measure, Plan
from charts.profile import ColumnProfile, ForeignKey, Profile, Role, TableProfile, Type
from charts.query import Cell, OutputColumn, Query, Result
from charts.sql import compile_plan

TODAY = date(2025, 11, 22)

SCRIPT = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, country TEXT, age INTEGER, joined TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, ordered_at TEXT, total REAL, paid TEXT);
CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER, product TEXT, quantity INTEGER, price REAL);
INSERT INTO customers VALUES
  (1, 'Ada', 'Germany', 30, '13/01/2024'), (2, 'Bea', 'France', 40, '14/02/2024'),
  (3, 'Cy', 'São Tomé', 50, '25/03/2024'), (4, 'Dan', NULL, 60, '30/04/2024');
INSERT INTO orders VALUES
  (1, 1, '2025-08-01 10:00:00', 10, '€ 10.00'), (2, 1, '2025-09-10 10:00:00', 20, '€ 1,020.00'),
  (3, 2, '2025-10-05 10:00:00', 30, '€ 30.50'), (4, 3, '2025-11-22 09:00:00', 40, '€ 40.00'),
  (5, 4, '2025-11-20 09:00:00', 5, '€ 5.00');
INSERT INTO lines VALUES
  (1, 1, 'pen', 1, 1.5), (2, 1, 'ink', 2, 3), (3, 2, 'pen', 4, 1.5), (4, 3, 'pad', 5, 2), (5, 4, 'pen', 6, 1.5);
"""


def column(table: str, name: str, role: Role, type: Type, **more: object) -> ColumnProfile:
    return ColumnProfile(
        table=table, name=name, declared="", role=role, type=type, words=tuple(name.split("_")), **more
    )


PROFILE = Profile(
    source="shop",
    dialect="sqlite",
    tables=(
        TableProfile(
            name="customers",
            rows=4,
            primary_key=("id",),
            columns=(
                column("customers", "id", Role.ID, Type.INTEGER, unique=True),
                column("customers", "name", Role.LABEL, Type.TEXT, values=("Ada", "Bea", "Cy", "Dan")),
                column("customers", "country", Role.CATEGORY, Type.TEXT, values=("Germany", "France", "São Tomé"), nulls=1),
                column("customers", "age", Role.INTENSIVE, Type.INTEGER, minimum=30, maximum=60),
                column("customers", "joined", Role.TIME, Type.DATE, format="dmy", rows=4, distinct=4),
            ),
        ),
        TableProfile(
            name="orders",
            rows=5,
            primary_key=("id",),
            columns=(
                column("orders", "id", Role.ID, Type.INTEGER, unique=True),
                column("orders", "customer_id", Role.ID, Type.INTEGER),
                column(
                    "orders", "ordered_at", Role.TIME, Type.DATETIME, rows=5, distinct=500,
                    minimum="2025-08-01 10:00:00", maximum="2025-11-22 09:00:00",
                ),
                column("orders", "total", Role.ADDITIVE, Type.REAL, unit="€", minimum=5, maximum=40),
                column("orders", "paid", Role.ADDITIVE, Type.REAL, format="number", values=("€ 10.00", "€ 1,020.00")),
            ),
        ),
        TableProfile(
            name="lines",
            rows=5,
            primary_key=("id",),
            columns=(
                column("lines", "id", Role.ID, Type.INTEGER, unique=True),
                column("lines", "order_id", Role.ID, Type.INTEGER),
                column("lines", "product", Role.CATEGORY, Type.TEXT, values=("pen", "ink", "pad")),
                column("lines", "quantity", Role.ADDITIVE, Type.INTEGER),
                column("lines", "price", Role.INTENSIVE, Type.REAL, unit="€"),
            ),
        ),
    ),
    foreign_keys=(
        ForeignKey(table="orders", column="customer_id", to_table="customers", to_column="id"),
        ForeignKey(table="lines", column="order_id", to_table="orders", to_column="id"),
    ),
)  # fmt: skip


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCRIPT)
    return connection


def of(path: str) -> Column:
    table, name = path.split(".")
    return Column(table=table, column=name)


def total(aggregate: Aggregate | None = Aggregate.SUM, **more: object) -> Measure:
    return Measure(
        **{"label": "Revenue", "table": "orders", "aggregate": aggregate, "of": of("orders.total"), "unit": "€", **more}
    )


def orders(**more: object) -> Measure:
    return Measure(**{"label": "Number of orders", "table": "orders", "aggregate": Aggregate.COUNT, **more})


COUNTRY = Dimension(label="Country", of=of("customers.country"))
MONTH = Dimension(label="Month", of=of("orders.ordered_at"), grain=Grain.MONTH)
YEAR = Dimension(label="Year", of=of("orders.ordered_at"), grain=Grain.YEAR)
PRODUCT = Dimension(label="Product", of=of("lines.product"))


def plan(*measures: Measure, by: tuple[Dimension, ...] = (), **more: object) -> Plan:
    return Plan(**{"question": "What?", "table": "orders", "measures": measures, "dimensions": by, **more})


def where(path: str, operator: str, *values: object, phrase: str = "") -> Filter:
    return Filter(of=of(path), operator=operator, values=values, phrase=phrase)


def compiled(asked: Plan, sql: str | None = None) -> Query:
    """Compile a plan, or put hand-written SQL in the place of what the compiler would write."""
    query = compile_plan(asked, PROFILE)
    return query if sql is None else Query(sql=sql, dialect="sqlite", columns=query.columns, tables=query.tables)


def check(asked: Plan, sql: str | None = None, result: Result | None = None) -> dict[str, CheckResult]:
    """Run a plan in the small shop and every check on what it returns."""
    with database() as connection:
        query = compiled(asked, sql)
        if result is None:
            rows = tuple(connection.execute(query.sql).fetchall())
            result = Result(columns=query.columns, rows=rows)
        lines = run_checks(asked, PROFILE, query, result, count=lambda text: scalar(connection, text), today=TODAY)
    connection.close()
    return {line.name: line for line in lines}


def scalar(connection: sqlite3.Connection, sql: str) -> Cell:
    cell: Cell = connection.execute(sql).fetchone()[0]
    return cell


def dimension(label: str = "Country", kind: str = "nominal", **more: object) -> OutputColumn:
    return OutputColumn(name="c0", label=label, part="dimension", kind=kind, **more)


def measure(label: str = "Revenue", additive: bool = True, **more: object) -> OutputColumn:
    return OutputColumn(name="c1", label=label, part="measure", kind="quantitative", additive=additive, **more)


def result(columns: tuple[OutputColumn, ...], rows: list[tuple[Cell, ...]], truncated: bool = False) -> Result:
    return Result(columns=columns, rows=tuple(rows), truncated=truncated)


def months(*values: float | None, start: int = 1) -> list[tuple[Cell, ...]]:
    return [(f"2025-{month:02}", value) for month, value in enumerate(values, start)]
