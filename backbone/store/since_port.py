"""The part of the store's port by which somebody who holds rows of an earlier moment learns what of them stands."""

from __future__ import annotations

from typing import Protocol

from backbone.store.records import Query
from backbone.store.since import Since, SinceResult

__all__ = ["Sinces"]


class Sinces(Protocol):
    """What has changed since an export."""

    async def note_export(self, token: str, level: int) -> None:
        """Keep that an export was published; the oldest of many are forgotten.

        That the store knows it tells a reader that this is the database that was exported, and that no restore has
        undone what came before the export: it is kept after the moment that was read.

        Args:
            token: which, to the byte of its manifest.
            level: `Snapshot.level` of the moment that was read.
        """
        ...

    async def read_since(self, query: Query, since: Since) -> SinceResult:
        """The rows of a query but for those that are as they were at a moment, which who asks holds already.

        Args:
            query: of some symbols, without limit, as_of and bucket.
            since: what is held of them.
        """
        ...
