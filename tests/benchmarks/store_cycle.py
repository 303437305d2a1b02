"""One round of the store's benchmark: every contestant once, on fresh tables."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from backbone import Backbone, IngestPlan, load_settings
from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.port import Store
from backbone.store.records import Chunk, Query
from backbone.store.timescale import Bounds, TimescaleStore
from tests.benchmarks import store_bare as bare
from tests.benchmarks.store_data import Work

_EVERY_SECONDS = 0.005
_MANY_ROWS = 20_000
_LAST_POINTS = 25
_BOUNDS = Bounds(statement_timeout=60.0)


@dataclass
class Samples:
    """What was measured: rows per second of each writer, seconds of each read, seconds by which the loop was late."""

    writes: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reads: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lag: list[float] = field(default_factory=list)

    async def write(self, name: str, rows: int, work: Callable[[], Awaitable[object]]) -> None:
        """Time work on so many rows."""
        began = time.perf_counter()
        await work()
        self.writes[name].append(rows / (time.perf_counter() - began))

    async def read(self, name: str, work: Awaitable[object]) -> None:
        """Time one read, which has not begun yet."""
        began = time.perf_counter()
        await work
        self.reads[name].append(time.perf_counter() - began)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look every 5 ms how late the event loop is."""

        async def look() -> None:
            while True:
                due = time.perf_counter() + _EVERY_SECONDS
                await anyio.sleep(_EVERY_SECONDS)
                self.lag.append(time.perf_counter() - due)

        async with anyio.create_task_group() as group:
            group.start_soon(look)
            yield
            group.cancel_scope.cancel()


async def timescale_round(
    samples: Samples, dsn: str, whole: str, work: Work, bars: Sequence[Frame], folder: Path
) -> None:
    """All contestants on TimescaleDB.

    Args:
        samples: where the figures go.
        dsn: a fresh database, for the store and the bare client.
        whole: another one, for a whole backbone.
        work: the rows.
        bars: further rows, synthetic.
        folder: for the file that the backbone reads.
    """
    store = TimescaleStore(dsn, bounds=_BOUNDS)
    await store.open()
    await store.migrate()
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=600)
    try:
        await _bare_writes(samples, connection, work.fresh, bars)
        async with samples.watching():
            await _store_writes(samples, store, work)
            await samples.write("store, synthetic bars", _count(bars), lambda: _ingest(store, bars, "bench"))
        await _reads(samples, store, connection, work.fresh)
    finally:
        await connection.close(timeout=10)
        await store.close()
    await _end_to_end(samples, whole, work.fresh, folder)


async def _bare_writes(samples: Samples, connection: Any, trades: Sequence[Frame], bars: Sequence[Frame]) -> None:
    for name in ("copied", "upserted", "executed"):
        await bare.make_table(connection, name, trades[0].dimension)
    await bare.make_table(connection, "copied_bars", bars[0].dimension)
    count = _count(trades)
    await samples.write("bare COPY", count, lambda: bare.copy(connection, "copied", trades))
    await samples.write("bare stage + upsert", count, lambda: bare.stage_and_upsert(connection, "upserted", trades))
    some = Frame.from_arrow(trades[0].dimension, trades[0].to_arrow().slice(0, _MANY_ROWS))
    await samples.write("bare executemany", some.num_rows, lambda: bare.executemany(connection, "executed", some))
    await samples.write("bare COPY, synthetic bars", _count(bars), lambda: bare.copy(connection, "copied_bars", bars))


async def _store_writes(samples: Samples, store: Store, work: Work, *, folding: bool = False) -> None:
    """Each kind of write; folding: the log is folded before the one chunk of late rows, else that might pay for all."""

    async def write(name: str, frames: Sequence[Frame], source: str = "bench") -> None:
        await samples.write(f"store, {name}", _count(frames), lambda: _ingest(store, frames, source))

    await write("fresh", work.fresh)
    await write("repeated", work.fresh)
    await write("equal rows", work.fresh, "other source")
    await write("1 % corrected", work.corrected)
    await _ingest(store, work.sparse, "bench")
    await write("new rows over a range not new", work.between)
    await _ingest(store, work.in_time, "bench")
    if folding:
        await store.close()
        await store.open()
    await write("5 % late", work.late)


async def _ingest(store: Store, frames: Sequence[Frame], source: str) -> None:
    """As a run does: fenced, each chunk with its identity; nothing is done ahead."""
    run, epoch = new_run_id(), await store.claim_epoch(source, frames[0].dimension)
    for frame in frames:
        identity = await anyio.to_thread.run_sync(ingest_id, source, frame)
        await store.write(Chunk(identity, run, source, frame, epoch=epoch))


async def _reads(samples: Samples, store: Store, connection: Any, trades: Sequence[Frame]) -> None:
    symbols = trades[0].symbols
    for symbol in symbols * _LAST_POINTS:
        await samples.read("newest row of a symbol, bare SELECT", connection.fetchrow(_NEWEST, symbol))
        query = Query(Dimension.TRADES, (symbol,), limit=1)
        await samples.read("newest row of a symbol, store", store.read(query))
    start = trades[0].start
    assert start is not None
    end = start + timedelta(days=1)
    for symbol in symbols:
        query = Query(Dimension.TRADES, (symbol,), start=start, end=end)
        await samples.read("OHLC by minute of a day, in the server", connection.fetch(_OHLC, symbol, start, end))
        await samples.read("OHLC by minute of a day, store + polars", _ohlc(store, query))
        await samples.read("all trades of a symbol's day, store", store.read(query))


_NEWEST = "SELECT * FROM market_data.trades WHERE symbol = $1 ORDER BY ts DESC LIMIT 1"
_OHLC = """
SELECT public.time_bucket('1 minute', ts) AS minute, public.first(price, ts), max(price), min(price),
    public.last(price, ts), sum(size)
FROM market_data.trades WHERE symbol = $1 AND ts BETWEEN $2 AND $3 GROUP BY minute ORDER BY minute
"""


async def _ohlc(store: Store, query: Query) -> pl.DataFrame:
    frame: pl.DataFrame = (await store.read(query)).frame.to_polars()
    price = pl.col("price")
    return frame.group_by_dynamic("ts", every="1m").agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"), price.last().alias("close")
    )


async def _end_to_end(samples: Samples, dsn: str, trades: Sequence[Frame], folder: Path) -> None:
    """A whole backbone reads a file: source, quality, store, outbox, relay."""
    path = folder / "trades.parquet"
    pq.write_table(pa.concat_tables([frame.to_arrow() for frame in trades]), path)
    settings = load_settings(
        profile="embedded",
        env={"BACKBONE_STORE_URL": dsn},
        overrides={"store.backend": "timescale", "control.enabled": False, "store.statement_timeout": 60.0},
    )
    async with Backbone.open(settings) as backbone, samples.watching():
        plan = IngestPlan(dimensions=[Dimension.TRADES], source="parquet", path=path)
        await samples.write("ingest, end to end", _count(trades), lambda: backbone.ingest(plan))


async def duckdb_round(samples: Samples, work: Work, folder: Path) -> None:
    """The embedded store beside a bare insert from Arrow."""
    insert = partial(anyio.to_thread.run_sync, _insert, work.fresh, folder)
    await samples.write("bare insert from Arrow", _count(work.fresh), insert)
    path = folder / "bench.duckdb"
    store = DuckDBStore(str(path))
    await store.open()
    try:
        await store.migrate()
        async with samples.watching():
            await _store_writes(samples, store, work, folding=True)
    finally:
        await store.close()
        path.unlink()


def _insert(trades: Sequence[Frame], folder: Path) -> None:
    path = folder / "bare.duckdb"
    with duckdb.connect(str(path)) as connection:
        for number, frame in enumerate(trades):
            connection.register("chunk", frame.to_arrow())
            connection.execute("CREATE TABLE t AS FROM chunk" if number == 0 else "INSERT INTO t FROM chunk")
    path.unlink()


def _count(frames: Sequence[Frame]) -> int:
    return sum(frame.num_rows for frame in frames)
