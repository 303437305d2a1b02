"""What the DuckDB store does beyond the contract: files, other processes, deadlines, revisions."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import duckdb
import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.clock import to_us
from backbone.domain.hashing import shard_of
from backbone.domain.identifiers import ingest_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.lane import Lane, Work
from backbone.store.duckdb.session import Session, transaction
from backbone.store.errors import SchemaMismatch, StoreBusy, StoreError, StoreUnavailable, UnknownOutcome
from backbone.store.records import Chunk, Query

DAILY, TRADES = Dimension.DAILY_BARS, Dimension.TRADES
DAY = datetime(2024, 1, 1, tzinfo=UTC)
FOREVER = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"


def bars(close: float) -> Frame:
    return Frame.from_records(DAILY, [{"symbol": "A", "ts": DAY, "close": close}])


def ticks(first: int, rows: int) -> Frame:
    """A trade each second, from a second on."""
    numbers = np.arange(first, first + rows)
    moments = pa.array(to_us(DAY) + numbers * 1_000_000).cast(pa.timestamp("us", "UTC"))
    columns = {"symbol": pa.repeat("A", rows), "ts": moments, "sequence": numbers, "price": numbers / 7}
    return Frame.from_arrow(TRADES, pa.table(columns))


async def opened(path: str | Path, **more: object) -> DuckDBStore:
    store = DuckDBStore(path, **more)  # type: ignore[arg-type]
    await store.open()
    await store.migrate()
    return store


async def put(store: DuckDBStore, frame: Frame, run_id: str) -> None:
    await store.write(Chunk(ingest_id("csv", frame), run_id, "csv", frame))


async def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "store.duckdb"
    store = await opened(path)
    await put(store, bars(1.0), "run")
    await store.close()
    await store.close()
    again = await opened(path)
    assert (await again.read(Query(DAILY))).frame == bars(1.0)
    assert (await again.outbox_status()).pending == 1
    await again.close()


async def test_a_store_in_memory_works_inline(tmp_path: Path) -> None:
    store = await opened(":memory:", inline=True)
    await put(store, bars(1.0), "run")
    assert (await store.read(Query(DAILY))).frame == bars(1.0)
    assert (await store.probe()).details == {"lifetime": "this process"}
    await store.close()


@pytest.mark.slow
async def test_a_file_that_another_process_has_open_is_refused_with_its_pid(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    store = await opened(path)
    program = (
        "import anyio, sys\n"
        "from backbone.store.duckdb import DuckDBStore\n"
        "from backbone.store.errors import StoreError, StoreUnavailable\n"
        "try: anyio.run(DuckDBStore(sys.argv[1]).open)\n"
        "except StoreUnavailable as error: print(error)\n"
    )
    answer = await anyio.run_process([sys.executable, "-c", program, str(path)])
    text = answer.stdout.decode()
    assert f"pid {os.getpid()}" in text
    assert "`backbone status`" in text
    assert text.count("\n") == 1
    await store.close()


@pytest.mark.parametrize("kind", ["folder", "foreign", "below a file"])
async def test_a_path_that_is_no_database_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    foreign = tmp_path / "foreign.duckdb"
    foreign.write_text("not a database")
    path = {"folder": tmp_path, "foreign": foreign, "below a file": foreign / "store.duckdb"}[kind]
    with pytest.raises(StoreUnavailable, match=r"store\.path") as refused:
        await DuckDBStore(path).open()
    assert "\n" not in str(refused.value)


async def test_a_closed_store_refuses() -> None:
    store = DuckDBStore(":memory:")
    with pytest.raises(StoreUnavailable, match="open the store first"):
        await store.cursor("stream", 0)
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailable, match="open the store first"):
        await store.cursor("stream", 0)


async def test_a_store_not_migrated_says_what_to_run() -> None:
    store = DuckDBStore(":memory:", inline=True)
    await store.open()
    info = await store.probe()
    assert not info.writable
    assert info.degraded_reason is not None
    assert "0001_market_data" in info.degraded_reason
    with pytest.raises(SchemaMismatch, match="backbone migrate"):
        await put(store, bars(1.0), "run")
    await store.close()


async def test_in_the_loop_a_look_is_taken_again_only_where_something_may_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    run = Lane.run

    async def noted(self: Lane, work: Work[object]) -> object:
        asked.append(1)
        return await run(self, work)

    store = await opened(":memory:", inline=True)
    monkeypatch.setattr(Lane, "run", noted)
    for close in (1.0, 2.0):
        await put(store, bars(close), f"run {close}")
        asked.clear()
        (newest,) = {(await store.outbox_status("stream")).newest for _ in range(3)}
        assert {await store.cursor("stream", 0) for _ in range(3)} == {int(close) - 1}
        assert len(asked) == 2
        await store.advance("stream", 0, newest, 0)
        assert (await store.outbox_status("stream")).pending == 0
        assert (await store.outbox_status()).cursor == await store.cursor("stream", 0) == newest == int(close)
    await store.close()
    await store.open()
    with pytest.raises(SchemaMismatch):  # the rows went with the store
        await store.cursor("stream", 0)
    await store.close()


async def test_former_versions_of_a_row_are_kept(tmp_path: Path) -> None:
    moments = iter(DAY + timedelta(days=n) for n in range(10))
    path = tmp_path / "store.duckdb"
    store = await opened(path, clock=lambda: next(moments))
    for n, close in enumerate([1.0, 2.0, 2.0, 3.0]):
        await put(store, bars(close), f"run {n}")
    await store.close()
    with duckdb.connect(str(path)) as file:
        former = file.execute(
            "SELECT close, source, revision, epoch(ingested_at)::BIGINT, epoch(replaced_at)::BIGINT "
            "FROM market_data.daily_bars_revisions ORDER BY revision"
        ).fetchall()
        [current] = file.execute(
            "SELECT close, revision, epoch(ingested_at)::BIGINT FROM market_data.daily_bars"
        ).fetchall()
    days = [round((DAY + timedelta(days=n)).timestamp()) for n in range(10)]
    assert former == [(1.0, "csv", 1, days[1], days[2]), (2.0, "csv", 2, days[2], days[4])]
    assert current == (3.0, 3, days[4])


async def test_the_ledger_stays_small_when_the_same_range_is_written_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    store = await opened(path)
    for n in range(5):
        await put(store, bars(float(n)), f"run {n}")
    await store.close()
    with duckdb.connect(str(path)) as file:
        assert file.execute("SELECT count(*) FROM telemetry.ledger").fetchall() == [(1,)]


async def test_an_error_in_the_middle_of_a_write_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(":memory:", inline=True)
    await put(store, bars(1.0), "run 1")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk on fire")

    with monkeypatch.context() as patched:
        patched.setattr("backbone.store.duckdb.journal.note", broken)
        with pytest.raises(RuntimeError, match="disk on fire"):
            await put(store, bars(2.0), "run 2")
    assert (await store.read(Query(DAILY))).frame == bars(1.0)
    assert len(await store.read_outbox(0)) == len(await store.journal()) == 1
    await put(store, bars(2.0), "run 2")
    assert (await store.read(Query(DAILY))).frame == bars(2.0)
    await store.close()


async def test_work_past_its_deadline_is_interrupted_and_the_store_goes_on() -> None:
    session = Session(":memory:", {}, deadline=0.05, inline=False)
    await session.open()
    with pytest.raises(StoreUnavailable, match=r"gave up after 0\.05 s"):
        await session.run(lambda c: c.execute(FOREVER).fetchall())
    assert await session.run(lambda c: c.execute("SELECT 1").fetchall()) == [(1,)]
    await session.close()


@pytest.mark.parametrize("limit", ["4MB", "8MB"])
async def test_what_needs_more_memory_than_is_allowed_is_refused_with_the_setting_and_the_store_goes_on(
    tmp_path: Path, limit: str
) -> None:
    store = await opened(tmp_path / "store.duckdb", memory_limit=limit)
    rows = 100_000
    table = pa.table(
        {
            "symbol": [f"S{n % 50}" for n in range(rows)],
            "ts": pa.array(range(rows), pa.timestamp("us", "UTC")),
            "sequence": range(rows),
            "price": [1.0 + n for n in range(rows)],
            "size": [1.0] * rows,
        }
    )
    with pytest.raises(StoreBusy, match=r"nothing was written: ask for less at a time, or raise store\.memory_limit"):
        await put(store, Frame.from_arrow("trades", table), "much")
    await put(store, bars(1.0), "little")
    assert (await store.read(Query(Dimension.DAILY_BARS))).frame.num_rows == 1
    assert (await store.read(Query(Dimension.TRADES))).frame.num_rows == 0
    await store.close()


async def test_a_cancelled_caller_stops_its_work_at_once() -> None:
    session = Session(":memory:", {}, deadline=60.0, inline=False)
    await session.open()
    with anyio.fail_after(10), anyio.move_on_after(0.05) as scope:
        await session.run(lambda c: c.execute(FOREVER).fetchall())
    assert scope.cancelled_caught
    assert await session.run(lambda c: c.execute("SELECT 1").fetchall()) == [(1,)]
    await session.close()


async def test_callers_take_turns_and_one_that_waits_too_long_is_told() -> None:
    session = Session(":memory:", {}, deadline=0.05, inline=False)
    await session.open()
    errors: list[str] = []

    async def work() -> None:
        with pytest.raises(StoreUnavailable) as refused:
            await session.run(lambda c: c.execute(FOREVER).fetchall())
        errors.append(str(refused.value))

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        group.start_soon(work)
    assert len(errors) == 2
    await session.close()


class LostCommit:
    """A connection whose COMMIT is not answered."""

    def begin(self) -> None:
        pass

    def commit(self) -> None:
        raise duckdb.IOException("disk gone")


def test_a_commit_that_fails_is_an_unknown_outcome() -> None:
    with pytest.raises(UnknownOutcome, match="disk gone; look the chunk up"), transaction(LostCommit()):  # type: ignore[arg-type]
        pass


async def test_sql_can_reach_no_other_file(tmp_path: Path) -> None:
    store = await opened(":memory:")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(StoreError, match="Permission Error"):
        await store._session.run(
            lambda c: c.execute("SELECT * FROM read_csv(?)", [str(tmp_path / "secret.csv")]).fetchall()
        )
    await store.close()


def daily(closes: dict[int, float], symbol: str = "A") -> Frame:
    """Daily bars: close by day."""
    rows = [{"symbol": symbol, "ts": DAY + timedelta(days=day), "close": close} for day, close in closes.items()]
    return Frame.from_records(DAILY, rows)


async def test_each_change_that_waits_has_the_shard_of_its_symbol() -> None:
    store = await opened(":memory:")
    await put(store, Frame.concat([daily({0: 1.0}, symbol) for symbol in ("A", "B", "ÖL")]), "run")
    found = await store._session.run(lambda c: c.execute("SELECT symbol, shard FROM telemetry.outbox").fetchall())
    assert set(found) == {(symbol, shard_of(symbol)) for symbol in ("A", "B", "ÖL")}
    await store.close()


async def test_the_newest_row_is_found_where_whole_blocks_of_newer_ones_were_dropped() -> None:
    store = await opened(":memory:", inline=True)
    block = 122_880  # rows that DuckDB keeps one greatest value of
    for first in (3 * block, 2 * block):
        await put(store, ticks(first, block), f"run {first}")
    assert await store.drop(TRADES, before=DAY + timedelta(days=365), dry_run=False) == 2 * block
    await put(store, ticks(2 * block, 3), "again")
    assert (await store.read(Query(TRADES, limit=1))).frame == ticks(2 * block + 2, 1)
    assert (await store.read(Query(TRADES, ("A",), limit=1))).frame == ticks(2 * block + 2, 1)
    assert (await store.read(Query(TRADES, limit=2))).frame == ticks(2 * block + 1, 2)
    assert (await store.read(Query(TRADES, limit=9))).frame == ticks(2 * block, 3)
    await store.close()


async def test_what_a_store_has_freed_goes_back_to_the_system_and_its_log_stays_small(tmp_path: Path) -> None:
    """Each of its threads would keep what it has freed, and the rows of the log are in memory until it is folded."""
    path = tmp_path / "s.duckdb"
    store = DuckDBStore(path)
    await store.open()
    try:
        settings = "SELECT current_setting('allocator_background_threads'), current_setting('checkpoint_threshold')"
        assert await store._session.run(lambda c: c.execute(settings).fetchone()) == (True, "61.0 MiB")
    finally:
        await store.close()
