"""A compiled query and what it returned: the values that pass between compiler, source, checks and chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .plan import Aggregate, Column, Grain

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputColumn:
    """What one column of the result means. `name` (c0, c1, ...) is safe in SQL and in Vega-Lite; people read `label`."""

    name: str
    label: str
    part: Literal["dimension", "measure", "detail"]
    kind: Literal["temporal", "ordinal", "nominal", "quantitative"]
    grain: Grain | None = None
    aggregate: Aggregate | None = None
    additive: bool = False  # the numbers of groups may be added up
    share: bool = False
    unit: str | None = None
    sources: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    sql: str  # one SELECT, pretty printed, literals inlined by sqlglot
    dialect: str
    columns: tuple[OutputColumn, ...]
    tables: tuple[str, ...]  # every table that it reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`rows` in display order, one cell per column. Dates and times are ISO 8601 text."""

    columns: tuple[OutputColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    truncated: bool = False  # the row limit cut it: there was at least one more row
    milliseconds: float = 0.0
