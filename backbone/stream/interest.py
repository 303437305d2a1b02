"""Who waits for what: of ten thousand cursors only those are woken for which something came."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Generic, Protocol, TypeVar

import anyio

__all__ = ["Interest", "Reader"]

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)


class Reader(Protocol[P_contra]):
    """Who waits for what comes."""

    wake: anyio.Event

    def came(self, at: P_contra, offset: int) -> None:
        """The first thing that it waited for in a part is here; it has to say anew that it waits."""


class Interest(Generic[P]):
    """Readers by part of the stream and key.

    Args:
        parts: all that there are, such as partitions.
    """

    def __init__(self, parts: Iterable[P] = ()) -> None:
        self._readers: dict[P, dict[str | None, dict[Reader[P], None]]] = {each: {} for each in parts}

    def rest(self, reader: Reader[P], at: P, keys: Collection[str | None]) -> None:
        """Note that a reader has all of these keys that is here; None stands for all keys."""
        for key in keys:
            self._readers[at].setdefault(key, {})[reader] = None

    def leave(self, reader: Reader[P], at: P, keys: Collection[str | None]) -> None:
        """Forget it."""
        waiting = self._readers.get(at, {})
        for key in keys:
            if (readers := waiting.get(key)) is not None:
                readers.pop(reader, None)
                if not readers:
                    del waiting[key]

    def came(self, at: P, key: str, offset: int) -> list[Reader[P]]:
        """Tell those who wait for a key that it came; returns who they are."""
        waiting = self._readers[at]
        readers = [*waiting.get(key, ()), *waiting.get(None, ())]
        for each in readers:
            each.came(at, offset)
        return readers

    def all_came(self, at: P, offset: int) -> None:
        """Tell all who wait for anything in a part to look for it themselves."""
        for each in {reader: None for readers in self._readers[at].values() for reader in readers}:
            each.came(at, offset)
