"""The store beside the bare client: fresh, repeated, corrected and late rows, and reads; TimescaleDB and DuckDB.

Servers are started for it; where they can't be had, only the embedded store is measured, and the page says so.
BACKBONE_BENCH_TRADES names the file of trades, BACKBONE_BENCH_ROWS and BACKBONE_BENCH_BARS how many rows are taken.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from backbone.services import native
from tests.benchmarks.report import Floor, Report, Table
from tests.benchmarks.store_cycle import Samples, duckdb_round, timescale_round
from tests.benchmarks.store_data import bars, trades_file, work
from tests.services.stores import drop_database, make_database

ROWS, BARS, ROUNDS = 2_800_000, 200_000, 3
_FLOORS = (
    ("fresh rows through a whole backbone, beside bare COPY", "ingest, end to end", "bare COPY", 0.6),
    ("fresh rows beside row-by-row upsert", "store, fresh", "bare executemany", 25.0),
    ("rows over a range not new, beside bare COPY", "store, new rows over a range not new", "bare COPY", 0.8),
    ("5 % late rows, beside bare COPY", "store, 5 % late", "bare COPY", 0.6),
    ("the same content again, beside fresh", "store, repeated", "store, fresh", 20.0),
    ("equal rows again, beside fresh", "store, equal rows", "store, fresh", 2.0),
)
_EMBEDDED_FLOORS = (
    ("embedded: equal rows again, beside fresh", "store, equal rows", "store, fresh", 2.0),
    ("embedded: 5 % late rows, beside fresh", "store, 5 % late", "store, fresh", 0.5),
)


def run(quick: bool) -> Report:
    """Measure; a tenth of the rows and one round where quick."""
    share = 10 if quick else 1
    rows = int(os.environ.get("BACKBONE_BENCH_ROWS", ROWS)) // share
    synthetic = int(os.environ.get("BACKBONE_BENCH_BARS", BARS)) // share
    return asyncio.run(_measure(rows, synthetic, 1 if quick else ROUNDS))


async def _measure(rows: int, synthetic: int, rounds: int) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    server, embedded = Samples(), Samples()
    try:
        services, why_not = await _servers(folder)
        for _ in range(rounds):
            if services is not None:
                dsn = await make_database(services, "timescale")
                whole = await make_database(services, "timescale")
                await timescale_round(server, dsn, whole, work(rows), bars(synthetic), folder)
                await drop_database(services, dsn)
                await drop_database(services, whole)
            await duckdb_round(embedded, work(rows), folder)
    finally:
        await native.down(folder / "services")
        shutil.rmtree(folder, ignore_errors=True)
    counted = sum(frame.num_rows for frame in work(rows).fresh)
    return _report(counted, synthetic, rounds, server, embedded, why_not)


async def _servers(folder: Path) -> tuple[native.Services | None, str]:
    try:
        return await native.up(["timescale"], data=folder / "services", die_with_parent=True), ""
    except (native.Unavailable, native.StartError) as error:
        return None, f"TimescaleDB was NOT measured: {error}"


def _report(rows: int, synthetic: int, rounds: int, server: Samples, embedded: Samples, why_not: str) -> Report:
    origin = "real trades of four US shares" if trades_file() else "SYNTHETIC trades (no file of real ones was found)"
    tables = [_rates("TimescaleDB: rows written per second elapsed", server.writes, "bare COPY")] if not why_not else []
    tables += [_reads(server)] if not why_not else []
    tables.append(
        _rates("DuckDB, embedded: rows written per second elapsed", embedded.writes, "bare insert from Arrow")
    )
    notes = [why_not] if why_not else [_lag(server)]
    return Report(
        title="Benchmarks of the store",
        intro=(
            f"{rows:,} {origin} and {synthetic:,} synthetic bars, in chunks of 100,000 rows, each a transaction; "
            f"every contestant once in each of {rounds} rounds, in turn, on a fresh database; medians. The bare client "
            "encodes with the same encoder, into a hypertable of the same columns, keys and chunks, and promises "
            "nothing; it encodes and sends in turn, where the store encodes ahead in threads. Client and server share "
            "the machine, durably (fsync on). Made by `make bench`."
        ),
        tables=tables,
        floors=[
            *(_floor(server, *each) for each in (() if why_not else _FLOORS)),
            _duckdb_floor(embedded),
            *(_floor(embedded, *each) for each in _EMBEDDED_FLOORS),
        ],
        packages=("asyncpg", "duckdb", "numpy", "pyarrow"),
        page="docs/reference/benchmarks-store.md",
        notes=notes,
    )


def _rates(title: str, writes: defaultdict[str, list[float]], measure: str) -> Table:
    first = _median(writes[measure])
    rows = [
        (name, f"{_median(taken):,.0f}", f"{max(taken):,.0f}", f"{_median(taken) / first:.2f}x")
        for name, taken in writes.items()
    ]
    return Table(title, ("", "median", "best round", f"beside {measure}"), rows)


def _reads(samples: Samples) -> Table:
    rows = [(name, f"{1000 * _median(taken):,.2f}", str(len(taken))) for name, taken in samples.reads.items()]
    return Table("TimescaleDB: reads", ("", "median ms", "samples"), rows)


def _lag(samples: Samples) -> str:
    late = sorted(samples.lag)
    p99 = late[int(0.99 * len(late))] if late else float("nan")
    return (
        f"Event loop during the store's writes: {len(late):,} looks, p99 {1000 * p99:.1f} ms late, "
        f"worst {1000 * max(late, default=0):.1f} ms."
    )


def _floor(samples: Samples, what: str, ours: str, measure: str, wanted: float) -> Floor:
    ratio = _median(samples.writes[ours]) / _median(samples.writes[measure])
    return Floor(what, f">= {wanted:g}x", f"{ratio:.2f}x", ratio >= wanted)


def _duckdb_floor(embedded: Samples) -> Floor:
    rate = _median(embedded.writes["store, fresh"])
    return Floor("embedded store, fresh rows", ">= 500,000/s", f"{rate:,.0f}/s", rate >= 500_000)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")
