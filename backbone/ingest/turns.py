"""Whose turn it is where a store writes one chunk at a time: live rows go before the next piece of a file.

A commit that waits in the store's own queue has been cut already: rows that come meanwhile miss it, and what else was
queued before them goes first. So who wants to write waits here instead, and live rows are cut when their turn comes:
all that came until then go together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

__all__ = ["Turns"]

_PATIENT_FOR: Final = 0.1  # seconds that a piece of a file waits behind live rows that never cease
_WAITED_FOR: Final = 1.0  # seconds that live rows wait here; where the store hangs they ask it, and are told so


class _Waiter:
    """Who waits, and since when."""

    __slots__ = ("called", "since")

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.since = anyio.current_time()


class Turns:
    """One writer at a time: of several live ones the first, of several files the first, of both the live one.

    Files do not starve: one that has waited for a tenth of a second has the turn once, between two of live rows.

    Args:
        one_at_a_time: whether the store writes so; where it does not, nobody waits.
    """

    def __init__(self, *, one_at_a_time: bool) -> None:
        self._one_at_a_time = one_at_a_time
        self._taken = self._was_file = False
        self._live = deque[_Waiter]()
        self._files = deque[_Waiter]()

    @asynccontextmanager
    async def live(self) -> AsyncIterator[Callable[[], bool]]:
        """Hold the turn for live rows, or go on without it where it can't be had in a second.

        Gives what tells, between two commits, whether others are to have the turn before more live rows.
        """
        with anyio.move_on_after(_WAITED_FOR) as waiting:
            await self._take(self._live)
        try:
            yield self._is_over
        finally:
            if not waiting.cancelled_caught:
                self._pass_on(was_file=False)

    @asynccontextmanager
    async def file(self) -> AsyncIterator[None]:
        """Hold the turn for a piece of a file."""
        await self._take(self._files)
        try:
            yield
        finally:
            self._pass_on(was_file=True)

    async def _take(self, waiting: deque[_Waiter]) -> None:
        if not (self._taken and self._one_at_a_time):
            self._taken = True
            return
        waiter = _Waiter()
        waiting.append(waiter)
        has_it = False
        try:
            await waiter.called.wait()
            has_it = True
        finally:
            if not has_it:
                self._give_up(waiter, waiting)

    def _give_up(self, waiter: _Waiter, waiting: deque[_Waiter]) -> None:
        """Who was called at the moment in which he gave up has the turn, and has no use for it."""
        if waiter in waiting:
            waiting.remove(waiter)
        else:
            self._pass_on(was_file=waiting is self._files)

    def _pass_on(self, *, was_file: bool) -> None:
        self._was_file = was_file
        following = self._next()
        self._taken = following is not None
        if following is not None:
            following.called.set()

    def _next(self) -> _Waiter | None:
        if self._live and (self._was_file or not self._has_waited_long()):
            return self._live.popleft()
        return self._files.popleft() if self._files else None

    def _is_over(self) -> bool:
        return bool(self._live) or self._has_waited_long()

    def _has_waited_long(self) -> bool:
        """A file."""
        return bool(self._files) and anyio.current_time() - self._files[0].since >= _PATIENT_FOR
