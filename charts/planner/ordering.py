"""Rank and sort: top-N, and the orders that were wished for."""

from __future__ import annotations

from ..plan import (
    Column,
    Order,
)
from .draft import MAX_LIMIT, PLURAL_TOP
from .frame import Top
from .linking import Mention
from .listing import Listing
from .resolve import display_column
from .text import base


class Ordering(Listing):
    """Adds order and limit."""

    def _tops(self) -> None:
        if not self.frame.tops:
            return
        top = next((top for top in self.frame.tops if top.limit is not None), self.frame.tops[0])
        if not self.draft.measures:
            return
        if not self.draft.dimensions:
            return
        self.draft.limit = min(top.limit or (PLURAL_TOP if top.plural else 1), MAX_LIMIT)
        index = self._top_measure(top)
        self.draft.order = [Order(by="measure", index=index, descending=top.descending)]

    def _top_measure(self, top: Top) -> int:
        target = self._target(top.mention, "number") if top.mention else None
        for index, measure in enumerate(self.draft.measures):
            if target is not None and self._measures_target(measure, target):
                return index
        return 0

    def _orders(self) -> None:
        for wish, mentions, kind in self.frame.orders:
            order = self._order(wish.descending, wish.direction, mentions, kind)
            if order is not None and all(
                (known.by, known.index) != (order.by, order.index) for known in self.draft.order
            ):
                self.draft.order.append(order)

    def _order(self, descending: bool | None, direction: str, mentions: list[Mention], kind: str) -> Order | None:
        found = None if kind in ("x", "y") and not mentions else self._order_target(mentions, kind)
        if found is None:
            found = self._order_by_kind(kind, direction)
        by, index = found
        down = descending if descending is not None else by == "measure"
        return Order(by=by, index=index, descending=down)

    def _order_by_kind(self, kind: str, direction: str) -> tuple[str, int]:
        if self.draft.details:
            shown = display_column(self.profile.table(self.fact)).name
            places = [
                i for i, detail in enumerate(self.draft.details) if detail == Column(table=self.fact, column=shown)
            ]
            return "detail", places[0] if places else 0
        if kind == "name" and self.draft.dimensions:
            return "dimension", 0
        measures = [index for index, _ in enumerate(self.draft.measures)]
        timely = next((i for i, d in enumerate(self.draft.dimensions) if d.grain is not None), None)
        if kind == "x" or not measures:
            return ("dimension", 0) if self.draft.dimensions else ("measure", 0)
        if kind == "y" or not self.draft.dimensions:
            return "measure", min(len(measures) - 1, 0 if self.draft.dimensions else 1)
        if "alphabet" in direction or "lexico" in direction or direction in ("a to z", "z to a", "a z"):
            return "dimension", 0
        if timely is not None and any(
            word in direction
            for word in ("chrono", "old", "new", "earl", "late", "recent", "ascending", "asc", "desc", "descending")
        ):
            return "dimension", timely
        return "measure", 0

    def _order_target(self, mentions: list[Mention], kind: str) -> tuple[str, int] | None:
        """Return what a wish for an order names, among what the plan shows."""
        for mention in mentions:
            for candidate in mention.names:
                target = candidate.target
                for index, measure in enumerate(self.draft.measures):
                    if self._measures_target(measure, target) and kind != "x":
                        return "measure", index
                for index, dimension in enumerate(self.draft.dimensions):
                    if (
                        target.kind == "column"
                        and (dimension.of.table, dimension.of.column) == (target.table, target.column)
                        and kind != "y"
                    ):
                        return "dimension", index
                for index, detail in enumerate(self.draft.details):
                    if detail == Column(table=target.table, column=target.column):
                        return "detail", index
            words = {base(word) for word in mention.phrase.lower().replace("_", " ").split()} - {"the", "of"}
            for index, dimension in enumerate(self.draft.dimensions):
                column = self.profile.column(dimension.of.table, dimension.of.column)
                if kind != "y" and words and words <= {base(word) for word in column.words}:
                    return "dimension", index
                if (
                    any(
                        found.target.kind == "table" and found.target.table == dimension.of.table
                        for found in mention.names
                    )
                    and kind != "y"
                ):
                    return "dimension", index
        return None
