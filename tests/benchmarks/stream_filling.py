"""Topics that came back empty, filled from the outbox, beside the bare clients doing the same: read, encode, send."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import asyncpg

from backbone.domain.hashing import shard_of
from backbone.services import native
from backbone.settings.sections.stream import StreamSettings
from backbone.store.port import Store
from backbone.store.records import OutboxRow
from backbone.stream.filling import Filling
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.outlet import Outlet
from backbone.stream.tenure import Tenure
from tests.benchmarks.report import Table
from tests.services.brokers import make_topics, stream_settings
from tests.services.stores import bare, drop_database, make_database, opened

__all__ = ["Filled", "measured", "tables"]

CHANGES, ROWS, PAGE = 60_000, 25, 5_000
OURS, BARE, BEST = "backbone", "asyncpg, then aiokafka send_batch", "aiokafka send_batch, from memory"
_TIMEOUT = 60.0
_COLUMNS = [
    *("position", "revision", "rows", "bytes", "created_at", "dimension", "ingest_id", "event_id", "symbol", "shard"),
    *("checksum", "payload"),
]
_READ = (
    "SELECT position, event_id, ingest_id, dimension, symbol, rows, revision, payload, created_at, checksum "
    "FROM telemetry.outbox WHERE position > $1 ORDER BY position LIMIT $2"
)

Send = Callable[[Sequence[OutboxRow]], Awaitable[None]]
Sender = Callable[[StreamSettings], AbstractAsyncContextManager[Send]]
"""Makes, in an asynchronous context, what sends batches by the bare client."""


class Filled:
    """Changes per second, by who filled."""

    def __init__(self, changes: int) -> None:
        self.changes = changes
        self.rates: defaultdict[str, list[float]] = defaultdict(list)


async def measured(services: native.Services, some: Sequence[OutboxRow], sender: Sender, rounds: int) -> Filled:
    """Fill new topics in turn, each by one of them; the first round is for warming up.

    Args:
        services: TimescaleDB and Kafka.
        some: changes, of which the outbox gets many.
        sender: of the bare client.
        rounds: how often.
    """
    filled = Filled(CHANGES if rounds > 1 else CHANGES // 10)
    dsn = await make_database(services, "timescale")
    try:
        async with opened(dsn) as store, bare(dsn) as connection:
            await _commit(connection, some, filled.changes)
            contestants: dict[str, Callable[[StreamSettings], Awaitable[float]]] = {
                OURS: lambda settings: _ours(store, settings, filled.changes),
                BARE: lambda settings: _bare(connection, settings, sender),
                BEST: lambda settings: _from_memory(some, settings, sender, filled.changes),
            }
            for number in range(rounds + 1):
                for name, fill in contestants.items():
                    settings = stream_settings(services)
                    await make_topics(settings)
                    seconds = await fill(settings)
                    if number:
                        filled.rates[name].append(filled.changes / seconds)
    finally:
        await drop_database(services, dsn)
    return filled


async def _commit(connection: Any, some: Sequence[OutboxRow], count: int) -> None:
    """Rows of the outbox below all positions of a transaction."""
    rows = [
        (
            *(n + 1, each.revision, each.rows, len(each.payload), each.created_at, each.dimension.value),
            *(each.ingest_id, f"{n:032x}", each.symbol, shard_of(each.symbol), each.checksum, each.payload),
        )
        for n in range(count)
        for each in (some[n % len(some)],)
    ]
    await connection.copy_records_to_table("outbox", schema_name="telemetry", records=rows, columns=_COLUMNS)
    await connection.execute("ANALYZE telemetry.outbox")


async def _ours(store: Store, settings: StreamSettings, count: int) -> float:
    async def ask(request: Any) -> Any:
        return await request.on(store)

    tenure, outlet = Tenure(ask, time.monotonic, shared=True), Outlet(KafkaStream(settings), _TIMEOUT)
    await tenure.renew()
    await outlet.connect()
    try:
        async with _renewing(tenure):
            began = time.perf_counter()
            log = SimpleNamespace(warning=_unheard, info=_unheard)
            filling = Filling(ask, outlet, tenure, log, lambda progress: None)
            await filling.stand(count)
            await filling.some(count, _TIMEOUT)
            assert not filling.at_work
            return time.perf_counter() - began
    finally:
        await outlet.abandon()


def _unheard(event: str, **facts: object) -> None:
    """Nothing is logged between the lines of a report."""


@asynccontextmanager
async def _renewing(tenure: Tenure) -> AsyncIterator[None]:
    async def renew() -> None:
        while True:
            await anyio.sleep(tenure.pause)
            await tenure.renew()

    async with anyio.create_task_group() as group:
        group.start_soon(renew)
        yield
        group.cancel_scope.cancel()


async def _bare(connection: asyncpg.Connection, settings: StreamSettings, sender: Sender) -> float:
    async with sender(settings) as send:
        began, after = time.perf_counter(), 0
        while rows := await connection.fetch(_READ, after, PAGE):
            await send([OutboxRow(*each) for each in rows])
            after = rows[-1][0]
        return time.perf_counter() - began


async def _from_memory(some: Sequence[OutboxRow], settings: StreamSettings, sender: Sender, count: int) -> float:
    pages = [[some[k % len(some)] for k in range(n, min(n + PAGE, count))] for n in range(0, count, PAGE)]
    async with sender(settings) as send:
        began = time.perf_counter()
        for page in pages:
            await send(page)
        return time.perf_counter() - began


def tables(filled: Filled) -> list[Table]:
    """What was measured."""
    best = statistics.median(filled.rates[BARE])
    rows = [
        (name, f"{(rate := statistics.median(each)):,.0f}", f"{rate * ROWS:,.0f}", f"{rate / best:.2f}x")
        for name, each in filled.rates.items()
    ]
    title = f"{filled.changes:,} changes of {ROWS} rows, read from the outbox and sent to topics that are empty"
    return [Table(title, ("by", "changes/s", "rows/s", "beside the bare clients"), rows)]
