"""Whether this process publishes to a stream that others could publish to as well: one of them does at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from backbone.domain.lapse import BEAT, HELD, TRY
from backbone.store.messages import SHARED_STREAM, STREAM, Lease

__all__ = ["Tenure"]


class Tenure:
    """The lease of the relay. A stream of this process alone needs none: there it is always held.

    By its own clock it ends before the store gives it to another one, however long this process was frozen.

    Args:
        ask: asks the store.
        clock: monotonic seconds.
        shared: whether other processes publish to this very stream.

    Attributes:
        clock: as given.
        sink: the cursor's, in the store.
        epoch: under which the cursor is moved.
    """

    def __init__(self, ask: Callable[[Any], Awaitable[Any]], clock: Callable[[], float], *, shared: bool) -> None:
        self._ask = ask
        self._until = float("-inf")
        self.clock = clock
        self.shared = shared
        self.sink = SHARED_STREAM if shared else STREAM
        self.epoch = 0

    @property
    def held(self) -> bool:
        """Whether this process may publish now."""
        return not self.shared or self.clock() < self._until

    @property
    def pause(self) -> float:
        """Seconds until it is to be asked for again."""
        return BEAT if self.held else TRY

    async def renew(self) -> bool:
        """Ask for the lease; returns whether it came to us or went from us.

        Raises:
            HeldUp: the store does not answer; what was held ends by itself.
        """
        before = self.epoch if self.held else None
        began = self.clock()
        epoch: int | None = await self._ask(Lease(self.sink))
        if epoch is None:
            self.end()
        else:
            self.epoch, self._until = epoch, began + HELD
        return before != epoch

    def end(self) -> None:
        """It went to another one."""
        self._until = float("-inf")
