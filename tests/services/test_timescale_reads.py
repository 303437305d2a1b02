"""Reads on the real server: as of a moment, and beyond what one statement gives."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame, codec
from backbone.domain.clock import to_us
from backbone.quality.resample import resample
from backbone.quality.sessions import CALENDARS
from backbone.store.records import Bucket, Query
from backbone.store.timescale import TimescaleStore
from backbone.store.timescale.locks import writing
from tests.services.stores import (
    DAY,
    TRADES,
    bare,
    chunk,
    empty,
    opened,
    until_somebody_waits,
)

START = datetime(2024, 6, 1, tzinfo=UTC)


class Clock:
    """The wall clock by which rows are stamped."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(dsn: str, clock: Clock) -> AsyncIterator[TimescaleStore]:
    await empty(dsn)
    async with opened(dsn, clock=clock) as store:
        yield store


def some(chance: random.Random) -> Frame:
    rows = [
        {
            "symbol": chance.choice("ABC"),
            "ts": DAY + timedelta(days=chance.randrange(4)),
            "sequence": chance.randrange(3),
            "price": chance.choice([None, 1.0, 2.0, chance.random()]),
        }
        for _ in range(12)
    ]
    return Frame.from_records(TRADES, rows)


async def test_as_of_any_moment_the_rows_are_those_that_stood_then(store: TimescaleStore, clock: Clock) -> None:
    chance = random.Random(7)
    stood = {START - timedelta(seconds=1): Frame.empty(TRADES)}
    for number in range(12):
        clock.now = START + timedelta(minutes=number)
        frame = some(chance)
        await store.write(chunk(frame, f"run {number}"))
        stood[clock.now] = Frame.concat([*list(stood.values())[-1:], frame])
    for at, frame in stood.items():
        for symbols in ((), ("A",), ("A", "C")):
            for limit in (None, 1, 5, 100):
                for start in (None, DAY + timedelta(days=2)):
                    query = Query(TRADES, symbols, start=start, limit=limit, as_of=at)
                    wanted = frame.select(symbols or None, start)
                    wanted = wanted if limit is None else wanted.newest(limit)
                    assert (await store.read(query)).frame == wanted, query


@pytest.mark.parametrize("rows", [2_047, 2_048, 2_049, 8_192, 65_536, 65_537])
async def test_rows_beyond_a_page_come_like_the_others(
    store: TimescaleStore, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr("backbone.store.timescale.reading.PAGE_ROWS", 32_768)
    moments = [DAY + timedelta(seconds=second) for second in range(rows)]
    frame = Frame.from_records(
        Dimension.QUOTES,
        [
            {"symbol": "AB"[number % 2], "ts": ts, "sequence": 0, "bid": float(number)}
            for number, ts in enumerate(moments)
        ],
    )
    position = (await store.write(chunk(frame, "run"))).position
    for symbols in ((), ("A",), ("A", "B")):
        found = await store.read(Query(Dimension.QUOTES, symbols))
        assert found.frame == frame.select(symbols or None)
        assert 0 < found.position <= position
        limited = await store.read(Query(Dimension.QUOTES, symbols, limit=rows - 1))
        assert limited.frame == frame.select(symbols or None).newest(rows - 1)


async def test_what_somebody_s_sql_put_there_comes_in_canonical_form(dsn: str, store: TimescaleStore) -> None:
    values = ["'NaN'", "'-0'", "NULL", "'Infinity'"]
    async with bare(dsn) as other:
        for n, value in enumerate(values):
            await other.execute(_FOREIGN.format(symbol="A", second=n, price=value))
    for query in (Query(TRADES, ("A",)), Query(TRADES), Query(TRADES, ("A",), limit=9), Query(TRADES, as_of=START)):
        frame = (await store.read(query)).frame
        assert codec.decode(codec.encode(frame)) == frame  # who has no checksum looks at every value
        assert frame.to_arrow().column("price").to_pylist() == [None, 0.0, None, float("inf")]


@pytest.mark.parametrize("query", [Query(TRADES), Query(TRADES, ("",))])
async def test_what_no_frame_may_hold_is_refused(dsn: str, store: TimescaleStore, query: Query) -> None:
    async with bare(dsn) as other:
        await other.execute(_FOREIGN.format(symbol="", second=0, price="1"))
    with pytest.raises(ValueError, match="empty text given"):
        await store.read(query)


_FOREIGN = """
    INSERT INTO market_data.trades (symbol, ts, sequence, price, source, ingest_id, revision, ingested_at)
    VALUES ('{symbol}', '2024-01-01 00:00:0{second}+00', 0, {price}, 'sql', 'x', 1, '2024-01-01 00:00:00+00')
"""


async def test_first_and_last_of_a_bar_hold_where_its_rows_are_more_than_the_server_sorts_in_memory(
    store: TimescaleStore,
) -> None:
    """What is sorted on disk by bucket alone comes out of order within one."""
    chance = np.random.default_rng(4)
    rows = np.arange(600_000)
    moments = pa.array(to_us(DAY) + rows // 3 * 1000).cast(pa.timestamp("us", "UTC"))
    prices = {"ts": moments, "sequence": rows % 3, "price": chance.random(len(rows)), "size": rows % 7}
    trades = Frame.from_arrow(TRADES, pa.table({"symbol": pa.repeat("A", len(rows)), **prices}))
    for part in range(4):
        await store.write(chunk(trades.slice(part * 150_000, 150_000), "run"))
    made = await store.read(Query(TRADES, ("A",), start=DAY, bucket=Bucket("1m", 60_000_000, 0, 1)))
    assert made.frame == resample(trades, "trades", "1m", lambda _: CALENDARS["24x7"])


async def test_who_waits_for_another_writer_is_known_from_their_turn_on_and_not_from_when_they_came(
    dsn: str, store: TimescaleStore, clock: Clock
) -> None:
    former, later = (
        Frame.from_records(TRADES, [{"symbol": "A", "ts": DAY, "sequence": 0, "price": price}]) for price in (1.0, 2.0)
    )
    await store.write(chunk(former, "former"))
    async with bare(dsn) as blocker, anyio.create_task_group() as group:
        await blocker.execute(f"BEGIN; {writing(TRADES, ['A'], ('', ''))}")
        group.start_soon(store.write, chunk(later, "later"))
        await until_somebody_waits(dsn)
        clock.now = START + timedelta(hours=1)
        await blocker.execute("COMMIT")
    for minutes, stood in ((0, former), (30, former), (60, later)):
        at = START + timedelta(minutes=minutes)
        assert (await store.read(Query(TRADES, as_of=at))).frame == stood, at
