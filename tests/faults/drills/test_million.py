"""A million rows through the whole cycle on real servers: each arrives once, as it is stored, and nothing piles up."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Backbone, Dimension, Frame, IngestPlan
from backbone.services import native
from backbone.settings import Settings
from tests.faults.drills.kit import say
from tests.services.conftest import serving
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database

TRADES = Dimension.TRADES
ROWS, SYMBOLS = 1_000_000, 50
DAY_US = 1_735_689_600_000_000  # 2025-01-01
BEAT_SECONDS = 0.005
LAG_SECONDS = 0.010


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    yield from serving(native.ALL, tmp_path_factory.mktemp("million"))


@pytest.fixture
async def settings(services: native.Services) -> AsyncIterator[Settings]:
    dsn = await make_database(services, "timescale")
    yield institutional(services, dsn)
    await drop_database(services, dsn)


def written(path: Path) -> Path:
    i = np.arange(ROWS)
    table = pa.table(
        {
            "symbol": pa.array([f"S{n:02d}" for n in range(SYMBOLS)]).take(pa.array(i % SYMBOLS)),
            "ts": pa.array(DAY_US + (i // SYMBOLS) * 10_000, pa.timestamp("us", "UTC")),
            "sequence": i,
            "price": 100.0 + np.sin(i / 1000.0),
            "size": (i % 100 + 1).astype(float),
        }
    )
    pq.write_table(table, path)
    return path


def sum_of(frame: Frame) -> int:
    """Of a hash of each row, which neither order nor the cut into frames changes."""
    table = frame.to_arrow()
    symbols = table.column("symbol").combine_chunks().dictionary_encode()
    names = np.array([zlib.crc32(each.encode()) for each in symbols.dictionary.to_pylist()], np.uint64)
    total = names[symbols.indices.to_numpy()] if len(table) else np.zeros(0, np.uint64)
    for name in ("ts", "sequence", "price", "size"):
        total = _mixed(total, np.ascontiguousarray(frame.column(name)).view(np.uint64))
    return int(total.sum(dtype=np.uint64))


def _mixed(one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = (one ^ other) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


def rss() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Watch:
    """How late the loop is, and how much memory there is as rows arrive."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.memory: dict[int, int] = {}
        self.rows = self.sum = 0

    async def beat(self) -> None:
        while True:
            due = time.perf_counter() + BEAT_SECONDS
            await anyio.sleep(BEAT_SECONDS)
            self.late.append(time.perf_counter() - due)

    async def read(self, backbone: Backbone, opened: anyio.Event) -> None:
        async with backbone.subscribe(TRADES, start="earliest") as updates:
            opened.set()
            async for update in updates:
                self.rows += update.frame.num_rows
                self.sum = (self.sum + sum_of(update.frame)) % 2**64
                self.memory[10 * self.rows // ROWS] = rss()
                if self.rows >= ROWS:
                    return


async def test_a_million_rows_arrive_once_as_they_are_stored(settings: Settings, tmp_path: Path) -> None:
    path, watch, opened = written(tmp_path / "trades.parquet"), Watch(), anyio.Event()
    async with Backbone.open(settings) as backbone:
        async with anyio.create_task_group() as group:
            group.start_soon(watch.beat)
            async with anyio.create_task_group() as work:
                work.start_soon(watch.read, backbone, opened)
                await opened.wait()
                began = time.perf_counter()
                run = await backbone.ingest(IngestPlan(dimensions=[TRADES], source="parquet", path=path))
                stored = time.perf_counter() - began
            arrived = time.perf_counter() - began
            group.cancel_scope.cancel()
        table, rows = 0, 0
        for symbol in run.symbols:
            frame = await backbone.fetch(TRADES, symbols=[symbol])
            table, rows = (table + sum_of(frame)) % 2**64, rows + frame.num_rows
        roster = backbone.roster()
    late = float(np.percentile(watch.late, 99))
    say(f"1,000,000 rows stored in {stored:.1f} s, all with the consumer after {arrived:.1f} s; hash {watch.sum:016x}")
    say(f"loop late by p99 {1000 * late:.1f} ms, worst {1000 * max(watch.late):.0f} ms")
    say("memory at each tenth: " + ", ".join(f"{each >> 20} MB" for _, each in sorted(watch.memory.items())))
    assert (run.inserted, watch.rows, rows) == (ROWS, ROWS, ROWS)
    assert watch.sum == table
    assert not roster.orphans
    first, second = (max(each for tenth, each in watch.memory.items() if (tenth < 5) == half) for half in (True, False))
    assert second <= 1.1 * first, "memory grows with the rows"
    assert late < LAG_SECONDS
