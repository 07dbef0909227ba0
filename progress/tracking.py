"""Loops over items: how far they are, one within another."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import SynchronousOnlyOperation

if TYPE_CHECKING:
    from .nodes import Node


class Loop:
    """A loop under way: `done` of `total` items, None where nobody knows how many there are."""

    __slots__ = ("done", "total")

    def __init__(self, total: float | None, done: float = 0) -> None:
        self.done, self.total = done, total


def share_done(loops: Sequence[Loop]) -> float | None:
    """Return what share of the outermost loop is done, where each loop is one item of the loop before it."""
    share: float | None = None
    for loop in reversed(loops):
        if loop.total is None:
            share = None
        else:
            share = min(max((loop.done + (share or 0.0)) / loop.total, 0.0), 1.0) if loop.total > 0 else 1.0
    return share


class Track[T]:
    """The items of an iterable, each reported as done when the next one is asked for."""

    def __init__(
        self, node: Node, iterable: Iterable[T] | AsyncIterable[T], total: float | None, message: str | None
    ) -> None:
        self._node, self._iterable, self._total, self._message = node, iterable, total, message

    def __iter__(self) -> Iterator[T]:
        loop = self._begin()
        try:
            for item in cast("Iterable[T]", self._iterable):
                yield item
                self._count(loop)
        finally:
            self._node._end_loop(loop)

    async def __aiter__(self) -> AsyncIterator[T]:
        loop = self._begin()
        try:
            async for item in cast("AsyncIterable[T]", self._iterable):
                yield item
                self._count(loop)
        finally:
            self._node._end_loop(loop)

    def _begin(self) -> Loop:
        loop = Loop(_length(self._iterable) if self._total is None else self._total)
        self._node._begin_loop(loop)
        if self._message is not None:  # the first item may take long: say at once what has begun
            self._node._report_loops(self._message)
        return loop

    def _count(self, loop: Loop) -> None:
        loop.done += 1
        self._node._report_loops(self._message)


def _length(iterable: Any) -> int | None:
    try:
        length = operator.length_hint(iterable, -1)
    except SynchronousOnlyOperation:  # a QuerySet in async code
        return None
    return None if length < 0 else length
