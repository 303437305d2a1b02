"""Every message that crosses between actors, in the order in which data flows: the map of the system.

trading process → ingest → store → relay → cache and stream → trading process; then what is asked about all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import force_setattr

from actors import Event, Message, Request
from backbone.cache.port import CacheInfo, CacheMetrics
from backbone.domain import arguments
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

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("plan", self.plan, IngestPlan)
        arguments.text("run_id", self.run_id)


class RecordResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of one `record` call: inserted, changed, unchanged, quarantined or superseded.

    Attributes:
        position: the outbox position by which the rows are published; 0: nothing new was among them.
        inserted: rows whose key was new.
        changed: rows whose key was known with other values.
        unchanged: rows that were there already.
        quarantined: rows that can't be true; they are kept aside, `backbone quarantine list` shows them.
        reasons: why, each reason once.
        superseded: rows of which another caller gave a later version in the same commit; that one is stored.
    """

    position: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    reasons: tuple[str, ...] = ()
    superseded: int = 0


class RecordRows(Request[RecordResult], frozen=True):
    """Live rows, committed together with those of others; answered once they are."""

    frame: Frame

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("frame", self.frame, Frame, "Frame.from_records and others make one")


# Ingest writes: to the store.


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


# The store has committed: to the relay, which reads the outbox and notes how far it got.


class OutboxGrew(Message, frozen=True):
    """A hint that the outbox has rows up to `position`; the relay polls anyway."""

    position: int

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.count("position", self.position)


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


# The relay has published: to the cache.


class Invalidate(Message, frozen=True):
    """Rows of these symbols changed at these outbox positions."""

    dimension: Dimension
    positions: Mapping[str, int]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        arguments.instance("positions", self.positions, dict)


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

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("query", self.query, Query)
        arguments.count("at_least", self.at_least)


class ReadRows(Request[ReadResult], frozen=True):
    """A window from the store itself."""

    query: Query

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("query", self.query, Query)


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

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        if self.after is not None:
            arguments.count("after", self.after)
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))
        arguments.seconds("timeout", self.timeout)


# Asked about them by the facade, the probes and the operator.


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


class ProbeCache(Request[CacheInfo], frozen=True):
    """A round trip through the cache."""


class ReadCacheMetrics(Request[CacheMetrics], frozen=True):
    """The cache's counters."""

    reset: bool = False

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("reset", self.reset)


class ProbeStream(Request[StreamInfo], frozen=True):
    """A round trip through the log."""


# Retention: asked by the operator or its schedule; it drops and prunes, and the cache forgets.


class RunRetention(Request[RetentionReport], frozen=True):
    """Judge (and with `apply` enforce) the retention policies as of a moment."""

    apply: bool = False
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("apply", self.apply)
        at = arguments.moment("as_of", self.as_of)
        if at is not None and not 1000 <= at.year <= 9000:
            text = "allowed are the years 1000 to 9000, for days are counted from it"
            raise ValueError(f"as_of={at.isoformat()} given; {text}")
        force_setattr(self, "as_of", at)


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
