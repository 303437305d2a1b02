"""One live commit of few rows beside a bare commit of the same rows to data, ledger, journal and outbox.

The server is started for it; where it can't be had, nothing is measured, and the page says so.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from datetime import timedelta
from typing import Any

import asyncpg

from backbone.domain import Dimension, Frame, codec
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.services import native
from backbone.store.records import Chunk
from backbone.store.timescale import TimescaleStore
from tests.benchmarks.database import database
from tests.benchmarks.report import Floor, Report, Table
from tests.services.stores import DAY, opened

COMMITS, WARM, SIZES = 300, 30, (1, 50, 500)
_SHADOWS = ("market_data.quotes", "telemetry.ledger", "telemetry.ingest_runs", "telemetry.outbox")
_WRITES = (
    """INSERT INTO bare.quotes SELECT ts, n, bid, 1, ask, 1, 1, now(), 'BARE', NULL, 'bench', $4
    FROM unnest($1::timestamptz[], $2::float8[], $3::float8[]) WITH ORDINALITY AS i(ts, bid, ask, n)""",
    """INSERT INTO bare.ledger (start_us, end_us, rows, dimension, symbol, "interval", ingest_id, revision)
    VALUES ($1, $1, $2, 'quotes', 'BARE', '', $3, 1)""",
    """INSERT INTO bare.ingest_runs (run_id, ingest_id, dimension, source, status, rows, inserted, changed, unchanged,
        position, outbox_rows, symbols, duration_s, executed_at, metadata)
    VALUES ($1, $2, 'quotes', 'bench', 'ok', $3, $3, 0, 0, 1, 1, ARRAY['BARE'], 0, now(), '{}')""",
    """INSERT INTO bare.outbox
        (position, revision, rows, bytes, created_at, event_id, ingest_id, dimension, symbol, payload)
    VALUES ($1, 1, $2, $3, now(), $4, $4, 'quotes', 'BARE', $5)""",
)


def run(quick: bool) -> Report:
    """Measure; a tenth of the commits where quick."""
    return asyncio.run(_measure(COMMITS // (10 if quick else 1)))


async def _measure(commits: int) -> Report:
    took: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    why_not = ""
    try:
        async with database() as (dsn, _):
            await _contest(dsn, commits, took)
    except (native.Unavailable, native.StartError) as error:
        why_not = f"TimescaleDB was NOT measured: {error}"
    return _report(commits, took, why_not)


async def _contest(dsn: str, commits: int, took: defaultdict[tuple[str, int], list[float]]) -> None:
    """Both in turn, commit by commit, so that what else the machine does meets both."""
    async with opened(dsn) as store:
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            await _shadow(connection)
            for size in SIZES:
                for n in range(WARM + commits):
                    frame, first = _quotes(n, size), time.perf_counter()
                    await _bare(connection, n, size, frame)
                    second = time.perf_counter()
                    await _ours(store, frame)
                    if n >= WARM:
                        took["bare", size].append(second - first)
                        took["store", size].append(time.perf_counter() - second)
        finally:
            await connection.close(timeout=10)


async def _shadow(connection: Any) -> None:
    """Tables of the same columns, keys, indexes and chunks."""
    await connection.execute("CREATE SCHEMA bare")
    for table in _SHADOWS:
        name = table.partition(".")[2]
        await connection.execute(f"CREATE TABLE bare.{name} (LIKE {table} INCLUDING ALL)")
    await connection.execute("SELECT public.create_hypertable('bare.quotes', public.by_range('ts', INTERVAL '1 day'))")


def _quotes(n: int, size: int) -> Frame:
    at = DAY + timedelta(seconds=10 * n) + timedelta(days=400 * size)
    rows = [
        {"symbol": "LIVE", "ts": at + timedelta(milliseconds=k), "sequence": k, "bid": 1.0 + n} for k in range(size)
    ]
    return Frame.from_records(Dimension.QUOTES, [{**row, "bid_size": 1.0, "ask": 2.0, "ask_size": 1.0} for row in rows])


async def _bare(connection: Any, n: int, size: int, frame: Frame) -> None:
    """Five statements and what a client has to do for them anyway: the payload encoded, the columns turned to lists."""
    payload, table, identity = codec.encode(frame, {}), frame.to_arrow(), new_run_id()
    columns = [table.column(name).to_pylist() for name in ("ts", "bid", "ask")]
    values: tuple[tuple[object, ...], ...] = (
        (*columns, identity),
        (n, size, identity),
        (identity, identity, size),
        (size * 10_000_000 + n, size, len(payload), identity, payload),
    )
    async with connection.transaction():
        for statement, given in zip(_WRITES, values, strict=True):
            await connection.execute(statement, *given)


async def _ours(store: TimescaleStore, frame: Frame) -> None:
    await store.write(Chunk(ingest_id("bench", frame), new_run_id(), "bench", frame))


def _report(commits: int, took: defaultdict[tuple[str, int], list[float]], why_not: str) -> Report:
    rows, floors = [], []
    for size in () if why_not else SIZES:
        bare, ours = (statistics.median(took[who, size]) for who in ("bare", "store"))
        late = sorted(took["store", size])[int(0.99 * len(took["store", size]))]
        rows.append(
            (str(size), f"{1000 * bare:.2f}", f"{1000 * ours:.2f}", f"{1000 * late:.2f}", f"{ours / bare:.2f}x")
        )
        if size == 1:
            floors.append(
                Floor("a live commit of one row, beside a bare one", "<= 2x", f"{ours / bare:.2f}x", ours <= 2 * bare)
            )
    return Report(
        title="Benchmarks of live commits",
        intro=(
            f"{commits} commits of quotes of one symbol, one after the other, the bare client and the store in turn, "
            "on TimescaleDB with fsync on; the bare client encodes the payload and inserts it, the rows, and a line "
            "each of ledger and journal into tables of the same columns, keys and indexes, in one transaction, "
            "and promises nothing. Client and server share the machine. Made by `make bench`."
        ),
        tables=[Table("One commit, ms", ("rows", "bare, median", "store, median", "store, p99", "beside bare"), rows)],
        floors=floors,
        packages=("asyncpg", "pyarrow"),
        page="docs/reference/benchmarks-commits.md",
        notes=[why_not] if why_not else [],
    )
