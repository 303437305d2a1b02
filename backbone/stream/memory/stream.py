"""The in-process stream: one log, and what publishes to it and reads it."""

from __future__ import annotations

from backbone.stream.memory.log import MemoryLog
from backbone.stream.memory.publisher import MemoryPublisher
from backbone.stream.memory.subscriber import MemorySubscriber

__all__ = ["MemoryStream"]


class MemoryStream:
    """A stream that lives as long as this object; its publishers and subscribers come and go.

    Args:
        partitions: number of partitions, at least 1.
        capacity_bytes: bound of what is retained (payloads plus a flat amount per record); the newest record is
            always retained.
    """

    ordered = True
    shared = False

    def __init__(self, *, partitions: int = 8, capacity_bytes: int = 16 * 2**20) -> None:
        self._log = MemoryLog(partitions=partitions, capacity_bytes=capacity_bytes)

    def publisher(self) -> MemoryPublisher:
        """A new publisher, not open yet."""
        return MemoryPublisher(self._log)

    def subscriber(self) -> MemorySubscriber:
        """A new subscriber, not open yet."""
        return MemorySubscriber(self._log)
