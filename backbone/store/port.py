"""The port of the store: what every adapter (DuckDB, TimescaleDB) offers.

Writing is all or nothing, chunk by chunk: rows, checkpoint, journal and outbox are one transaction. Nothing is
published but what the outbox holds, and the outbox holds nothing that was not committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from backbone.domain.dimension import Dimension
from backbone.store.records import (
    Checkpoint,
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

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "Checkpoint",
    "Chunk",
    "Coverage",
    "JournalRow",
    "MigrationReport",
    "OutboxRow",
    "OutboxStatus",
    "QuarantineRow",
    "Query",
    "ReadResult",
    "Store",
    "StoreFactory",
    "StoreInfo",
    "WriteResult",
]


class Store(Protocol):
    """Rows of all dimensions, with ledger, journal, checkpoints and outbox.

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

    async def checkpoint(self, source: str, dimension: Dimension) -> Checkpoint | None:
        """Where that source stands, None if it was never seen."""
        ...

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk, all or nothing, with checkpoint, journal and outbox.

        A chunk that this run has written before is answered from the journal. One whose content the ledger knows to
        be the newest over all its ranges passes as a no-op. Else rows are compared with those stored: equal ones are
        left alone, former versions of changed ones are kept. A chunk without rows moves the checkpoint only.

        Raises:
            FencedOut: the epoch given is not the one that holds.
            UnknownOutcome: the answer to the COMMIT was lost.
        """
        ...

    async def lookup(self, run_id: str, ingest_id: str) -> WriteResult | None:
        """What became of a chunk of a run, None if it was not committed."""
        ...

    async def read(self, query: Query) -> ReadResult:
        """Rows in canonical order, and the outbox position that they include.

        Raises:
            Unsupported: `as_of` where former versions can't be read.
            ValueError: an interval asked of a dimension without, a negative limit, a moment without time zone.
        """
        ...

    async def read_outbox(self, after: int, limit: int = 500, *, max_bytes: int = 8 * 2**20) -> list[OutboxRow]:
        """Outbox rows after a position, ascending; at most `limit`, at most `max_bytes` of payload, at least one."""
        ...

    async def relay_cursor(self) -> int:
        """Position up to which everything was published, 0 at first."""
        ...

    async def advance_relay(self, position: int) -> None:
        """Note that everything up to `position` was published; a smaller one than before changes nothing."""
        ...

    async def outbox_status(self) -> OutboxStatus:
        """How far the relay is behind."""
        ...

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        """Keep bad rows, once for the same source, dimension, location and reason; returns how many are new."""
        ...

    async def quarantined(self, limit: int = 100) -> list[QuarantineRow]:
        """Bad rows, newest first."""
        ...

    async def count_quarantined(self, *, source: str | None = None, run_id: str | None = None) -> int:
        """Number of bad rows, of one source or run where given."""
        ...

    async def record_journal(self, row: JournalRow) -> None:
        """Journal what was not written by `write`: a failed chunk or run."""
        ...

    async def journal(self, limit: int = 50, dimension: Dimension | None = None) -> list[JournalRow]:
        """Journal rows, newest first."""
        ...

    async def symbols(self, dimension: Dimension) -> list[str]:
        """The symbols (or calendars) that rows of a dimension were ever published of, ascending."""
        ...

    async def coverage(self, dimension: Dimension, as_of: datetime | None = None) -> list[Coverage]:
        """What is stored per symbol and interval, ascending; of rows up to the moment `as_of`, where given."""
        ...

    async def stamps(
        self,
        dimension: Dimension,
        symbol: str,
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> npt.NDArray[np.datetime64]:
        """Distinct moments that have a row, ascending, as `datetime64[us]` in UTC; start and end are inclusive."""
        ...

    async def prune(
        self, *, outbox_before: datetime | None = None, quarantine_before: datetime | None = None, dry_run: bool = True
    ) -> dict[str, int]:
        """Delete published outbox rows and quarantined rows written before the moments given.

        Returns:
            Rows deleted (or, with `dry_run`, to be deleted) as `{"outbox": n, "quarantine": n}`.
        """
        ...

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        """Delete the rows of a dimension from before a moment, with their revisions and what the ledger knew of them.

        Returns:
            Rows deleted, or, with `dry_run`, to be deleted; revisions are not counted.
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
        """Let go of what outlives the single store: rows in memory."""
        ...
