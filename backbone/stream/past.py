"""What the relay remembers of the database, and whether that still agrees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from backbone.store.messages import ProbeStore, ReadDrops, RelayCursor

__all__ = ["Past"]

Ask = Callable[[Any], Awaitable[Any]]


class Past:
    """The stored cursor, the generation of the database, and how often rows were dropped from it, as known last.

    For example the relay has noted position 100. A standby that lagged takes over, where the cursor is at 97: changes
    98 to 100 of before never were, and others will come at these positions. So everything that was derived from the
    former ones begins anew.

    Args:
        ask: asks the store.

    Attributes:
        noted: up to where the store says, as far as is known, that all is published.
        doubtful: the store was away since it was looked at: it may be another database.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.noted = 0
        self.doubtful = True
        self._generation = ""
        self._another = False
        self._drops: int | None = None

    async def set_back(self) -> int | None:
        """The stored cursor, where the database is another one or was set back, until `stand`; else None.

        Another process may have moved the cursor further: that is no going back.
        """
        if self.doubtful and await self._is_another():
            self._another = True
        stored: int = await self._ask(RelayCursor())
        self.doubtful = False
        return stored if self._another or stored < self.noted else None

    def stand(self, position: int) -> None:
        """Go on from the stored cursor; what follows from the database being another one is done."""
        self.noted, self._another = position, False

    async def _is_another(self) -> bool:
        before, now = self._generation, (await self._ask(ProbeStore())).generation
        self._generation = now
        return bool(before) and before != now

    async def has_dropped(self) -> bool:
        """Whether somebody, in this process or another, has dropped rows since this was asked last."""
        before, self._drops = self._drops, await self._ask(ReadDrops())
        return before is not None and before != self._drops
