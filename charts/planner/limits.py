"""Conditions on what is missing and on time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Literal

from ..plan import (
    Column,
    Filter,
)
from ..sql.expressions import columns_of
from ..sql.joins import is_to_one, path
from .conditions import Conditions
from .draft import CannotPlan
from .frame import Absence
from .resolve import TIMES, time_column


class Limits(Conditions):
    """Adds filters for missing things and stretches of time."""

    def _absence(self, absence: Absence) -> None:
        target = self._target(absence.mention, "absent")
        if target is None:
            raise CannotPlan(f"nothing known as {absence.mention.phrase}")
        operator: Literal["none", "some", "null", "not null"]
        if target.kind == "column":
            column = self.resolver.column(target)
            times = [
                found.target
                for found in absence.mention.names
                if found.target.kind == "column" and self.resolver.column(found.target).type in TIMES
            ]
            if times and column.type not in TIMES:
                target = times[0]
            if path(self.profile, self.fact, target.table) is None:
                raise CannotPlan(f"{target.table} is not connected")
            if is_to_one(self.profile, self.fact, target.table):
                operator = "not null" if absence.present else "null"
                self._add_filter(Filter(of=target.of, operator=operator, phrase=absence.phrase))
                return
        if target.table == self.fact:
            raise CannotPlan(f"“{absence.phrase}” is not clear")
        way = path(self.profile, self.fact, target.table)
        if not way:
            raise CannotPlan(f"{target.table} is not connected")
        operator = "some" if absence.present else "none"
        where = (*self._filters_about(absence, target.table), *self._times_about(absence, target.table))
        self._add_filter(
            Filter(
                of=Column(table=target.table, column=way[-1].to_column),
                operator=operator,
                where=where,
                phrase=absence.phrase,
            )
        )

    def _filters_about(self, absence: Absence, table: str) -> tuple[Filter, ...]:
        """Take along the conditions that describe the missing rows: 'without a captain of rank Midshipman'."""
        taken = tuple(
            filter
            for filter in self.draft.filters
            if all(column.table == table for column in columns_of(filter.of)) and table != self.fact
        )
        self.draft.filters = [filter for filter in self.draft.filters if filter not in taken]
        return taken

    def _times_about(self, absence: Absence, table: str) -> tuple[Filter, ...]:
        """'without orders in 2024' limits the orders, not the customers."""
        of = time_column(self.profile, table)
        hits = [hit for hit in self.frame.times if 0 <= hit.start - absence.mention.end <= 1]
        if of is None or not is_to_one(self.profile, table, of.table) or not hits:
            return ()
        self.frame.times = [hit for hit in self.frame.times if hit not in hits]
        return tuple(_time_filter(of, hit.operator, hit.first, hit.last, hit.phrase) for hit in hits)

    def _time_filters(self) -> None:
        hits = self.frame.times
        if not hits:
            return
        of = self._filtered_time()
        years = self._integer_year() if of is None else None
        if of is None and years is None:
            raise CannotPlan("no time")
        if len(hits) > 1 and all(hit.operator == "in" for hit in hits):
            first, last = min(hit.first for hit in hits), max(hit.last for hit in hits)
            hits = [
                replace(
                    hits[0], operator="between", first=first, last=last, phrase=" and ".join(hit.phrase for hit in hits)
                )
            ]
        for hit in hits:
            if years is not None:
                self._year_filter(years, hit.operator, hit.first.year, hit.last.year, hit.phrase)
            elif of is not None:
                self._add_filter(_time_filter(of, hit.operator, hit.first, hit.last, hit.phrase))

    def _filtered_time(self) -> Column | None:
        """Return the time that a stretch of time limits: the one grouped by, the one named, else when the rows happened."""
        for mention in self.frame.timed_by:
            target = self._target(mention, "time")
            if target is not None and target.kind == "column" and self.resolver.column(target).type in TIMES:
                return target.of
        for dimension in self.draft.dimensions:
            if dimension.grain is not None:
                return dimension.of
        for named in (*self.frame.bare, *(group.mention for group in self.frame.groups)):
            target = self._target(named)
            if target is not None and target.kind == "column" and self.resolver.column(target).type in TIMES:
                return target.of
        return time_column(self.profile, self.fact)

    def _year_filter(self, of: Column, operator: str, first: int, last: int, phrase: str) -> None:
        if operator in ("in", "between"):
            filter = Filter(
                of=of,
                operator="=" if first == last else "between",
                values=(first,) if first == last else (first, last),
                phrase=phrase,
            )
        else:
            filter = Filter(
                of=of, operator=operator, values=(first if operator in (">=", "<") else last,), phrase=phrase
            )
        self._add_filter(filter)

    def _conditions(self) -> None:
        self._value_filters()
        for comparison in self.frame.comparisons:
            self._comparison(comparison)
        for absence in self.frame.absences:
            self._absence(absence)
        self._time_filters()


def _time_filter(of: Column, operator: str, first: date, last: date, phrase: str) -> Filter:
    values: tuple[str, ...] = (first.isoformat(), last.isoformat())
    if operator in (">=", "<"):
        values = values[:1]
    elif operator in (">", "<="):
        values = values[1:]
    return Filter(of=of, operator="between" if operator == "in" else operator, values=values, phrase=phrase)
