"""What a source holds: its tables and columns as declared and as found, and how tables hang together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .plan import Expression


class Type(StrEnum):
    """What a column's values are, as found in the data rather than as declared."""

    INTEGER = "integer"
    REAL = "real"
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    BINARY = "binary"


# Of dates: "iso" (also with a time), "yyyy-mm", "ymd" and "dmy" and "mdy" (one or two digits, parted by - / or .), "d mon yyyy",
# "mon d yyyy", "mon yyyy" (month by its English name), and the integers "yyyymmdd", "epoch", "epoch ms". "year": 1500 to 2200.
# Of text: "time" (08:30), "number" (1,234.5), "number comma" (1.234,5), "percent" (12 %), each with a currency's sign or without.
Format = Literal[
    "iso",
    "yyyy-mm",
    "ymd",
    "dmy",
    "mdy",
    "d mon yyyy",
    "mon d yyyy",
    "mon yyyy",
    "yyyymmdd",
    "epoch",
    "epoch ms",
    "year",
    "time",
    "number",
    "number comma",
    "percent",
]


class Role(StrEnum):
    """What a column is good for."""

    ID = "id"  # a key or code: counted, never summed
    LABEL = "label"  # the name of a thing
    CATEGORY = "category"
    ORDINAL = "ordinal"  # categories with an order of their own: sizes, grades, years
    TIME = "time"
    ADDITIVE = "additive"  # may be summed: amounts, quantities
    INTENSIVE = "intensive"  # averaged, never summed: prices, rates, ages, scores
    GEO = "geo"  # latitude or longitude
    TEXT = "text"  # free text
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    table: str
    name: str
    declared: str  # the type in the schema, as written there
    type: Type
    role: Role
    format: Format | None = None  # how it is written where the stored type does not say it
    ambiguous: bool = False  # of "dmy" and "mdy": no value tells which of the two
    unit: str | None = (
        None  # "%", "ratio" (0 to 1), a currency's sign or code, "days", "hours", "minutes", "seconds", "kg", ...
    )
    rows: int = 0
    nulls: int = 0
    distinct: int = 0
    minimum: str | int | float | None = None  # of dates ISO 8601 text, of numbers a number, whatever the format
    maximum: str | int | float | None = None
    unique: bool = False
    values: tuple[str, ...] = ()  # distinct values of a text-like column, up to the cap
    values_complete: bool = True  # False where the cap cut `values`
    words: tuple[str, ...] = ()  # the name in plain lower-case words: "ship_dt" gives ("ship", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    name: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    primary_key: tuple[str, ...] = ()
    display: str | None = None  # the column that names a row to a person
    words: tuple[str, ...] = ()
    view: bool = False

    def column(self, name: str) -> ColumnProfile:
        """Raises KeyError for a name the table does not have (names compare without case)."""
        for column in self.columns:
            if column.name.casefold() == name.casefold():
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """`table.column` points to `to_table.to_column`; many rows to one."""

    table: str
    column: str
    to_table: str
    to_column: str
    declared: bool = True
    orphans: int = 0  # rows whose value is not NULL and has no target


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedMeasure:
    """A number that people ask for by name and no single column holds, such as revenue = quantity x price x (1 - discount)."""

    name: str
    words: tuple[tuple[str, ...], ...]  # the phrases that mean it
    table: str
    of: Expression
    role: Role
    unit: str | None = None
    note: str = ""  # said in the receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    source: str  # the source's slug
    dialect: str  # sqlglot's name: "sqlite", "postgres", "duckdb"
    tables: tuple[TableProfile, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    derived: tuple[DerivedMeasure, ...] = ()

    def table(self, name: str) -> TableProfile:
        """Raises KeyError for a name the source does not have (names compare without case)."""
        for table in self.tables:
            if table.name.casefold() == name.casefold():
                return table
        raise KeyError(name)

    def column(self, table: str, name: str) -> ColumnProfile:
        return self.table(table).column(name)
