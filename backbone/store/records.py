"""What goes into the store and comes out of it. Moments are aware and in UTC, durations in seconds."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.probe import ProbeAnswer
from backbone.store.quarantined import QuarantineRow
from backbone.store.repairs import RepairRow

__all__ = [
    "Bucket",
    "Chunk",
    "Coverage",
    "DeadLetter",
    "JournalBound",
    "JournalRow",
    "JournalStatus",
    "Latest",
    "MigrationReport",
    "OutboxRow",
    "OutboxStatus",
    "Outcome",
    "QuarantineRow",
    "Query",
    "Reached",
    "ReadResult",
    "RepairRow",
    "StoreInfo",
    "WriteResult",
]

JournalStatus = Literal["ok", "skipped", "failed"]
"""How a chunk ended: committed, committed as a no-op because the ledger knew it, or not at all."""


class Chunk(msgspec.Struct, frozen=True):
    """The unit of writing: one transaction.

    Attributes:
        ingest_id: identity of source and content, see `backbone.domain.identifiers.ingest_id`.
        run_id: the run it belongs to; within a run a chunk is applied once.
        source: name of the source.
        frame: the rows.
        epoch: fencing epoch of the writer, None to write unfenced.
        metadata: facts for the journal.
        nth: of events without a sequence, the how-manieth of the equal events of its moment each row is within its run,
            from 0, as int64; empty: counted within the frame.
        repairs: rows of the frame that were mended, with what the source gave; they are kept in the same transaction.
        known_at: since when the world knows these values: reads ``as_of`` a moment go by it; None: since now. Chunks
            of one key come in the order of these moments.
        yields: no row takes the place of another version: a chunk of which one would is refused, see `VersionStands`.
    """

    ingest_id: str
    run_id: str
    source: str
    frame: Frame
    epoch: int | None = None
    metadata: dict[str, str] = {}
    nth: bytes = b""
    repairs: tuple[RepairRow, ...] = ()
    known_at: datetime | None = None
    yields: bool = False


class WriteResult(msgspec.Struct, frozen=True):
    """What became of a chunk.

    Attributes:
        ingest_id: of the chunk.
        run_id: of the chunk.
        dimension: of the chunk.
        rows: rows in the chunk; inserted + changed + unchanged.
        inserted: rows whose key was new.
        changed: rows whose key was known with other values; the former are kept as revisions.
        unchanged: rows that were there already; nothing was written for them.
        position: newest outbox position of this chunk; 0 when it published nothing.
        outbox_rows: outbox rows of this chunk.
        known: the ledger let it pass as a no-op, or this run had written it before.
        symbols: sorted symbols (or calendars) of the chunk.
        start: earliest moment of the chunk, None without rows.
        end: latest moment, likewise.
        duration_s: seconds that the write took; of a replay, those of the first time.
        outcomes: what became of each row, in the order of the frame: a byte of `Outcome`; empty of a chunk that stood
            already, all of it unchanged, and of a replay.
        outbox: the outbox rows of this chunk, so that the relay need not read them again; empty where they are many
            bytes, or where `after` is not known.
        after: the newest outbox position before `outbox`, where it is proven that nothing else lies or will ever lie
            between the two; None: not proven.
    """

    ingest_id: str
    run_id: str
    dimension: Dimension
    rows: int
    inserted: int
    changed: int
    unchanged: int
    position: int
    outbox_rows: int
    known: bool
    symbols: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    duration_s: float
    outcomes: bytes = b""
    outbox: tuple[OutboxRow, ...] = ()
    after: int | None = None


class Outcome(IntEnum):
    """What became of one row."""

    UNCHANGED = 0
    INSERTED = 1
    CHANGED = 2
    REFUSED = 3


class Bucket(msgspec.Struct, frozen=True):
    """Bars to be made of rows by the store: all buckets are as long, and begin where the same clock says so.

    Attributes:
        interval: what the bars are called.
        width_us: length of a bucket, microseconds.
        offset_us: buckets begin so many microseconds after multiples of the width since 1970.
        span_us: how long a row lasts, microseconds; 1 for events.
    """

    interval: str
    width_us: int
    offset_us: int
    span_us: int

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells bars of one question from those of another."""
        return self.interval, self.width_us, self.offset_us


class Query(msgspec.Struct, frozen=True):
    """Which rows to read.

    Attributes:
        dimension: dimension to read.
        symbols: symbols (or calendars), empty is all.
        interval: bar interval, None is all.
        start: first moment, inclusive; None is open.
        end: last moment, inclusive; None is open.
        limit: the newest so many rows by time over all symbols; None is all.
        as_of: rows as they were known at that moment; None is now.
        bucket: give intraday bars made of the rows instead of these; not with limit or as_of.
    """

    dimension: Dimension
    symbols: tuple[str, ...] = ()
    interval: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int | None = None
    as_of: datetime | None = None
    bucket: Bucket | None = None

    def __post_init__(self) -> None:
        """Refuse what no store could make sense of, before anybody is asked; moments and numbers become plain ones.

        Names are not judged: what is stored already may be asked for by whatever name it has.

        Raises:
            TypeError, ValueError: says what was given, what is allowed, what to do.
        """
        arguments.instance("dimension", self.dimension, Dimension, "Dimension.parse reads a name")
        for symbol in arguments.instance("symbols", self.symbols, tuple):
            arguments.instance("symbols", symbol, str)
        if self.interval is not None:
            arguments.instance("interval", self.interval, str)
            if self.dimension is not Dimension.DAILY_BARS and not self.dimension.has_interval:
                text = f"{self.dimension} has no interval; leave it out"
                raise ValueError(f"interval={self.interval!r} given, but {text}")
        start, end = arguments.window(self.start, self.end)
        force_setattr(self, "start", start)
        force_setattr(self, "end", end)
        if self.limit is not None:
            force_setattr(self, "limit", arguments.count("limit", self.limit, default="None for all"))
        force_setattr(self, "as_of", arguments.moment("as_of", self.as_of))


class ReadResult(msgspec.Struct, frozen=True):
    """Rows, and how new they are.

    Attributes:
        frame: the rows.
        position: the newest outbox position of their dimension and symbols that this very read saw (0: none).
        complete: up to this position no change of these symbols is missing; None: none is missing at all. Where
            several writers commit side by side, a change of a smaller position may become visible later.
    """

    frame: Frame
    position: int
    complete: int | None = None


class OutboxRow(msgspec.Struct, frozen=True):
    """One change to publish: rows of one symbol that one commit inserted or changed.

    Attributes:
        position: ascending in commit order, from 1; may have gaps.
        event_id: unique identity of the change.
        ingest_id: chunk it came from.
        dimension: of the rows.
        symbol: symbol (or calendar) of all the rows.
        rows: number of rows.
        revision: rises with every chunk that commits; of two versions of a row the greater revision is the newer.
        payload: the rows in the columnar codec, with `event_id, ingest_id, revision, source` and `ingested_at`
            (microseconds since 1970) as its meta.
        created_at: when it was written.
        checksum: of the payload, see `backbone.domain.codec.checksum_of`; None of rows of earlier releases.
    """

    position: int
    event_id: str
    ingest_id: str
    dimension: Dimension
    symbol: str
    rows: int
    revision: int
    payload: bytes
    created_at: datetime
    checksum: int | None = None


class OutboxStatus(msgspec.Struct, frozen=True):
    """How far the relay is.

    Attributes:
        newest: newest position.
        cursor: position up to which every sink has everything.
        pending: rows after the cursor.
        oldest_pending_at: when the oldest of these was written.
        held_by: whose transaction keeps committed rows from being published, since when, and what to do about it; None:
            nobody's, for longer than a moment.
        server: which server answers, and behind a stroke in which of its lives: a restore to a moment, and a standby
            that takes over, begin another one, and who still recovers has none; "" for a file.
        standby: it still recovers: `newest` may be behind what was committed and published long since.
    """

    newest: int
    cursor: int
    pending: int
    oldest_pending_at: datetime | None
    held_by: str | None = None
    server: str = ""
    standby: bool = False


class Reached(msgspec.Struct, frozen=True):
    """How far the database has come.

    Attributes:
        newest: newest position.
        standby: who answers still recovers: `newest` may be behind what was committed and published long since.
    """

    newest: int
    standby: bool = False


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that a consumer could not make sense of.

    Attributes:
        group: group of the consumer.
        topic: topic of the message; with group, partition and offset it names the letter.
        partition: partition of the topic.
        offset: place in the partition.
        reason: what is wrong with it.
        payload: the message as it came.
        at: when.
    """

    group: str
    topic: str
    partition: int
    offset: int
    reason: str
    payload: bytes
    at: datetime


class Coverage(msgspec.Struct, frozen=True):
    """How much is stored of one symbol (and bar interval): rows, earliest and latest moment."""

    dimension: Dimension
    symbol: str
    interval: str | None
    rows: int
    earliest: datetime
    latest: datetime


class Latest(msgspec.Struct, frozen=True):
    """How far the rows of one symbol (and bar interval) go: the moment of the newest one."""

    dimension: Dimension
    symbol: str
    interval: str | None
    ts: datetime


class JournalRow(msgspec.Struct, frozen=True):
    """What happened to one chunk, or, when a run failed before it had one, to the run."""

    run_id: str
    ingest_id: str
    dimension: Dimension
    source: str
    status: JournalStatus
    rows: int
    inserted: int
    changed: int
    unchanged: int
    symbols: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    duration_s: float
    executed_at: datetime
    error: str | None = None
    metadata: dict[str, str] = {}


class JournalBound(msgspec.Struct, frozen=True):
    """What of the journal stays: rows from a moment on, and of these the newest so many.

    The newest row of each source and dimension always stays. So do rows of the last day, of live ones of the last
    hour, however many they are: a run that goes on is told by them what it has written.
    """

    before: datetime
    rows: int

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("before", self.before, datetime)
        force_setattr(self, "before", arguments.moment("before", self.before))
        force_setattr(self, "rows", arguments.count("rows", self.rows))


class MigrationReport(msgspec.Struct, frozen=True):
    """Migrations applied by this call, those still to be applied, and the newest one in force ("" for none)."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    current: str


class StoreInfo(ProbeAnswer, frozen=True, kw_only=True):
    """Answer of a probe that really wrote to and read from the store; `healthy`: whether a chunk can be written now.

    Attributes:
        version: version of the server or library.
        path: file, or host, port and database; never a password.
        generation: which database this is: given when its tables were made, "" before.
    """

    version: str
    path: str
    generation: str = ""

    @property
    def writable(self) -> bool:
        """Whether a chunk can be written now."""
        return self.healthy
