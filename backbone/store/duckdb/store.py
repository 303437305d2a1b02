"""The port on a DuckDB file: opening and closing it. What is asked of it stands in its parts, each with its SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from backbone.domain.clock import utc_now
from backbone.store.duckdb import migrator
from backbone.store.duckdb.aggregating import Aggregating
from backbone.store.duckdb.cursors import Cursors
from backbone.store.duckdb.drops import Drops
from backbone.store.duckdb.epochs import Epochs
from backbone.store.duckdb.headroom import AT_REST, Headroom
from backbone.store.duckdb.inbox import Inbox
from backbone.store.duckdb.journal import Journal
from backbone.store.duckdb.latest import Furthest
from backbone.store.duckdb.memory import MEMORY, MemoryDatabase
from backbone.store.duckdb.outbox import Outbox
from backbone.store.duckdb.probe import probe
from backbone.store.duckdb.quarantine import Quarantine
from backbone.store.duckdb.quarters import Counting
from backbone.store.duckdb.querying import Querying
from backbone.store.duckdb.repairs import Repairs
from backbone.store.duckdb.run_journal import RunJournal
from backbone.store.duckdb.session import Session
from backbone.store.duckdb.since import Sinces
from backbone.store.duckdb.snapshots import Held, Snapshots
from backbone.store.duckdb.tracing import Tracing
from backbone.store.duckdb.upkeep import Upkeep
from backbone.store.duckdb.writing import Writing
from backbone.store.migrations import Migration, shipped
from backbone.store.payloads import MAX_PAYLOAD_BYTES
from backbone.store.records import MigrationReport, StoreInfo
from backbone.store.statements import Running

__all__ = ["DuckDBStore"]


class DuckDBStore(
    Writing,
    Aggregating,
    Snapshots,
    Querying,
    Sinces,
    Outbox,
    Cursors,
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
    """A store in one DuckDB file, or in memory. It writes a chunk at a time, and reads beside that.

    Args:
        path: the file, made with its folder when it is missing; ":memory:" keeps rows as long as `memory`, or without
            one as long as the store is open.
        memory: what keeps the rows in memory while stores on them come and go.
        threads: threads of DuckDB.
        memory_limit: memory that DuckDB may use, such as "1GB"; it spills beside the file.
        memory_at_rest: memory that it may use where that is enough, for a file; rows in memory count as well, so they
            have all of it.
        inline: work in the event loop's thread instead of a worker: deterministic on a virtual clock, tests only.
        deadline: seconds that a call may take before it is interrupted and rolled back.
        wal_limit: size of the write-ahead log at which it is folded into the file: large, for folding pauses
            writers, yet replayed in seconds after a crash, and what it has is in memory until then.
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
        memory_at_rest: str = AT_REST,
        inline: bool = False,
        deadline: float = 60.0,
        wal_limit: str = "64MB",
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.perf_counter,
        migrations: Sequence[Migration] | None = None,
    ) -> None:
        self._path = str(path)
        headroom = Headroom(memory_limit if self._path == MEMORY else memory_at_rest, memory_limit, timer=timer)
        config = {
            "threads": str(threads),
            "memory_limit": headroom.at_rest,
            "checkpoint_threshold": wal_limit,
            # what one thread has freed would stay with it: some 50 MB of a store that is written and read for minutes
            "allocator_background_threads": "true",
            # SQL can reach no other file, no network and no code from outside
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self._memory = memory if self._path == MEMORY else None
        self._session = Session(self._path, config, memory=memory, deadline=deadline, inline=inline, headroom=headroom)
        self._snapshots: dict[str, Held] = {}
        self._running = Running()
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

    def let_go(self) -> None:
        """See `backbone.store.port.Adapter`."""
        self._session.let_go()

    async def migrate(self, *, dry_run: bool = False) -> MigrationReport:
        """Bring the tables up to date."""
        return await self._session.run(
            lambda c: migrator.migrate(c, self._migrations, now=self._clock(), dry_run=dry_run, memory=self._memory)
        )

    async def probe(self) -> StoreInfo:
        """Write and read, and say what answered."""
        return await self._session.run(lambda c: probe(c, self._path, self._migrations), "delivery")
