"""What the writer remembers instead of asking is right after everything that can go wrong, and stores come and go.

FUZZ_SEEDS=100 .venv/bin/pytest -q -n 2 tests/backbone/store/test_duckdb_known.py
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.memory import MemoryDatabase
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection
from backbone.store.errors import StoreError, UnknownOutcome
from backbone.store.records import Chunk, Query, WriteResult

DAY = datetime(2024, 1, 1, tzinfo=UTC)
BARS = Dimension.INTRADAY_BARS
Model = dict[tuple[str, int], float]
SEEDS = range(int(os.environ.get("FUZZ_SEEDS", "3")))
WRITTEN = "backbone.store.duckdb.writing.transaction"


def frame_of(rows: Model) -> Frame:
    return Frame.from_records(
        BARS,
        [
            {"symbol": symbol, "interval": "1h", "ts": DAY + timedelta(hours=hour), "close": close}
            for (symbol, hour), close in rows.items()
        ],
    )


def chunk_of(rows: Model) -> Chunk:
    frame = frame_of(rows)
    return Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    """A transaction that meets a bad value at its end."""
    with transaction(connection):
        yield
        connection.execute("SELECT 'x'::INTEGER").fetchall()


@contextmanager
def cut_short(connection: Connection) -> Iterator[None]:
    """A transaction that a bug ends."""
    with transaction(connection):
        yield
        raise RuntimeError("a bug")


@contextmanager
def lost(connection: Connection) -> Iterator[None]:
    """A transaction that commits, and nobody is told."""
    with transaction(connection):
        yield
    raise UnknownOutcome("COMMIT failed: the answer was lost")


@contextmanager
def failed(connection: Connection) -> Iterator[None]:
    """A transaction that does not commit, and nobody is told."""
    connection.begin()
    yield
    connection.rollback()
    raise UnknownOutcome("COMMIT failed: the answer was lost")


@contextmanager
def interrupted(connection: Connection) -> Iterator[None]:
    """A transaction that is interrupted at its end, and can't be rolled back."""
    connection.begin()
    yield
    raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")


FAULTS = (rolled_back, cut_short, lost, failed, interrupted)


class Stores:
    """Stores on one database, one after the other."""

    def __init__(self, path: Path | None) -> None:
        self._memory = MemoryDatabase(attached=True)
        self._path = ":memory:" if path is None else str(path)
        self.now: DuckDBStore

    async def another(self) -> None:
        """The next one; the one before is closed where only one may have the file open."""
        if self._path != ":memory:" and hasattr(self, "now"):
            await self.now.close()
        self.now = DuckDBStore(self._path, memory=self._memory, inline=True)
        await self.now.open()
        await self.now.migrate()

    async def close(self) -> None:
        await self.now.close()
        self._memory.close()


async def unique_and_rising(store: DuckDBStore, written: list[WriteResult]) -> None:
    """Numbers never come twice, and positions rise in the order of commits."""
    rows = await store.read_outbox(0, 10_000)
    positions = [row.position for row in rows]
    assert positions == sorted(set(positions))
    assert len({row.event_id for row in rows}) == len(rows)
    assert [row.revision for row in rows] == sorted(row.revision for row in rows)
    told = [result.position for result in written if result.outbox_rows]
    assert told == sorted(set(told))
    assert set(told) <= set(positions)


async def write_and_compare(store: DuckDBStore, rows: Model, model: Model) -> WriteResult:
    before = (await store.outbox_status()).newest
    result = await store.write(chunk_of(rows))
    assert result.inserted == sum(key not in model for key in rows)
    assert result.changed == sum(model.get(key, close) != close for key, close in rows.items())
    assert result.after == before
    assert list(result.outbox) == await store.read_outbox(before)
    model.update(rows)
    return result


async def play(seed: int, path: Path | None, patch: Callable[[str, object], None]) -> None:
    chance, stores, model, written = random.Random(seed), Stores(path), Model(), list[WriteResult]()
    await stores.another()
    end = 0
    for _ in range(30):
        store, step = stores.now, chance.random()
        end += chance.randrange(2)
        hours = [end] if step < 0.5 else [chance.randrange(end + 3) for _ in range(chance.choice([1, 3, 12]))]
        rows = {(chance.choice("AB"), hour): float(chance.randrange(3)) for hour in hours}
        if step < 0.7:
            written.append(await write_and_compare(store, rows, model))
        elif step < 0.85:
            chunk = chunk_of(rows)
            patch(WRITTEN, fault := chance.choice(FAULTS))
            with pytest.raises((StoreError, RuntimeError)):
                await store.write(chunk)
            patch(WRITTEN, transaction)
            if fault is lost:
                model.update(rows)
            again = await store.write(chunk)
            assert again.known == (fault is lost or (again.outbox_rows == 0 and not again.outcomes))
            model.update(rows)
        elif step < 0.88:
            await stores.now.prune(dry_run=False)
        elif step < 0.92:
            before = chance.randrange(end + 1)
            await store.drop(BARS, before=DAY + timedelta(hours=before), dry_run=False)
            model = {key: close for key, close in model.items() if key[1] >= before}
        else:
            await stores.another()
        frame = (await stores.now.read(Query(BARS))).frame
        assert frame == (frame_of(model) if model else Frame.empty(BARS)), seed
    await unique_and_rising(stores.now, written)
    await stores.close()


@pytest.mark.parametrize(("seed", "kept"), [(seed, "file" if seed % 3 == 2 else "memory") for seed in SEEDS])
def test_whatever_fails_and_whoever_comes_next_rows_and_numbers_are_right(
    seed: int, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbone.store.duckdb.ledger.KEPT", 2)
    asyncio.run(play(seed, tmp_path / "s.duckdb" if kept == "file" else None, monkeypatch.setattr))


async def test_two_stores_on_rows_in_memory_take_turns_and_know_what_the_other_wrote() -> None:
    memory = MemoryDatabase(attached=True)
    stores = [DuckDBStore(":memory:", memory=memory, inline=True) for _ in range(2)]
    for store in stores:
        await store.open()
        await store.migrate()
    model, written = Model(), list[WriteResult]()
    for hour in range(12):
        written.append(await write_and_compare(stores[hour % 2], {("A", hour // 3): float(hour)}, model))
    await unique_and_rising(stores[0], written)
    for store in stores:
        await store.close()
    memory.close()


async def test_numbers_go_on_behind_those_of_before_a_crash(tmp_path: Path) -> None:
    first, copy = DuckDBStore(tmp_path / "a.duckdb", inline=True), tmp_path / "b.duckdb"
    await first.open()
    await first.migrate()
    written = [await first.write(chunk_of({("A", hour): 1.0})) for hour in range(3)]
    for ending in ("", ".wal"):
        copy.with_name(copy.name + ending).write_bytes((tmp_path / f"a.duckdb{ending}").read_bytes())
    await first.close()
    second = DuckDBStore(copy, inline=True)
    await second.open()
    written += [await second.write(chunk_of({("A", hour): 2.0})) for hour in range(2, 5)]
    await unique_and_rising(second, written)
    assert len(await second.read_outbox(0)) == 6
    await second.close()


async def test_a_chunk_of_more_symbols_than_are_left_in_a_block_has_numbers_that_rise(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "a.duckdb", inline=True)
    await store.open()
    await store.migrate()
    written = [await store.write(chunk_of({("A", 0): 1.0}))]
    written.append(await store.write(chunk_of({(f"S{n:04}", 0): 1.0 for n in range(1100)})))
    written.append(await store.write(chunk_of({("A", 1): 1.0})))
    await unique_and_rising(store, written)
    assert written[1].outbox_rows == 1100
    assert written[1].outbox == ()
    await store.close()


@pytest.mark.parametrize(("rows", "handed_on"), [(8_192, True), (80_000, False)])
async def test_what_a_piece_of_a_file_publishes_need_not_be_read_again(
    tmp_path: Path, rows: int, handed_on: bool
) -> None:
    """What a whole chunk publishes is not kept in memory."""
    store = DuckDBStore(tmp_path / "a.duckdb", inline=True)
    await store.open()
    await store.migrate()
    written = await store.write(chunk_of({("A", hour): hour / 7 for hour in range(rows)}))
    assert list(written.outbox) == (await store.read_outbox(0) if handed_on else [])
    await store.close()


async def test_a_run_that_comes_again_is_answered_from_the_journal_also_by_another_store(tmp_path: Path) -> None:
    chunk, later = chunk_of({("A", 0): 1.0}), chunk_of({("A", 0): 2.0})
    for number in range(3):
        store = DuckDBStore(tmp_path / "a.duckdb", inline=True)
        await store.open()
        await store.migrate()
        results = [await store.write(each) for each in (chunk, later, chunk)]
        assert [result.known for result in results] == ([True] * 3 if number else [False, False, True])
        assert (await store.read(Query(BARS))).frame == later.frame
        await store.close()


async def test_pruning_makes_one_ledger_entry_of_many_small_ones_and_nothing_is_taken_for_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbone.store.duckdb.ledger.KEPT", 5)
    path, model = tmp_path / "a.duckdb", Model()
    store = DuckDBStore(path, inline=True)
    await store.open()
    await store.migrate()
    for hour in range(0, 40, 2):
        await write_and_compare(store, {("A", hour): 1.0}, model)
    await write_and_compare(store, {("B", 0): 1.0}, model)
    await store.prune(dry_run=False)
    await store.close()
    with duckdb.connect(str(path)) as file:
        found = file.execute("SELECT symbol, count(*) FROM telemetry.ledger GROUP BY 1 ORDER BY 1").fetchall()
    assert found == [("A", 6), ("B", 1)]
    await store.open()
    for rows in ({("A", 0): 1.0}, {("A", 3): 1.0}, {("A", 4): 2.0}, {("A", 38): 1.0}, {("A", 50): 1.0}):
        await write_and_compare(store, rows, model)
    assert (await store.read(Query(BARS))).frame == frame_of(model)
    await store.close()
