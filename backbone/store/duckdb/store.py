"""The port on a DuckDB file: each call is one piece of work for the session."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backbone.domain.clock import utc_now
from backbone.domain.dimension import Dimension
from backbone.store.duckdb import checkpoint, journal, migrator, outbox, reading, upkeep, writing
from backbone.store.duckdb.memory import MemoryDatabase
from backbone.store.duckdb.probe import probe
from backbone.store.duckdb.session import Session
from backbone.store.migrations import Migration, shipped
from backbone.store.payloads import MAX_PAYLOAD_BYTES
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

__all__ = ["DuckDBStore"]


class DuckDBStore:
    """A store in one DuckDB file, or in memory. One process has it open, and in it one call works at a time.

    Args:
        path: the file, made with its folder when it is missing; ":memory:" keeps rows as long as `memory`, or without
            one as long as the store is open.
        memory: what keeps the rows in memory while stores on them come and go.
        threads: threads of DuckDB.
        memory_limit: memory that DuckDB may use, such as "1GB"; it spills beside the file.
        inline: work in the event loop's thread instead of a worker: deterministic on a virtual clock, tests only.
        deadline: seconds that a call may take before it is interrupted and rolled back.
        wal_limit: size of the write-ahead log at which it is folded into the file: large, for folding pauses
            writers, yet replayed in seconds after a crash.
        max_payload_bytes: bound of one outbox payload.
        clock: wall clock that stamps chunks.
        timer: monotonic seconds by which durations are measured.
        migrations: replaced in tests only.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        memory: MemoryDatabase | None = None,
        threads: int = 2,
        memory_limit: str = "1GB",
        inline: bool = False,
        deadline: float = 60.0,
        wal_limit: str = "256MB",
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        migrations: Sequence[Migration] | None = None,
    ) -> None:
        self._path = str(path)
        config = {
            "threads": str(threads),
            "memory_limit": memory_limit,
            "checkpoint_threshold": wal_limit,
            # SQL can reach no other file, no network and no code from outside
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self._session = Session(self._path, config, memory=memory, deadline=deadline, inline=inline)
        self._max_payload_bytes = max_payload_bytes
        self._clock = clock
        self._timer = timer
        self._migrations = shipped("duckdb") if migrations is None else list(migrations)

    async def open(self) -> None:
        """Open the file.

        Raises:
            StoreUnavailable: another process has it open, or it can't be opened; the message says what to do.
        """
        await self._session.open()

    async def close(self) -> None:
        """Fold the log into the file and let go of it."""
        await self._session.close()

    async def migrate(self, *, dry_run: bool = False) -> MigrationReport:
        """Bring the tables up to date."""
        return await self._session.run(
            lambda c: migrator.migrate(c, self._migrations, now=self._clock(), dry_run=dry_run)
        )

    async def probe(self) -> StoreInfo:
        """Write and read, and say what answered."""
        return await self._session.run(lambda c: probe(c, self._path, self._migrations))

    async def claim_epoch(self, source: str, dimension: Dimension) -> int:
        """Raise the epoch by one."""
        return await self._session.run(lambda c: checkpoint.claim(c, source, dimension, self._clock()))

    async def checkpoint(self, source: str, dimension: Dimension) -> Checkpoint | None:
        """Where a source stands."""
        return await self._session.run(lambda c: checkpoint.stand(c, source, dimension))

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk in one transaction."""
        return await self._session.run(
            lambda c: writing.write(
                c, chunk, now=self._clock(), timer=self._timer, max_payload_bytes=self._max_payload_bytes
            )
        )

    async def lookup(self, run_id: str, ingest_id: str) -> WriteResult | None:
        """What became of a chunk."""
        return await self._session.run(lambda c: journal.find(c, run_id, ingest_id))

    async def read(self, query: Query) -> ReadResult:
        """Rows, and the position they include."""
        return await self._session.run(lambda c: reading.read(c, query))

    async def read_outbox(self, after: int, limit: int = 500, *, max_bytes: int = 8 * 2**20) -> list[OutboxRow]:
        """Outbox rows after a position."""
        return await self._session.run(lambda c: outbox.read(c, after, limit, max_bytes))

    async def relay_cursor(self) -> int:
        """Position up to which everything was published."""
        return await self._session.run(outbox.cursor)

    async def advance_relay(self, position: int) -> None:
        """Move the cursor forward."""
        await self._session.run(lambda c: outbox.advance(c, position))

    async def outbox_status(self) -> OutboxStatus:
        """How far the relay is behind."""
        return await self._session.run(outbox.status)

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        """Keep bad rows."""
        return await self._session.run(lambda c: upkeep.quarantine(c, rows)) if rows else 0

    async def quarantined(self, limit: int = 100) -> list[QuarantineRow]:
        """Bad rows, newest first."""
        return await self._session.run(lambda c: upkeep.quarantined(c, limit))

    async def count_quarantined(self, *, source: str | None = None, run_id: str | None = None) -> int:
        """Number of bad rows."""
        return await self._session.run(lambda c: upkeep.count_quarantined(c, source, run_id))

    async def record_journal(self, row: JournalRow) -> None:
        """Journal what was not written."""
        await self._session.run(lambda c: journal.note(c, row))

    async def journal(self, limit: int = 50, dimension: Dimension | None = None) -> list[JournalRow]:
        """Journal rows, newest first."""
        return await self._session.run(lambda c: journal.newest(c, limit, dimension))

    async def symbols(self, dimension: Dimension) -> list[str]:
        """Symbols that rows were ever published of."""
        return await self._session.run(lambda c: outbox.symbols(c, dimension))

    async def coverage(self, dimension: Dimension, as_of: datetime | None = None) -> list[Coverage]:
        """What is stored per symbol and interval."""
        return await self._session.run(lambda c: reading.coverage(c, dimension, as_of))

    async def stamps(
        self,
        dimension: Dimension,
        symbol: str,
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> npt.NDArray[np.datetime64]:
        """Distinct moments that have a row."""
        query = Query(dimension, (symbol,), interval, start, end)
        return await self._session.run(lambda c: reading.stamps(c, query))

    async def prune(
        self, *, outbox_before: datetime | None = None, quarantine_before: datetime | None = None, dry_run: bool = True
    ) -> dict[str, int]:
        """Delete published outbox rows and quarantined rows."""
        return await self._session.run(lambda c: upkeep.prune(c, outbox_before, quarantine_before, dry_run=dry_run))

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        """Delete old rows of a dimension."""
        return await self._session.run(lambda c: upkeep.drop(c, dimension, before, dry_run=dry_run))
