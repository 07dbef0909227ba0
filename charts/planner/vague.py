"""Notice a ranking that does not say by what: 'best customers', 'top 5 products'."""

from __future__ import annotations

from ..profile import Profile, Role
from ..sql.joins import is_to_one
from .frame import Frame
from .linking import named
from .names import table_words


def measures_for(frame: Frame, profile: Profile) -> list[str]:
    """Return what the things ranked could be measured by, none where the question says it."""
    said = frame.asks or frame.groups or frame.comparisons or frame.absences
    if not frame.tops or said or len(frame.bare) != 1:
        return []
    top = frame.tops[0]
    tables = named(frame.bare[0], "table")
    if top.mention is not None or top.hint or not tables or frame.orders:
        return []
    table = tables[0].target.table
    found = [
        derived.name
        for derived in profile.derived
        if derived.role is Role.ADDITIVE and is_to_one(profile, derived.table, table)
    ]
    counted = [key.table for key in profile.foreign_keys if key.to_table == table and key.table != table]
    return [
        *dict.fromkeys(found),
        *(f"number of {table_words(profile.table(other))}" for other in dict.fromkeys(counted)),
    ]
