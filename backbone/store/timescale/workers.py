"""Work on columns, off the event loop where it is worth a change of threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio

from backbone.domain.threads import in_thread

__all__ = ["Workers"]

T = TypeVar("T")

_THREADS = 4
_INLINE_ROWS = 1000
"""Fewer rows are done with sooner than a thread is woken: live rows come a few at a time."""


class Workers:
    """Threads that encode and decode, a bounded number of them."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_THREADS)

    async def run(self, rows: int, function: Callable[..., T], *values: Any) -> T:
        """Call a function that works through so many rows."""
        if rows <= _INLINE_ROWS:
            return function(*values)
        async with self._limiter:
            return await in_thread(partial(function, *values))
