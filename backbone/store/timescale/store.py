"""The port on TimescaleDB: opening and closing it. What is asked of it stands in its parts, each with its SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import anyio
import msgspec

from backbone.domain.clock import utc_now
from backbone.store.migrations import Migration, shipped
from backbone.store.payloads import MAX_PAYLOAD_BYTES
from backbone.store.records import MigrationReport, StoreInfo
from backbone.store.statements import Running
from backbone.store.timescale import migrator
from backbone.store.timescale.aggregating import Aggregating
from backbone.store.timescale.bounds import Bounds
from backbone.store.timescale.cursors import Cursors
from backbone.store.timescale.database import Database
from backbone.store.timescale.drops import Drops
from backbone.store.timescale.epochs import Epochs
from backbone.store.timescale.inbox import Inbox
from backbone.store.timescale.journal import Journal
from backbone.store.timescale.latest import Furthest
from backbone.store.timescale.leases import Lease, Leases
from backbone.store.timescale.newest import Newest
from backbone.store.timescale.outbox import Outbox
from backbone.store.timescale.probe import probe
from backbone.store.timescale.quarantine import Quarantine
from backbone.store.timescale.quarters import Counting
from backbone.store.timescale.querying import Querying
from backbone.store.timescale.repairs import Repairs
from backbone.store.timescale.roles import reads_only
from backbone.store.timescale.run_journal import RunJournal
from backbone.store.timescale.since import Sinces
from backbone.store.timescale.snapshots import Held, Snapshots
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.tracing import Tracing
from backbone.store.timescale.upkeep import Upkeep
from backbone.store.timescale.workers import Workers
from backbone.store.timescale.writing import Writing

__all__ = ["TimescaleStore"]


class TimescaleStore(
    Writing,
    Aggregating,
    Snapshots,
    Querying,
    Sinces,
    Outbox,
    Cursors,
    Leases,
    Inbox,
    Drops,
    Counting,
    Furthest,
    Epochs,
    Journal,
    RunJournal,
    Quarantine,
    Repairs,
    Tracing,
    Upkeep,
):
    """A store in a PostgreSQL database, chunked where TimescaleDB is there. Any number of processes may share it.

    Args:
        dsn: connection URL, `postgresql://user:password@host:port/database?sslmode=…`; it may be a `Secret`.
        schema: of the tables of rows; ledger, journal and outbox are in `telemetry`.
        bounds: connections at most, and how long anything may take.
        application_name: how the server lists the connections.
        max_payload_bytes: bound of one outbox payload.
        clock: wall clock that stamps chunks.
        timer: monotonic seconds by which durations are measured.
        migrations: replaced in tests only.
        insecure: another machine may be asked without verified TLS.

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
        insecure: bool = False,
    ) -> None:
        self._bounds = Bounds() if bounds is None else bounds
        self._tables = Tables(schema)
        self._database = Database(dsn, self._bounds, application_name, insecure=insecure)
        self._workers = Workers()
        self._newest = Newest()
        self._leases: dict[tuple[str, int], Lease] = {}
        self._leasing = anyio.Lock()
        self._snapshots: dict[str, Held] = {}
        self._running = Running()
        self._max_payload_bytes = max_payload_bytes
        self._clock = clock
        self._timer = timer
        self._migrations = shipped("timescale") if migrations is None else list(migrations)

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: the server does not answer or refuses; the message says what to do.
            SettingsError: it is on another machine, and not asked by verified TLS.
        """
        await self._database.open()

    async def close(self) -> None:
        """Close the connections, within seconds whatever the server does."""
        self.drop_leases()
        self.drop_snapshots()
        self._workers.end()
        await self._database.close()

    def let_go(self) -> None:
        """See `backbone.store.port.Adapter`."""
        self.drop_leases()
        self.drop_snapshots()
        self._workers.end()
        self._database.let_go()

    async def migrate(self, *, dry_run: bool = False) -> MigrationReport:
        """Bring the tables up to date."""
        self._database.reads_only = await self._database.run(reads_only)
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
