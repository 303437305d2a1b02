"""What the store's actor is asked, and what it says of itself; what the relay asks stands in `outbox_messages`."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.store.furthest_messages import ReadLatest
from backbone.store.inbox_messages import (
    CommitOffsets,
    DeleteDeadLetters,
    FindDeadLetters,
    KeepDeadLetters,
    ReadDeadLetters,
    ReadOffsets,
    ReadSeen,
    RecordSeen,
)
from backbone.store.mending_messages import ReadTallies, TraceRow, VoidLedger
from backbone.store.outbox_messages import (
    SHARED_STREAM,
    STREAM,
    AdvanceRelay,
    Lease,
    LeaveLease,
    NoteParts,
    OutboxGrew,
    OutboxState,
    ReadOutbox,
    ReadReached,
    RelayCursor,
    StreamParts,
)
from backbone.store.port import Store
from backbone.store.quarantine_messages import (
    ClearQuarantine,
    DeleteQuarantine,
    FindQuarantine,
    QuarantineRows,
    ReadQuarantine,
)
from backbone.store.query_messages import RunStatement, StopStatement
from backbone.store.records import (
    Chunk,
    Coverage,
    JournalBound,
    JournalRow,
    MigrationReport,
    Query,
    ReadResult,
    StoreInfo,
    WriteResult,
)
from backbone.store.repair_messages import ReadRepairs
from backbone.store.request import StoreRequest
from backbone.store.run_messages import ReadLatestRuns, ReadRuns, RecordRun
from backbone.store.since_messages import NoteExport, ReadSince
from backbone.store.snapshot_messages import CloseSnapshot, FindParts, OpenSnapshot, ReadPart, SumPart

__all__ = [
    "SHARED_STREAM",
    "STREAM",
    "AdvanceRelay",
    "ClaimEpoch",
    "ClearQuarantine",
    "CloseSnapshot",
    "CommitOffsets",
    "DeleteDeadLetters",
    "DeleteQuarantine",
    "DropRows",
    "FindDeadLetters",
    "FindParts",
    "FindQuarantine",
    "KeepDeadLetters",
    "Lease",
    "LeaveLease",
    "MigrateStore",
    "NoteExport",
    "NoteParts",
    "OpenSnapshot",
    "OutboxGrew",
    "OutboxState",
    "ProbeStore",
    "PruneStore",
    "QuarantineRows",
    "ReadCoverage",
    "ReadDeadLetters",
    "ReadDrops",
    "ReadJournal",
    "ReadLatest",
    "ReadLatestRuns",
    "ReadOffsets",
    "ReadOutbox",
    "ReadPart",
    "ReadQuarantine",
    "ReadQuarters",
    "ReadReached",
    "ReadRepairs",
    "ReadRows",
    "ReadRuns",
    "ReadSeen",
    "ReadSince",
    "ReadSymbols",
    "ReadTallies",
    "RecordJournal",
    "RecordRun",
    "RecordSeen",
    "RelayCursor",
    "RunStatement",
    "StopStatement",
    "StoreQuestion",
    "StreamParts",
    "SumPart",
    "TraceRow",
    "VoidLedger",
    "WriteChunk",
]


class ClaimEpoch(StoreRequest[int], frozen=True):
    """Become the writer of a source and dimension; an earlier holder is fenced out."""

    source: str
    dimension: Dimension

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("source", self.source)
        arguments.instance("dimension", self.dimension, Dimension)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.claim_epoch(self.source, self.dimension)


class WriteChunk(StoreRequest[WriteResult], frozen=True):
    """One chunk, one transaction."""

    chunk: Chunk

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("chunk", self.chunk, Chunk)

    def on(self, store: Store) -> Coroutine[Any, Any, WriteResult]:
        """Ask a store."""
        return store.write(self.chunk)


class RecordJournal(StoreRequest[None], frozen=True):
    """Journal a run that failed before it had a chunk."""

    row: JournalRow

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("row", self.row, JournalRow)

    def on(self, store: Store) -> Coroutine[Any, Any, None]:
        """Ask a store."""
        return store.record_journal(self.row)


class ReadRows(StoreRequest[ReadResult], frozen=True):
    """A window from the store itself."""

    query: Query

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("query", self.query, Query)

    def on(self, store: Store) -> Coroutine[Any, Any, ReadResult]:
        """Ask a store."""
        return store.read(self.query)


class ProbeStore(StoreRequest[StoreInfo], frozen=True):
    """A round trip through the store."""

    def on(self, store: Store) -> Coroutine[Any, Any, StoreInfo]:
        """Ask a store."""
        return store.probe()


class MigrateStore(StoreRequest[MigrationReport], frozen=True):
    """Bring the tables up to date, or say what would be done."""

    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("dry_run", self.dry_run)

    def on(self, store: Store) -> Coroutine[Any, Any, MigrationReport]:
        """Ask a store."""
        return store.migrate(dry_run=self.dry_run)


class ReadJournal(StoreRequest[list[JournalRow]], frozen=True):
    """The newest journal rows."""

    limit: int = 50
    dimension: Dimension | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))
        if self.source is not None:
            arguments.text("source", self.source)
        if self.dimension is not None:
            arguments.instance("dimension", self.dimension, Dimension)

    def on(self, store: Store) -> Coroutine[Any, Any, list[JournalRow]]:
        """Ask a store."""
        return store.journal(self.limit, self.dimension, source=self.source)


class ReadSymbols(StoreRequest[list[str]], frozen=True):
    """The symbols (or calendars) of which the store has, or had, rows of a dimension."""

    dimension: Dimension

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)

    def on(self, store: Store) -> Coroutine[Any, Any, list[str]]:
        """Ask a store."""
        return store.symbols(self.dimension)


class ReadCoverage(StoreRequest[list[Coverage]], frozen=True):
    """What is stored of a dimension, or of some of its symbols."""

    dimension: Dimension
    as_of: datetime | None = None
    symbols: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        force_setattr(self, "as_of", arguments.moment("as_of", self.as_of))
        force_setattr(self, "symbols", arguments.symbols(self.symbols))

    def on(self, store: Store) -> Coroutine[Any, Any, list[Coverage]]:
        """Ask a store."""
        return store.coverage(self.dimension, self.as_of, symbols=self.symbols)


class ReadQuarters(StoreRequest[object], frozen=True):
    """In which quarters of an hour there are rows: a dict of numpy arrays by symbol and interval, see the port."""

    dimension: Dimension
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", arguments.instance("start", start, datetime))
        force_setattr(self, "end", arguments.instance("end", end, datetime))

    def on(self, store: Store) -> Coroutine[Any, Any, object]:
        """Ask a store."""
        return store.quarters(self.dimension, self.start, self.end)


class DropRows(StoreRequest[int], frozen=True):
    """Delete rows of a dimension from before a moment; answered by how many, with `dry_run` by how many it would be."""

    dimension: Dimension
    before: datetime
    dry_run: bool = True

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        force_setattr(self, "before", arguments.instance("before", arguments.moment("before", self.before), datetime))
        arguments.flag("dry_run", self.dry_run)

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.drop(self.dimension, before=self.before, dry_run=self.dry_run)


class ReadDrops(StoreRequest[int], frozen=True):
    """How often rows were dropped from the database: where it has risen, windows read before may hold such rows."""

    def on(self, store: Store) -> Coroutine[Any, Any, int]:
        """Ask a store."""
        return store.drop_count()


class PruneStore(StoreRequest[dict[str, int]], frozen=True):
    """Delete published outbox rows and quarantined rows written before these moments; None keeps them all.

    With `outbox_bytes`, the oldest published outbox rows go as well, until at most so many bytes are left; with
    `journal`, what is older or more than that of the journal.
    """

    outbox_before: datetime | None
    quarantine_before: datetime | None
    dry_run: bool = True
    outbox_bytes: int | None = None
    journal: JournalBound | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        if self.journal is not None:
            arguments.instance("journal", self.journal, JournalBound)
        force_setattr(self, "outbox_before", arguments.moment("outbox_before", self.outbox_before))
        force_setattr(self, "quarantine_before", arguments.moment("quarantine_before", self.quarantine_before))
        arguments.flag("dry_run", self.dry_run)
        if self.outbox_bytes is not None:
            arguments.count("outbox_bytes", self.outbox_bytes, default="None for no bound")

    def on(self, store: Store) -> Coroutine[Any, Any, dict[str, int]]:
        """Ask a store."""
        return store.prune(
            outbox_before=self.outbox_before,
            outbox_bytes=self.outbox_bytes,
            quarantine_before=self.quarantine_before,
            journal=self.journal,
            dry_run=self.dry_run,
        )


StoreQuestion: TypeAlias = (
    ClaimEpoch
    | WriteChunk
    | QuarantineRows
    | RecordJournal
    | RecordRun
    | ReadRuns
    | ReadLatestRuns
    | ReadOutbox
    | RelayCursor
    | AdvanceRelay
    | Lease
    | LeaveLease
    | StreamParts
    | NoteParts
    | ReadRows
    | ProbeStore
    | MigrateStore
    | OutboxState
    | ReadReached
    | ReadJournal
    | ReadQuarantine
    | ReadRepairs
    | ReadSymbols
    | ReadCoverage
    | ReadLatest
    | ReadQuarters
    | DropRows
    | ReadDrops
    | PruneStore
    | ReadSeen
    | RecordSeen
    | ReadOffsets
    | CommitOffsets
    | KeepDeadLetters
    | ReadDeadLetters
    | FindDeadLetters
    | DeleteDeadLetters
    | ReadTallies
    | VoidLedger
    | FindQuarantine
    | ClearQuarantine
    | DeleteQuarantine
    | TraceRow
    | OpenSnapshot
    | FindParts
    | ReadPart
    | SumPart
    | CloseSnapshot
    | RunStatement
    | StopStatement
    | NoteExport
    | ReadSince
)
"""All of them: what the store's actor handles."""
