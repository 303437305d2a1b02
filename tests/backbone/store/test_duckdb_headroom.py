"""An embedded store takes little memory as a rule, and all that it may where a piece of work needs more."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import duckdb
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.headroom import Headroom
from backbone.store.duckdb.session import Session
from backbone.store.errors import StoreBusy
from backbone.store.records import Chunk, Query
from backbone.store.snapshots import Parts

LITTLE, ENOUGH = "8MB", "512MB"
LIMIT = "SELECT current_setting('memory_limit')"


def many() -> Chunk:
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
    frame = Frame.from_arrow("trades", table)
    return Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame)


async def test_a_chunk_and_a_read_that_need_more_than_there_is_at_rest_are_done_once_and_whole(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "s.duckdb", memory_limit=ENOUGH, memory_at_rest=LITTLE)
    await store.open()
    await store.migrate()
    try:
        written = await store.write(many())
        assert written.inserted == 100_000
        assert (await store.read(Query(Dimension.TRADES))).frame == many().frame
    finally:
        await store.close()


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(path: Path, timer: Timer) -> AsyncIterator[Session]:
    room = Headroom(LITTLE, ENOUGH, timer=timer)
    session = Session(str(path), {"memory_limit": room.at_rest}, deadline=60.0, inline=False, headroom=room)
    await session.open()
    try:
        yield session
    finally:
        await session.close()


def needs_more(connection: duckdb.DuckDBPyConnection) -> str:
    """Work that DuckDB gives up for want of memory under the lower bound."""
    limit = limit_of(connection)
    if limit == "7.6 MiB":
        raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block of size 256.0 KiB")
    return limit


def limit_of(connection: duckdb.DuckDBPyConnection) -> str:
    return str(connection.execute(LIMIT).fetchall()[0][0])


@pytest.mark.parametrize(
    "what",
    [
        "could not allocate block of size 256.0 KiB (1.0 GiB/953.6 MiB used)",
        "failed to pin block of size 256.0 KiB (243.9 MiB/244.1 MiB used)",
    ],
)
async def test_a_commit_that_finds_too_little_is_done_again_with_more(tmp_path: Path, what: str) -> None:
    def commit(connection: duckdb.DuckDBPyConnection) -> str:
        if limit_of(connection) == "7.6 MiB":
            raise duckdb.TransactionException(f"TransactionContext Error: Failed to commit: {what}")
        return "committed"

    async with opened(tmp_path / "s.duckdb", Timer()) as session:
        assert await session.run(commit) == "committed"


async def test_the_bound_is_raised_for_what_needs_it_and_a_while_later_it_is_as_it_was(tmp_path: Path) -> None:
    timer = Timer()
    async with opened(tmp_path / "s.duckdb", timer) as session:
        assert await session.run(limit_of, "rows") == "7.6 MiB"
        assert await session.run(needs_more, "rows") == "488.2 MiB"
        timer.now = 9.9
        assert await session.run(limit_of, "survey") == "488.2 MiB"
        timer.now = 10.0
        assert await session.run(limit_of, "survey") == "488.2 MiB"  # behind it the bound is lowered
        assert await session.run(limit_of, "rows") == "7.6 MiB"


async def test_the_bound_stays_while_other_work_goes_on_under_it(tmp_path: Path) -> None:
    timer, begun, end = Timer(), threading.Event(), threading.Event()

    def goes_on(_: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        end.wait(30)

    async with opened(tmp_path / "s.duckdb", timer) as session, anyio.create_task_group() as group:
        await session.run(needs_more, "rows")
        timer.now = 20.0
        group.start_soon(session.run, goes_on, "survey")
        await anyio.to_thread.run_sync(begun.wait, 30)
        assert [await session.run(limit_of, "rows") for _ in range(2)] == ["488.2 MiB"] * 2
        end.set()


async def test_what_needs_more_than_the_most_is_tried_under_it_once_and_refused(tmp_path: Path) -> None:
    seen: list[str] = []

    def never_enough(connection: duckdb.DuckDBPyConnection) -> None:
        seen.append(limit_of(connection))
        raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate")

    async with opened(tmp_path / "s.duckdb", Timer()) as session:
        for _ in range(2):
            with pytest.raises(StoreBusy, match="nothing was written: ask for less at a time"):
                await session.run(never_enough)
    assert seen == ["7.6 MiB", "488.2 MiB", "488.2 MiB"]


async def test_rows_in_memory_have_all_of_it_for_they_count_as_well() -> None:
    store = DuckDBStore(":memory:", memory_limit=ENOUGH, memory_at_rest=LITTLE)
    await store.open()
    await store.migrate()
    try:
        assert (await store.write(many())).inserted == 100_000
        assert (await store.read(Query(Dimension.TRADES))).frame == many().frame
    finally:
        await store.close()


async def test_memory_goes_back_while_a_transaction_is_open_and_the_bound_stays(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.duckdb", Timer()) as session:
        lane = session.apart(60.0)

        def within(connection: duckdb.DuckDBPyConnection) -> list[str]:
            connection.begin()
            numbers = []
            for _ in range(2):
                numbers.append(str(connection.execute("SELECT txid_current()").fetchall()))
                lane.give_back()
            connection.rollback()
            return [*numbers, limit_of(connection)]

        before, behind, limit = await lane.run(within)
        assert (before == behind, limit) == (True, "7.6 MiB")
        assert await session.run(needs_more, "rows") == "488.2 MiB"
        assert (await lane.run(within))[-1] == "488.2 MiB"


async def test_what_a_page_of_many_rows_freed_goes_back_before_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: list[int] = []
    monkeypatch.setattr(Headroom, "give_back", lambda *_: returned.append(1))
    store = DuckDBStore(tmp_path / "s.duckdb")
    await store.open()
    await store.migrate()
    try:
        await store.write(many())
        snapshot = (await store.open_snapshot("export", 60.0)).name
        (facts,) = await store.find_parts(snapshot, Parts(Dimension.TRADES, period="all", by_symbol=False))
        returned.clear()
        for limit in (1, 100_000):
            await store.read_part(snapshot, facts.part, limit=limit)
            await store.sum_part(snapshot, facts.part, limit=limit)
        assert len(returned) == 2
    finally:
        await store.close()


def blocks_of(connection: duckdb.DuckDBPyConnection) -> int:
    query = "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
    return int(connection.execute(query).fetchall()[0][0])


def test_blocks_are_kept_while_others_are_at_work_who_would_find_no_memory(tmp_path: Path) -> None:
    headroom = Headroom("256MB", "512MB", timer=Timer())
    with duckdb.connect(tmp_path / "s.duckdb", config={"memory_limit": headroom.at_rest}) as connection:
        connection.execute("CREATE TABLE t AS SELECT random() AS x FROM range(6_000_000); CHECKPOINT")
        with headroom.work(connection):
            with headroom.work(connection.cursor()):
                connection.execute("SELECT sum(x) FROM t").fetchall()
                headroom.give_back(connection)
                assert blocks_of(connection) > 40_000_000
            headroom.give_back(connection)
            assert blocks_of(connection) < 20_000_000


def test_of_blocks_that_were_read_few_are_kept_but_while_somebody_needs_much(tmp_path: Path) -> None:
    headroom = Headroom("256MB", "512MB", timer=Timer())
    with duckdb.connect(tmp_path / "s.duckdb", config={"memory_limit": headroom.at_rest}) as connection:
        connection.execute("CREATE TABLE t AS SELECT random() AS x FROM range(6_000_000); CHECKPOINT")
        before = limit_of(connection)
        for raised, kept in ((False, 20_000_000), (True, 512_000_000)):
            if raised:
                headroom.raise_(connection)
            connection.execute("SELECT sum(x) FROM t").fetchall()
            assert blocks_of(connection) > 40_000_000
            headroom.give_back(connection)
            assert (blocks_of(connection) > 40_000_000) is raised
            assert blocks_of(connection) < kept
            assert (limit_of(connection) == before) is not raised


def test_a_store_that_is_read_now_and_then_keeps_few_blocks_for_longer_than_half_a_minute(tmp_path: Path) -> None:
    timer = Timer()
    headroom = Headroom("256MB", "512MB", timer=timer)
    with duckdb.connect(tmp_path / "s.duckdb", config={"memory_limit": headroom.at_rest}) as connection:
        connection.execute("CREATE TABLE t AS SELECT random() AS x FROM range(6_000_000); CHECKPOINT")
        before, kept = limit_of(connection), []
        for seconds in (29.0, 1.0, 29.0):
            timer.now += seconds
            with headroom.work(connection):
                connection.execute("SELECT sum(x) FROM t").fetchall()
            kept.append(blocks_of(connection) > 20_000_000)
        assert (kept, limit_of(connection)) == ([True, False, True], before)
        timer.now += 1.0
        with headroom.work(connection):
            with headroom.work(connection):
                pass
            assert blocks_of(connection) > 40_000_000  # somebody is at work
        assert blocks_of(connection) < 20_000_000


def test_a_connection_that_is_of_no_use_any_more_is_passed_by(tmp_path: Path) -> None:
    timer = Timer()
    headroom = Headroom("256MB", "512MB", timer=timer)
    connection = duckdb.connect(tmp_path / "s.duckdb")
    with headroom.work(connection):
        timer.now = 31.0
        connection.close()
