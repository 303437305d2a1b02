"""Work on columns, off the event loop where it is worth a change of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import anyio

from backbone.domain.threads import in_thread

__all__ = ["Workers"]

T = TypeVar("T")

_THREADS = 4
_INLINE_ROWS = 1000
"""Fewer rows are done with sooner than a thread is woken: live rows come a few at a time."""
_LEAVES_MUCH = 1_000_000
"""Rows that threads have worked through, from which on they are worth being made anew."""


class Workers:
    """Threads that encode and decode, a bounded number of them.

    Arrow keeps for each thread some megabytes of what was worked on there, and gives none of it back while the thread
    rests. So after much work they end as soon as nobody needs them; whoever gives memory back then has theirs, too.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_THREADS)
        self._rows = 0
        self._threads = self._none_yet()

    def _none_yet(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, "columns")  # starts a thread when there is work for it

    async def run(self, rows: int, function: Callable[..., T], *values: Any) -> T:
        """Call a function that works through so many rows."""
        if rows <= _INLINE_ROWS:
            return function(*values)
        async with self._limiter:
            self._rows += rows
            try:
                return await in_thread(partial(function, *values), executor=self._threads)
            finally:
                if self._rows >= _LEAVES_MUCH and self._limiter.borrowed_tokens == 1:  # nobody else's work is there
                    self.rest()

    def rest(self) -> None:
        """Let the threads end once they are done; who has work after that gets others."""
        self._threads.shutdown(wait=False)
        self._threads, self._rows = self._none_yet(), 0
