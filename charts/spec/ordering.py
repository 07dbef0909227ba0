"""Categories that have an order of their own: weekdays, months, sizes, levels, numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ..periods import MONTHS, WEEKDAYS
from ..query import Cell

SCALES: tuple[tuple[str, ...], ...] = (
    tuple(name.casefold() for name in WEEKDAYS),
    tuple(name[:3].casefold() for name in WEEKDAYS),
    tuple(name.casefold() for name in MONTHS),
    tuple(name[:3].casefold() for name in MONTHS),
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("tiny", "small", "medium", "large", "huge"),
    ("lowest", "very low", "low", "normal", "medium", "moderate", "high", "very high", "highest", "urgent", "critical"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("poor", "fair", "good", "very good", "excellent"),
    ("q1", "q2", "q3", "q4"),
)


def natural_order(cells: Sequence[Cell]) -> list[Cell] | None:
    """Return the cells in the order their names imply, NULL last; None where they imply none."""
    known = [cell for cell in cells if cell is not None]
    nulls: list[Cell] = [cell for cell in cells if cell is None]
    if not known:
        return None
    if all(isinstance(cell, int | float) for cell in known):
        return [*sorted(known, key=_number), *nulls]
    names = {str(cell).strip().casefold() for cell in known}
    for scale in SCALES:
        if len(names) > 1 and names <= set(scale):
            return [*sorted(known, key=lambda cell: scale.index(str(cell).strip().casefold())), *nulls]
    return None


def _number(cell: Cell) -> float:
    return float(cell or 0)
