"""Newest outbox positions by symbol, for readers: what was committed when they ask, or a little less, never more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

from backbone.domain.dimension import Dimension

__all__ = ["Positions"]

_ALL = ""


class Positions:
    """Filled by the writer once he has committed, and by readers with what they found; a greater one stays."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: dict[tuple[Dimension, str], int] = {}

    def of(self, dimension: Dimension, symbols: Sequence[str]) -> int | None:
        """Newest position of symbols (none: of the dimension); None: it has to be looked up."""
        with self._lock:
            found = [self._newest.get((dimension, symbol)) for symbol in symbols or (_ALL,)]
        known = [position for position in found if position is not None]
        return max(known) if len(known) == len(found) else None

    def note(self, dimension: Dimension, symbols: Iterable[str], position: int) -> None:
        """Take note that symbols have that position, or a greater one."""
        with self._lock:
            for symbol in symbols:
                key = dimension, symbol
                self._newest[key] = max(position, self._newest.get(key, position))

    def note_found(self, dimension: Dimension, symbols: Sequence[str], position: int) -> None:
        """Take note of what was looked up: of one symbol or of all."""
        if position and len(symbols) < 2:
            self.note(dimension, symbols or (_ALL,), position)

    def committed(self, dimension: Dimension, positions: dict[str, int]) -> None:
        """Take note of the symbols of a commit, which is the newest."""
        for symbol, position in positions.items():
            self.note(dimension, (symbol, _ALL), position)
