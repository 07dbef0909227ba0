"""Group by time: which column says when, and how finely it is cut."""

from __future__ import annotations

from datetime import date

from ..plan import (
    ChartType,
    Column,
    Dimension,
    Grain,
    Link,
)
from ..profile import ColumnProfile, Type
from ..sql.joins import distance
from ..sql.labels import column_label
from .draft import CannotPlan
from .frame import Frame, Group
from .lexicon import Target
from .meaning import Meaning
from .resolve import TIMES, is_measure, time_column


class Timing(Meaning):
    """Adds dimensions, those of time among them."""

    def _add_dimension(self, dimension: Dimension, phrase: str, key: Column | None = None) -> None:
        for known in self.draft.dimensions:
            if known.of == dimension.of:
                if known.grain is None and dimension.grain is not None:
                    self.draft.dimensions[self.draft.dimensions.index(known)] = dimension
                return
        if len(self.draft.dimensions) < 3:
            self.draft.dimensions.append(dimension)
            shown = f"{dimension.of.table}.{dimension.of.column}"
            self.draft.links.append(
                Link(
                    phrase=phrase,
                    meaning=f"grouped by {shown}" + (f" ({dimension.grain.value})" if dimension.grain else ""),
                )
            )

    def _column_dimension(self, target: Target) -> Dimension:
        column = self.resolver.column(target)
        of = Column(table=target.table, column=target.column)
        grain = self._grain_of(of) if column.type in TIMES else None
        return Dimension(label=column_label(self.profile, of), of=of, grain=grain)

    def _grain_of(self, of: Column) -> Grain | None:
        """Return the grain for a time grouped by without saying how: days for 'by date', else by the length of the range."""
        column = self.profile.column(of.table, of.column)
        if column.type is Type.DATETIME and column.distinct <= 31:
            return Grain.DAY
        if (
            self.frame.chart in (None, ChartType.LINE, ChartType.GROUPING_LINE, ChartType.AREA) and column.distinct > 60
        ) or column.type is Type.DATETIME:
            return _grain_for_range(column, self.frame)
        return Grain.DAY if column.format else None

    def _time_group(self, group: Group) -> None:
        year = self._year_column(group)
        if year is not None:
            self._add_dimension(Dimension(label=column_label(self.profile, year), of=year), "year")
            return
        of = self._time_of(group)
        if of is None and group.grain is None and (self.draft.dimensions or self.frame.bare):
            self._named_period()
            return
        if of is None:
            raise CannotPlan("no time")
        if self.profile.column(of.table, of.column).type not in TIMES:
            self._add_dimension(Dimension(label=column_label(self.profile, of), of=of), "time")
            return
        grain = group.grain or _grain_for_range(self.profile.column(of.table, of.column), self.frame)
        label = grain.value.replace("_", " ").capitalize()
        phrase = " ".join(self.frame.tokens[i].raw for i in range(group.at, group.at + 1))
        self._add_dimension(Dimension(label=label, of=of, grain=grain), phrase)

    def _named_period(self) -> None:
        """'the trend over the opening year': a column of years or the like is the time."""
        for mention in self.frame.bare:
            target = self._target(mention, "group")
            if target is not None and target.kind == "column" and not is_measure(self.resolver.column(target)):
                self.frame.bare.remove(mention)
                self._add_dimension(self._column_dimension(target), mention.phrase)
                return

    def _time_of(self, group: Group) -> Column | None:
        target = self._target(group.mention, "time")
        if target is not None and target.kind == "column" and self.resolver.column(target).type in TIMES:
            return target.of
        bare = [
            found
            for mention in self.frame.bare
            if (found := self._target(mention)) and found.kind == "column" and self.resolver.column(found).type in TIMES
        ]
        if bare:
            self.frame.bare = [mention for mention in self.frame.bare if self._target(mention) != bare[0]]
            return bare[0].of
        return time_column(self.profile, self.fact) or self._written_time(group)

    def _written_time(self, group: Group) -> Column | None:
        """Return a column called date, day or month that holds plain text."""
        named_tables = [
            target.table for bare in self.frame.bare if (target := self._target(bare)) and target.kind == "table"
        ]
        for column in (column for table in [*named_tables, self.fact] for column in self.profile.table(table).columns):
            if {"date", "day", group.grain.value if group.grain else "date"} & set(column.words):
                return Column(table=column.table, column=column.name)
        return None

    def _year_column(self, group: Group) -> Column | None:
        """Return a column that holds the year or month itself, where the words name it and it is close to the fact."""
        target = self._target(group.mention, "group")
        if target is not None and target.kind == "column":
            column = self.resolver.column(target)
            far = distance(self.profile, self.fact, target.table)
            if (
                column.type not in TIMES
                and far < 2.5
                and not (far and time_column(self.profile, self.fact, ()) and self._own_time())
            ):
                return target.of
        if group.grain is Grain.YEAR and time_column(self.profile, self.fact) is None:
            return self._integer_year()
        return None

    def _own_time(self) -> bool:
        return any(column.type in TIMES for column in self.profile.table(self.fact).columns)

    def _integer_year(self) -> Column | None:
        for table in sorted(self.profile.tables, key=lambda table: distance(self.profile, self.fact, table.name)):
            if distance(self.profile, self.fact, table.name) == float("inf"):
                break
            for column in table.columns:
                if column.type is Type.INTEGER and {"year", "season"} & set(column.words):
                    return Column(table=table.name, column=column.name)
        return None

    def _values_as_series(self) -> None:
        """Compare values of one column side by side: 'Germany vs France'."""
        timely = any(dimension.grain is not None for dimension in self.draft.dimensions)
        if not self.frame.versus and not (timely and len(self.draft.dimensions) == 1):
            return
        chosen = [
            target
            for hit in self.frame.values
            if not hit.negated and (target := self.resolver.choose_value(hit.mention, hit.column))
        ]
        columns = {(target.table, target.column) for target in chosen}
        if len(chosen) >= 2 and len(columns) == 1:
            of = chosen[0].of
            self._add_dimension(Dimension(label=column_label(self.profile, of), of=of), "versus")
        years = [hit for hit in self.frame.times if hit.operator == "in"]
        if self.frame.versus and len(years) >= 2 and self._years_over_months():
            return
        if (
            self.frame.versus
            and len(years) >= 2
            and not any(group.time and group.grain is Grain.YEAR for group in self.frame.groups)
        ):
            self._time_group(Group(None, Grain.YEAR, time=True, at=years[0].start))

    def _years_over_months(self) -> bool:
        """'2024 vs 2025 by month' lays the years over each other, January on January."""
        for index, dimension in enumerate(self.draft.dimensions):
            if dimension.grain is Grain.MONTH and len(self.draft.dimensions) == 1:
                months = dimension.model_copy(update={"grain": Grain.MONTH_OF_YEAR})
                years = dimension.model_copy(update={"grain": Grain.YEAR, "label": "Year"})
                self.draft.dimensions[index : index + 1] = [months, years]
                return True
        return False

    def _time_first(self) -> None:
        """Time goes along the x axis, whatever was named first."""
        if (
            len(self.draft.dimensions) == 2
            and self.draft.dimensions[1].grain is not None
            and self.draft.dimensions[0].grain is None
        ):
            self.draft.dimensions.reverse()


def _grain_for_range(column: ColumnProfile, frame: Frame) -> Grain:
    """Return the grain that cuts the column's range into a readable number of buckets."""
    first, last = _date_of(column.minimum), _date_of(column.maximum)
    for hit in frame.times:
        first = max(first, hit.first) if hit.operator != "<" and first else first
        last = min(last, hit.last) if hit.operator not in (">", ">=") and last else last
    if first is None or last is None:
        return Grain.MONTH
    days = (last - first).days
    return Grain.DAY if days <= 62 else Grain.WEEK if days <= 186 else Grain.MONTH if days <= 1830 else Grain.YEAR


def _date_of(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
