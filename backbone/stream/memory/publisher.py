"""What appends to the in-process log."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from backbone.domain.probe import ProbeAnswer
from backbone.stream.ascending import require_ascending
from backbone.stream.errors import StreamClosed
from backbone.stream.memory.log import MemoryLog
from backbone.stream.records import Envelope

__all__ = ["MemoryPublisher"]


class MemoryPublisher:
    """Appends to the log. What is published stays there when this is closed."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._is_open = False

    async def open(self) -> None:
        """Make ready."""
        self._is_open = True

    async def close(self) -> None:
        """Refuse from now on."""
        self._is_open = False

    async def probe(self) -> ProbeAnswer:
        """Say what is retained."""
        return ProbeAnswer(
            backend="memory",
            healthy=self._is_open,
            degraded_reason=None if self._is_open else "the publisher is closed",
            details=self._log.facts(),
        )

    async def resume(self, position: int, filled: Collection[str] = ()) -> Collection[str]:  # noqa: ARG002  no parts
        """Take positions up to `position` as published earlier: they are not here and are not appended again."""
        self._log.resume(position)
        return ()

    async def holds_anything(self) -> bool:
        """Look."""
        return self._log.newest_position > 0

    async def begin_again(self, position: int) -> None:
        """Forget all, under another name."""
        self._log.begin_again(position)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Append what is new; being the server as well, this log knows what it has."""
        if not self._is_open:
            raise StreamClosed("the in-process publisher is closed; open it before publishing")
        require_ascending(envelopes)
        self._log.append(envelopes)
