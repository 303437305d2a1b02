"""Every message that crosses between actors, in the order in which data flows: the map of the system.

trading process → ingest → store → relay → cache and stream → trading process; then what is asked about all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from actors import Event, Message, Request
from backbone.cache.port import CacheInfo, CacheMetrics
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.retention.report import RetentionReport
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
from backbone.stream.port import StreamInfo

# The trading process gives rows: to ingest.


class RunIngest(Request[IngestRun], frozen=True):
    """Carry out a plan. The same run_id again continues a run that was cut off: its committed chunks count once."""

    plan: IngestPlan
    run_id: str


class RecordRows(Request[int], frozen=True):
    """Live rows, micro-batched with others; answered by their outbox position once committed (0: all known)."""

    frame: Frame


# Ingest writes: to the store.


class ClaimEpoch(Request[int], frozen=True):
    """Become the writer of a source and dimension; an earlier holder is fenced out."""

    source: str
    dimension: Dimension


class WriteChunk(Request[WriteResult], frozen=True):
    """One chunk, one transaction."""

    chunk: Chunk


class QuarantineRows(Request[int], frozen=True):
    """Keep bad rows; answered by how many are new."""

    rows: Sequence[QuarantineRow]


class RecordJournal(Request[None], frozen=True):
    """Journal a run that failed before it had a chunk."""

    row: JournalRow


# The store has committed: to the relay, which reads the outbox and notes how far it got.


class OutboxGrew(Message, frozen=True):
    """A hint that the outbox has rows up to `position`; the relay polls anyway."""

    position: int


class ReadOutbox(Request[list[OutboxRow]], frozen=True):
    """Outbox rows after a position, ascending."""

    after: int
    limit: int = 500


class RelayCursor(Request[int], frozen=True):
    """The position up to which everything was published."""


class AdvanceRelay(Request[None], frozen=True):
    """Everything up to `position` is published."""

    position: int


# The relay has published: to the cache.


class Invalidate(Message, frozen=True):
    """Rows of these symbols changed at these outbox positions."""

    dimension: Dimension
    positions: Mapping[str, int]


# The trading process reads: from the cache, which reads from the store; from a consumer of the stream.


class Fetched(msgspec.Struct, frozen=True):
    """A window, the outbox position that it includes, and whether the cache had it."""

    frame: Frame
    position: int
    hit: bool


class Fetch(Request[Fetched], frozen=True):
    """A window through the cache; not older than the outbox position `at_least`."""

    query: Query
    at_least: int = 0


class ReadRows(Request[ReadResult], frozen=True):
    """A window from the store itself."""

    query: Query


class Update(msgspec.Struct, frozen=True):
    """One committed change of one symbol, as a subscriber receives it.

    Attributes:
        event_id: identity of the change: the same after a redelivery.
        position: where to continue from after a restart.
        symbol: symbol (or calendar) of all the rows.
        frame: the inserted and changed rows.
    """

    event_id: str
    position: int
    symbol: str
    frame: Frame


class Updates(msgspec.Struct, frozen=True):
    """Updates in order, and the position up to which everything that matches was handed out."""

    items: tuple[Update, ...]
    position: int


class NextUpdates(Request[Updates], frozen=True):
    """What comes after `after` (None: where the consumer stands); waits at most `timeout` seconds."""

    after: int | None
    limit: int = 256
    timeout: float = 1.0


# Asked about them by the facade, the probes and the operator.


class ProbeStore(Request[StoreInfo], frozen=True):
    """A round trip through the store."""


class MigrateStore(Request[MigrationReport], frozen=True):
    """Bring the tables up to date, or say what would be done."""

    dry_run: bool = False


class OutboxState(Request[OutboxStatus], frozen=True):
    """How far the relay is behind."""


class ReadJournal(Request[list[JournalRow]], frozen=True):
    """The newest journal rows."""

    limit: int = 50
    dimension: Dimension | None = None


class ReadQuarantine(Request[list[QuarantineRow]], frozen=True):
    """The newest bad rows."""

    limit: int = 100


class ReadCoverage(Request[list[Coverage]], frozen=True):
    """What is stored of a dimension."""

    dimension: Dimension
    as_of: datetime | None = None


class ReadStamps(Request[object], frozen=True):
    """Distinct moments stored of one symbol, as a numpy array `datetime64[us]`."""

    dimension: Dimension
    symbol: str
    interval: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class ProbeCache(Request[CacheInfo], frozen=True):
    """A round trip through the cache."""


class ReadCacheMetrics(Request[CacheMetrics], frozen=True):
    """The cache's counters."""

    reset: bool = False


class ProbeStream(Request[StreamInfo], frozen=True):
    """A round trip through the log."""


# Retention: asked by the operator or its schedule; it drops and prunes, and the cache forgets.


class RunRetention(Request[RetentionReport], frozen=True):
    """Judge (and with `apply` enforce) the retention policies as of a moment."""

    apply: bool = False
    as_of: datetime | None = None


class DropRows(Request[int], frozen=True):
    """Delete rows of a dimension from before a moment; answered by how many, with `dry_run` by how many it would be."""

    dimension: Dimension
    before: datetime
    dry_run: bool = True


class PruneStore(Request[dict[str, int]], frozen=True):
    """Delete published outbox rows and quarantined rows written before these moments; None keeps them all."""

    outbox_before: datetime | None
    quarantine_before: datetime | None
    dry_run: bool = True


class ForgetWindows(Request[None], frozen=True):
    """Rows were dropped: serve no window that was read before this, of any dimension."""


# Published on the system's event bus.


class IngestProgress(Event, frozen=True, kw_only=True):
    """How far a run is: rows read, committed and, of these, known before; bytes of the file read and its size."""

    run_id: str
    rows_read: int
    rows_committed: int
    bytes_read: int
    bytes_total: int
    rows_known: int = 0
