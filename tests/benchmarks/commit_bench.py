"""One live commit of one row to the embedded store, beside a bare DuckDB transaction that fills the same four tables.

BACKBONE_BENCH_BEHIND: how many live commits lie before in ledger, journal and outbox (default: none, then 100,000).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.migrator import migrate
from backbone.store.migrations import shipped
from backbone.store.records import Chunk
from tests.benchmarks.measure import Timing, Watch, interleave
from tests.benchmarks.report import Floor, Report, Table

_COMMITS = 50  # in a round
_START = datetime(2030, 1, 1, tzinfo=UTC)
_BARE = "bare DuckDB"
_TABLES = ("market_data.quotes", "telemetry.ledger", "telemetry.ingest_runs", "telemetry.outbox")
_RATIO = 1.6  # 4.5 ms beside 2.8 ms, on a machine that nobody else used


def run(quick: bool) -> Report:
    """Measure; a few rounds where quick."""
    given = os.environ.get("BACKBONE_BENCH_BEHIND")
    timings = {n: _measure(n, 5 if quick else 15) for n in ([int(given)] if given else [0, 100_000])}
    return Report(
        title="Benchmarks of a live commit",
        intro=f"One row, one commit, one after the other: {_COMMITS} a round, each contestant on a file of its own, in "
        "turn; medians of the rounds. The bare transaction fills data, ledger, journal and outbox with plain "
        "parameters and an encoded payload of the same size, and promises nothing. `inline` works in the event loop's "
        "thread, `in a thread` as a backbone does. Floors are judged by the processor time of the best round, the one "
        "that the machine's other users disturbed least.",
        tables=[_table(behind, taken) for behind, taken in timings.items()],
        floors=[_floor(behind, taken) for behind, taken in timings.items()],
        packages=["duckdb"],
    )


def _measure(behind: int, rounds: int) -> dict[str, Timing]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="backbone-bench-")))
        runner = stack.enter_context(asyncio.Runner())
        bare = stack.enter_context(_bare(folder / "bare.duckdb", behind))
        inline = stack.enter_context(_store(runner, folder / "inline.duckdb", behind, inline=True))
        threaded = stack.enter_context(_store(runner, folder / "thread.duckdb", behind, inline=False))
        moments = map(_START.__add__, map(partial(timedelta, 0), range(10**9)))
        contestants = {
            _BARE: partial(_bare_commits, bare, moments),
            "store, inline": partial(_commits, runner, inline, moments),
            "store, in a thread": partial(_commits, runner, threaded, moments),
        }
        return interleave(contestants, rounds)


@contextmanager
def _bare(path: Path, behind: int) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(path), config={"threads": "2"}) as connection:
        migrate(connection, shipped("duckdb"), now=_START, dry_run=False)
        _fill(connection, behind)
        yield connection


@contextmanager
def _store(runner: asyncio.Runner, path: Path, behind: int, *, inline: bool) -> Iterator[DuckDBStore]:
    with _bare(path, behind):
        pass
    store = DuckDBStore(path, inline=inline)
    runner.run(store.open())
    yield store
    runner.run(store.close())


def _fill(connection: duckdb.DuckDBPyConnection, commits: int) -> None:
    """So many live commits of a symbol, as the store leaves them; run ids in order of time."""
    since = "TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i)"
    numbers = f"range(1, {commits + 1}) t(i)"
    connection.execute(
        f"""
        INSERT INTO telemetry.ledger SELECT nextval('telemetry.ledger_id'), 'x' || i, 'quotes', 'EURUSD', '', {since},
            {since}, 1 FROM {numbers};
        INSERT INTO telemetry.ingest_runs SELECT nextval('telemetry.journal_id'), '018' || lpad(i::VARCHAR, 29, '0'),
            'x' || i, 'quotes', 'live', 'ok', 1, 1, 0, 0, i, 1, ['EURUSD'], {since}, {since}, 0.01, {since}, NULL,
            '{{}}' FROM {numbers};
        INSERT INTO telemetry.outbox SELECT nextval('telemetry.outbox_position'), 'e' || i, 'x' || i, 'quotes',
            'EURUSD', 1, i, 256, repeat('x', 256)::BLOB, {since}, 7, NULL FROM {numbers};
        INSERT INTO market_data.quotes SELECT 'EURUSD', {since}, 0, 1.0, 1.0, 1.1, 1.0, NULL, 'live', 'x' || i,
            nextval('telemetry.revision'), {since} FROM {numbers};
        INSERT INTO telemetry.positions VALUES ('quotes', 'EURUSD', {commits});
        """  # noqa: S608
    )


def _row(at: datetime) -> Frame:
    return Frame.from_records(
        Dimension.QUOTES,
        [{"symbol": "EURUSD", "ts": at, "sequence": 0, "bid": 1.0, "bid_size": 1.0, "ask": 1.1, "ask_size": 1.0}],
    )


def _commits(runner: asyncio.Runner, store: DuckDBStore, moments: Iterator[datetime], watch: Watch) -> int:
    frames = [_row(next(moments)) for _ in range(_COMMITS)]
    chunks = [Chunk(ingest_id("live", frame), new_run_id(), "live", frame) for frame in frames]

    async def write() -> None:
        for chunk in chunks:
            await store.write(chunk)

    with watch:
        runner.run(write())
    return _COMMITS


def _bare_commits(connection: duckdb.DuckDBPyConnection, moments: Iterator[datetime], watch: Watch) -> int:
    with watch:
        for _ in range(_COMMITS):
            us = int(next(moments).timestamp()) * 1_000_000
            rows: tuple[list[object], ...] = (
                ["EURUSD", us, 0, 1.0, 1.0, 1.1, 1.0, None, "live", f"x{us}", us, us],
                [us, f"x{us}", "quotes", "EURUSD", "", us, us, 1],
                [
                    *(us, new_run_id(), f"x{us}", "quotes", "live", "ok", 1, 1, 0, 0, us, 1, ["EURUSD"]),
                    us,
                    us,
                    0.01,
                    us,
                    None,
                    "{}",
                ],
                [us, f"e{us}", f"x{us}", "quotes", "EURUSD", 1, us, 256, b"x" * 256, us, 7, None],
            )
            connection.begin()
            for table, values in zip(_TABLES, rows, strict=True):
                connection.execute(f"INSERT INTO {table} VALUES ({_marks(table, values)})", values)  # noqa: S608
            connection.commit()
    return _COMMITS


_STAMPS = {"market_data.quotes": (1, 11), "telemetry.ledger": (5, 6), "telemetry.ingest_runs": (13, 14, 16)}


def _marks(table: str, values: list[object]) -> str:
    stamps = _STAMPS.get(table, (9,))
    return ", ".join("make_timestamptz(?)" if n in stamps else "?" for n in range(len(values)))


def _table(behind: int, timings: dict[str, Timing]) -> Table:
    bare = timings[_BARE]
    rows = [
        (
            name,
            *(f"{1000 * seconds:.2f}" for seconds in (taken.wall, taken.cpu, taken.best)),
            *(f"{ratio:.2f}x" for ratio in (taken.wall / bare.wall, taken.best / bare.best)),
        )
        for name, taken in timings.items()
    ]
    return Table(
        f"Behind {behind:,} others",
        ("", "ms elapsed", "ms of processor", "best round", "elapsed, beside", "best, beside"),
        rows,
    )


def _floor(behind: int, timings: dict[str, Timing]) -> Floor:
    ratio = timings["store, in a thread"].best / timings[_BARE].best
    what = f"a live commit behind {behind:,} others, beside {_BARE}"
    return Floor(what, f"<= {_RATIO:g}x", f"{ratio:.2f}x", ratio <= _RATIO)
