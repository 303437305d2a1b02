"""The port on TimescaleDB: each call is one piece of work on a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt

from backbone.domain.clock import utc_now
from backbone.domain.dimension import Dimension
from backbone.store.errors import StoreUnavailable, UnknownOutcome
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
from backbone.store.timescale import checkpoint, journal, migrator, outbox, reading, upkeep
from backbone.store.timescale.bounds import Bounds
from backbone.store.timescale.database import Database
from backbone.store.timescale.probe import probe
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.workers import Workers
from backbone.store.timescale.writing import Writer

__all__ = ["TimescaleStore"]


class TimescaleStore:
    """A store in a PostgreSQL database, chunked where TimescaleDB is there. Any number of processes may share it.

    Args:
        dsn: connection URL, `postgresql://user:password@host:port/database?sslmode=…`.
        schema: of the tables of rows; ledger, journal and outbox are in `telemetry`.
        bounds: connections at most, and how long anything may take.
        application_name: how the server lists the connections.
        max_payload_bytes: bound of one outbox payload.
        clock: wall clock that stamps chunks.
        timer: monotonic seconds by which durations are measured.
        migrations: replaced in tests only.

    Raises:
        ValueError: the schema's name may not stand in SQL.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "market_data",
        bounds: Bounds | None = None,
        application_name: str = "backbone",
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        migrations: Sequence[Migration] | None = None,
    ) -> None:
        self._bounds = Bounds() if bounds is None else bounds
        self._tables = Tables(schema)
        self._database = Database(dsn, self._bounds, application_name)
        self._workers = Workers()
        self._max_payload_bytes = max_payload_bytes
        self._clock = clock
        self._timer = timer
        self._migrations = shipped("timescale") if migrations is None else list(migrations)

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: the server does not answer or refuses; the message says what to do.
        """
        await self._database.open()

    async def close(self) -> None:
        """Close the connections, within seconds whatever the server does."""
        await self._database.close()

    async def migrate(self, *, dry_run: bool = False) -> MigrationReport:
        """Bring the tables up to date."""
        report = await self._database.run(
            lambda s: migrator.migrate(s, self._tables, self._migrations, now=self._clock(), dry_run=dry_run),
            deadline=self._bounds.long_deadline,
        )
        if report.applied:
            await self._database.expire()
        return report

    async def probe(self) -> StoreInfo:
        """Write and read, and say what answered."""
        info = await self._database.run(lambda s: probe(s, self._tables, self._migrations, self._database.place))
        return msgspec.structs.replace(info, details={**info.details, **self._database.facts()})

    async def claim_epoch(self, source: str, dimension: Dimension) -> int:
        """Raise the epoch by one, once no writer of an earlier one is under way."""
        return await self._database.run(lambda s: checkpoint.claim(s, source, dimension, self._clock()))

    async def checkpoint(self, source: str, dimension: Dimension) -> Checkpoint | None:
        """Where a source stands."""
        return await self._database.run(lambda s: checkpoint.stand(s, source, dimension))

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk in one transaction; if the answer to its COMMIT is lost, find out what came of it.

        Raises:
            UnknownOutcome: that could not be found out either.
        """
        writer = Writer(chunk, self._tables, self._workers, self._timer, self._clock(), self._max_payload_bytes)
        try:
            return await self._database.run(writer.write)
        except UnknownOutcome as unknown:
            return await self._settled(writer, unknown)

    async def _settled(self, writer: Writer, unknown: UnknownOutcome) -> WriteResult:
        chunk = writer.chunk
        try:
            found = await self.lookup(chunk.run_id, chunk.ingest_id)
        except StoreUnavailable as error:
            raise unknown from error
        if found is None:
            raise StoreUnavailable(f"{self._database.place}: the COMMIT did not take place; try again") from unknown
        return found if writer.result is None else writer.result

    async def lookup(self, run_id: str, ingest_id: str) -> WriteResult | None:
        """What became of a chunk; whoever still writes it is waited for, so None is final."""
        return await self._database.run(lambda s: journal.look_up(s, run_id, ingest_id))

    async def read(self, query: Query) -> ReadResult:
        """Rows, and the position they include."""
        return await self._database.run(lambda s: reading.read(s, self._tables, query, self._workers))

    async def read_outbox(self, after: int, limit: int = 500, *, max_bytes: int = 8 * 2**20) -> list[OutboxRow]:
        """Outbox rows after a position, as far as no smaller one can still appear."""
        return await self._database.run(lambda s: outbox.read(s, after, limit, max_bytes))

    async def relay_cursor(self) -> int:
        """Position up to which everything was published."""
        return await self._database.run(outbox.cursor)

    async def advance_relay(self, position: int) -> None:
        """Move the cursor forward."""
        await self._database.run(lambda s: outbox.advance(s, position))

    async def outbox_status(self) -> OutboxStatus:
        """How far the relay is behind."""
        return await self._database.run(outbox.status)

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        """Keep bad rows."""
        return await self._database.run(lambda s: upkeep.quarantine(s, rows)) if rows else 0

    async def quarantined(self, limit: int = 100) -> list[QuarantineRow]:
        """Bad rows, newest first."""
        return await self._database.run(lambda s: upkeep.quarantined(s, limit))

    async def count_quarantined(self, *, source: str | None = None, run_id: str | None = None) -> int:
        """Number of bad rows."""
        return await self._database.run(lambda s: upkeep.count_quarantined(s, source, run_id))

    async def record_journal(self, row: JournalRow) -> None:
        """Journal what was not written."""
        await self._database.run(lambda s: journal.note(s, row))

    async def journal(self, limit: int = 50, dimension: Dimension | None = None) -> list[JournalRow]:
        """Journal rows, newest first."""
        return await self._database.run(lambda s: journal.newest(s, limit, dimension))

    async def symbols(self, dimension: Dimension) -> list[str]:
        """Symbols that rows were ever published of."""
        return await self._database.run(lambda s: outbox.symbols(s, dimension))

    async def coverage(self, dimension: Dimension, as_of: datetime | None = None) -> list[Coverage]:
        """What is stored per symbol and interval."""
        return await self._database.run(lambda s: reading.coverage(s, self._tables, dimension, as_of))

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
        return await self._database.run(lambda s: reading.stamps(s, self._tables, query))

    async def prune(
        self, *, outbox_before: datetime | None = None, quarantine_before: datetime | None = None, dry_run: bool = True
    ) -> dict[str, int]:
        """Delete published outbox rows and quarantined rows."""
        return await self._database.run(
            lambda s: upkeep.prune(s, outbox_before, quarantine_before, dry_run=dry_run),
            deadline=self._bounds.long_deadline,
        )

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        """Delete old rows of a dimension, whole chunks where possible; the newest chunk is never dropped as a whole."""
        return await self._database.run(
            lambda s: upkeep.drop(s, self._tables, dimension, before, dry_run=dry_run),
            deadline=self._bounds.long_deadline,
        )
