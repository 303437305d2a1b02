"""A run outlasts a store that restarts, is locked, or has lost a deadlock: what it asked is asked again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from actors import Reject
from backbone.calls import PASSING
from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.ingest.run import Writer
from backbone.store.errors import UnknownOutcome
from backbone.store.records import Chunk, Coverage, JournalRow, QuarantineRow, Query, WriteResult

__all__ = ["Patient"]

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds
_WAITED_FOR = PASSING | {UnknownOutcome.code}  # a chunk is known again by its run, whatever came of the first time


class Patient(Writer):
    """A writer that waits for the store.

    Each of these may be asked twice: a chunk and a bad row are known again, of two claims the later one holds.

    Args:
        writer: the store.
        seconds: how long one request is tried again, pauses included; a refusal that comes later is passed on. A try
            itself takes as long as the writer lets it.
        clock: monotonic seconds.
    """

    def __init__(self, writer: Writer, seconds: float, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._seconds = seconds
        self._clock = clock

    async def claim(self, source: str, dimension: Dimension) -> int:
        """Become the writer of a source and dimension."""
        return await self._asked(lambda: self._writer.claim(source, dimension))

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk."""
        return await self._asked(lambda: self._writer.write(chunk))

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        """Keep bad rows aside."""
        return await self._asked(lambda: self._writer.quarantine(rows))

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        """What is stored of some symbols."""
        return await self._asked(lambda: self._writer.stored(dimension, symbols))

    async def read(self, query: Query) -> Frame:
        """Rows that are stored."""
        return await self._asked(lambda: self._writer.read(query))

    async def journal_of(self, source: str, dimension: Dimension) -> list[JournalRow]:
        """The newest journal rows of a source."""
        return await self._asked(lambda: self._writer.journal_of(source, dimension))

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        until, pause = self._clock() + self._seconds, _FIRST_PAUSE
        while True:
            try:
                return await ask()
            except Reject as reject:
                left = until - self._clock()
                if reject.code not in _WAITED_FOR or left <= 0:
                    raise
            await anyio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
