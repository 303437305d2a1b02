"""One of those who wait works for all of them: nothing goes on that nobody waits for, and no task runs by itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import anyio
import anyio.lowlevel

__all__ = ["Turns"]

_LONGEST: Final = 0.5  # seconds of work in one turn
_WOKEN_AT_ONCE: Final = 32
"""So many look for what came before others get their turn on the loop."""


class Turns:
    """Who finds nobody at work does it; who leaves wakes another one of those who wait.

    Args:
        work: to be done for at most so many seconds, about.
    """

    def __init__(self, work: Callable[[float], Awaitable[None]]) -> None:
        self._work = work
        self._waiting: OrderedDict[anyio.Event, None] = OrderedDict()
        self._curious: dict[anyio.Event, None] = {}
        self.busy = False

    async def step(self, wait: float, wake: anyio.Event, *, for_any: bool = False) -> None:
        """Work for all, or wait while another one does; returns when it is time to look again.

        Args:
            wait: seconds at most.
            wake: what is to be set when something came for who waits.
            for_any: set it whatever comes.
        """
        if self.busy:
            await self._wait(wait, wake, for_any=for_any)
            return
        self.busy = True
        try:
            await self._work(min(wait, _LONGEST))
        finally:
            self.busy = False
            self._hand_over()

    async def _wait(self, wait: float, wake: anyio.Event, *, for_any: bool) -> None:
        self._waiting[wake] = None
        if for_any:
            self._curious[wake] = None
        try:
            with anyio.move_on_after(wait):
                await wake.wait()
        finally:
            self._waiting.pop(wake, None)
            self._curious.pop(wake, None)
            self._hand_over()

    def _hand_over(self) -> None:
        if not self.busy and self._waiting:
            next(iter(self._waiting)).set()

    async def wake(self, woken: Collection[anyio.Event]) -> None:
        """Wake these and whoever waits for anything, a few at a time; all of them also where this is cancelled."""
        events = [*woken, *self._curious]
        try:
            while len(events) > _WOKEN_AT_ONCE:
                for each in events[:_WOKEN_AT_ONCE]:
                    each.set()
                del events[:_WOKEN_AT_ONCE]
                await anyio.lowlevel.checkpoint()
        finally:
            for each in events:
                each.set()

    def wake_all(self) -> None:
        """Have all who wait look again."""
        for each in self._waiting:
            each.set()
