"""A source in which a column name stands in two tables, equally near."""

from datetime import date

from charts.profile import ColumnProfile, ForeignKey, Profile, Role, TableProfile, Type

TODAY = date(2026, 11, 22)


def _column(table: str, name: str, role: Role, type: Type) -> ColumnProfile:
    return ColumnProfile(
        table=table, name=name, declared="", role=role, type=type, words=tuple(name.split("_")), rows=9, distinct=9
    )


def _table(name: str, *columns: ColumnProfile) -> TableProfile:
    return TableProfile(name=name, rows=9, columns=columns, primary_key=("id",), words=(name,))


PROFILE = Profile(
    source="hotel",
    dialect="sqlite",
    tables=(
        _table(
            "rooms", _column("rooms", "id", Role.ID, Type.INTEGER), _column("rooms", "colour", Role.CATEGORY, Type.TEXT)
        ),
        _table(
            "guests",
            _column("guests", "id", Role.ID, Type.INTEGER),
            _column("guests", "colour", Role.CATEGORY, Type.TEXT),
        ),
        _table(
            "visits",
            _column("visits", "id", Role.ID, Type.INTEGER),
            _column("visits", "room_id", Role.ID, Type.INTEGER),
            _column("visits", "guest_id", Role.ID, Type.INTEGER),
        ),
    ),
    foreign_keys=(
        ForeignKey(table="visits", column="room_id", to_table="rooms", to_column="id"),
        ForeignKey(table="visits", column="guest_id", to_table="guests", to_column="id"),
    ),
)
