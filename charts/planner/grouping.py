"""Group by things and columns: what each group is called, and what keeps two of the same name apart."""

from __future__ import annotations

from ..plan import (
    Aggregate,
    Column,
    Dimension,
    Filter,
)
from ..profile import ColumnProfile, Role, Type
from ..sql.joins import Edge, path
from ..sql.labels import column_label
from .frame import Group
from .lexicon import Target
from .linking import Mention
from .resolve import NUMBERS, TIMES, display_column, is_measure
from .timing import Timing


class Grouping(Timing):
    """Turns the groups of a frame into dimensions."""

    def _groups(self) -> None:
        self._rows_said_as_groups()
        for group in self.frame.groups:
            self._group(group)

    def _counts_own_column(self, table: str) -> bool:
        """'count the brand of each lens' counts brands, not lenses: there is nothing to count in one lens."""
        return (
            len(self.frame.groups) == 1
            and any(owner == table for owner, _ in self._counted_columns())
            and not any(ask.aggregate is Aggregate.COUNT_DISTINCT for ask in self.frame.asks)
        )

    def _rows_said_as_groups(self) -> None:
        """'every order that was not shipped' lists rows; there is nothing to group."""
        frame = self.frame
        if len(frame.groups) != 1 or frame.asks or frame.count_them or frame.chart or frame.tops or frame.distribution:
            return
        group = frame.groups[0]
        target = self._target(group.mention, "group")
        listed = frame.absences or frame.values or frame.times or frame.comparisons
        if (
            target is not None
            and group.mention is not None
            and target.kind == "table"
            and target.table == self.fact
            and listed
            and not frame.bare
        ):
            frame.groups.clear()
            frame.bare.append(group.mention)

    def _group(self, group: Group) -> None:
        if group.time:
            self._time_group(group)
            return
        target = self._target(group.mention, "group")
        if target is None or group.mention is None:
            return
        if target.kind == "table":
            if not self._counts_own_column(target.table):
                self._entity(target.table, group.mention)
        elif target.kind == "column" and not self._refines_entity(target):
            pointed = self._pointed_table(target, group.mention)
            if pointed is not None:
                self._entity(pointed, group.mention)
                return
            self._add_dimension(self._column_dimension(target), group.mention.phrase)

    def _pointed_table(self, target: Target, mention: Mention) -> str | None:
        """A foreign key said without 'id' or 'code' means the thing that it points to."""
        if {"id", "code", "number", "key"} & set(mention.phrase.lower().replace("_", " ").split()):
            return None
        column = self.resolver.column(target)
        for key in self.profile.foreign_keys:
            if (key.table, key.column) == (target.table, target.column) and column.type in NUMBERS:
                return key.to_table
        return None

    def _refines_entity(self, target: Target) -> bool:
        """'each student by first name' names the label of a thing already grouped by, not a second grouping."""
        for index, known in enumerate(self.draft.dimensions):
            if index not in self.entities:
                continue
            table = self.entities[index]
            points = any(
                (key.table, key.column, key.to_table) == (target.table, target.column, table)
                for key in self.profile.foreign_keys
            )
            column = self.resolver.column(target)
            own = target.table == table and (column.role in (Role.LABEL, Role.ID) or "name" in column.words)
            if own or points:
                keys = self.profile.table(table).primary_key
                apart = (
                    Column(table=table, column=keys[0])
                    if len(keys) == 1 and own and not column.unique and target.column not in keys
                    else None
                )
                update = {"of": target.of, "label": column_label(self.profile, target.of), "key": apart}
                if points and known.of.table != table:
                    return True
                self.draft.dimensions[index] = known.model_copy(update=update)
                return True
        return False

    def _entity(self, table: str, mention: Mention) -> None:
        """Group by a thing: shown by the columns asked for with it, else by its name, and told apart by its key."""
        profile = self.profile.table(table)
        asked = [bare for bare in self.frame.bare if self._describes(bare, table)]
        key = profile.primary_key[0] if len(profile.primary_key) == 1 else None
        if asked:
            chosen = self._target(asked[0], "group")
            column = self.resolver.column(chosen) if chosen is not None else display_column(profile)
            self.frame.bare.remove(asked[0])
        else:
            column = display_column(profile)
        of = self._code_for(table, column) if not asked else Column(table=table, column=column.name)
        column = self.profile.column(of.table, of.column)
        apart = (
            Column(table=table, column=key)
            if key and of.table == table and not column.unique and key.casefold() != column.name.casefold()
            else None
        )
        grain = self._grain_of(of) if column.type in TIMES else None
        self.entities[len(self.draft.dimensions)] = table
        self._add_dimension(
            Dimension(label=column_label(self.profile, of), of=of, key=apart, grain=grain), mention.phrase
        )

    def _code_for(self, table: str, column: ColumnProfile) -> Column:
        """Return the name of a thing; its code where that is text and some rows carry codes that have no name."""
        way = path(self.profile, self.fact, table) or ()
        for key in self.profile.foreign_keys:
            last = way[-1] if way else None
            if last is None or (key.table, key.column, key.to_table) != (last.table, last.column, table):
                continue
            if key.orphans and self.profile.column(key.table, key.column).type is Type.TEXT:
                return Column(table=key.table, column=key.column)
        return Column(table=table, column=column.name)

    def _leave_out_unknown(self, table: str) -> None:
        """A ranking of products has no place for the rows whose product is unknown."""
        steps = path(self.profile, self.fact, table) or ()
        keys = self.profile.table(table).primary_key
        if len(keys) == 1 and any(self._has_gaps(step) for step in steps if not step.to_many):
            known = Filter(of=Column(table=table, column=keys[0]), operator="not null")
            self.draft.filters.append(known)
            self.draft.assumptions.append(f"Rows that belong to none of the {table} are left out")

    def _has_gaps(self, step: Edge) -> bool:
        return any(
            key.orphans or self.profile.column(key.table, key.column).nulls
            for key in self.profile.foreign_keys
            if (key.table, key.column, key.to_table) == (step.table, step.column, step.to_table)
        )

    def _describes(self, bare: Mention, table: str) -> bool:
        target = self._target(bare, "group")
        if target is None or target.kind != "column" or target.table != table:
            return False
        return not is_measure(self.resolver.column(target))
