"""Clients for cursors that are behind what all share: a few, lent in turns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from backbone.stream.kafka.fetching import Fetcher

__all__ = ["Lending"]


class Lending:
    """Who was lent one keeps it until others need it more; who has caught up gives it back.

    Args:
        make: a new one, not open yet.
        most: so many at once.
    """

    def __init__(self, make: Callable[[], Fetcher], most: int = 4) -> None:
        self._make = make
        self._most = most
        self._free = anyio.Semaphore(most)
        self._kept: OrderedDict[object, Fetcher] = OrderedDict()
        self._used: set[object] = set()

    @property
    def lent(self) -> int:
        """How many there are now."""
        return len(self._kept)

    @asynccontextmanager
    async def lend(self, reader: object, wait: float) -> AsyncIterator[Fetcher | None]:
        """An open one, with its partitions as this reader left them, or none assigned; None: all are in use.

        Raises:
            StreamUnavailable: no broker answers.
        """
        got = False
        with anyio.move_on_after(wait):
            await self._free.acquire()
            got = True
        if not got:
            yield None
            return
        self._used.add(reader)
        try:
            fetcher = self._taken(reader)
            await fetcher.open()
            yield fetcher
        finally:
            self._used.discard(reader)
            self._free.release()

    def _taken(self, reader: object) -> Fetcher:
        fetcher = self._kept.pop(reader, None)
        if fetcher is None and len(self._kept) >= self._most:
            longest = next(each for each in self._kept if each not in self._used)
            fetcher = self._kept.pop(longest)
            fetcher.next = {}
        self._kept[reader] = fetcher = fetcher or self._make()
        return fetcher

    async def give_back(self, reader: object) -> None:
        """End that of a reader which needs it no more, or in which it has stopped."""
        fetcher = self._kept.pop(reader, None)
        if fetcher is not None:
            await fetcher.close()

    async def close(self) -> None:
        """End them all."""
        for reader in list(self._kept):
            await self.give_back(reader)
