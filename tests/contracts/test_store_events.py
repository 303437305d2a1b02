"""Contract of every store: events that come without a number are told apart by what they say, and get one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from backbone.domain import Dimension, Frame, decode
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.port import Store
from backbone.store.records import Chunk, Outcome, Query, WriteResult

TRADES = Dimension.TRADES
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def events_of(prices: Sequence[float], *, symbol: str = "A", second: int = 0, sequences: Sequence[int] = ()) -> Frame:
    """Trades of one moment, in the order given."""
    return Frame.from_records(
        TRADES,
        [
            {"symbol": symbol, "ts": NOON + timedelta(seconds=second), "price": price, "size": None}
            | ({"sequence": sequences[n]} if sequences else {})
            for n, price in enumerate(prices)
        ],
    )


async def write_events(store: Store, frame: Frame, nth: Sequence[int] = (), source: str = "x") -> WriteResult:
    counted = np.array(nth, np.int64).tobytes()
    return await store.write(Chunk(ingest_id(source, frame, counted), new_run_id(), source, frame, nth=counted))


async def stored_events(store: Store) -> list[tuple[int, float]]:
    table = (await store.read(Query(TRADES))).frame.to_arrow()
    return list(zip(table.column("sequence").to_pylist(), table.column("price").to_pylist(), strict=True))


async def test_events_of_one_moment_are_all_kept_also_those_that_say_the_same(store: Store) -> None:
    result = await write_events(store, events_of([2.0, 1.0, 2.0]))
    assert (result.inserted, result.unchanged) == (3, 0)
    assert await stored_events(store) == [(0, 2.0), (1, 1.0), (2, 2.0)]


async def test_another_event_of_a_moment_comes_behind_and_overwrites_nothing(store: Store) -> None:
    await write_events(store, events_of([2.0]))
    result = await write_events(store, events_of([1.0]))
    assert (result.inserted, result.changed) == (1, 0)
    assert await stored_events(store) == [(0, 2.0), (1, 1.0)]


async def test_what_comes_again_is_the_same_event_and_more_of_its_kind_are_more_events(store: Store) -> None:
    await write_events(store, events_of([2.0, 1.0]))
    assert (await write_events(store, events_of([1.0]))).unchanged == 1
    result = await write_events(store, events_of([1.0, 1.0, 3.0]))
    assert (result.inserted, result.changed, result.unchanged) == (2, 0, 1)
    assert sorted(result.outcomes) == sorted([Outcome.UNCHANGED, Outcome.INSERTED, Outcome.INSERTED])
    assert await stored_events(store) == [(0, 2.0), (1, 1.0), (2, 1.0), (3, 3.0)]


async def test_outcomes_are_told_in_the_order_of_the_rows_as_they_were_given(store: Store) -> None:
    await write_events(store, events_of([2.0]))
    result = await write_events(store, events_of([1.0, 2.0]))
    assert list(result.outcomes) == [Outcome.INSERTED, Outcome.UNCHANGED]


async def test_numbers_that_a_source_gives_stand_and_the_others_come_behind(store: Store) -> None:
    await write_events(store, events_of([2.0, 3.0], sequences=[100, 7]))
    await write_events(store, events_of([9.0]))
    assert await stored_events(store) == [(7, 3.0), (100, 2.0), (101, 9.0)]


async def test_an_event_of_the_next_chunk_of_a_run_may_be_the_second_of_its_kind(store: Store) -> None:
    await write_events(store, events_of([5.0]), [0])
    await write_events(store, events_of([5.0]), [1])
    assert await stored_events(store) == [(0, 5.0), (1, 5.0)]
    await write_events(store, events_of([5.0]), [0])
    await write_events(store, events_of([5.0]), [1])
    assert await stored_events(store) == [(0, 5.0), (1, 5.0)]


async def test_two_runs_in_one_chunk_that_give_the_same_event_give_one(store: Store) -> None:
    result = await write_events(store, events_of([5.0, 5.0]), [0, 0])
    assert (result.rows, result.inserted, result.unchanged) == (2, 1, 1)
    assert await stored_events(store) == [(0, 5.0)]


async def test_what_is_published_bears_its_number(store: Store) -> None:
    await write_events(store, events_of([2.0]))
    result = await write_events(store, events_of([1.0]))
    [row] = [row for row in await store.read_outbox(0) if row.position == result.position]
    assert decode(row.payload) == events_of([1.0], sequences=[1])


async def test_many_events_of_one_moment_and_of_many_moments_are_numbered_as_one_by_one(store: Store) -> None:
    """More rows than are sent as parameters, over what is stored already: the bulk way."""
    seeded = random.Random(7)
    model: Counter[tuple[str, int, float]] = Counter()
    for _ in range(4):
        run = [(seeded.choice("AB"), seeded.randrange(40), float(seeded.randrange(1, 4))) for _ in range(500)]
        frames = [events_of([price], symbol=symbol, second=second) for symbol, second, price in run]
        await write_events(store, Frame.concat(frames))
        model |= Counter(run)
    rows = (await store.read(Query(TRADES))).frame.to_arrow().to_pylist()
    assert Counter((row["symbol"], (row["ts"] - NOON).seconds, row["price"]) for row in rows) == model
    assert len({(row["symbol"], row["ts"], row["sequence"]) for row in rows}) == len(rows)
