"""Has the cache forget what was committed and is not published by this process, or not yet."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.store.errors import PositionLost
from backbone.store.messages import ReadOutbox
from backbone.store.records import OutboxRow
from backbone.stream.reach import HeldUp, Reach

__all__ = ["Follower"]

_BATCH = 500


class Follower:
    """Goes through the outbox beside who publishes: another process, or this one once its stream is back.

    Args:
        reach: store and cache.

    Attributes:
        position: up to here the cache has forgotten what changed.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self.position = 0
        self._pruned_behind: int | None = None

    def passed(self, position: int) -> None:
        """What was published was forgotten before."""
        self.position = max(self.position, position)

    async def go_on(self) -> None:
        """Have it forget what has changed since.

        Raises:
            HeldUp: by the store or the cache.
        """
        while rows := await self._next():
            await self._reach.invalidate(rows)
            self.position = rows[-1].position

    async def _next(self) -> Sequence[OutboxRow]:
        """What comes next; where some of it was pruned, as after a day of sleep, the cache forgets all once."""
        whole = self._pruned_behind != self.position
        request = ReadOutbox(self.position, _BATCH, whole=whole, first=True)
        try:
            rows: Sequence[OutboxRow] = await self._reach.ask(request)
        except HeldUp as error:
            if error.code != PositionLost.code:
                raise
            await self._reach.forget()
            self._pruned_behind = self.position
            return await self._next()
        return rows
