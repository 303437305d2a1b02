"""What the relay remembers of the database, and whether that still agrees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from backbone.store.errors import CursorSetBack, FencedOut, StoreUnavailable, Unsupported
from backbone.store.messages import AdvanceRelay, ProbeStore, ReadDrops, ReadOutbox, RelayCursor
from backbone.store.records import OutboxRow, OutboxStatus
from backbone.stream.reach import HeldUp
from backbone.stream.tenure import Tenure

__all__ = ["BATCH", "Past", "is_full"]

BATCH: Final = 500
"""Outbox rows that the relay takes at once."""

_FULL_BYTES: Final = 7 * 2**20  # a read gives 8 MiB, and whole payloads

Ask = Callable[[Any], Awaitable[Any]]

_RECOVERS = (
    "a standby that still recovers answers where the server did; it is begun with once it is promoted; "
    "if it is to stay a standby, give store.url the primary"
)


def _recovers(server: str) -> bool:
    """Whether a server has no life of its own yet: what it shows is not what it will go on from."""
    return server.endswith("/")


def is_full(rows: Sequence[OutboxRow]) -> bool:
    """Whether a read gave so much that more may have been left out."""
    return len(rows) >= BATCH or sum(len(row.payload) for row in rows) > _FULL_BYTES


class Past:
    """The stored cursor, the generation of the database, and how often rows were dropped from it, as known last.

    For example the relay has noted position 100. A standby that lagged takes over, where the cursor is at 97: changes
    98 to 100 of before never were, and others will come at these positions. So everything that was derived from the
    former ones begins anew.

    Args:
        ask: asks the store.
        tenure: whose cursor it is.

    Attributes:
        noted: up to where the store says, as far as is known, that all is published.
        doubtful: the store was away since it was looked at: it may be another database.
        kept: the store took no note of this process, which may only read it: it publishes to its own subscribers.
    """

    def __init__(self, ask: Ask, tenure: Tenure) -> None:
        self._ask = ask
        self._tenure = tenure
        self.noted = 0
        self.doubtful = True
        self.kept = False
        self._generation = self._server = ""
        self._another = False
        self._drops: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether the database is, as far as is known, the one in which all was published: else nothing is noted."""
        return not (self.doubtful or self._another)

    @property
    def knows(self) -> bool:
        """Whether it was looked before which database this is."""
        return bool(self._generation or self._server)

    async def set_back(self, cursor: int, status: OutboxStatus | None = None) -> int | None:
        """The stored cursor, where the database is another one or was set back, until `stand`; else None.

        Another process may have moved the cursor further: that is no going back. A standby that takes over may have
        lost what was published last, although its cursor is where it was noted: its outbox, where it was looked at,
        ends before that, or is of another server.

        Args:
            cursor: up to where all is published.
            status: the outbox as it was just seen.

        Raises:
            HeldUp: by the store, or a standby that still recovers answers where the server did.
        """
        if status is not None and _recovers(status.server) and self._server and not _recovers(self._server):
            raise HeldUp("store", StoreUnavailable.code, _RECOVERS)
        if self.doubtful and await self._is_another():
            self._another = True
        if status is not None and (self._is_anothers(status) or status.newest < cursor):
            self._another = True
        stored = await self.stored()
        if stored < self.noted:
            self._another = True
        self.doubtful = False
        return stored if self._another else None

    def read(self, after: int, *, whole: bool) -> ReadOutbox:
        """What the store is asked for: refused where its cursor stands before where it was moved to."""
        return ReadOutbox(after, BATCH, whole=whole, first=True, sink=self._tenure.sink, known=self.noted)

    async def stored(self) -> int:
        """Where the cursor stands in the store."""
        position: int = await self._ask(RelayCursor(self._tenure.sink))
        return position

    def stand(self, position: int) -> None:
        """Go on from the stored cursor; what follows from the database being another one is done."""
        self.noted, self._another = position, False

    def moved_to(self, position: int) -> AdvanceRelay:
        """What the store is asked to note: only where it stands as it did, on the server that is known."""
        return AdvanceRelay(
            position, self._tenure.sink, epoch=self._tenure.epoch, known=self.noted, server=self._server
        )

    def forget(self) -> None:
        """Take the server that answers next for the one that is known."""
        self._server = ""

    def _is_anothers(self, status: OutboxStatus) -> bool:
        before, self._server = self._server, status.server or self._server
        return before not in {"", self._server}

    async def note(self, position: int) -> int | None:
        """Move the stored cursor on from where it was noted last; or the stored one, where the database was set back.

        The store looks and moves in one: what comes again at these positions is never noted as published. Where another
        process publishes by now, the tenure ends.
        """
        if self.doubtful and (stored := await self.set_back(position)) is not None:
            return stored
        try:
            await self._ask(self.moved_to(position))
        except HeldUp as error:
            if error.code == Unsupported.code:
                self.kept = True
                return None
            if error.code == FencedOut.code:
                self._tenure.end()
                return None
            if error.code != CursorSetBack.code:
                raise
            self._another = True
            return await self.stored()
        self.noted, self.kept = position, False
        return None

    async def _is_another(self) -> bool:
        before, now = self._generation, (await self._ask(ProbeStore())).generation
        self._generation = now
        return bool(before) and before != now

    async def has_dropped(self) -> bool:
        """Whether somebody, in this process or another, has dropped rows since this was asked last."""
        before, self._drops = self._drops, await self._ask(ReadDrops())
        return before is not None and before != self._drops
