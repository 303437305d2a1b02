"""The part of the store's port that reads one moment, piece by piece, while others write on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backbone.store.snapshots import PART_ROWS, PageSums, Part, PartFacts, PartPage, Parts, Snapshot

__all__ = ["Snapshots"]


class Snapshots(Protocol):
    """Moments that are held."""

    async def open_snapshot(self, owner: str, seconds: float, readers: int = 1) -> Snapshot:
        """Hold this moment to read from it: what is committed meanwhile is not seen, and nobody waits for it.

        Args:
            owner: who reads; what he held before is let go of.
            seconds: after which it is gone, closed or not.
            readers: parts that he wants to read at once; he may be given fewer.
        """
        ...

    async def find_parts(self, snapshot: str, parts: Parts) -> list[PartFacts]:
        """The parts that have rows, ascending by symbol and time.

        Raises:
            SnapshotLost: it stands no more; of the other two likewise.
        """
        ...

    async def read_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PartPage:
        """The next rows of a part in canonical order, behind a key (None: the first), at most so many."""
        ...

    async def sum_part(
        self, snapshot: str, part: Part, after: Sequence[object] | None = None, limit: int = PART_ROWS
    ) -> PageSums:
        """A hash over the values that `read_part` gives, column by column, of a second reading by another way.

        The database makes the hashes, or where that is dear, tells the bits of each value, of which they are made.

        It is the SHA-256 of the values, each as eight bytes with the highest first: microseconds since 2000, whole
        numbers, doubles; null is 7ff8000000000001. Of texts it is that of two hashes: of their lengths as four bytes,
        -1 for null, and of their bytes.
        """
        ...

    async def close_snapshot(self, snapshot: str) -> None:
        """Let go of a moment; one that is gone already is no mistake."""
        ...
