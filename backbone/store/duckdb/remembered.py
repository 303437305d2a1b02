"""What has changed of symbols since exports, as it was found: it holds until their next change."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from backbone.domain.dimension import Dimension

__all__ = ["Remembered", "Written"]

_MOST = 10_000  # symbols of exports that are remembered

Key = tuple[str, Dimension, str]


class Written(NamedTuple):
    """The entries of a symbol since an export, and while which position and drops these are all."""

    position: int
    drops: int
    cut_us: int
    entries: tuple[tuple[str, int, int], ...]


class Remembered:
    """What was found of symbols.

    There is one writer, who says what he has committed: a position that is the same, and as many drops, tell that
    nothing was written, changed or deleted.

    Attributes:
        drops: how often rows were dropped in this life of the database.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[Key, Written] = {}
        self._doubt: tuple[Dimension, Collection[str] | None] | None = None
        self.drops = 0

    @contextmanager
    def doubted(self, dimension: Dimension, symbols: Collection[str] | None = None) -> Iterator[None]:
        """While the writer changes rows of symbols (None: of all), and until he has said so, nothing holds of them.

        What he has committed others see before he says so: who was told by the relay may be earlier than his word.
        """
        self._doubt = dimension, symbols
        try:
            yield
        finally:
            self._doubt = None

    def doubts(self, dimension: Dimension, symbols: Collection[str]) -> bool:
        """Whether one of them may be changing; to be asked before the positions."""
        doubt = self._doubt
        if doubt is None or doubt[0] is not dimension:
            return False
        return doubt[1] is None or not set(symbols).isdisjoint(doubt[1])

    def forget(self) -> None:
        """An export was noted: what was unknown may be known now."""
        with self._lock:
            self._found.clear()

    def of(self, key: Key, position: int | None) -> Written | None:
        """What was found, where it holds still."""
        with self._lock:
            found = self._found.get(key)
            return found if found is not None and (found.position, found.drops) == (position, self.drops) else None

    def keep(self, key: Key, found: Written) -> None:
        """Remember it."""
        with self._lock:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[key] = found
