"""The part of the store's port that consumers need: what they have seen, how far they are, what they could not take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from backbone.store.records import DeadLetter

__all__ = ["Inbox"]


class Inbox(Protocol):
    """Events seen, offsets and dead letters."""

    async def seen(self, consumer: str, event_ids: Collection[str]) -> set[str]:
        """Those of the events that a consumer has recorded as seen."""
        ...

    async def record_seen(self, consumer: str, event_ids: Collection[str]) -> int:
        """Remember that a consumer has committed the effects of events; returns how many are new."""
        ...

    async def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """The next offset that a group has to take, by topic and partition; none where it has committed none."""
        ...

    async def commit_offsets(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Set offsets by topic and partition, all or none; also back, where somebody wants to read again."""
        ...

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Keep messages that a consumer could not take, once for the same place; returns those that are new."""
        ...

    async def dead_letters(self, limit: int = 100, skip: int = 0, until: datetime | None = None) -> list[DeadLetter]:
        """Dead letters, newest first, from behind the first `skip`; of those that came until a moment."""
        ...

    async def dead_letters_at(self, places: Sequence[tuple[str, int, int]]) -> list[DeadLetter]:
        """Those at these topics, partitions and offsets, of whichever group, in the order of places."""
        ...

    async def delete_dead_letters(self, letters: Sequence[DeadLetter]) -> int:
        """Forget dead letters, known by group, topic, partition and offset; returns how many were there."""
        ...
