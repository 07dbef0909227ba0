"""Order and number of what is shown: 'top 5', 'only the first ten', 'smallest first', 'the other way round'."""

from __future__ import annotations

from ...plan import Order
from .. import turns as said
from ..draft import MAX_LIMIT, PLURAL_TOP, CannotPlan
from ..frame import Top
from ..lexicon import Target
from ..linking import Mention
from ..text import word_set
from ..wishes import OrderWish
from .editing import AskBack
from .filters import Narrowing


class Ordering(Narrowing):
    """Changes the order and how many are shown."""

    def _rank(self) -> None:
        tops = self.frame.tops
        number = self._number_alone()
        if number is not None:
            tops = [Top(number, True, plural=True)]
        if not tops:
            return
        self.edits += 1
        top = next((top for top in tops if top.limit is not None), tops[0])
        word = self.frame.tokens[top.at].text if number is None and top.at < len(self.frame.tokens) else ""
        if self.draft.details and not self.draft.measures:
            self._first_rows(top, word)
            return
        if len(self.draft.dimensions) != 1:
            names = " and ".join(dimension.label.lower() for dimension in self.draft.dimensions)
            why = f"it is grouped by {names}" if names else "it is not grouped"
            raise CannotPlan(f"a ranking needs one grouping, and of this chart {why}")
        self._limit(top, word)

    def _number_alone(self) -> int | None:
        """'only 3' is how many are to be shown."""
        if self.narrows or self.frame.tops or self.frame.groups or len(self.frame.tokens) > 4:
            return None
        if "only" not in self.clause.cues:
            return None
        numbers = [token for token in self.frame.tokens if token.number is not None]
        if (
            len(numbers) != 1
            or numbers[0].number is None
            or numbers[0].number != int(numbers[0].number)
            or numbers[0].number < 1
        ):
            return None
        rest = [token for token in self.frame.tokens if token is not numbers[0] and token.text not in said.IGNORABLE]
        return int(numbers[0].number) if not rest else None

    def _first_rows(self, top: Top, word: str) -> None:
        if word not in ("first", "") or top.limit is None:
            raise CannotPlan("the chart lists rows; what they are to be ranked by is not clear")
        self.draft.limit = min(top.limit, MAX_LIMIT)

    def _limit(self, top: Top, word: str) -> None:
        dimension = self.draft.dimensions[0]
        timed = self.is_timed(dimension)
        if word == "last":
            if timed:
                unit = dimension.label.lower()
                raise CannotPlan(
                    f"the last {top.limit} are not clear; say “the last {top.limit} {unit}s”, or “bottom {top.limit}”"
                )
            top = Top(top.limit, False, plural=True)
        index = self._ranked_by(top)
        self.draft.limit = min(top.limit or (PLURAL_TOP if top.plural else 1), MAX_LIMIT)
        if self._names_rows(dimension) and self.base.limit is None:
            self._leave_out_unknown(dimension.of.table)
        if word in ("first", "") and (self.draft.order or timed):
            return  # as many as asked for of what stands first now
        self.draft.order = [Order(by="measure", index=index, descending=top.descending)]

    def _ranked_by(self, top: Top) -> int:
        target = self._hinted(top.hint) if top.hint else self.meant(top.mention, "number") if top.mention else None
        if target is None:
            return 0
        places = self.measured_in(target)
        if not places:
            raise AskBack(f"The chart does not show {self.say(target)} to rank by.", self._ranked_readings(top, target))
        return places[0]

    def _ranked_readings(self, top: Top, target: Target) -> list[str]:
        shown = self.draft.measures[0].label.lower() if self.draft.measures else "rows"
        number = top.limit or PLURAL_TOP
        word = "top" if top.descending else "bottom"
        return [f"{self.say(target)} instead, {word} {number}", f"{word} {number}, ranked by {shown}"][:1]

    def _show_all(self) -> None:
        """Show all groups, those of unknown things too."""
        self.draft.limit = None
        self.draft.filters = self.conditions

    def _unlimit(self) -> None:
        self.edits += 1
        if self.draft.limit is None:
            raise CannotPlan("the chart shows all there is; nothing limits how many")
        self._show_all()

    def _sort(self) -> None:
        if not self.frame.orders:
            return
        self.edits += 1
        before, self.draft.order = self.draft.order, []
        for wish, mentions, kind in self.frame.orders:
            if (timed := self._sorted_by_time(wish)) is not None:
                self.draft.order.append(timed)
                continue
            self._check_order(wish, mentions, kind)
            order = self._order(wish.descending, wish.direction, mentions, kind)
            if order is not None and order not in self.draft.order:
                self.draft.order.append(order)
        self._check_limited(before)

    def _sorted_by_time(self, wish: OrderWish) -> Order | None:
        """'by date', 'by month' of a chart along time."""
        words = {self.frame.tokens[i].text for i in wish.target}
        timed = next((i for i, dimension in enumerate(self.draft.dimensions) if self.is_timed(dimension)), None)
        if timed is None or not words & said.TIME_WORDS:
            return None
        return Order(by="dimension", index=timed, descending=bool(wish.descending))

    def _check_order(self, wish: OrderWish, mentions: list[Mention], kind: str) -> None:
        named = {i for mention in mentions for i in range(mention.start, mention.end)}
        for i in wish.target:
            token = self.frame.tokens[i]
            if i not in named and token.kind == "word" and token.text not in said.IGNORABLE | SORTED_BY:
                raise CannotPlan(f"“{token.raw}” to sort by is not understood")
        shown = not mentions or kind in ("x", "y") or self._order_target(mentions, kind) is not None
        if not shown and not self._sorts_by_kind(kind):
            raise CannotPlan(f"the chart does not show {mentions[0].phrase} to sort by")

    def _sorts_by_kind(self, kind: str) -> bool:
        return kind == "name" and bool(self.draft.dimensions or self.draft.details)

    def _check_limited(self, before: list[Order]) -> None:
        """Another order of a ranking would be another ranking."""
        limit = self.draft.limit
        if limit is None or self.draft.order == before or self.base.limit is None:
            return
        same = (
            before[:1]
            and self.draft.order
            and (before[0].by, before[0].index) == (self.draft.order[0].by, self.draft.order[0].index)
        )
        if same and before[0].by == "measure":
            word = "top" if self.draft.order[0].descending else "bottom"
            raise AskBack(
                f"The chart shows {limit} of a ranking, and in this order it would show others.",
                [
                    f"{word} {limit}",
                    f"all of them, {'largest' if self.draft.order[0].descending else 'smallest'} first",
                ],
            )
        raise CannotPlan(
            f"the chart shows {limit} of a ranking, and in another order it would show others; say “all of them” first"
        )

    def _flip(self) -> None:
        self.edits += 1
        if not self.draft.dimensions and not self.draft.order:
            raise CannotPlan("the chart has no order to reverse")
        before = list(self.draft.order)
        order = before or [self._shown_order()]
        self.draft.order = [each.model_copy(update={"descending": not each.descending}) for each in order]
        self._check_limited(before)

    def _shown_order(self) -> Order:
        """Return the order in which the SQL puts groups that no order was asked for."""
        from ...sql.statement import Statement

        dimension = self.draft.dimensions[0]
        if Statement(self.base, self.profile).is_ordered(dimension):
            return Order(by="dimension", index=0)
        return Order(by="measure", index=0, descending=True)

    def _unsort(self) -> None:
        self.edits += 1
        if not self.draft.order:
            raise CannotPlan("no order was asked for")
        if self.draft.limit is not None:
            raise CannotPlan("the order is that of a ranking; say “all of them” to see all")
        self.draft.order = []


SORTED_BY = word_set(
    """
    name names label labels number numbers value values total amount count size bar bars axis x y order ordering alphabetical sort
    sorted rank ranked arrange arranged ascending descending asc desc largest smallest highest lowest first last high low
    """
)
