"""What the store's actor is asked about one moment of it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from backbone.domain import arguments
from backbone.store.port import Store
from backbone.store.request import StoreRequest
from backbone.store.snapshots import PART_ROWS, PageSums, Part, PartFacts, PartPage, Parts, Snapshot

__all__ = ["CloseSnapshot", "FindParts", "OpenSnapshot", "ReadPart", "SumPart"]


class OpenSnapshot(StoreRequest[Snapshot], frozen=True):
    """Hold this moment, for so many seconds at most; what the same owner held before is let go of."""

    owner: str
    seconds: float
    readers: int = 1

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("owner", self.owner)
        arguments.seconds("seconds", self.seconds)
        arguments.count("readers", self.readers, 1)

    def on(self, store: Store) -> Coroutine[Any, Any, Snapshot]:
        """Ask a store."""
        return store.open_snapshot(self.owner, self.seconds, self.readers)


class FindParts(StoreRequest[list[PartFacts]], frozen=True):
    """The parts that have rows, ascending by symbol and time."""

    snapshot: str
    wanted: Parts

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("snapshot", self.snapshot)
        arguments.instance("wanted", self.wanted, Parts)

    def on(self, store: Store) -> Coroutine[Any, Any, list[PartFacts]]:
        """Ask a store."""
        return store.find_parts(self.snapshot, self.wanted)


class ReadPart(StoreRequest[PartPage], frozen=True):
    """The next rows of a part, behind a key; None: the first."""

    snapshot: str
    part: Part
    after: tuple[object, ...] | None = None
    limit: int = PART_ROWS

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        _check(self.snapshot, self.part, self.after, self.limit)

    def on(self, store: Store) -> Coroutine[Any, Any, PartPage]:
        """Ask a store."""
        return store.read_part(self.snapshot, self.part, self.after, self.limit)


class SumPart(StoreRequest[PageSums], frozen=True):
    """What the store itself says of the content of those rows."""

    snapshot: str
    part: Part
    after: tuple[object, ...] | None = None
    limit: int = PART_ROWS

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        _check(self.snapshot, self.part, self.after, self.limit)

    def on(self, store: Store) -> Coroutine[Any, Any, PageSums]:
        """Ask a store."""
        return store.sum_part(self.snapshot, self.part, self.after, self.limit)


class CloseSnapshot(StoreRequest[None], frozen=True):
    """Let go of a moment; one that is gone already is no mistake."""

    snapshot: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("snapshot", self.snapshot)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.close_snapshot(self.snapshot)


def _check(snapshot: str, part: Part, after: object, limit: int) -> None:
    arguments.text("snapshot", snapshot)
    arguments.instance("part", part, Part)
    arguments.count("limit", limit, 1)
    if after is not None and len(arguments.instance("after", after, tuple)) != len(part.dimension.key):
        raise ValueError(f"after={arguments.shown(after)} given; allowed is a key: {', '.join(part.dimension.key)}")
