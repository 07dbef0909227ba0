"""Look a source over once: what its columns hold, what they are good for, how its tables hang together."""

from __future__ import annotations

from collections.abc import Hashable

from ..profile import ColumnProfile, Profile, TableProfile
from ..sources import Source, TableSchema
from .derived import derive
from .display import display_column
from .keys import find_keys
from .look import Looker
from .words import Vocabulary

MAX_VALUES = 50_000  # distinct values looked at per column
CACHED = 16  # profiles

_cache: dict[Hashable, Profile] = {}


def profile_source(source: Source) -> Profile:
    """Return the profile of a source, from memory if its data has not changed. Raises QueryFailed."""
    version = source.version
    if version is None:
        return build_profile(source)
    key = (source.slug, version)
    profile = _cache.get(key)
    if profile is None:
        profile = _cache[key] = build_profile(source)
        for old in list(_cache)[:-CACHED]:
            _cache.pop(old, None)
    return profile


def build_profile(source: Source, *, max_values: int = MAX_VALUES) -> Profile:
    """Read the schema and the values of every column."""
    schema = source.schema()
    vocabulary = Vocabulary({table.name: [name for name, _ in table.columns] for table in schema})
    with source.reader() as reader:
        looker = Looker(reader, vocabulary, max_values)
        looked = [look for table in schema for look in looker.table(table)]
        keys = find_keys(schema, [look.candidate for look in looked], reader)
        pointing = {(key.table, key.column.casefold()) for key in keys}
        profiles = {look.key: look.profile(look.key in pointing) for look in looked}
        tables = [_table(table, vocabulary, profiles, pointing) for table in schema]
        return Profile(
            source=source.slug,
            dialect=source.dialect,
            tables=tuple(tables),
            foreign_keys=tuple(keys),
            derived=tuple(derive(tables, keys, reader)),
        )


def _table(
    schema: TableSchema,
    vocabulary: Vocabulary,
    profiles: dict[tuple[str, str], ColumnProfile],
    pointing: set[tuple[str, str]],
) -> TableProfile:
    columns = tuple(profiles[schema.name, name.casefold()] for name, _ in schema.columns)
    words = vocabulary.table(schema.name)
    keys = [column.name for column in columns if (schema.name, column.name.casefold()) in pointing]
    return TableProfile(
        name=schema.name,
        rows=columns[0].rows if columns else 0,
        columns=columns,
        primary_key=schema.primary_key,
        display=display_column(columns, words, keys),
        words=words,
        view=schema.view,
    )
