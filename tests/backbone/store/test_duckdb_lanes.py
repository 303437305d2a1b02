"""Reads, probes and the outbox go beside the writer; what one lane meets concerns no other."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import duckdb
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.memory import MemoryDatabase
from backbone.store.duckdb.session import Purpose, Session, transaction
from backbone.store.errors import StoreBusy, StoreError, StoreUnavailable
from backbone.store.records import Chunk, Query

TRADES = Dimension.TRADES
DAY = datetime(2024, 1, 1, tzinfo=UTC)
FOREVER = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"


def chunk(price: float, rows: int = 40) -> Chunk:
    records = [
        {"symbol": "AB"[row % 2], "ts": DAY + timedelta(seconds=row), "sequence": 0, "price": price}
        for row in range(rows)
    ]
    frame = Frame.from_records(TRADES, records)
    return Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame)


@pytest.fixture(params=["file", "memory", "shared memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    memory = MemoryDatabase() if request.param == "shared memory" else None
    made = DuckDBStore(tmp_path / "s.duckdb" if request.param == "file" else ":memory:", memory=memory)
    await made.open()
    await made.migrate()
    yield made
    await made.close()
    if memory is not None:
        memory.close()


class Held:
    """Work that holds a lane until it is let go."""

    def __init__(self) -> None:
        self.begun, self._end = threading.Event(), threading.Event()

    def __call__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.begun.set()
        self._end.wait(30)

    def let_go(self) -> None:
        self._end.set()


@asynccontextmanager
async def at_work(store: DuckDBStore, purpose: Purpose = "writing") -> AsyncIterator[None]:
    """Something is being done for that purpose, and ends with the block."""
    held = Held()
    async with anyio.create_task_group() as group:
        group.start_soon(store._session.run, held, purpose)
        await anyio.to_thread.run_sync(held.begun.wait)
        yield
        held.let_go()


QUESTIONS: dict[str, Callable[[DuckDBStore], Awaitable[Any]]] = {
    "read": lambda store: store.read(Query(TRADES, ("A",))),
    "probe": lambda store: store.probe(),
    "read_outbox": lambda store: store.read_outbox(0),
    "outbox_status": lambda store: store.outbox_status(),
    "advance": lambda store: store.advance("stream", 0, 1, 1),
    "lookup": lambda store: store.lookup("run", "chunk"),
    "coverage": lambda store: store.coverage(TRADES),
    "prune, dry run": lambda store: store.prune(outbox_before=DAY),
    "drop, dry run": lambda store: store.drop(TRADES, before=DAY),
}


async def test_what_only_reads_does_not_wait_for_what_is_being_written(store: DuckDBStore) -> None:
    await store.write(chunk(1.0))
    async with at_work(store):
        for name, asked in QUESTIONS.items():
            with anyio.move_on_after(20) as waiting:
                await asked(store)
            assert not waiting.cancelled_caught, name


async def test_nor_for_a_sum_over_all_that_is_stored(store: DuckDBStore) -> None:
    async with at_work(store, "survey"):
        with anyio.fail_after(20):
            for name in ("read", "probe", "read_outbox", "advance"):
                await QUESTIONS[name](store)
            await store.write(chunk(1.0))


async def test_a_long_read_does_not_hold_up_a_short_one(store: DuckDBStore) -> None:
    async with at_work(store, "rows"):
        with anyio.fail_after(20):
            await store.read(Query(TRADES))
            await store.read(Query(TRADES))


async def test_a_read_beside_commits_has_rows_of_one_moment_and_no_newer_position(store: DuckDBStore) -> None:
    written, answers, ended = dict[int, float](), list[tuple[int, float]](), anyio.Event()

    async def write() -> None:
        for number in range(40):
            result = await store.write(chunk(float(number)))
            written[result.position] = float(number)
        ended.set()

    async def read() -> None:
        while not ended.is_set():
            answer = await store.read(Query(TRADES))
            prices = set(answer.frame.column("price"))
            assert len(prices) == (1 if answer.position else 0)
            if answer.position:
                answers.append((answer.position, prices.pop()))

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        for _ in range(3):
            group.start_soon(read)
    assert answers
    assert all(price >= written[position] for position, price in answers)


async def test_who_has_written_reads_it_in_any_lane(store: DuckDBStore) -> None:
    for number in range(20):
        result = await store.write(chunk(float(number)))
        for _ in range(3):
            answer = await store.read(Query(TRADES))
            assert (answer.position, set(answer.frame.column("price"))) == (result.position, {float(number)})
        assert (await store.outbox_status()).newest == result.position


async def test_closing_waits_for_what_is_written_and_interrupts_what_is_read(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "s.duckdb")
    await store.open()
    await store.migrate()
    begun = threading.Event()
    refused: list[str] = []

    def endless(connection: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        connection.execute(FOREVER).fetchall()

    async def read() -> None:
        with pytest.raises(StoreUnavailable) as caught:
            await store._session.run(endless, "rows")
        refused.append(str(caught.value))

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.to_thread.run_sync(begun.wait)
        with anyio.fail_after(20):
            await store.close()
    assert "was closed" in refused[0]
    await store.open()
    assert (await store.probe()).writable
    await store.close()


@pytest.mark.parametrize("purpose", ["writing", "rows", "survey", "delivery"])
async def test_a_lane_that_met_an_error_works_again_and_the_others_never_knew(purpose: Any) -> None:
    session = Session(":memory:", {}, deadline=0.2, inline=False)
    await session.open()
    await session.run(lambda c: c.execute("CREATE TABLE t (a INTEGER)"))

    def endless(connection: duckdb.DuckDBPyConnection) -> None:
        with transaction(connection):
            connection.execute("INSERT INTO t VALUES (1)")
            connection.execute(FOREVER).fetchall()

    def broken(connection: duckdb.DuckDBPyConnection) -> None:
        connection.begin()
        connection.execute("SELECT 'x'::INTEGER").fetchall()

    for work, meaning in ((endless, StoreBusy), (broken, StoreError)):
        with pytest.raises(meaning):
            await session.run(work, purpose)
        for each in ("writing", "rows", "rows", "survey", "delivery"):
            assert await session.run(lambda c: c.execute("SELECT count(*) FROM t").fetchall(), each) == [(0,)]
    await session.close()


@pytest.mark.parametrize("kind", ["file", "shared memory"])
async def test_what_a_killed_store_was_writing_never_comes_in_behind_the_back_of_the_next_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first interrupt comes between two statements and is lost; the second one finds the transaction at its end."""
    memory = MemoryDatabase() if kind == "shared memory" else None
    path = tmp_path / "s.duckdb" if kind == "file" else ":memory:"
    held, looks = Held(), list[None]()

    def timer() -> float:
        looks.append(None)
        if len(looks) == 2:  # rows, ledger and outbox are written, and the transaction not committed
            held(None)  # type: ignore[arg-type]
        return 0.0

    killed, following = (DuckDBStore(path, memory=memory, timer=each) for each in (timer, lambda: 0.0))
    await killed.open()
    await killed.migrate()
    interrupts = list[None]()

    def interrupt() -> None:
        interrupts.append(None)
        if len(interrupts) == 2:
            held.let_go()

    monkeypatch.setattr(killed._session._lanes["writing"][0], "_interrupt", interrupt)

    async def write() -> None:
        with suppress(StoreError):
            await killed.write(chunk(1.0))

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await anyio.to_thread.run_sync(held.begun.wait)
        killed.let_go()
        await following.open()
        await following.migrate()
        other = Frame.from_records(TRADES, [{"symbol": "C", "ts": DAY, "sequence": 0, "price": 1.0}])
        await following.write(Chunk(ingest_id("csv", other), new_run_id(), "csv", other))
        read = [each.position for each in await following.read_outbox(0)]
        held.let_go()
    await following.write(chunk(1.0))
    stored = await following._session.run(lambda c: c.execute("SELECT count(*) FROM market_data.trades").fetchall())
    assert stored == [(41,)]
    assert [each.position for each in await following.read_outbox(0)][: len(read)] == read
    await following.close()
    if memory is not None:
        memory.close()


@pytest.mark.parametrize("kind", ["file", "memory", "shared memory"])
async def test_a_killed_store_that_was_reading_is_let_go_of_and_its_file_closed_behind_what_it_read(
    kind: str, tmp_path: Path
) -> None:
    """DuckDB refuses to close what is at work."""
    memory = MemoryDatabase() if kind == "shared memory" else None
    path = tmp_path / "s.duckdb" if kind == "file" else ":memory:"
    killed, following, held = DuckDBStore(path, memory=memory), DuckDBStore(path, memory=memory), Held()
    await killed.open()
    await killed.migrate()

    def look(row: int) -> int:
        held(None)  # type: ignore[arg-type]
        return row

    def read(connection: duckdb.DuckDBPyConnection) -> None:
        connection.create_function("look", look, ["BIGINT"], "BIGINT")
        connection.execute("SELECT look(range) FROM range(1)").fetchall()

    async def reading() -> None:
        with suppress(StoreError):
            await killed._session.run(read, "rows")

    async with anyio.create_task_group() as group:
        group.start_soon(reading)
        await anyio.to_thread.run_sync(held.begun.wait)
        killed.let_go()
        await following.open()
        await following.migrate()
        await following.write(chunk(1.0))
        following.let_go()
        if memory is not None:
            memory.close()
        held.let_go()
    if kind == "file":
        await anyio.to_thread.run_sync(killed._session._lanes["rows"][0]._thread.shutdown)  # type: ignore[union-attr]
        duckdb.connect(path, read_only=True).close()  # refused while the file is open for writing
