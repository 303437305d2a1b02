"""Rows compared by their keys first come to the same as rows compared at once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.records import Chunk, Outcome, Query, WriteResult

DAY = datetime(2024, 1, 1, tzinfo=UTC)
TRADES = Dimension.TRADES
Key = tuple[str, int, int]
Rows = dict[Key, float | None]


@pytest.fixture
async def store() -> AsyncIterator[DuckDBStore]:
    store = DuckDBStore(":memory:", inline=True)
    await store.open()
    await store.migrate()
    yield store
    await store.close()


def frame_of(rows: Rows) -> Frame:
    return Frame.from_records(
        TRADES,
        [
            {"symbol": symbol, "ts": DAY + timedelta(minutes=minute), "sequence": sequence, "price": price}
            for (symbol, minute, sequence), price in rows.items()
        ],
    )


async def write(store: DuckDBStore, rows: Rows, run: str) -> WriteResult:
    frame = frame_of(rows)
    return await store.write(Chunk(ingest_id(run, frame), run, run, frame))


def told(model: Rows, rows: Rows) -> list[Outcome]:
    return [
        Outcome.INSERTED if key not in model else Outcome.UNCHANGED if model[key] == price else Outcome.CHANGED
        for key, price in sorted(rows.items())
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_few_rows_among_many_are_told_apart_as_a_dictionary_does(store: DuckDBStore, seed: int) -> None:
    """Missing, equal and other ones, of symbols and moments that are stored and that are not."""
    chance = random.Random(seed)
    model: Rows = {
        (symbol, minute, sequence): float(minute)
        for symbol in "ABC"
        for minute in range(0, 600, 2)
        for sequence in range(3)
    }
    await write(store, model, "many")
    for step in range(8):
        stored = chance.sample(sorted(model), chance.choice([0, 1, 60]))
        rows: Rows = {key: model[key] if chance.random() < 0.5 else chance.choice([None, -1.0]) for key in stored}
        rows |= {
            (chance.choice("ABCD"), chance.randrange(620), chance.randrange(5)): chance.choice([None, 1.0])
            for _ in range(chance.choice([20, 80, 200]))
        }
        result = await write(store, rows, f"step {step}")
        assert list(result.outcomes) == told(model, rows)
        model |= rows
    assert (await store.read(Query(TRADES))).frame == frame_of(model)


async def test_former_versions_of_few_corrected_rows_among_many_are_kept(store: DuckDBStore) -> None:
    many: Rows = {("A", minute, 0): 1.0 for minute in range(1000)}
    first = await write(store, many, "many")
    known_at = datetime.now(UTC)
    corrected: Rows = {("A", 10 * n, 0): 2.0 for n in range(60)}
    result = await write(store, corrected | {("A", 3, 7): 3.0}, "corrected")
    assert (first.inserted, result.inserted, result.changed, result.unchanged) == (1000, 1, 60, 0)
    assert (await store.read(Query(TRADES, as_of=known_at))).frame == frame_of(many)
    assert (await store.read(Query(TRADES))).frame == frame_of(many | corrected | {("A", 3, 7): 3.0})
