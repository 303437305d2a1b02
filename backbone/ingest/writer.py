"""What a run needs of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.store.records import Chunk, Coverage, JournalRow, QuarantineRow, Query, WriteResult

__all__ = ["Writer"]


class Writer(Protocol):
    """What a run needs of the store."""

    async def claim(self, source: str, dimension: Dimension) -> int:
        """Become the writer; returns the epoch."""
        ...

    async def write(self, chunk: Chunk) -> WriteResult:
        """Commit a chunk."""
        ...

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        """Keep bad rows."""
        ...

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        """What is stored of some symbols; of all, where none is named."""
        ...

    async def read(self, query: Query) -> Frame:
        """Rows that are stored."""
        ...

    async def journal_of(self, source: str, dimension: Dimension) -> list[JournalRow]:
        """The newest journal rows of a source."""
        ...
