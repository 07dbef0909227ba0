"""Build the SELECT of a plan: a list of rows, or numbers per group, in the order that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plan import Column, Dimension, Expression, Order
from ..profile import Role, Type
from .expressions import TIMES
from .grains import CYCLES
from .nodes import named, ordered, place, reference

if TYPE_CHECKING:
    from sqlglot import exp

from .groups import Groups


class Statement(Groups):
    """One plan on its way to SQL."""

    def build(self) -> exp.Select:
        if not self.plan.measures and not self.plan.details and not self.plan.dimensions:
            raise ValueError("The plan asks for nothing: it has no measures, dimensions or details.")
        if self.plan.measures and any(measure.aggregate is not None for measure in self.plan.measures):
            return self._grouped()
        return self._rows()

    def _rows(self) -> exp.Select:
        asked: list[Expression] = [dimension.of for dimension in self.plan.dimensions]
        asked += [measure.of for measure in self.plan.measures if measure.of is not None]
        asked += self.plan.details
        parts = [self._dimension(dimension) for dimension in self.plan.dimensions]
        parts += [self.values.value(of) for of in asked[len(parts) :]]
        select = self._from(self.plan.table, asked).select(*(named(part, i) for i, part in enumerate(parts)))
        if not self.plan.measures and not self.plan.details:
            select = select.distinct()
        orders = [self._order_of_rows(order, parts, bool(select.args.get("distinct"))) for order in self.plan.order]
        if self.plan.details:  # engines give rows in no order of their own
            keys = self.profile.table(self.plan.table).primary_key
            orders += [ordered(self.values.stored(Column(table=self.plan.table, column=key)), False) for key in keys]
        select = select.order_by(*orders) if orders else select
        return select.limit(self.plan.limit) if self.plan.limit else select

    def _order_of_rows(self, order: Order, parts: list[exp.Expr], distinct: bool) -> exp.Expr:
        start = {"dimension": 0, "measure": len(self.plan.dimensions), "detail": 0}[order.by]
        index = start + order.index
        return ordered(reference(index) if distinct else parts[index].copy(), order.descending)

    def _grouped(self) -> exp.Select:
        measures = self.plan.measures
        tables = dict.fromkeys(part.table for measure in measures for part in (measure, measure.divided_by) if part)
        inner = self._group(measures) if len(tables) == 1 else self._side_by_side(list(tables))
        if any(measure.share for measure in measures):
            inner = self._shares(inner)
        return self._finish(inner)

    def _finish(self, select: exp.Select) -> exp.Select:
        from sqlglot import exp

        if not self.plan.dimensions:
            return select
        wished = self.plan.order or self._usual_order()
        named = {order.index for order in wished if order.by == "dimension"}
        rest = [Order(by="dimension", index=i) for i in range(len(self.plan.dimensions)) if i not in named]
        if any(self._is_sorted_by_place(order) for order in [*wished, *rest]):
            # PostgreSQL sorts by an output column, but not by an expression of one: a SELECT around makes it an input.
            width = len(self.plan.dimensions) + len(self.plan.measures)
            select = exp.select(*(reference(i) for i in range(width))).from_(select.subquery("sorted"))
        select = select.order_by(*(self._order(order) for order in [*wished, *rest]))
        return select.limit(self.plan.limit) if self.plan.limit else select

    def _usual_order(self) -> list[Order]:
        """Time runs forward, categories go by their number from high to low."""
        if self.is_ordered(self.plan.dimensions[0]):
            return [Order(by="dimension", index=0)]
        return [Order(by="measure", index=0, descending=True)]

    def is_ordered(self, dimension: Dimension) -> bool:
        """Tell whether the labels have an order of their own, as times, bins and grades have."""
        found = self.profile.column(dimension.of.table, dimension.of.column)
        graded = found.role is Role.ORDINAL and found.type is not Type.TEXT
        return bool(dimension.grain or dimension.bins) or graded or found.type in TIMES

    def _is_sorted_by_place(self, order: Order) -> bool:
        return order.by == "dimension" and self.plan.dimensions[order.index].grain in CYCLES

    def _order(self, order: Order) -> exp.Expr:
        if order.by == "measure":
            return ordered(reference(len(self.plan.dimensions) + order.index), order.descending)
        grain = self.plan.dimensions[order.index].grain
        label = reference(order.index)
        return ordered(place(label, CYCLES[grain]) if grain in CYCLES else label, order.descending)
