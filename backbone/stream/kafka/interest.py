"""Who waits for what: of ten thousand cursors only those are woken for which something came."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

import anyio
from aiokafka import TopicPartition

__all__ = ["Interest", "Reader"]


class Reader(Protocol):
    """Who waits for what comes."""

    wake: anyio.Event

    def came(self, at: TopicPartition, offset: int) -> None:
        """The first thing that it waited for in a partition is here; it has to say anew that it waits."""


class Interest:
    """Readers by partition and key.

    Args:
        partitions: all that there are.
    """

    def __init__(self, partitions: Iterable[TopicPartition] = ()) -> None:
        self._readers: dict[TopicPartition, dict[str | None, dict[Reader, None]]] = {each: {} for each in partitions}

    def rest(self, reader: Reader, at: TopicPartition, keys: Collection[str | None]) -> None:
        """Note that a reader has all of these keys that is here; None stands for all keys."""
        for key in keys:
            self._readers[at].setdefault(key, {})[reader] = None

    def leave(self, reader: Reader, at: TopicPartition, keys: Collection[str | None]) -> None:
        """Forget it."""
        waiting = self._readers.get(at, {})
        for key in keys:
            if (readers := waiting.get(key)) is not None:
                readers.pop(reader, None)
                if not readers:
                    del waiting[key]

    def came(self, at: TopicPartition, key: str, offset: int) -> list[Reader]:
        """Tell those who wait for a key that it came; returns who they are."""
        waiting = self._readers[at]
        readers = [*waiting.get(key, ()), *waiting.get(None, ())]
        for each in readers:
            each.came(at, offset)
        return readers

    def all_came(self, at: TopicPartition, offset: int) -> None:
        """Tell all who wait for anything in a partition to look for it themselves."""
        for each in {reader: None for readers in self._readers[at].values() for reader in readers}:
            each.came(at, offset)
