"""What consumers ask the store: which events they have seen, where they stand, and what nobody could read."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.store.port import Store
from backbone.store.records import DeadLetter
from backbone.store.request import StoreRequest

__all__ = [
    "CommitOffsets",
    "DeleteDeadLetters",
    "FindDeadLetters",
    "KeepDeadLetters",
    "ReadDeadLetters",
    "ReadOffsets",
    "ReadSeen",
    "RecordSeen",
]


class ReadSeen(StoreRequest[set[str]], frozen=True):
    """Those of the events that a consumer has recorded as seen."""

    consumer: str
    event_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        _check_events(self.consumer, self.event_ids)

    def on(self, store: Store) -> Coroutine[Any, Any, set[str]]:
        """Ask a store."""
        return store.seen(self.consumer, self.event_ids)


class RecordSeen(StoreRequest[int], frozen=True):
    """A consumer has committed the effects of these events; answered by how many are new."""

    consumer: str
    event_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        _check_events(self.consumer, self.event_ids)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.record_seen(self.consumer, self.event_ids)


class ReadOffsets(StoreRequest[dict[tuple[str, int], int]], frozen=True):
    """The next offset that a group has to take, by topic and partition."""

    group: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("group", self.group)

    def on(self, store: Store) -> Coroutine[Any, Any, dict[tuple[str, int], int]]:
        """Ask a store."""
        return store.offsets(self.group)


class CommitOffsets(StoreRequest[None], frozen=True):
    """Where a group goes on, by topic and partition; all of it or nothing."""

    group: str
    offsets: Mapping[tuple[str, int], int]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("group", self.group)
        for offset in dict(self.offsets).values():
            arguments.count("offsets", offset)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.commit_offsets(self.group, self.offsets)


class KeepDeadLetters(StoreRequest[list[DeadLetter]], frozen=True):
    """Keep messages that nobody could read; answered by those that are new."""

    letters: Sequence[DeadLetter]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for each in self.letters:
            arguments.instance("letters", each, DeadLetter)

    def on(self, store: Store) -> Coroutine[Any, Any, list[DeadLetter]]:
        """Ask a store."""
        return store.add_dead_letters(self.letters)


class ReadDeadLetters(StoreRequest[list[DeadLetter]], frozen=True):
    """A page of the newest dead letters: at most 10,000 of those that came until a moment, behind those skipped."""

    limit: int = 100
    skip: int = 0
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "limit", arguments.page("limit", self.limit))
        force_setattr(self, "skip", arguments.count("skip", self.skip))
        force_setattr(self, "until", arguments.moment("until", self.until))

    def on(self, store: Store) -> Coroutine[Any, Any, list[DeadLetter]]:
        """Ask a store."""
        return store.dead_letters(self.limit, self.skip, self.until)


class FindDeadLetters(StoreRequest[list[DeadLetter]], frozen=True):
    """The dead letters at these topics, partitions and offsets."""

    places: tuple[tuple[str, int, int], ...]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for topic, partition, offset in arguments.instance("places", self.places, tuple):
            arguments.text("places", topic)
            arguments.count("places", partition)
            arguments.count("places", offset)

    def on(self, store: Store) -> Coroutine[Any, Any, list[DeadLetter]]:
        """Ask a store."""
        return store.dead_letters_at(self.places)


class DeleteDeadLetters(StoreRequest[int], frozen=True):
    """Forget dead letters, known by group, topic, partition and offset; answered by how many were there."""

    letters: Sequence[DeadLetter]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for each in self.letters:
            arguments.instance("letters", each, DeadLetter)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.delete_dead_letters(self.letters)


def _check_events(consumer: str, event_ids: tuple[str, ...]) -> None:
    arguments.text("consumer", consumer)
    for each in arguments.instance("event_ids", event_ids, tuple):
        arguments.text("event_ids", each)
