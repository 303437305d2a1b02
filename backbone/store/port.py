"""The port of the store: what every adapter (DuckDB, TimescaleDB) offers.

Writing is all or nothing, chunk by chunk: rows, journal and outbox are one transaction. Nothing is
published but what the outbox holds, and the outbox holds nothing that was not committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from backbone.domain.dimension import Dimension
from backbone.store.inbox_port import Inbox
from backbone.store.query_port import Queries
from backbone.store.records import (
    Chunk,
    Coverage,
    JournalBound,
    JournalRow,
    Latest,
    MigrationReport,
    OutboxRow,
    OutboxStatus,
    QuarantineRow,
    Query,
    Reached,
    ReadResult,
    RepairRow,
    StoreInfo,
    WriteResult,
)
from backbone.store.run_records import RunRow
from backbone.store.since_port import Sinces
from backbone.store.snapshot_port import Snapshots

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backbone.store.merging import Tallies
    from backbone.store.tracing import Trace

__all__ = ["Adapter", "Store", "StoreFactory"]


class Store(Inbox, Snapshots, Sinces, Queries, Protocol):
    """Rows of all dimensions, with ledger, journal, outbox and inbox.

    Every method may raise `StoreUnavailable`, and `SchemaMismatch` before `migrate`.
    """

    async def open(self) -> None:
        """Connect; a second call does nothing."""
        ...

    async def close(self) -> None:
        """Finish what runs and let go of the store; a second call does nothing."""
        ...

    async def migrate(self, *, dry_run: bool = False) -> MigrationReport:
        """Bring the tables up to date; with `dry_run` only say what would be done. A second call does nothing.

        Raises:
            SchemaMismatch: a migration in force was edited since, or is not known to this version.
        """
        ...

    async def probe(self) -> StoreInfo:
        """Write and read something, and say what answered."""
        ...

    async def claim_epoch(self, source: str, dimension: Dimension) -> int:
        """Become the writer of that source and dimension: who held an earlier epoch is fenced out from now on."""
        ...

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk, all or nothing, with journal and outbox.

        A chunk that this run has written before is answered from the journal. One whose content the ledger knows to
        be the newest over all its ranges passes as a no-op. Else rows are compared with those stored: equal ones are
        left alone, former versions of changed ones are kept.

        Raises:
            FencedOut: the epoch given is not the one that holds.
            VersionStands: the chunk yields, and other versions of its rows are stored.
            UnknownOutcome: the answer to the COMMIT was lost.
        """
        ...

    async def lookup(self, run_id: str, ingest_id: str) -> WriteResult | None:
        """What became of a chunk of a run, None if it was not committed."""
        ...

    async def read(self, query: Query) -> ReadResult:
        """Rows in canonical order, and the outbox position that they include.

        Raises:
            ValueError: an interval asked of a dimension without, a negative limit, a moment without time zone.
        """
        ...

    async def read_outbox(
        self,
        after: int,
        limit: int = 500,
        *,
        whole: bool = False,
        max_bytes: int = 8 * 2**20,
        sink: str = "",
        known: int = 0,
    ) -> list[OutboxRow]:
        """Outbox rows after a position, ascending; at most `limit`, at most `max_bytes` of payload, at least one.

        Args:
            after: the position.
            limit: the most rows.
            whole: refuse where rows after the position were pruned; else what is left of them is given.
            max_bytes: the most bytes of payload.
            sink: who reads, where it gives `known`.
            known: where the cursor of the sink stood last, as far as it knows; 0: not to be looked at.

        Raises:
            PositionLost: `whole`, and the outbox was pruned beyond the position.
            CursorSetBack: the cursor stands before `known`: what lies in the outbox may be other rows.
        """
        ...

    async def cursor(self, sink: str, shard: int) -> int:
        """Position up to which a sink has published all outbox rows of a shard, 0 at first."""
        ...

    async def advance(
        self, sink: str, shard: int, position: int, epoch: int, *, known: int = 0, server: str = ""
    ) -> None:
        """Note that a sink has published a shard up to `position`; a smaller one than before changes nothing.

        A greater epoch than that of all who advanced before takes over. From its first advance on, rows that a sink
        does not have yet are not pruned.

        Args:
            sink: who has published.
            shard: what.
            position: up to where.
            epoch: of whoever says so.
            known: where the cursor stood last, as far as the sink knows; it may have been moved further by others.
            server: `OutboxStatus.server` from which it was published; "": not told.

        Raises:
            FencedOut: the epoch is smaller than one that has advanced this shard before.
            CursorSetBack: the cursor stands before `known`, or another server answers. Look and move are one: no
                restore, and no standby that takes over, comes in between.
        """
        ...

    async def lease(self, sink: str, shard: int) -> int | None:
        """Be the one process that publishes a shard to a sink, or go on being it.

        Who has it asks again every `backbone.domain.lapse.BEAT` seconds. One that was silent for `LAPSE` may be put
        out by another; by its own clock it stops before.

        Returns:
            The epoch to `advance` with; None: another process has the lease, or this one may only read.
        """
        ...

    async def leave(self, sink: str, shard: int) -> None:
        """Let another process have the lease; without one nothing happens."""
        ...

    async def reached(self) -> Reached:
        """How far the database has come, and no more: it is asked with each read of a stream that others write to."""
        ...

    async def outbox_status(self, sink: str = "") -> OutboxStatus:
        """How far a sink is behind; "": the one that is furthest behind."""
        ...

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        """Keep bad rows, once for the same source, dimension, location and reason; returns how many are new."""
        ...

    async def quarantined(self, limit: int = 100, skip: int = 0) -> list[QuarantineRow]:
        """Bad rows, newest first."""
        ...

    async def quarantined_at(self, ids: Sequence[str]) -> list[QuarantineRow]:
        """Bad rows by their ids (`QuarantineRow.id`), in the order of these; those that are not there are left out."""
        ...

    async def delete_quarantined(self, rows: Sequence[QuarantineRow]) -> int:
        """Forget bad rows, known by source, dimension, location and reason; returns how many were there."""
        ...

    async def clear_quarantine(self, until: datetime, most: int) -> int:
        """Forget bad rows that were met up to a moment (inclusive), at most `most` of them; returns how many."""
        ...

    async def trace(self, dimension: Dimension, symbol: str, ts: datetime) -> Trace:
        """All that is known of how the rows of a symbol (or calendar) at a moment came to be as they are."""
        ...

    async def repairs(
        self,
        dimension: Dimension,
        symbol: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[RepairRow]:
        """Rows that were mended, of one symbol and from and up to a moment if given; the newest repair first."""
        ...

    async def record_journal(self, row: JournalRow) -> None:
        """Journal what was not written by `write`: a failed chunk or run."""
        ...

    async def journal(
        self, limit: int = 50, dimension: Dimension | None = None, *, source: str | None = None
    ) -> list[JournalRow]:
        """Journal rows, newest first; of one dimension and one source, if given."""
        ...

    async def record_run(self, row: RunRow) -> None:
        """Journal one dimension of a run; the same one again takes the place of what was said of it."""
        ...

    async def runs(self, limit: int = 50, dimension: str | None = None, run_id: str | None = None) -> list[RunRow]:
        """Runs, newest first, of a dimension or of all; or the dimensions of one run."""
        ...

    async def latest_runs(self) -> list[RunRow]:
        """The newest run of each dimension, by the name of the dimension."""
        ...

    async def symbols(self, dimension: Dimension) -> list[str]:
        """The symbols (or calendars) that rows of a dimension were ever published of, ascending."""
        ...

    async def coverage(
        self, dimension: Dimension, as_of: datetime | None = None, *, symbols: Sequence[str] = ()
    ) -> list[Coverage]:
        """What is stored per symbol and interval, ascending; of rows up to `as_of` and of some symbols, if given."""
        ...

    async def latest(
        self, dimension: Dimension, symbols: Sequence[str] = (), as_of: datetime | None = None
    ) -> list[Latest]:
        """The moment of the newest row per symbol and interval, ascending; of rows up to `as_of`, if given.

        It costs little however many rows there are: a gate asks it every few seconds.
        """
        ...

    async def quarters(
        self, dimension: Dimension, start: datetime, end: datetime
    ) -> dict[tuple[str, str | None], npt.NDArray[np.datetime64]]:
        """When the quarters of an hour begin that have a row between two moments, both inclusive.

        No session of any market begins or ends within a quarter, so this tells which sessions have rows.

        Returns:
            By symbol and interval, ascending, as `datetime64[us]` in UTC.
        """
        ...

    async def tallies(
        self, dimension: Dimension, start: datetime, end: datetime, *, symbols: Sequence[str] = ()
    ) -> Tallies:
        """How many rows each quarter of an hour has between two moments, both inclusive; quarters without are left out.

        Returns:
            By symbol and interval, ascending: the beginnings of the quarters, as `quarters`, and their rows.
        """
        ...

    async def void(
        self, dimension: Dimension, symbol: str, interval: str | None, start: datetime, end: datetime
    ) -> int:
        """Have the ledger know of no content over a range: what comes there is compared with what is stored.

        For who knows that rows are missing which the ledger thinks are there.

        Returns:
            Entries voided; those that were void already count as well.
        """
        ...

    async def prune(
        self,
        *,
        outbox_before: datetime | None = None,
        outbox_bytes: int | None = None,
        quarantine_before: datetime | None = None,
        journal: JournalBound | None = None,
        dry_run: bool = True,
    ) -> dict[str, int]:
        """Delete what was written before the moments given, and is no longer needed; None keeps it all.

        Args:
            outbox_before: of outbox rows that every sink has, and of events seen.
            outbox_bytes: the oldest outbox rows that every sink has go, too, until at most so many bytes are left.
            quarantine_before: of quarantined rows and dead letters.
            journal: what of the journal stays; None: all.
            dry_run: only count.

        Returns:
            Rows deleted, or to be deleted, of "outbox", "seen", "quarantine", "dead_letters" and "journal", where those
            of the journal of runs count as well.
        """
        ...

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        """Delete the rows of a dimension from before a moment, with their revisions and what the ledger knew of them.

        Returns:
            Rows deleted, or, with `dry_run`, to be deleted; revisions are not counted.
        """
        ...

    async def drop_count(self) -> int:
        """How often `drop` has deleted rows, ever and by any process: who keeps windows forgets them where it rises."""
        ...


class Adapter(Store, Protocol):
    """What a factory makes: a store that can also be left behind."""

    def let_go(self) -> None:
        """Give back at once what it holds of the system, such as files and connections.

        What is being written is interrupted, and waited for a second at most: it must not come in later. This is for a
        store whose owner was killed, or did not come to the end of `close`; after a `close` nothing happens.
        """
        ...


class StoreFactory(Protocol):
    """Makes the store's adapter, anew for each incarnation of the actor that owns it."""

    def __call__(self) -> Store:
        """A store that is not open yet; all of them are on the same rows.

        Raises:
            StoreUnavailable: the client of the server is not installed.
        """
        ...

    def close(self) -> None:
        """Let go of what outlives the single store: rows in memory, and what a store whose owner was killed holds."""
        ...
