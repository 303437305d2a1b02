"""What reads the in-process log."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.domain.dimension import Dimension
from backbone.store.records import DeadLetter
from backbone.stream.errors import StreamClosed, StreamError
from backbone.stream.letters import Letters
from backbone.stream.memory.log import MemoryLog
from backbone.stream.memory.reader import UNKNOWN, MemoryCursor
from backbone.stream.port import Start
from backbone.stream.records import PartitionLag, Place, Record

__all__ = ["MemorySubscriber"]


class MemorySubscriber:
    """Makes cursors over the log; nothing is registered, so a forgotten one costs nothing."""

    def __init__(self, log: MemoryLog) -> None:
        self.letters = Letters()
        self._log = log
        self._is_open = False

    @property
    def generation(self) -> str:
        """That of the log."""
        return self._log.generation

    async def open(self) -> None:
        """Make ready."""
        self._is_open = True

    async def send_back(self, letters: Sequence[DeadLetter]) -> int:
        """No letter came from here."""
        raise StreamError(
            f"{len(letters)} dead letters can't be sent back: this stream is within the process, and they came from "
            "another one; open the backbone with stream.backend=kafka"
        )

    async def pass_on(self, letters: Sequence[DeadLetter]) -> int:  # noqa: ARG002  see the port
        """There is no topic for them."""
        return 0

    def set_aside(self, record: Record, reason: str) -> bool:  # noqa: ARG002  see the port
        """Nobody but this process publishes here."""
        return False

    async def lag(self) -> tuple[PartitionLag, ...]:
        """None: what is published is in the memory of whoever reads it."""
        self.require_open()
        return ()

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
