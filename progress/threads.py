"""The threads in which operations make blocking calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any

from django.db import connections

from .conf import setting


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(setting("SYNC_THREADS"), thread_name_prefix="operation")


def in_thread[T](function: Callable[..., T], *args: Any, **kwargs: Any) -> Awaitable[T]:
    """Call a blocking function in a pool that only operations use; one shared with requests could starve them.

    The caller's context variables hold there too. Its database connections are closed at the end.
    """
    context = copy_context()

    def call() -> T:
        try:
            return context.run(function, *args, **kwargs)
        finally:
            connections.close_all()

    return asyncio.get_running_loop().run_in_executor(_threads(), call)
