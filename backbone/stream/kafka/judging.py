"""What somebody else has put into a topic, told by what it claims: nothing of it may move anybody's place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from backbone.stream.kafka.wire import Marker, Replayed, Unreadable
from backbone.stream.records import Record
from backbone.stream.topics import Topics

__all__ = ["Content", "Judge"]

Content: TypeAlias = Record | Marker | Replayed | Unreadable


class Judge:
    """Refuses a position that the database has not come to, and a change of another dimension than its topic's.

    A position that is too large would make all that comes up to it count as seen. How far the database has come is
    asked only where something claims to be newer than all that is known; what this process published is known.

    Args:
        topics: which carries what.

    Attributes:
        reached: asks how far the database has come, of which something claims that it came to a position; None: nobody
            knows, and every position is believed.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._known = 0
        self.reached: Callable[[int], Awaitable[int]] | None = None

    def published(self, position: int) -> None:
        """The outbox has come so far."""
        self._known = max(self._known, position)

    async def hear(self, position: int) -> None:
        """Ask how far the outbox has come, where it is not known to have come to a position.

        Raises:
            StreamUnavailable: nobody can tell now.
        """
        if self.reached is not None and position > self._known:
            self.published(await self.reached(position))

    def refusal(self, topic: str, content: Content) -> str | None:
        """Why something is none of ours; None: nothing speaks against it."""
        if isinstance(content, Unreadable):
            return None
        if self.reached is not None and content.position > self._known:
            return f"position {content.position} given; the database has only come to {self._known}"
        carried = self._topics.dimension_of(topic)
        if isinstance(content, Record) and carried not in {None, content.dimension}:
            return f"a change of {content.dimension} given; this topic carries {carried}"
        return None
