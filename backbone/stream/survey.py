"""What no hint tells of: rows that were dropped, whose transaction holds publishing back, how far the outbox goes."""

from __future__ import annotations

from datetime import datetime

from backbone.store.messages import OutboxState
from backbone.store.records import OutboxStatus
from backbone.stream.past import Past
from backbone.stream.reach import Reach
from backbone.stream.tenure import Tenure

__all__ = ["Survey"]


class Survey:
    """Looks at the outbox as a whole.

    Args:
        reach: store and cache; the cache forgets where rows were dropped.
        past: how often they were dropped before.
        tenure: whose cursor it is.

    Attributes:
        due: it is time to look.
        held_by: whose open transaction holds publishing back, as it was seen last; None: nobody's.
        waiting_since: since when the oldest row waits that is not published, likewise; None: none waits.
    """

    def __init__(self, reach: Reach, past: Past, tenure: Tenure) -> None:
        self._reach = reach
        self._past = past
        self._tenure = tenure
        self.due = False
        self.held_by: str | None = None
        self.waiting_since: datetime | None = None

    async def take(self) -> OutboxStatus:
        """Look.

        Raises:
            HeldUp: by the store or the cache.
        """
        if await self._past.has_dropped():
            await self._reach.forget()
        status: OutboxStatus = await self._reach.ask(OutboxState(self._tenure.sink))
        self.held_by, self.due = status.held_by, False
        self.waiting_since = status.oldest_pending_at
        return status
