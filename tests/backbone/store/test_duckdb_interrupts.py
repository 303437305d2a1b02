"""A call that is cut short leaves a connection behind that works: whatever the moment, whoever cut it."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import duckdb
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.session import Session, transaction
from backbone.store.errors import StoreBusy, StoreError, StoreUnavailable
from backbone.store.records import Chunk, Query

START = datetime(2024, 3, 1, tzinfo=UTC)


def chunk(number: int, rows: int = 200) -> Chunk:
    frame = Frame.from_records(
        Dimension.TRADES,
        [
            {"symbol": f"S{row % 7}", "ts": START + timedelta(seconds=row), "sequence": row, "price": 1.0 + number}
            for row in range(rows)
        ],
    )
    return Chunk(ingest_id("test", frame), f"run-{number}", "test", frame)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    made = DuckDBStore(tmp_path / "b.duckdb")
    await made.open()
    await made.migrate()
    yield made
    await made.close()


@pytest.mark.slow
async def test_writes_that_are_cancelled_at_any_moment_leave_a_store_that_works(store: DuckDBStore) -> None:
    chance = random.Random(20240301)
    chunks = [chunk(number) for number in range(20)]
    cancelled = 0
    for number in range(300):
        with anyio.move_on_after(chance.uniform(0, 0.012)) as scope:
            await store.write(chunks[number % len(chunks)])
        cancelled += scope.cancelled_caught
    assert cancelled > 50
    result = await store.write(chunk(1000))
    assert result.rows == result.inserted + result.changed + result.unchanged == 200
    read = await store.read(Query(Dimension.TRADES))
    assert set(read.frame.column("price")) == {1001.0}
    assert (await store.probe()).writable


async def answer(session: Session) -> object:
    """What comes next; a machine that has much to do beside may need several tries for it."""
    for _ in range(100):
        try:
            return await session.run(lambda c: c.execute("SELECT 42").fetchall())
        except StoreBusy:
            continue
    return None


async def test_a_statement_whose_time_is_up_in_a_transaction_is_busy_and_the_next_one_works() -> None:
    session = Session(":memory:", {}, deadline=0.05, inline=False)
    await session.open()

    def endless(connection: duckdb.DuckDBPyConnection) -> None:
        with transaction(connection):
            connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)")
            connection.execute("SELECT count(*) FROM range(10000000000) a, range(1000) b").fetchall()

    for _ in range(3):
        with pytest.raises(StoreBusy, match=r"gave up after 0\.05 s and rolled back"):
            await session.run(endless)
        assert await answer(session) == [(42,)]
    await session.close()


async def test_a_transaction_that_was_left_open_is_left_behind() -> None:
    session = Session(":memory:", {}, deadline=60.0, inline=True)
    await session.open()

    def leaves_it_open(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("CREATE TABLE kept (a INTEGER)")
        connection.begin()
        connection.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreError):
        await session.run(leaves_it_open)
    assert await session.run(lambda c: c.execute("SELECT count(*) FROM kept").fetchall()) == [(0,)]
    await session.close()


@pytest.mark.parametrize(
    ("statement", "meaning"),
    [
        ("SELECT 1 +", StoreError),
        ("SELECT CAST('x' AS INTEGER)", StoreError),
        ("SELECT nextval('nowhere')", StoreError),
        ("COMMIT", StoreBusy),
        ("COPY (SELECT 1) TO '/nowhere/at/all.csv'", StoreError),
        ("SET memory_limit = '1 frog'", StoreError),
    ],
)
async def test_whatever_duckdb_complains_of_is_refused_in_one_line(statement: str, meaning: type[Exception]) -> None:
    session = Session(":memory:", {"enable_external_access": "false"}, deadline=60.0, inline=True)
    await session.open()
    with pytest.raises(meaning) as caught:
        await session.run(lambda c: c.execute(statement))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, StoreUnavailable) == issubclass(meaning, StoreUnavailable)
    assert await session.run(lambda c: c.execute("SELECT 42").fetchall()) == [(42,)]
    await session.close()


@pytest.mark.parametrize("cancelled", [True, False])
async def test_an_interrupt_that_comes_between_two_statements_is_given_again(cancelled: bool) -> None:
    session = Session(":memory:", {}, deadline=60.0 if cancelled else 0.05, inline=False)
    await session.open()
    done: list[int] = []

    def many(connection: duckdb.DuckDBPyConnection) -> None:
        for number in range(1_000_000):
            connection.execute("SELECT 1").fetchall()
            done[:] = [number]

    if cancelled:
        with anyio.move_on_after(0.05):
            await session.run(many)
    else:
        with pytest.raises(StoreBusy):
            await session.run(many)
    assert done[0] < 999_999
    assert await session.run(lambda c: c.execute("SELECT 42").fetchall()) == [(42,)]
    await session.close()
