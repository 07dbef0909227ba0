"""How tables hang together: the shortest way from a fact table to each other table along the foreign keys."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..profile import ForeignKey, Profile

HOP, TO_MANY, INFERRED = 1.0, 1.5, 0.4  # the price of a step: rows multiplied cost most, guessed keys a little


@dataclass(frozen=True, slots=True)
class Edge:
    """One step of a join: `table.column` = `to_table.to_column`. `to_many`: a row may meet several."""

    table: str
    column: str
    to_table: str
    to_column: str
    to_many: bool
    cost: float


@lru_cache(maxsize=64)
def _edges(keys: tuple[ForeignKey, ...]) -> dict[str, tuple[Edge, ...]]:
    edges: dict[str, list[Edge]] = {}
    for key in keys:
        if key.table == key.to_table:
            continue
        price = HOP + (0 if key.declared else INFERRED)
        there = Edge(key.table, key.column, key.to_table, key.to_column, False, price)
        back = Edge(key.to_table, key.to_column, key.table, key.column, True, price + TO_MANY)
        edges.setdefault(key.table, []).append(there)
        edges.setdefault(key.to_table, []).append(back)
    return {table: tuple(found) for table, found in edges.items()}


@lru_cache(maxsize=512)
def _tree(keys: tuple[ForeignKey, ...], start: str) -> dict[str, tuple[float, Edge | None]]:
    """Return per reachable table the price of the way from `start` and the last step of it."""
    edges = _edges(keys)
    reached: dict[str, tuple[float, Edge | None]] = {}
    queue: list[tuple[float, int, str, Edge | None]] = [(0.0, 0, start, None)]
    count = 0
    while queue:
        cost, _, table, step = heapq.heappop(queue)
        if table in reached:
            continue
        reached[table] = (cost, step)
        for edge in edges.get(table, ()):
            if edge.to_table not in reached:
                count += 1
                heapq.heappush(queue, (cost + edge.cost, count, edge.to_table, edge))
    return reached


def path(profile: Profile, start: str, goal: str) -> tuple[Edge, ...] | None:
    """Return the steps from one table to another, none when they are the same, None when nothing connects them."""
    reached = _tree(profile.foreign_keys, start)
    if goal not in reached and goal != start:
        return None
    steps: list[Edge] = []
    while goal != start:
        step = reached[goal][1]
        if step is None:
            return None
        steps.append(step)
        goal = step.table
    return tuple(reversed(steps))


def distance(profile: Profile, start: str, goal: str) -> float:
    """Return the price of the way between two tables; infinite where there is none."""
    return _tree(profile.foreign_keys, start).get(goal, (float("inf"), None))[0]


def is_to_one(profile: Profile, start: str, goal: str) -> bool:
    """Tell whether each row of `start` meets at most one row of `goal`."""
    steps = path(profile, start, goal)
    return steps is not None and not any(step.to_many for step in steps)


def steps_to(profile: Profile, start: str, tables: Iterable[str]) -> list[Edge]:
    """Return the steps that join all `tables` to `start`, each once, in an order in which they can be joined.

    Raises ValueError when a table cannot be reached.
    """
    steps: list[Edge] = []
    for table in tables:
        way = path(profile, start, table)
        if way is None:
            raise ValueError(f"Nothing connects the tables {start} and {table}.")
        steps.extend(step for step in way if step not in steps)
    return steps
