"""What the store's actor is asked, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import force_setattr

from actors import Event, Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.store.records import (
    Chunk,
    Coverage,
    JournalRow,
    MigrationReport,
    OutboxRow,
    OutboxStatus,
    QuarantineRow,
    Query,
    ReadResult,
    StoreInfo,
    WriteResult,
)

__all__ = [
    "AdvanceRelay",
    "ClaimEpoch",
    "DropRows",
    "MigrateStore",
    "OutboxGrew",
    "OutboxState",
    "ProbeStore",
    "PruneStore",
    "QuarantineRows",
    "ReadCoverage",
    "ReadJournal",
    "ReadOutbox",
    "ReadQuarantine",
    "ReadRows",
    "ReadStamps",
    "ReadSymbols",
    "RecordJournal",
    "RelayCursor",
    "WriteChunk",
]


class ClaimEpoch(Request[int], frozen=True):
    """Become the writer of a source and dimension; an earlier holder is fenced out."""

    source: str
    dimension: Dimension

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("source", self.source)
        arguments.instance("dimension", self.dimension, Dimension)


class WriteChunk(Request[WriteResult], frozen=True):
    """One chunk, one transaction."""

    chunk: Chunk

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("chunk", self.chunk, Chunk)


class QuarantineRows(Request[int], frozen=True):
    """Keep bad rows; answered by how many are new."""

    rows: Sequence[QuarantineRow]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for row in self.rows:
            arguments.instance("rows", row, QuarantineRow)


class RecordJournal(Request[None], frozen=True):
    """Journal a run that failed before it had a chunk."""

    row: JournalRow

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("row", self.row, JournalRow)


class ReadOutbox(Request[list[OutboxRow]], frozen=True):
    """Outbox rows after a position, ascending."""

    after: int
    limit: int = 500

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.count("after", self.after)
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))


class RelayCursor(Request[int], frozen=True):
    """The position up to which everything was published."""


class AdvanceRelay(Request[None], frozen=True):
    """Everything up to `position` is published."""

    position: int

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.count("position", self.position)


class ReadRows(Request[ReadResult], frozen=True):
    """A window from the store itself."""

    query: Query

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("query", self.query, Query)


class ProbeStore(Request[StoreInfo], frozen=True):
    """A round trip through the store."""


class MigrateStore(Request[MigrationReport], frozen=True):
    """Bring the tables up to date, or say what would be done."""

    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("dry_run", self.dry_run)


class OutboxState(Request[OutboxStatus], frozen=True):
    """How far the relay is behind."""


class ReadJournal(Request[list[JournalRow]], frozen=True):
    """The newest journal rows."""

    limit: int = 50
    dimension: Dimension | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))
        if self.dimension is not None:
            arguments.instance("dimension", self.dimension, Dimension)


class ReadQuarantine(Request[list[QuarantineRow]], frozen=True):
    """The newest bad rows."""

    limit: int = 100

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))


class ReadSymbols(Request[list[str]], frozen=True):
    """The symbols (or calendars) of which the store has, or had, rows of a dimension."""

    dimension: Dimension

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)


class ReadCoverage(Request[list[Coverage]], frozen=True):
    """What is stored of a dimension."""

    dimension: Dimension
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        force_setattr(self, "as_of", arguments.moment("as_of", self.as_of))


class ReadStamps(Request[object], frozen=True):
    """Distinct moments stored of one symbol, as a numpy array `datetime64[us]`."""

    dimension: Dimension
    symbol: str
    interval: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        query = Query(self.dimension, (self.symbol,), self.interval, self.start, self.end)  # which refuses
        force_setattr(self, "start", query.start)
        force_setattr(self, "end", query.end)


class DropRows(Request[int], frozen=True):
    """Delete rows of a dimension from before a moment; answered by how many, with `dry_run` by how many it would be."""

    dimension: Dimension
    before: datetime
    dry_run: bool = True

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        force_setattr(self, "before", arguments.instance("before", arguments.moment("before", self.before), datetime))
        arguments.flag("dry_run", self.dry_run)


class PruneStore(Request[dict[str, int]], frozen=True):
    """Delete published outbox rows and quarantined rows written before these moments; None keeps them all."""

    outbox_before: datetime | None
    quarantine_before: datetime | None
    dry_run: bool = True

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "outbox_before", arguments.moment("outbox_before", self.outbox_before))
        force_setattr(self, "quarantine_before", arguments.moment("quarantine_before", self.quarantine_before))
        arguments.flag("dry_run", self.dry_run)


class OutboxGrew(Event, frozen=True, kw_only=True):
    """A commit has put rows up to `position` into the outbox: a hint for the relay, which looks by itself anyway."""

    position: int
