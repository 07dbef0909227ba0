"""What a question asks for, as a typed value: measures, dimensions, filters, order, limit, chart wish.

The embedded planner and a language model both fill a `Plan`; everything after it (SQL, checks, chart) is the same code.
A plan names tables and columns but holds no SQL, and knows nothing of a database.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool


class Value(BaseModel):
    """Base of the immutable parts of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Value):
    """One column of one table."""

    kind: Literal["column"] = "column"
    table: str
    column: str


class Product(Value):
    """The factors multiplied row by row, such as quantity x price."""

    kind: Literal["product"] = "product"
    factors: tuple[Expression, ...] = Field(min_length=2)


class Complement(Value):
    """1 - `of`, such as what remains after a discount between 0 and 1. NULL counts as 0, so that the whole remains."""

    kind: Literal["complement"] = "complement"
    of: Column


class DaysBetween(Value):
    """Days from `start` to `end`, a real number; NULL where either is."""

    kind: Literal["days_between"] = "days_between"
    start: Column
    end: Column


Expression = Annotated[Column | Product | Complement | DaysBetween, Field(discriminator="kind")]


class Aggregate(StrEnum):
    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVERAGE = "avg"
    MINIMUM = "min"
    MAXIMUM = "max"


class Grain(StrEnum):
    """How a time is cut into buckets. WEEKDAY, MONTH_OF_YEAR and HOUR are cyclic: they fold all years or weeks together."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    WEEKDAY = "weekday"
    MONTH_OF_YEAR = "month_of_year"


class ChartType(StrEnum):
    BAR = "bar"
    STACKED_BAR = "stacked bar"
    LINE = "line"
    GROUPING_LINE = "grouping line"
    AREA = "area"
    PIE = "pie"
    SCATTER = "scatter"
    GROUPING_SCATTER = "grouping scatter"
    HISTOGRAM = "histogram"
    NUMBER = "number"
    TABLE = "table"


class Measure(Value):
    """One number per group. `of` is None only for COUNT, which then counts rows of `table`; `aggregate` None takes raw values."""

    label: str
    table: str
    aggregate: Aggregate | None = None
    of: Expression | None = None
    share: bool = False  # shown as a share (0 to 1) of the sum over all groups
    divided_by: Measure | None = None  # a ratio of two aggregates
    unit: str | None = None


class Dimension(Value):
    """What the rows are grouped by. The first of a plan is the x axis, the second the series (colour)."""

    label: str
    of: Column
    grain: Grain | None = None
    bins: int | None = Field(default=None, ge=2, le=100)
    key: Column | None = None  # groups by this too, so that two things of the same name stay apart


class Filter(Value):
    """A condition on rows. `values` holds one value, two for `between`, any number for `in`, none for the null operators.

    `none` and `some` ask for rows of `of.table` that have no, or at least one, row in the related table `of` names by its key
    column: "customers without orders" is `none` of `orders.customer_id`. Dates are ISO 8601 text; `between` takes both ends in.
    """

    of: Expression
    operator: Literal[
        "=",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "not in",
        "between",
        "contains",
        "starts",
        "ends",
        "null",
        "not null",
        "none",
        "some",
    ]
    values: tuple[Scalar, ...] = ()
    where: tuple[Filter, ...] = ()  # of `none` and `some`: what the related rows must be
    phrase: str = ""  # the words of the question it came from


class Having(Value):
    """A condition on a group's number; with `per`, on the number that belongs to each single row of that key's table."""

    measure: Measure
    operator: Literal["=", "!=", "<", "<=", ">", ">=", "between"]
    values: tuple[float, ...]
    per: Column | None = None
    phrase: str = ""


class Order(Value):
    by: Literal["dimension", "measure", "detail"]
    index: int = 0
    descending: bool = False


class Plan(Value):
    """A question understood. With `details` (and no measures) the answer is a list of rows; else it is numbers per group."""

    question: str
    table: str  # the fact table: whose rows the measures stand on
    measures: tuple[Measure, ...] = ()
    dimensions: tuple[Dimension, ...] = Field(default=(), max_length=3)
    details: tuple[Expression, ...] = ()
    filters: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = Field(default=None, ge=1, le=5000)
    chart: ChartType | None = None  # an explicit wish; None lets the chart rules choose


class Link(Value):
    """Which words of the question became what: a line of the receipt."""

    phrase: str
    meaning: str
    score: float = 1.0


class Understanding(Value):
    """A plan with the account of how it was reached."""

    plan: Plan
    links: tuple[Link, ...] = ()
    ignored: tuple[str, ...] = ()  # words that carried nothing
    assumptions: tuple[str, ...] = ()
    confidence: float = 1.0
    follows: bool = False  # a chart before it; with what stays of that chart's plan and what does not
    kept: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    undone: bool = False  # it goes back to the plan before that chart's


class Reading(Value):
    """One way to read an ambiguous question: a question to click that says it plainly."""

    question: str
    plan: Plan
