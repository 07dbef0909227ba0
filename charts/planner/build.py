"""Build the plan of a frame: choose the fact table, the measures, what to group by, the conditions and the order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from ..plan import (
    Aggregate,
    ChartType,
    Column,
    DaysBetween,
    Dimension,
    Expression,
    Filter,
    Grain,
    Having,
    Link,
    Measure,
    Order,
    Plan,
    Scalar,
)
from ..profile import ColumnProfile, Profile, Role, Type
from ..sql.expressions import columns_of
from ..sql.joins import distance, is_to_one, path
from .frame import Absence, Ask, Comparison, Frame, Group, Top, ValueHit
from .lexicon import Lexicon, Target
from .linking import Mention
from .names import column_label, column_words, count_label, number_label, table_words
from .resolve import NUMBERS, TIMES, Resolver, display_column, is_measure, is_number, time_column

PLURAL_TOP = 10
RAW_SHARE = 0.9  # labels that are this unique name single rows, not groups
COUNTS = (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)
PARTS = (ChartType.BAR, ChartType.PIE, ChartType.STACKED_BAR, ChartType.LINE, ChartType.GROUPING_LINE, ChartType.HISTOGRAM, ChartType.AREA)


class CannotPlan(Exception):
    """The frame does not make a plan; the message says what is missing."""


class NeedsChoice(Exception):
    """Several plans are equally good."""

    def __init__(self, frames: list[tuple[str, Ask]]) -> None:
        self.frames = frames


@dataclass
class Draft:
    """A plan in the making, with the account of how it came about."""

    measures: list[Measure] = field(default_factory=list)
    dimensions: list[Dimension] = field(default_factory=list)
    details: list[Expression] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    having: list[Having] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    links: list[Link] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    raw: bool = False


class Builder:
    def __init__(self, question: str, frame: Frame, lexicon: Lexicon, today: date) -> None:
        self.question, self.frame, self.lexicon, self.today = question, frame, lexicon, today
        self.profile: Profile = lexicon.profile
        self.resolver = Resolver(self.profile, frame)
        self.draft = Draft()
        self.fact = ""
        self.wants_entity = bool(frame.tops) or frame.chart in PARTS

    def build(self) -> Plan:
        self._measures_said_as_groups()
        self.fact = self._fact()
        self._groups()
        self._values_as_series()
        self._bare()
        self._entity_of_asks()
        self._measures()
        if not self.draft.measures and not self.draft.details:
            raise CannotPlan("nothing to show")
        self._conditions()
        self._time_first()
        self._tops()
        self._orders()
        return self._plan()

    def _time_first(self) -> None:
        """Time goes along the x axis, whatever was named first."""
        if len(self.draft.dimensions) == 2 and self.draft.dimensions[1].grain is not None and self.draft.dimensions[0].grain is None:
            self.draft.dimensions.reverse()

    # What stands for what

    def _target(self, mention: Mention | None, want: str = "any") -> Target | None:
        return self.resolver.choose(mention, want)

    def _is_numeric(self, target: Target | None) -> bool:
        if target is None or target.kind == "table":
            return False
        return target.kind == "derived" or is_measure(self.resolver.column(target))

    def _measures_said_as_groups(self) -> None:
        """Read 'products by revenue' as revenue of each product."""
        frame = self.frame
        others = [bare for bare in frame.bare] + [group.mention for group in frame.groups if group.mention]
        for group in list(frame.groups):
            target = self._target(group.mention, "group")
            if group.time or group.mention is None or not self._is_numeric(target) or len(others) < 2 or frame.asks:
                continue
            if target is not None and (target.kind == "derived" or self._is_spread(target) or frame.tops):
                frame.groups.remove(group)
                frame.asks.append(Ask(None, group.mention, at=group.at))
                self.wants_entity = True

    def _is_spread(self, target: Target) -> bool:
        column = self.resolver.column(target)
        return column.type is Type.REAL or column.distinct > 20

    # The fact table

    def _fact(self) -> str:
        """Return the table whose rows are counted or measured."""
        for ask in self.frame.asks:
            target = self._ask_target(ask)
            if target is not None:
                return target.table
        tables = [target.table for bare in self.frame.bare if (target := self._target(bare)) and target.kind == "table"]
        columns = [target for bare in self.frame.bare if (target := self._target(bare)) and target.kind != "table"]
        numbers = [target.table for target in columns if self._is_numeric(target)]
        if numbers and not self.frame.count_them:
            return numbers[0]
        if tables:
            return self._most_detailed(tables)
        absent = [target.table for a in self.frame.absences if (target := self._target(a.mention)) and target.kind == "column"]
        groups = [target.table for group in self.frame.groups if (target := self._target(group.mention, "group"))]
        values = [target.table for hit in self.frame.values if (target := self.resolver.choose_value(hit.mention, hit.column))]
        compared = [target.table for c in self.frame.comparisons for m in (c.left, c.right) if (target := self._target(m))]
        found = [*(target.table for target in columns), *groups, *absent, *compared, *values]
        if found:
            return self._most_detailed(found)
        if len(self.profile.tables) == 1:
            return self.profile.tables[0].name
        raise CannotPlan("no table")

    def _most_detailed(self, tables: list[str]) -> str:
        """Return the table from which the others can be looked up, the first named where there are several."""
        for table in tables:
            if all(is_to_one(self.profile, table, other) for other in tables):
                return table
        return tables[0]

    def _ask_target(self, ask: Ask) -> Target | None:
        if ask.mention is None:
            return self._hinted(ask.hint) if ask.hint else None
        want = "count" if ask.aggregate in COUNTS else "number"
        return self._target(ask.mention, want)

    def _hinted(self, hint: str) -> Target | None:
        """Return the column that an adjective speaks of, nearest to the tables named."""
        best: tuple[float, Target] | None = None
        anchors = self.resolver.anchors or {table.name for table in self.profile.tables}
        for place, word in enumerate(hint.split()):
            for match, score in self.lexicon.matches(word).items():
                for index in self.lexicon.by_word[match]:
                    form = self.lexicon.forms[index]
                    if form.target.kind == "table" or not self._is_numeric_or_time(form.target):
                        continue
                    far = min((distance(self.profile, anchor, form.target.table) for anchor in anchors), default=0.0)
                    worth = score - 0.15 * far - 0.1 * place - 0.05 * (len(form.words) - 1)
                    if far < 6 and (best is None or worth > best[0]):
                        best = (worth, form.target)
        return best[1] if best else None

    def _is_numeric_or_time(self, target: Target) -> bool:
        if target.kind == "derived":
            return True
        column = self.resolver.column(target)
        return (is_number(column) and column.role is not Role.ID) or column.type in TIMES

    # Dimensions

    def _groups(self) -> None:
        for group in self.frame.groups:
            self._group(group)

    def _group(self, group: Group) -> None:
        if group.time:
            self._time_group(group)
            return
        target = self._target(group.mention, "group")
        if target is None or group.mention is None:
            return
        if target.kind == "table":
            self._entity(target.table, group.mention)
        elif target.kind == "column":
            self._add_dimension(self._column_dimension(target), group.mention.phrase)

    def _add_dimension(self, dimension: Dimension, phrase: str, key: Column | None = None) -> None:
        for known in self.draft.dimensions:
            if known.of == dimension.of:
                if known.grain is None and dimension.grain is not None:
                    self.draft.dimensions[self.draft.dimensions.index(known)] = dimension
                return
        if len(self.draft.dimensions) < 3:
            self.draft.dimensions.append(dimension)
            shown = f"{dimension.of.table}.{dimension.of.column}"
            self.draft.links.append(Link(phrase=phrase, meaning=f"grouped by {shown}" + (f" ({dimension.grain.value})" if dimension.grain else "")))

    def _column_dimension(self, target: Target) -> Dimension:
        column = self.resolver.column(target)
        of = Column(table=target.table, column=target.column)
        grain = self._grain_of(of) if column.type in TIMES else None
        return Dimension(label=column_label(self.profile, of), of=of, grain=grain)

    def _grain_of(self, of: Column) -> Grain | None:
        """Return the grain for a time grouped by without saying how: days for 'by date', else by the length of the range."""
        column = self.profile.column(of.table, of.column)
        if self.frame.chart in (None, ChartType.LINE, ChartType.GROUPING_LINE, ChartType.AREA) and column.distinct > 60 or column.type is Type.DATETIME:
            return _grain_for_range(column, self.frame)
        return Grain.DAY if column.type is Type.DATETIME or column.format else None

    def _entity(self, table: str, mention: Mention) -> None:
        """Group by a thing: shown by the columns asked for with it, else by its name, and told apart by its key."""
        profile = self.profile.table(table)
        asked = [bare for bare in self.frame.bare if self._describes(bare, table)]
        key = profile.primary_key[0] if len(profile.primary_key) == 1 else None
        if asked:
            chosen = self._target(asked[0], "group")
            assert chosen is not None
            column = self.resolver.column(chosen)
            self.frame.bare.remove(asked[0])
        else:
            column = display_column(profile)
        of = Column(table=table, column=column.name)
        apart = Column(table=table, column=key) if key and not column.unique and key.casefold() != column.name.casefold() else None
        grain = self._grain_of(of) if column.type in TIMES else None
        self._add_dimension(Dimension(label=column_label(self.profile, of), of=of, key=apart, grain=grain), mention.phrase)

    def _describes(self, bare: Mention, table: str) -> bool:
        target = self._target(bare, "group")
        if target is None or target.kind != "column" or target.table != table:
            return False
        return not is_measure(self.resolver.column(target))

    def _time_group(self, group: Group) -> None:
        year = self._year_column(group)
        if year is not None:
            self._add_dimension(Dimension(label=column_label(self.profile, year), of=year), "year")
            return
        of = self._time_of(group)
        if of is None:
            raise CannotPlan("no time")
        grain = group.grain or _grain_for_range(self.profile.column(of.table, of.column), self.frame)
        label = grain.value.replace("_", " ").capitalize()
        phrase = " ".join(self.frame.tokens[i].raw for i in range(group.at, group.at + 1))
        self._add_dimension(Dimension(label=label, of=of, grain=grain), phrase)

    def _time_of(self, group: Group) -> Column | None:
        target = self._target(group.mention, "time")
        if target is not None and target.kind == "column" and self.resolver.column(target).type in TIMES:
            return target.of
        bare = [found for mention in self.frame.bare if (found := self._target(mention)) and found.kind == "column" and self.resolver.column(found).type in TIMES]
        if bare:
            self.frame.bare = [mention for mention in self.frame.bare if self._target(mention) != bare[0]]
            return bare[0].of
        return time_column(self.profile, self.fact)

    def _year_column(self, group: Group) -> Column | None:
        """Return a column that holds the year or month itself, where the words name it and it is close to the fact."""
        target = self._target(group.mention, "group")
        if target is not None and target.kind == "column":
            column = self.resolver.column(target)
            far = distance(self.profile, self.fact, target.table)
            if column.type not in TIMES and far < 2.5 and not (far and time_column(self.profile, self.fact, ()) and self._own_time()):
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
        if not self.frame.versus:
            return
        chosen = [target for hit in self.frame.values if not hit.negated and (target := self.resolver.choose_value(hit.mention, hit.column))]
        columns = {(target.table, target.column) for target in chosen}
        if len(chosen) >= 2 and len(columns) == 1:
            of = chosen[0].of
            self._add_dimension(Dimension(label=column_label(self.profile, of), of=of), "versus")
        years = [hit for hit in self.frame.times if hit.operator == "in"]
        if len(years) >= 2 and not any(group.time and group.grain is Grain.YEAR for group in self.frame.groups):
            self._time_group(Group(None, Grain.YEAR, time=True, at=years[0].start))

    # Columns named without a part

    def _bare(self) -> None:
        """Give columns that stand alone a part: numbers are measured, the rest is grouped by or listed."""
        numbers: list[tuple[Mention, Target]] = []
        others: list[tuple[Mention, Target]] = []
        self.tables: list[tuple[Mention, str]] = []
        for mention in self.frame.bare:
            target = self._target(mention)
            if target is None:
                continue
            if target.kind == "table":
                self.tables.append((mention, target.table))
            elif target.kind == "derived" or is_measure(self.resolver.column(target)):
                numbers.append((mention, target))
            else:
                others.append((mention, target))
        self.numbers, self.others = numbers, others
        asked = bool(self.frame.asks) or self.frame.count_them or self.frame.distribution
        if self.others and (asked or numbers or (self.frame.chart in PARTS and not self.draft.dimensions)):
            self._others_as_dimensions()

    def _entity_of_asks(self) -> None:
        """'top 10 products by revenue' groups by the products."""
        if self.draft.dimensions or not self.frame.asks or not self.tables or not self.wants_entity:
            return
        counted = {target.table for ask in self.frame.asks if (target := self._ask_target(ask)) and target.kind == "table"}
        for mention, table in self.tables:
            if table not in counted:
                self._entity(table, mention)
                return

    def _others_as_dimensions(self) -> None:
        counted = [self._ask_target(ask) for ask in self.frame.asks if ask.aggregate in COUNTS]
        for mention, target in list(self.others):
            same = any(found and (found.table, found.column) == (target.table, target.column) for found in counted)
            if len(self.draft.dimensions) < 2 and not (same and self.draft.dimensions):
                column = self.resolver.column(target)
                if self.draft.dimensions and self._is_key_of(target, self.draft.dimensions[0]):
                    continue
                dimension = self._column_dimension(target)
                if self.draft.dimensions and len(self.others) == 1 and column.role in (Role.LABEL, Role.ID) and not self.frame.groups:
                    continue
                self._add_dimension(dimension, mention.phrase)
                self.others.remove((mention, target))

    def _is_key_of(self, target: Target, dimension: Dimension) -> bool:
        return dimension.of.table == target.table and target.column in self.profile.table(target.table).primary_key

    # Measures

    def _measures(self) -> None:
        if self.frame.asks:
            for ask in self.frame.asks:
                self._asked(ask)
            self._numbers_beside_asks()
        elif self._is_scatter():
            self._raw_pair()
        elif self.numbers:
            self._number_measures()
        elif self.frame.count_them or self.draft.dimensions or self._wants_count():
            self._count_rows()
        else:
            self._list_rows()
        if self.frame.share and self._share_is_meant():
            self.draft.measures = [measure.model_copy(update={"share": True}) if measure.aggregate in (Aggregate.COUNT, Aggregate.COUNT_DISTINCT, Aggregate.SUM) else measure for measure in self.draft.measures]

    def _share_is_meant(self) -> bool:
        """A pie draws any number as shares of the whole: there the number itself is kept, unless a percentage was named."""
        words = {token.text for token in self.frame.tokens}
        if self.frame.chart is ChartType.PIE and words & {"proportion", "proportions"}:
            return False
        return bool(self.draft.dimensions)

    def _wants_count(self) -> bool:
        return self.frame.chart in PARTS and bool(self.draft.dimensions)

    def _asked(self, ask: Ask) -> None:
        target = self._ask_target(ask)
        if target is None:
            if ask.mention is None and ask.hint:
                raise CannotPlan("no column for the adjective")
            self._count_rows()
            return
        measure = self._measure_of(ask.aggregate, target)
        if measure is None:
            self._count_of_column(ask, target)
        elif measure not in self.draft.measures:
            self._add_measure(measure, ask.mention.phrase if ask.mention else ask.hint)

    def _add_measure(self, measure: Measure, phrase: str) -> None:
        if len(self.draft.measures) < 4:
            self.draft.measures.append(measure)
            self.draft.links.append(Link(phrase=phrase, meaning=measure.label))

    def _measure_of(self, aggregate: Aggregate | None, target: Target) -> Measure | None:
        """Return the measure of a target, or None where a column is to be counted."""
        if target.kind == "table":
            return Measure(label=count_label(self.profile, target.table), table=target.table, aggregate=Aggregate.COUNT)
        if target.kind == "derived" and target.derived is not None:
            derived = target.derived
            chosen = aggregate if aggregate not in (None, *COUNTS) else _usual(derived.role)
            if derived.note:
                self.draft.assumptions.append(derived.note[:1].upper() + derived.note[1:])
            return Measure(label=number_label(chosen, derived.name), table=derived.table, aggregate=chosen, of=derived.of, unit=derived.unit)
        column = self.resolver.column(target)
        if aggregate in COUNTS:
            if aggregate is Aggregate.COUNT and is_measure(column) and not self._is_counted_thing(column):
                aggregate = _usual(column.role)
            else:
                return None
        if aggregate in (Aggregate.SUM, Aggregate.AVERAGE) and not is_number(column):
            return None
        chosen = aggregate or (_usual(column.role) if is_number(column) else None)
        if chosen is None:
            return None
        return Measure(label=number_label(chosen, column_words(column)), table=self._stands_on(target), aggregate=chosen, of=target.of)

    def _is_counted_thing(self, column: ColumnProfile) -> bool:
        return column.role not in (Role.ADDITIVE,)

    def _stands_on(self, target: Target) -> str:
        if self.frame.records_of_both and is_to_one(self.profile, self.fact, target.table):
            return self.fact
        return target.table

    def _count_of_column(self, ask: Ask, target: Target) -> None:
        """Count what a column names: the rows in each group, its different values, or how often each occurs."""
        of = target.of
        column = self.resolver.column(target)
        phrase = ask.mention.phrase if ask.mention else ""
        if ask.aggregate is Aggregate.COUNT_DISTINCT and self.draft.dimensions and all(d.of != of for d in self.draft.dimensions):
            self._add_distinct(column, of, phrase)
        elif self.draft.dimensions:
            table = self._counted_table(target)
            self._add_measure(Measure(label=count_label(self.profile, table), table=table, aggregate=Aggregate.COUNT), phrase)
        elif self.frame.chart in PARTS or self.frame.distribution:
            self._add_dimension(self._column_dimension(target), phrase)
            self._add_measure(Measure(label=count_label(self.profile, target.table), table=target.table, aggregate=Aggregate.COUNT), phrase)
        else:
            self._add_distinct(column, of, phrase)

    def _counted_table(self, target: Target) -> str:
        """Rows of the column's table are counted, or of the fact the question names beside it."""
        return self.tables[0][1] if self.tables and is_to_one(self.profile, self.tables[0][1], target.table) else target.table

    def _add_distinct(self, column: ColumnProfile, of: Column, phrase: str) -> None:
        label = number_label(Aggregate.COUNT_DISTINCT, column_words(column))
        self._add_measure(Measure(label=label, table=of.table, aggregate=Aggregate.COUNT_DISTINCT, of=of), phrase)

    def _numbers_beside_asks(self) -> None:
        """'name and total price' asks for one number; a bare number beside it is measured in the usual way."""
        if not self.draft.dimensions and self.draft.measures and len(self.numbers) == 1 and not self.others:
            mention, target = self.numbers[0]
            if target.kind == "column" and self.draft.measures[0].aggregate is not None and self.frame.chart in (*PARTS, ChartType.SCATTER):
                self._add_dimension(self._column_dimension(target), mention.phrase)

    def _is_scatter(self) -> bool:
        if len(self.numbers) != 2 or any(not group.time and self.frame.relation is False for group in self.frame.groups[:0]):
            return False
        scatter = self.frame.chart in (ChartType.SCATTER, ChartType.GROUPING_SCATTER)
        return scatter or self.frame.relation or (self.frame.versus and not self.draft.dimensions) or (not self.others and not self.draft.dimensions)

    def _raw_pair(self) -> None:
        pair = self.numbers[::-1] if self.frame.against_at is not None else self.numbers
        for mention, target in pair:
            self._add_measure(self._raw(target), mention.phrase)
        self.draft.raw = True

    def _raw(self, target: Target) -> Measure:
        if target.kind == "derived" and target.derived is not None:
            derived = target.derived
            return Measure(label=number_label(None, derived.name), table=derived.table, of=derived.of, unit=derived.unit)
        column = self.resolver.column(target)
        return Measure(label=number_label(None, column_words(column)), table=target.table, of=target.of)

    def _number_measures(self) -> None:
        """Numbers that no word aggregates: as they are where each label names one row, else by what they are."""
        self._entity_for_numbers()
        raw = self._labels_are_single()
        for mention, target in self.numbers[:3]:
            measure = self._raw(target) if raw else self._measure_of(None, target)
            if measure is not None:
                self._add_measure(measure, mention.phrase)
        self.draft.raw = raw
        if not self.draft.dimensions and self.frame.distribution and len(self.numbers) == 1:
            self._histogram(self.numbers[0][1])

    def _histogram(self, target: Target) -> None:
        self.draft.measures = [self._raw(target)]
        self.draft.raw = True

    def _entity_for_numbers(self) -> None:
        if self.draft.dimensions or not self.tables or self.frame.distribution:
            return
        if self.wants_entity:
            self._entity(self.tables[0][1], self.tables[0][0])

    def _labels_are_single(self) -> bool:
        """Tell whether the numbers can be shown as they are: the label is the row's own."""
        if not self.draft.dimensions or self.frame.groups and any(group.time for group in self.frame.groups):
            return False
        first = self.draft.dimensions[0]
        column = self.profile.column(first.of.table, first.of.column)
        same = all(target.table == first.of.table for _, target in self.numbers)
        explicit = bool(self.frame.groups)
        filled = max(1, column.rows - column.nulls)
        unique = column.unique or column.distinct >= RAW_SHARE * filled or first.key is not None
        return (same and unique) or (not explicit and self._is_listing())

    def _is_listing(self) -> bool:
        """'name and price' without a word of grouping lists rows."""
        return not self.frame.groups and not self.frame.share

    def _count_rows(self) -> None:
        table = self.fact
        self._add_measure(Measure(label=count_label(self.profile, table), table=table, aggregate=Aggregate.COUNT), table_words(self.profile.table(table)))
        if not self.draft.dimensions and self.frame.count_them and self.others:
            self._others_as_dimensions()

    def _list_rows(self) -> None:
        if self.others:
            self.draft.details = [target.of for _, target in self.others]
        elif self.tables or self.frame.absences or self.frame.values or self.frame.comparisons:
            having = self._entity_with_number()
            if having:
                return
            self.draft.details = list(self._columns_to_show(self.fact))

    def _entity_with_number(self) -> bool:
        """'customers with more than 15 orders' shows each customer's number, not just a list."""
        for comparison in self.frame.comparisons:
            measure = self._compared_number(comparison)
            if measure is not None and self.tables:
                self._entity(self.tables[0][1], self.tables[0][0])
                self._add_measure(measure, comparison.phrase)
                return True
        for top in self.frame.tops:
            if top.mention is not None or top.hint:
                target = self._hinted(top.hint) if top.hint else self._target(top.mention, "number" if top.aggregate is not None else "any")
                if target is None or not self.tables:
                    continue
                measure = self._measure_of(Aggregate.COUNT if target.kind == "table" else top.aggregate if top.aggregate not in (Aggregate.MAXIMUM, Aggregate.MINIMUM) else None, target)
                if measure is None:
                    continue
                self._entity(self.tables[0][1], self.tables[0][0])
                single = self.draft.dimensions and target.kind == "column" and target.table == self.draft.dimensions[0].of.table
                self._add_measure(self._raw(target) if single else measure, top.mention.phrase if top.mention else top.hint)
                self.draft.raw = bool(single)
                return True
        return False

    def _columns_to_show(self, table: str) -> Iterable[Column]:
        """Yield what tells a row: its name or key, then dates, categories and numbers; of foreign keys the name they stand for."""
        profile = self.profile.table(table)
        keys = {key.column: key for key in self.profile.foreign_keys if key.table == table}
        for column in profile.columns[:10]:
            key = keys.get(column.name)
            if key is not None:
                yield Column(table=key.to_table, column=display_column(self.profile.table(key.to_table)).name)
            elif column.role is not Role.TEXT and column.type is not Type.BINARY:
                yield Column(table=table, column=column.name)

    # Conditions

    def _conditions(self) -> None:
        self._value_filters()
        for comparison in self.frame.comparisons:
            self._comparison(comparison)
        for absence in self.frame.absences:
            self._absence(absence)
        self._time_filters()

    def _value_filters(self) -> None:
        chosen: dict[tuple[str, str, bool], list[tuple[ValueHit, Target]]] = {}
        for hit in self.frame.values:
            target = self.resolver.choose_value(hit.mention, hit.column)
            if target is None:
                raise CannotPlan(f"no place for {hit.mention.phrase}")
            chosen.setdefault((target.table, target.column, hit.negated), []).append((hit, target))
        for (table, column, negated), hits in chosen.items():
            values = tuple(dict.fromkeys(target.value for _, target in hits))
            phrase = ", ".join(hit.mention.phrase for hit, _ in hits)
            of = Column(table=table, column=column)
            if hits[0][1].partial:
                filter = Filter(of=of, operator="contains", values=values[:1], phrase=phrase)
            else:
                operator: Literal["=", "!=", "in", "not in"] = ("not in" if negated else "in") if len(values) > 1 else ("!=" if negated else "=")
                filter = Filter(of=of, operator=operator, values=values, phrase=phrase)
            self._add_filter(filter)

    def _add_filter(self, filter: Filter) -> None:
        if filter in self.draft.filters:
            return
        for column in columns_of(filter.of):
            if filter.operator not in ("none", "some") and path(self.profile, self.fact, column.table) is None:
                raise CannotPlan(f"{column.table} is not connected")
        self.draft.filters.append(filter)
        values = ", ".join(map(str, filter.values))
        what = ", ".join(f"{column.table}.{column.column}" for column in columns_of(filter.of))
        self.draft.links.append(Link(phrase=filter.phrase, meaning=f"{what} {filter.operator} {values}".strip()))

    def _comparison(self, comparison: Comparison) -> None:
        measure = self._compared_number(comparison)
        if measure is not None:
            self._having(comparison, measure)
            return
        target = self._compared_column(comparison)
        if target is None:
            raise CannotPlan(f"nothing to compare in “{comparison.phrase}”")
        of: Expression = target.derived.of if target.derived is not None else target.of
        values: tuple[Scalar, ...] = comparison.texts or tuple(_plain(number) for number in comparison.numbers)
        if target.kind == "column" and self.resolver.column(target).type in TIMES:
            values = tuple(f"{int(number):04}-01-01" for number in comparison.numbers if 1000 < number < 3000) or values
        self._add_filter(Filter(of=of, operator=comparison.operator, values=values, phrase=comparison.phrase))  # type: ignore[arg-type]

    def _compared_column(self, comparison: Comparison) -> Target | None:
        want = "group" if comparison.texts else "number"
        for mention in (comparison.left, comparison.right):
            target = self._target(mention, want)
            if target is not None and target.kind != "table":
                return target
        if comparison.hint:
            return self._hinted(comparison.hint)
        if comparison.texts and comparison.left is not None:
            target = self._target(comparison.left)
            if target is not None and target.kind == "table":
                return Target("column", target.table, display_column(self.profile.table(target.table)).name)
        return None

    def _compared_number(self, comparison: Comparison) -> Measure | None:
        """Return the number per group that is compared, or None where single rows are."""
        if comparison.texts:
            return None
        right = self._target(comparison.right, "count")
        if right is not None and right.kind == "table":
            if comparison.left is not None and comparison.aggregate in COUNTS:
                right = self._target(comparison.left, "count") or right
            return self._measure_of(Aggregate.COUNT, right)
        left = self._target(comparison.left, "number")
        if left is not None and left.kind == "table" and comparison.aggregate in (None, *COUNTS) and comparison.left is not None:
            return self._measure_of(Aggregate.COUNT, left)
        target = left if left is not None and left.kind != "table" else self._target(comparison.right, "number")
        if target is None or target.kind == "table":
            if comparison.left is None and comparison.right is None and comparison.aggregate is not None and self.draft.measures:
                return self.draft.measures[0]
            return None
        if comparison.aggregate is not None and comparison.aggregate not in COUNTS:
            return self._measure_of(comparison.aggregate, target)
        if target.kind == "derived" and (self.draft.dimensions or self.tables) and not self._is_row_of(target):
            return self._measure_of(None, target)
        if self.tables and not is_to_one(self.profile, self.tables[0][1], target.table) and not self.frame.asks:
            return self._measure_of(None, target)
        return None

    def _is_row_of(self, target: Target) -> bool:
        tables = [table for _, table in self.tables] or [self.fact]
        return all(is_to_one(self.profile, table, target.table) for table in tables) and not self.draft.dimensions

    def _having(self, comparison: Comparison, measure: Measure) -> None:
        per = None
        if not self.draft.dimensions or self._counts_entities(measure):
            table = self.tables[0][1] if self.tables and self.tables[0][1] != measure.table else self.fact
            if table == measure.table:
                raise CannotPlan(f"nothing to compare in “{comparison.phrase}”")
            keys = self.profile.table(table).primary_key
            if len(keys) != 1:
                raise CannotPlan("no key")
            per = Column(table=table, column=keys[0])
        having = Having(measure=measure.model_copy(update={"share": False}), operator=comparison.operator, values=comparison.numbers, per=per, phrase=comparison.phrase)  # type: ignore[arg-type]
        self.draft.having.append(having)
        self.draft.links.append(Link(phrase=comparison.phrase, meaning=f"{measure.label} {comparison.operator} {', '.join(f'{n:g}' for n in comparison.numbers)}"))

    def _counts_entities(self, measure: Measure) -> bool:
        """'customers with more than 3 orders by country' counts customers; the condition is on each customer."""
        counted = [m for m in self.draft.measures if m.aggregate is Aggregate.COUNT and m.of is None and m.table != measure.table]
        if not counted or not self.draft.dimensions:
            return False
        first = self.draft.dimensions[0]
        own = first.of.table == counted[0].table and (first.key is not None or self.profile.column(first.of.table, first.of.column).unique)
        return not own and is_to_one(self.profile, measure.table, counted[0].table)

    def _absence(self, absence: Absence) -> None:
        target = self._target(absence.mention)
        if target is None:
            raise CannotPlan(f"nothing known as {absence.mention.phrase}")
        operator: Literal["none", "some", "null", "not null"]
        if target.kind == "column":
            column = self.resolver.column(target)
            times = [found.target for found in absence.mention.names if found.target.kind == "column" and self.resolver.column(found.target).type in TIMES]
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
        where = self._filters_about(absence, target.table)
        self._add_filter(Filter(of=Column(table=target.table, column=way[-1].to_column), operator=operator, where=where, phrase=absence.phrase))

    def _filters_about(self, absence: Absence, table: str) -> tuple[Filter, ...]:
        """Take along the conditions that describe the missing rows: 'without a captain of rank Midshipman'."""
        taken = tuple(filter for filter in self.draft.filters if all(column.table == table for column in columns_of(filter.of)) and table != self.fact)
        self.draft.filters = [filter for filter in self.draft.filters if filter not in taken]
        return taken

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
            hits = [replace(hits[0], operator="between", first=first, last=last, phrase=" and ".join(hit.phrase for hit in hits))]
        for hit in hits:
            if years is not None:
                self._year_filter(years, hit.operator, hit.first.year, hit.last.year, hit.phrase)
            elif of is not None:
                self._date_filter(of, hit.operator, hit.first, hit.last, hit.phrase)

    def _filtered_time(self) -> Column | None:
        """Return the time that a stretch of time limits: the one grouped by, the one named, else when the rows happened."""
        for dimension in self.draft.dimensions:
            if dimension.grain is not None:
                return dimension.of
        for mention in (*self.frame.bare, *(group.mention for group in self.frame.groups)):
            target = self._target(mention)
            if target is not None and target.kind == "column" and self.resolver.column(target).type in TIMES:
                return target.of
        return time_column(self.profile, self.fact)

    def _date_filter(self, of: Column, operator: str, first: date, last: date, phrase: str) -> None:
        values: tuple[str, ...] = (first.isoformat(), last.isoformat())
        chosen = {"in": "between", "between": "between", ">=": ">=", ">": ">", "<": "<", "<=": "<="}[operator]
        if operator in (">=", "<"):
            values = values[:1]
        elif operator in (">", "<="):
            values = values[1:]
        self._add_filter(Filter(of=of, operator=chosen, values=values, phrase=phrase))  # type: ignore[arg-type]

    def _year_filter(self, of: Column, operator: str, first: int, last: int, phrase: str) -> None:
        if operator in ("in", "between"):
            filter = Filter(of=of, operator="=" if first == last else "between", values=(first,) if first == last else (first, last), phrase=phrase)
        else:
            filter = Filter(of=of, operator=operator, values=(first if operator in (">=", "<") else last,), phrase=phrase)  # type: ignore[arg-type]
        self._add_filter(filter)

    # Tops and orders

    def _tops(self) -> None:
        if not self.frame.tops:
            return
        top = next((top for top in self.frame.tops if top.limit is not None), self.frame.tops[0])
        if not self.draft.measures:
            return
        if not self.draft.dimensions:
            return
        self.draft.limit = top.limit or (PLURAL_TOP if top.plural else 1)
        index = self._top_measure(top)
        self.draft.order = [Order(by="measure", index=index, descending=top.descending)]

    def _top_measure(self, top: Top) -> int:
        target = self._target(top.mention, "number") if top.mention else None
        for index, measure in enumerate(self.draft.measures):
            if target is not None and self._measures_target(measure, target):
                return index
        return 0

    def _measures_target(self, measure: Measure, target: Target) -> bool:
        if target.kind == "table":
            return measure.of is None and measure.table == target.table
        if target.derived is not None:
            return measure.of == target.derived.of
        return isinstance(measure.of, Column) and (measure.of.table, measure.of.column) == (target.table, target.column)

    def _orders(self) -> None:
        for wish, mentions, kind in self.frame.orders:
            order = self._order(wish.descending, wish.direction, mentions, kind)
            if order is not None and all((known.by, known.index) != (order.by, order.index) for known in self.draft.order):
                self.draft.order.append(order)

    def _order(self, descending: bool | None, direction: str, mentions: list[Mention], kind: str) -> Order | None:
        found = None if kind in ("x", "y") and not mentions else self._order_target(mentions, kind)
        if found is None:
            found = self._order_by_kind(kind, direction)
        by, index = found
        down = descending if descending is not None else by == "measure"
        return Order(by=by, index=index, descending=down)  # type: ignore[arg-type]

    def _order_by_kind(self, kind: str, direction: str) -> tuple[str, int]:
        if self.draft.details:
            return "detail", 0
        measures = [index for index, _ in enumerate(self.draft.measures)]
        timely = next((i for i, d in enumerate(self.draft.dimensions) if d.grain is not None), None)
        if kind == "x" or not measures:
            return ("dimension", 0) if self.draft.dimensions else ("measure", 0)
        if kind == "y" or not self.draft.dimensions:
            return "measure", min(len(measures) - 1, 0 if self.draft.dimensions else 1)
        if "alphabet" in direction or direction in ("a to z", "z to a", "a z"):
            return "dimension", 0
        if timely is not None and any(word in direction for word in ("chrono", "old", "new", "earl", "late", "recent", "ascending", "asc", "desc", "descending")):
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
                    if target.kind == "column" and (dimension.of.table, dimension.of.column) == (target.table, target.column) and kind != "y":
                        return "dimension", index
                for index, detail in enumerate(self.draft.details):
                    if detail == Column(table=target.table, column=target.column):
                        return "detail", index
            for index, dimension in enumerate(self.draft.dimensions):
                if any(found.target.kind == "table" and found.target.table == dimension.of.table for found in mention.names) and kind != "y":
                    return "dimension", index
        return None

    # The end

    def _plan(self) -> Plan:
        draft = self.draft
        table = draft.measures[0].table if draft.measures and not draft.raw else self.fact
        if draft.raw:
            table = self._raw_table()
        self._check_connected(table)
        return Plan(
            question=self.question, table=table, measures=tuple(draft.measures), dimensions=tuple(draft.dimensions),
            details=tuple(draft.details), filters=tuple(draft.filters), having=tuple(draft.having), order=tuple(draft.order),
            limit=draft.limit, chart=self._chart(),
        )  # fmt: skip

    def _raw_table(self) -> str:
        tables = [measure.table for measure in self.draft.measures] + [dimension.of.table for dimension in self.draft.dimensions]
        return self._most_detailed([self.fact, *tables] if all(is_to_one(self.profile, self.fact, table) for table in tables) else tables)

    def _check_connected(self, table: str) -> None:
        needed = [column.table for dimension in self.draft.dimensions for column in (dimension.of, dimension.key) if column]
        needed += [column.table for measure in self.draft.measures if measure.of is not None for column in columns_of(measure.of)]
        needed += [column.table for detail in self.draft.details for column in columns_of(detail)]
        for other in needed:
            if path(self.profile, table, other) is None:
                raise CannotPlan(f"nothing connects {table} and {other}")

    def _chart(self) -> ChartType | None:
        chart = self.frame.chart
        if chart is ChartType.HISTOGRAM and self.draft.dimensions and self.draft.dimensions[0].bins is None:
            return ChartType.STACKED_BAR if len(self.draft.dimensions) > 1 else ChartType.BAR
        return chart


def _usual(role: Role) -> Aggregate:
    return Aggregate.SUM if role is Role.ADDITIVE else Aggregate.AVERAGE


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else number


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


__all__ = ["NUMBERS", "Builder", "CannotPlan", "DaysBetween"]
