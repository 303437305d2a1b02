"""What reads the in-process log."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.domain.dimension import Dimension
from backbone.stream.errors import StreamClosed
from backbone.stream.memory.log import MemoryLog
from backbone.stream.memory.reader import UNKNOWN, MemoryCursor
from backbone.stream.port import Place, Start

__all__ = ["MemorySubscriber"]


class MemorySubscriber:
    """Makes cursors over the log; nothing is registered, so a forgotten one costs nothing."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._is_open = False

    @property
    def generation(self) -> str:
        """That of the log."""
        return self._log.generation

    async def open(self) -> None:
        """Make ready."""
        self._is_open = True

    async def close(self) -> None:
        """Wake every waiting cursor with `StreamClosed`."""
        self._is_open = False
        self._log.wake()

    async def cursor(
        self, *, dimension: Dimension | None = None, symbols: Sequence[str] = (), after: Start | Place = 0
    ) -> MemoryCursor:
        """A new cursor."""
        self.require_open()
        place = after if isinstance(after, Place) else self._place(after)
        return MemoryCursor(self._log, self.require_open, dimension, frozenset(symbols), place)

    def _place(self, after: Start) -> Place:
        if after == "latest":
            return UNKNOWN if self._log.base is None else Place(self._log.newest_position)
        if after == "earliest":
            return Place(self._log.oldest)
        if isinstance(after, int) and after >= 0:
            return Place(after)
        raise ValueError(f"after={after!r} given; allowed: 'latest', 'earliest' or a position of 0 or more")

    def require_open(self) -> None:
        """Raise `StreamClosed` unless the subscriber is open."""
        if not self._is_open:
            raise StreamClosed("the in-process subscriber is closed; open it before reading")
