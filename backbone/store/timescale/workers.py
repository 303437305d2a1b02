"""Work on columns, off the event loop where it is worth a change of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import anyio

from backbone.domain.memory import give_back, give_back_own
from backbone.domain.threads import in_thread

__all__ = ["Workers"]

T = TypeVar("T")

_THREADS: Final = 4
_INLINE_ROWS: Final = 1000
"""Fewer rows are done with sooner than a thread is woken: live rows come a few at a time."""
_IDLE: Final = 0.5  # seconds without work, after which threads end
_LEAVES_MUCH: Final = 50_000  # rows, from which on giving memory back is worth its 10 ms


class Workers:
    """Threads that encode and decode, a bounded number of them.

    Arrow keeps for each thread some megabytes of what was worked on there, and gives none of it back while the thread
    rests. So they end soon after the last work, and others begin with the next.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_THREADS)
        self._threads: ThreadPoolExecutor | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rows = 0

    async def run(self, rows: int, function: Callable[..., T], *values: Any) -> T:
        """Call a function that works through so many rows."""
        if rows <= _INLINE_ROWS:
            return function(*values)
        async with self._limiter:
            self._stay()
            self._rows += rows
            try:
                return await in_thread(partial(function, *values), executor=self._begun())
            finally:
                if self._limiter.borrowed_tokens == 1:  # nobody else is at work
                    self._timer = asyncio.get_running_loop().call_later(_IDLE, self._rest)

    def _begun(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "columns")
        return self._threads

    def _stay(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self) -> None:
        """Nothing is to be done: after much work what is kept goes back, that of each thread once it has ended."""
        much, self._rows = self._rows >= _LEAVES_MUCH, 0
        if much and self._threads is not None:
            self._threads.submit(give_back)
        self.end()
        if much:
            self._timer = asyncio.get_running_loop().call_later(_IDLE, give_back_own)

    def end(self) -> None:
        """Let the threads end once they are done; who has work after that gets others."""
        self._stay()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None
