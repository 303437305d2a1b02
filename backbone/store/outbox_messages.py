"""What the relay asks the store of the outbox and of its cursors, and what tells it that there is something to ask."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from msgspec.structs import force_setattr

from actors import Event
from backbone.domain import arguments
from backbone.domain.hashing import SHARDS
from backbone.store.port import Store
from backbone.store.records import OutboxRow, OutboxStatus, Reached
from backbone.store.request import StoreRequest

__all__ = [
    "SHARED_STREAM",
    "STREAM",
    "AdvanceRelay",
    "Lease",
    "LeaveLease",
    "NoteParts",
    "OutboxGrew",
    "OutboxState",
    "ReadOutbox",
    "ReadReached",
    "RelayCursor",
    "StreamParts",
]

STREAM = "stream"
"""The sink that is the stream of this process. Its relay publishes all shards by one cursor, that of shard 0."""

SHARED_STREAM = "kafka"
"""The sink that is the stream of several processes, likewise; who publishes to its own does not move this cursor."""


def _check_shard(shard: int) -> None:
    if arguments.count("shard", shard) >= SHARDS:
        raise ValueError(f"shard={shard} given; allowed: 0 to {SHARDS - 1}")


class ReadOutbox(StoreRequest[list[OutboxRow]], frozen=True):
    """Outbox rows after a position, ascending; `whole`: or a refusal, where some of them were pruned.

    `first`: not behind other reads, for the relay, on which all subscribers wait. `known`: refused where the cursor of
    `sink` stands before that, for then the database was set back.
    """

    after: int
    limit: int = 500
    whole: bool = False
    first: bool = False
    sink: str = STREAM
    known: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.count("after", self.after)
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))
        arguments.flag("whole", self.whole)
        arguments.flag("first", self.first)
        arguments.text("sink", self.sink)
        arguments.count("known", self.known)

    def on(self, store: Store) -> Coroutine[Any, Any, list[OutboxRow]]:
        """Ask a store."""
        return store.read_outbox(self.after, self.limit, whole=self.whole, sink=self.sink, known=self.known)


class RelayCursor(StoreRequest[int], frozen=True):
    """The position up to which a sink has published everything of a shard."""

    sink: str = STREAM
    shard: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("sink", self.sink)
        _check_shard(self.shard)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.cursor(self.sink, self.shard)


class AdvanceRelay(StoreRequest[None], frozen=True):
    """A sink has published everything of a shard up to `position`; who has an older epoch than others is fenced out.

    Refused where the cursor stands before `known`, which is where the sink had it last, and where another
    server answers than the one it was published from.
    """

    position: int
    sink: str = STREAM
    shard: int = 0
    epoch: int = 0
    known: int = 0
    server: str = ""

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.count("position", self.position)
        arguments.text("sink", self.sink)
        _check_shard(self.shard)
        arguments.count("epoch", self.epoch)
        arguments.count("known", self.known)
        if self.server != "":
            arguments.text("server", self.server)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.advance(self.sink, self.shard, self.position, self.epoch, known=self.known, server=self.server)


class Lease(StoreRequest[int | None], frozen=True):
    """Be the one process that publishes a shard to a sink, or go on being it: the epoch; None: another process is."""

    sink: str
    shard: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("sink", self.sink)
        _check_shard(self.shard)

    def on(self, store: Store) -> Coroutine[Any, Any, int | None]:
        """Ask a store."""
        return store.lease(self.sink, self.shard)


class LeaveLease(StoreRequest[None], frozen=True):
    """Let another process publish a shard to a sink."""

    sink: str
    shard: int = 0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("sink", self.sink)
        _check_shard(self.shard)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.leave(self.sink, self.shard)


class StreamParts(StoreRequest[dict[tuple[str, int], int]], frozen=True):
    """Identities of all parts of a sink that were ever filled, kept like offsets; the number says up to where."""

    sink: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("sink", self.sink)

    def on(self, store: Store) -> Coroutine[Any, Any, dict[tuple[str, int], int]]:
        """Ask a store."""
        return store.offsets(_parts_of(self.sink))


class NoteParts(StoreRequest[None], frozen=True):
    """Note that parts of a sink hold what was published up to a position, as far as the outbox still had it."""

    sink: str
    parts: tuple[str, ...]
    position: int

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("sink", self.sink)
        for part in arguments.instance("parts", self.parts, tuple):
            arguments.text("parts", part)
        arguments.count("position", self.position)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.commit_offsets(_parts_of(self.sink), {(part, 0): self.position for part in self.parts})


def _parts_of(sink: str) -> str:
    return f"relay/{sink}"


class ReadReached(StoreRequest[Reached], frozen=True):
    """How far the database has come, whatever waits for its sinks."""

    def on(self, store: Store) -> Coroutine[Any, Any, Reached]:
        """Ask a store."""
        return store.reached()


class OutboxState(StoreRequest[OutboxStatus], frozen=True):
    """How far a sink is behind; "": the one that is furthest behind."""

    sink: str = ""

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("sink", self.sink, str)

    def on(self, store: Store) -> Coroutine[Any, Any, OutboxStatus]:
        """Ask a store."""
        return store.outbox_status(self.sink)


class OutboxGrew(Event, frozen=True, kw_only=True):
    """A commit has put rows up to `position` into the outbox: a hint for the relay, which looks by itself anyway.

    `outbox` and `after` are those of its WriteResult: rows that come right after a position, and need not be read.
    """

    position: int
    outbox: tuple[OutboxRow, ...] = ()
    after: int | None = None
