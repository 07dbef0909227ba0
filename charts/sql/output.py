"""Say what each column of a compiled query means."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..plan import Aggregate, Column, Dimension, Expression, Grain, Measure, Plan
from ..profile import ColumnProfile, Profile, Role, Type
from ..query import OutputColumn
from .expressions import TIMES, columns_of
from .labels import column_label

Kind = Literal["temporal", "ordinal", "nominal", "quantitative"]
CYCLIC = (Grain.WEEKDAY, Grain.MONTH_OF_YEAR)
COUNTS = (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)


def output_columns(plan: Plan, profile: Profile) -> tuple[OutputColumn, ...]:
    """Return the columns in the order of the SELECT: dimensions, then measures; of a list of rows, its details."""
    columns = [_dimension(dimension, profile) for dimension in plan.dimensions]
    columns += [_measure(measure, profile) for measure in plan.measures]
    columns += [_detail(detail, profile) for detail in plan.details]
    return tuple(replace(column, name=f"c{index}") for index, column in enumerate(columns))


def is_additive(measure: Measure, profile: Profile) -> bool:
    """Tell whether the numbers of groups may be added up: counts and sums, but no share of something else."""
    if measure.divided_by is not None:
        return False
    if measure.aggregate is None and isinstance(measure.of, Column):
        return profile.column(measure.of.table, measure.of.column).role is Role.ADDITIVE
    return measure.aggregate in (Aggregate.COUNT, Aggregate.SUM)


def _dimension(dimension: Dimension, profile: Profile) -> OutputColumn:
    found = profile.column(dimension.of.table, dimension.of.column)
    return OutputColumn(
        name="", label=dimension.label, part="dimension", kind=_kind_of_dimension(dimension, found), grain=dimension.grain,
        unit=found.unit, sources=(dimension.of,),
    )  # fmt: skip


def _kind_of_dimension(dimension: Dimension, found: ColumnProfile) -> Kind:
    if dimension.grain is not None:
        return "ordinal" if dimension.grain in CYCLIC else "temporal"
    if dimension.bins is not None:
        return "ordinal"
    return _kind(found, number="ordinal")


def _kind(found: ColumnProfile, number: Kind) -> Kind:
    if found.type in TIMES:
        return "temporal"
    if found.role is Role.ORDINAL:
        return "ordinal"
    if found.role in (Role.ID, Role.LABEL):
        return "nominal"
    is_number = found.type in (Type.INTEGER, Type.REAL) or found.format in ("number", "percent")
    return number if is_number else "nominal"


def _measure(measure: Measure, profile: Profile) -> OutputColumn:
    sources = columns_of(measure.of) if measure.of is not None else ()
    return OutputColumn(
        name="", label=measure.label, part="measure", kind="quantitative", aggregate=measure.aggregate,
        additive=is_additive(measure, profile), share=measure.share, unit=_unit(measure, profile), sources=sources,
    )  # fmt: skip


def _unit(measure: Measure, profile: Profile) -> str | None:
    if measure.unit is not None or measure.aggregate in COUNTS or not isinstance(measure.of, Column):
        return measure.unit
    return profile.column(measure.of.table, measure.of.column).unit


def _detail(detail: Expression, profile: Profile) -> OutputColumn:
    sources = columns_of(detail)
    kind: Kind = "quantitative"
    label, unit = "value", None
    if isinstance(detail, Column):
        found = profile.column(detail.table, detail.column)
        kind, unit = _kind(found, number="quantitative"), found.unit
        label = column_label(profile, detail)
    return OutputColumn(name="", label=label, part="detail", kind=kind, unit=unit, sources=sources)
