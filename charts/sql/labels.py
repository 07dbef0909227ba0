"""What columns are called on axes and in tables: plain words, with the table's name where the column's alone says little."""

from __future__ import annotations

from ..plan import Column
from ..profile import Profile
from ..profiling.words import singular

VAGUE = ("title", "id", "code", "type", "date", "description")


def column_label(profile: Profile, column: Column) -> str:
    """Return 'Country'; of a name 'Product', the thing it names; of other vague words 'Product code'."""
    table = profile.table(column.table)
    found = table.column(column.column)
    words = " ".join(found.words) or found.name
    *first, last = table.words or (table.name,)
    thing = " ".join([*first, singular(last)])
    if words in VAGUE or words == "name":
        words = thing if words == "name" else f"{thing} {words}"
    return words[:1].upper() + words[1:]
