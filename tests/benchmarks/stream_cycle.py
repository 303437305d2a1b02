"""The whole cycle on TimescaleDB, Redis and Kafka: rows from a file to a consumer, and one live row to a subscriber."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backbone import Backbone, Dimension, IngestPlan, Settings
from backbone.cli.process.garbage import settled
from backbone.services import native
from tests.benchmarks import paced_bare, paced_load
from tests.benchmarks.paced_bare import BarePace, BareSamples
from tests.benchmarks.paced_load import Pace, Samples
from tests.benchmarks.report import Floor, Table
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database

__all__ = ["Cycle", "floors", "measured", "tables"]

TRADES = Dimension.TRADES
ROWS, SYMBOLS = 300_000, 50
RATE, SECONDS, TURNS = 100, 10.0, 5
_WARM = 0.5  # seconds
_DAY_US = 1_735_689_600_000_000  # 2025-01-01
_LONGEST_S = 120.0
_SHARE, _P50_MS, _P99_MS, _LAG_MS = 0.5, 15.0, 60.0, 10.0


@dataclass
class Cycle:
    """Rows per second of each round, and how long single rows took.

    Attributes:
        rows: of a round.
        alone: until all are stored, where nothing is published to Kafka and nobody consumes.
        stored: until all are stored, where both is done meanwhile.
        consumed: until the consumer has all of them.
        processor: seconds of processor time of this process, from the first row to the last one consumed.
        lag: seconds by which the loop was late meanwhile.
        pace: of single rows.
        bare: of single rows by the bare clients.
    """

    rows: int
    alone: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)
    consumed: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    pace: Pace | None = None
    bare: BarePace | None = None


async def measured(services: native.Services, folder: Path, rounds: int, quick: bool) -> Cycle:
    """Ingest alone and the whole cycle in turn, each round with rows of a day of its own; then single rows."""
    cycle = Cycle(ROWS // (10 if quick else 1))
    async with _database(services) as dsn, _database(services) as other:
        whole = institutional(services, dsn)
        quiet = institutional(services, other, **{"stream.backend": "memory", "stream.required": False})
        for number in range(rounds + 1):
            path = _file(folder / f"{number}.parquet", number, cycle.rows)
            warm = Cycle(cycle.rows)
            await _alone(quiet, path, cycle if number else warm)
            await _whole(whole, path, cycle if number else warm)
        seconds = SECONDS / (10 if quick else 1)
        async with Backbone.open(whole) as backbone, paced_bare.connected(services, dsn) as clients:
            await _in_turn(backbone, clients, _WARM, 1)
            with settled():
                cycle.pace, cycle.bare = await _in_turn(backbone, clients, seconds / TURNS, TURNS)
    return cycle


async def _in_turn(
    backbone: Backbone, clients: paced_bare.Clients, seconds: float, turns: int
) -> tuple[Pace, BarePace]:
    """Single rows by both: while the disk takes what the rounds before have written, each COMMIT waits for it."""
    ours, theirs = Samples(), BareSamples()
    for _ in range(turns):
        await paced_load.sampled(backbone, RATE, seconds, ours)
        await paced_bare.sampled(clients, RATE, seconds, theirs)
    return Pace.of(RATE, ours), BarePace.of(theirs)


@asynccontextmanager
async def _database(services: native.Services) -> AsyncIterator[str]:
    dsn = await make_database(services, "timescale")
    yield dsn
    await drop_database(services, dsn)


def _file(path: Path, day: int, rows: int) -> Path:
    i = np.arange(rows)
    table = pa.table(
        {
            "symbol": pa.array([f"S{n:02d}" for n in range(SYMBOLS)]).take(pa.array(i % SYMBOLS)),
            "ts": pa.array(_DAY_US + 86_400_000_000 * day + (i // SYMBOLS) * 10_000, pa.timestamp("us", "UTC")),
            "sequence": i,
            "price": 100.0 + np.sin(i / 1000.0),
            "size": (i % 100 + 1).astype(float),
        }
    )
    pq.write_table(table, path)
    return path


async def _alone(settings: Settings, path: Path, cycle: Cycle) -> None:
    async with Backbone.open(settings) as backbone:
        began = time.perf_counter()
        await _ingested(backbone, path)
        cycle.alone.append(cycle.rows / (time.perf_counter() - began))


async def _whole(settings: Settings, path: Path, cycle: Cycle) -> None:
    opened = anyio.Event()
    async with Backbone.open(settings) as backbone, anyio.create_task_group() as watching:
        watching.start_soon(_beat, cycle.lag)
        with anyio.fail_after(_LONGEST_S):
            async with anyio.create_task_group() as group:
                group.start_soon(_consume, backbone, cycle.rows, opened)
                await opened.wait()
                began, processor = time.perf_counter(), time.process_time()
                await _ingested(backbone, path)
                stored = time.perf_counter() - began
        cycle.consumed.append(cycle.rows / (time.perf_counter() - began))
        cycle.stored.append(cycle.rows / stored)
        cycle.processor.append(time.process_time() - processor)
        watching.cancel_scope.cancel()


async def _ingested(backbone: Backbone, path: Path) -> None:
    await backbone.ingest(IngestPlan(dimensions=[TRADES], source="parquet", path=path))


async def _consume(backbone: Backbone, rows: int, opened: anyio.Event) -> None:
    async with backbone.subscribe(TRADES) as updates:
        opened.set()
        async for update in updates:
            rows -= update.frame.num_rows
            if rows <= 0:
                return


async def _beat(lag: list[float]) -> None:
    while True:
        due = time.perf_counter() + 0.005
        await anyio.sleep(0.005)
        lag.append(time.perf_counter() - due)


def tables(cycle: Cycle) -> list[Table]:
    """What was measured."""
    alone = statistics.median(cycle.alone)
    named = {
        "stored, with no Kafka and no consumer": cycle.alone,
        "stored, meanwhile published and consumed": cycle.stored,
        "with the consumer": cycle.consumed,
    }
    rates = [
        (name, f"{statistics.median(each):,.0f}", f"{statistics.median(each) / alone:.2f}x")
        for name, each in named.items()
    ]
    spent = statistics.median(cycle.processor) / cycle.rows * 1e6
    note = f"Processor time of the process: {spent:.1f} µs a row. Loop late by p99 {_lag(cycle):.1f} ms."
    found = [Table(f"{cycle.rows:,} trades of {SYMBOLS} symbols from a file", ("", "rows/s", "beside"), rates, note)]
    if cycle.pace is not None and cycle.bare is not None:
        parts = {
            "record returned": cycle.pace.returned,
            "subscriber had it": cycle.pace.seen,
            "asyncpg has committed": cycle.bare.committed,
            "aiokafka's consumer had it": cycle.bare.seen,
        }
        rows = [(what, *(f"{1000 * each:.1f}" for each in part)) for what, part in parts.items()]
        note = f"By turns, {TURNS} of each, right after the rows from files, which the disk is still taking."
        found.append(Table(f"One-row records, {RATE} a second, in ms", ("", "p50", "p99", "max"), rows, note))
    return found


def floors(cycle: Cycle) -> list[Floor]:
    """What was promised of it."""
    share = statistics.median(cycle.consumed) / statistics.median(cycle.alone)
    promised = [
        Floor("the whole cycle, beside ingest alone", f">= {_SHARE:g}", f"{share:.2f}", share >= _SHARE),
        Floor("event loop late, p99", f"< {_LAG_MS:g} ms", f"{_lag(cycle):.1f} ms", _lag(cycle) < _LAG_MS),
    ]
    if cycle.pace is not None:
        p50, p99 = (1000 * each for each in cycle.pace.seen[:2])
        promised += [
            Floor("record to subscriber, p50", f"<= {_P50_MS:g} ms", f"{p50:.1f} ms", p50 <= _P50_MS),
            Floor("record to subscriber, p99", f"<= {_P99_MS:g} ms", f"{p99:.1f} ms", p99 <= _P99_MS),
        ]
    return promised


def _lag(cycle: Cycle) -> float:
    late: Sequence[float] = cycle.lag
    return 1000 * float(np.percentile(late, 99))
