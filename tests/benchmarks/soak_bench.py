"""A soak: live rows, files beside them, subscribers and readers at once, for a while, with a verdict for each bound.

A quarter of an hour of it on one store: `BACKBONE_BENCH_MINUTES=15 python -m tests.benchmarks soak embedded`
(default: two minutes on each, of which `--quick` takes a tenth). A TimescaleDB server is started for it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from backbone import Backbone, load_settings
from backbone.cli.process.garbage import settled
from backbone.services import native
from tests.benchmarks.database import database
from tests.benchmarks.report import Floor, Report, Table
from tests.benchmarks.soak_load import FILE_EVERY, FILE_ROWS, SYMBOLS, Load, write_file
from tests.benchmarks.soak_readers import Reader, stays, visits
from tests.benchmarks.soak_seen import PERCENTILES, Seen

PARTS = ("embedded", "timescale")
MINUTES = 2.0

_DELIVERED_MS, _LAG_MS, _ROSTER_MS = 60.0, 10.0, 1.0
_MEMORY_MIB = {"embedded": 450.0, "timescale": 300.0}
_CAUGHT_UP = 60.0  # seconds in which subscribers have to come to the end, behind the load
# symbol by symbol: the numbers of all together do not fit into the memory that a statement has
_STORED = "SELECT count(*) AS rows, count(DISTINCT sequence) AS single FROM {} WHERE symbol = $1"


def run(quick: bool, parts: Sequence[str] = ()) -> Report:
    """Soak the stores that are named, or both."""
    minutes = float(os.environ.get("BACKBONE_BENCH_MINUTES", MINUTES)) / (10 if quick else 1)
    tables, floors, notes = [], [], []
    for store in parts or PARTS:
        try:
            table, verdicts = asyncio.run(_soak(store, 60 * minutes))
        except (native.Unavailable, native.StartError) as error:
            notes.append(f"TimescaleDB was NOT soaked: {error}")
            continue
        tables.append(table)
        floors += verdicts
    return Report(
        title="Soak",
        intro=f"{minutes:g} minutes each, in one process with its load: 200 quotes a second of {len(SYMBOLS)} symbols, "
        f"in 19 calls of `record`; a file of {FILE_ROWS:,} trades each {FILE_EVERY:g} s, Parquet and CSV in turn; 50 "
        "fetches and 10 rosters a second; five subscribers, of whom one is slow and one comes and goes.",
        tables=tables,
        floors=floors,
        packages=["anyio", "asyncpg", "duckdb", "msgspec", "pyarrow"],
        notes=notes,
    )


async def _soak(store: str, seconds: float) -> tuple[Table, list[Floor]]:
    seen = Seen()
    async with _opened(store) as (backbone, folder):
        files = [write_file(folder, number) for number in range(3 + int(seconds // FILE_EVERY))]
        load = Load(backbone, files, seen)
        readers = [
            Reader("all", told=load.seen_by),
            Reader("all, too"),
            Reader("ten symbols", SYMBOLS[:10]),
            Reader("slow", pause=0.05),
            Reader("comes and goes"),
        ]
        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(visits if "goes" in reader.name else stays, backbone, reader)
            await anyio.sleep(0.5)  # they are there
            with settled():
                async with seen.watching():
                    await load.run(seconds)
            await _caught_up(readers, load.sent)
            group.cancel_scope.cancel()
        verdicts = [*_kept(store, readers, load, await _stored(backbone, load)), *_bounds(store, seen)]
    return _table(store, seen), verdicts


@asynccontextmanager
async def _opened(store: str) -> AsyncIterator[tuple[Backbone, Path]]:
    """A backbone, and a folder for more."""
    quiet: dict[str, object] = {"control.enabled": False}
    if store == "timescale":
        async with database() as (dsn, folder):
            over = {**quiet, "store.backend": "timescale"}
            settings = load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=over)
            async with Backbone.open(settings) as backbone:
                yield backbone, folder
        return
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    try:
        settings = load_settings(profile="embedded", overrides={**quiet, "store.path": str(folder / "soak.duckdb")})
        async with Backbone.open(settings) as backbone:
            yield backbone, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _caught_up(readers: Sequence[Reader], sent: dict[str, int]) -> None:
    """Let all of them read to the end, within a bound; what they lack then is told."""
    with anyio.move_on_after(_CAUGHT_UP):
        for reader in readers:
            reader.pause = 0.0
            await reader.caught_up(sent)


async def _stored(backbone: Backbone, load: Load) -> dict[str, tuple[int, int, int]]:
    """By dimension how many rows were given, how many are stored, and how many of these differ."""
    given = {"quotes": sum(load.sent.values()), "trades": load.filed}
    found = {}
    for dimension, rows in given.items():
        counts = [
            (await backbone.sql(_STORED.format(dimension), symbol)).to_pylist()[0]
            for symbol in await backbone.symbols(dimension)
        ]
        found[dimension] = rows, sum(each["rows"] for each in counts), sum(each["single"] for each in counts)
    return found


def _table(store: str, seen: Seen) -> Table:
    rows = [
        (kind, f"{many:,}", *(f"{each:.1f}" for each in seen.percentiles(kind))) for kind, many in sorted(seen.kinds)
    ]
    head = ["", "number", *(f"p{each}" if each < max(PERCENTILES) else "max" for each in PERCENTILES)]
    first, last, most = seen.memory()
    failed = "; ".join(f"{what} ({many} times)" for what, many in seen.failed.items()) or "nothing"
    note = f"RSS at the begin, at the end, at most: {first:.0f}, {last:.0f}, {most:.0f} MiB. Failed: {failed}."
    return Table(f"{store}: times in ms", head, rows, note)


def _kept(store: str, readers: Sequence[Reader], load: Load, stored: dict[str, tuple[int, int, int]]) -> list[Floor]:
    """Whether all is there, once: in the store and with each subscriber."""
    verdicts = [
        Floor(
            f"{store}: {dimension} stored, each once",
            f"{given:,}",
            f"{rows:,}, {single:,} different",
            given == rows == single,
        )
        for dimension, (given, rows, single) in stored.items()
    ]
    for reader in readers:
        lacks = reader.lacks(load.sent)
        wrong = ", ".join(f"{what}: {many}" for what, many in reader.wrong.items()) or "once and in order"
        measured = f"{reader.rows:,} rows, {lacks} lacking, {wrong}"
        what = f"{store}: subscriber “{reader.name}”"
        verdicts.append(Floor(what, "all, once and in order", measured, not lacks and not reader.wrong))
    return verdicts


def _bounds(store: str, seen: Seen) -> list[Floor]:
    """The times, the memory, and that nothing failed."""
    delivered, lag, roster = (seen.percentiles(kind) for kind in ("record to subscriber", "loop lag", "roster"))
    p50, p99 = PERCENTILES.index(50), PERCENTILES.index(99)
    bounds = [
        ("record to subscriber, p99", delivered[p99], _DELIVERED_MS, "ms"),
        ("loop lag, p99", lag[p99], _LAG_MS, "ms"),
        ("roster, p50", roster[p50], _ROSTER_MS, "ms"),
        ("RSS, at most", seen.memory()[2], _MEMORY_MIB[store], "MiB"),
    ]
    verdicts = [
        Floor(f"{store}: {what}", f"< {most:g} {unit}", f"{value:.1f} {unit}", value < most)
        for what, value, most, unit in bounds
    ]
    failed = seen.failed.total()
    return [*verdicts, Floor(f"{store}: calls that failed", "0", str(failed), not failed)]
