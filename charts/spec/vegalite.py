"""The part of Vega-Lite that charts may use, as closed types: what is not named here is refused.

Left out on purpose: `url`, `href`, images, expressions, signals, parameters, transforms, maps and `usermeta`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .theme import theme

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MAX_ROWS = 5000

FieldName = Annotated[str, Field(pattern=r"\Ac\d{1,3}\z")]
Format = Annotated[str, Field(pattern=r"\A[\w%,.:~$+ -]{0,24}\z")]
Text = Annotated[str, Field(max_length=500)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-10_000, le=10_000)]
Cell = str | bool | int | Annotated[float, Field(allow_inf_nan=False)] | None
Type = Literal["quantitative", "temporal", "ordinal", "nominal"]


class SpecRefused(ValueError):
    """A chart specification holds something that charts may not."""


def _not_special(title: str) -> str:
    # Vega's tooltip shows the value under "image" as a picture, fetched from wherever the data says.
    if title in ("image", "title"):
        raise ValueError(f"a tooltip cannot be called {title!r}")
    return title


TooltipTitle = Annotated[Text, AfterValidator(_not_special)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Interval(Part):
    interval: Literal["hour", "day", "week", "month", "year"]
    step: int = Field(ge=1, le=100)


class Axis(Part):
    format: Format | None = None
    grid: bool | None = None
    labels: bool | None = None
    labelAngle: Number | None = None
    labelAlign: Literal["left", "center", "right"] | None = None
    labelFlush: bool | None = None
    labelLimit: Number | None = None
    labelSeparation: Number | None = None
    bandPosition: Number | None = None
    labelOverlap: Literal["greedy", "parity"] | bool | None = None
    orient: Literal["top", "bottom", "left", "right"] | None = None
    tickCount: int | Interval | None = None
    tickMinStep: Number | None = None
    ticks: bool | None = None
    domain: bool | None = None
    title: Text | None = None


class Scale(Part):
    zero: bool | None = None
    nice: bool | None = None
    padding: Number | None = None


class Legend(Part):
    title: Text | None = None
    columns: int | None = Field(default=None, ge=1, le=10)
    orient: Literal["top", "bottom", "left", "right"] | None = None


class Position(Part):
    field: FieldName
    type: Type | None = None
    title: Text | None = None
    axis: Axis | None = None
    scale: Scale | None = None
    sort: list[Cell] | None = None
    stack: Literal["zero"] | bool | None = None
    bin: Literal["binned"] | None = None
    bandPosition: Number | None = None


class Constant(Part):
    value: Number


class Colour(Part):
    field: FieldName
    type: Literal["nominal", "ordinal"]
    title: Text | None = None
    sort: list[Cell] | None = None
    legend: Legend | None = None


class Label(Part):
    field: FieldName
    type: Type
    title: TooltipTitle | None = None
    format: Format | None = None


class Encoding(Part):
    x: Position | Constant | None = None
    y: Position | Constant | None = None
    x2: Position | None = None
    theta: Position | None = None
    xOffset: Position | None = None
    yOffset: Position | None = None
    color: Colour | None = None
    detail: Position | None = None
    order: Position | None = None
    text: Label | None = None
    tooltip: Annotated[list[Label], Field(max_length=12)] | None = None


class Mark(Part):
    type: Literal["bar", "line", "area", "arc", "point", "text"]
    align: Literal["left", "center", "right"] | None = None
    baseline: Literal["top", "middle", "bottom"] | None = None
    cornerRadiusEnd: Number | None = None
    dx: Number | None = None
    dy: Number | None = None
    fillOpacity: Number | None = None
    filled: bool | None = None
    fontSize: Number | None = None
    fontWeight: Literal["normal", "bold"] | None = None
    innerRadius: Number | None = None
    limit: Number | None = None
    opacity: Number | None = None
    outerRadius: Number | None = None
    radius: Number | None = None
    size: Number | None = None
    strokeDash: Annotated[list[Number], Field(max_length=4)] | None = None
    strokeWidth: Number | None = None
    tooltip: bool | None = None


class Step(Part):
    step: Number


class Layer(Part):
    mark: Mark
    encoding: Encoding | None = None


class View(Part):
    """One plot: a mark, or layers that share an encoding. Its width is "container" where it may grow with the page."""

    width: Literal["container"] | Number | None = None
    height: Number | Step | None = None
    mark: Mark | None = None
    encoding: Encoding | None = None
    layer: Annotated[list[Layer], Field(min_length=1, max_length=6)] | None = None


class Data(Part):
    values: Annotated[list[dict[FieldName, Cell]], Field(max_length=MAX_ROWS)]


class Title(Part):
    text: Text | Annotated[list[Text], Field(max_length=4)]
    subtitle: Annotated[list[Text], Field(max_length=8)] | None = None


class Chart(View):
    """A whole specification: inlined data and either one view or panels below each other."""

    schema_: Literal["https://vega.github.io/schema/vega-lite/v6.json"] = Field(alias="$schema")
    title: Title | None = None
    data: Data
    vconcat: Annotated[list[View], Field(min_length=1, max_length=4)] | None = None
    config: dict[str, Any] | None = None


def validate_spec(spec: object) -> None:
    """Raise SpecRefused, naming the place, for anything outside the types of this module."""
    try:
        chart = Chart.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SpecRefused(f"{'.'.join(map(str, first['loc'])) or 'chart'}: {first['msg']}") from None
    if chart.config not in (None, theme(dark=False), theme(dark=True)):
        raise SpecRefused("config: not one of the two themes")
    if [chart.mark, chart.layer, chart.vconcat].count(None) != 2:
        raise SpecRefused("chart: needs exactly one of mark, layer and vconcat")
    columns = {name for row in chart.data.values for name in row}
    if chart.data.values and (missing := _fields(chart.model_dump(exclude={"data", "config"})) - columns):
        raise SpecRefused(f"encoding: the data has no {', '.join(sorted(missing))}")


def _fields(node: object) -> set[str]:
    """Return every column that a part of the chart refers to."""
    if isinstance(node, list):
        return {name for item in node for name in _fields(item)}
    if not isinstance(node, dict):
        return set()
    here = {node["field"]} if "field" in node else set()
    return here | {name for item in node.values() for name in _fields(item)}
