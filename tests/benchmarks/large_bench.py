"""One large file into an embedded store: memory must not grow with it, nor the loop be late.

Ten million rows of Parquet, or as many million as BACKBONE_BENCH_MILLIONS says; a fifth of them where quick.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import tempfile
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np
import pyarrow.parquet as pq

from backbone import Backbone, IngestPlan, load_settings
from tests.benchmarks.measure import resident_mib
from tests.benchmarks.report import Floor, Report, Table, flat
from tests.benchmarks.soak_load import trades

MILLION = 1_000_000
MILLIONS = 10

_ALLOWED = 0.1  # by which memory may be more than within the first million
_LAG_MS = 10.0
_LOOK, _STEP = 0.1, 0.005  # seconds between two looks at memory, and at the loop


@dataclass
class Seen:
    """Memory in MiB as so many rows were in, and how late the loop was, in ms."""

    memory: list[tuple[int, float]] = field(default_factory=list)
    lag: array[float] = field(default_factory=lambda: array("d"))

    def most(self) -> list[float]:
        """The most memory within each million of rows."""
        most: dict[int, float] = {}
        for rows, mib in self.memory:
            million = max(0, rows - 1) // MILLION
            most[million] = max(mib, most.get(million, 0.0))
        return [most[million] for million in sorted(most)]


def run(quick: bool) -> Report:
    """Measure."""
    millions = max(2, int(os.environ.get("BACKBONE_BENCH_MILLIONS", MILLIONS)) // (5 if quick else 1))
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    try:
        file = folder / "trades.parquet"
        writer = multiprocessing.get_context("spawn").Process(target=_write, args=(file, millions))
        writer.start()  # what it takes is not to be found in this process
        writer.join()
        seen, seconds = asyncio.run(_measure(folder, file))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _report(seen, seconds, millions)


def _write(file: Path, millions: int) -> None:
    with pq.ParquetWriter(file, trades(0, 1).schema) as writer:
        for million in range(millions):
            writer.write_table(trades(million * MILLION, MILLION))


async def _measure(folder: Path, file: Path) -> tuple[Seen, float]:
    seen = Seen()
    over = {"control.enabled": False, "store.path": str(folder / "large.duckdb")}
    settings = load_settings(profile="embedded", overrides=over)
    async with Backbone.open(settings) as backbone, anyio.create_task_group() as group:
        group.start_soon(_watch_loop, seen)
        group.start_soon(_watch_memory, backbone, seen)
        began = anyio.current_time()
        await backbone.ingest(IngestPlan(dimensions=["trades"], source="parquet", path=file))
        seconds = anyio.current_time() - began
        group.cancel_scope.cancel()
    return seen, seconds


async def _watch_loop(seen: Seen) -> None:
    while True:
        began = anyio.current_time()
        await anyio.sleep(_STEP)
        seen.lag.append(1e3 * max(0.0, anyio.current_time() - began - _STEP))


async def _watch_memory(backbone: Backbone, seen: Seen) -> None:
    while True:
        await anyio.sleep(_LOOK)
        ingest = backbone.roster().find(f"{backbone.path}/ingest")
        if ingest is not None and ingest.detail is not None:
            seen.memory.append((ingest.detail["rows_committed"], resident_mib()))


def _report(seen: Seen, seconds: float, millions: int) -> Report:
    most = seen.most()
    first, worst = most[0], max(most)
    p50, p99, late = np.percentile(seen.lag, [50, 99, 100]).tolist()
    rows = [(f"{number:,}", f"{mib:.0f}", f"{mib / first:.2f}x") for number, mib in enumerate(most, 1)]
    note = (
        f"{seconds:.1f} s, {millions * MILLION / seconds:,.0f} rows a second. Loop lag p50 {p50:.1f}, p99 {p99:.1f}, "
        f"max {late:.1f} ms."
    )
    return Report(
        title="Benchmark of one large file",
        intro=f"{millions} million trades from one Parquet file into an embedded store, a whole backbone around it.",
        tables=[Table("Memory", ("million", "RSS, MiB at most", "of the first"), rows, note)],
        floors=[
            flat("RSS, the most within any million", first, worst, of="the first one", allowed=_ALLOWED),
            Floor("loop lag, p99", f"< {_LAG_MS:g} ms", f"{p99:.1f} ms", p99 < _LAG_MS),
        ],
        packages=["anyio", "duckdb", "msgspec", "pyarrow"],
    )
