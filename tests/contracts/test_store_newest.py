"""The newest rows: whatever bounds a store keeps for itself, they are those of a plain walk through all rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.port import Store
from backbone.store.records import Chunk, Query

BARS, TRADES, MACRO = Dimension.INTRADAY_BARS, Dimension.TRADES, Dimension.MACRO_EVENTS
DAY = datetime(2024, 1, 1, tzinfo=UTC)
_PLACES: dict[Dimension, dict[str, list[object]]] = {
    TRADES: {"symbol": ["A", "B", "C"], "sequence": [0, 1]},
    BARS: {"symbol": ["A", "B"], "interval": ["1m", "5m", "1h"]},
    MACRO: {"calendar": ["FRED", "ECB"], "event": ["GDP", "CPI"]},
}


def some(dimension: Dimension, chance: random.Random, days: range) -> Frame:
    """Rows at random, many of them of the same moments."""
    number = next(name for name in dimension.values if dimension.kinds[name] == "double")
    rows = [
        {
            **{name: chance.choice(among) for name, among in _PLACES[dimension].items()},
            "ts": DAY + timedelta(days=chance.choice(days), minutes=chance.randrange(3)),
            number: chance.choice([None, chance.random()]),
        }
        for _ in range(30)
    ]
    return Frame.from_records(dimension, rows)


async def add(store: Store, frame: Frame, run_id: str) -> None:
    await store.write(Chunk(ingest_id("csv", frame), run_id, "csv", frame))


def queries(dimension: Dimension, chance: random.Random) -> list[Query]:
    """Shapes at random, each twice: the second may be answered by what was learnt from the first."""
    symbols: list[tuple[str, ...]] = [(), ("A",), ("FRED",), ("A", "B"), ("B", "NONE"), ("A", "A")]
    intervals = [None, "5m"] if dimension is BARS else [None]
    edges = [(None, None), (DAY + timedelta(days=20), None), (None, DAY + timedelta(days=40))]
    every = [
        Query(dimension, chosen, interval, start, end, limit)
        for chosen in symbols
        for interval in intervals
        for start, end in edges
        for limit in (1, 7, chance.randrange(2, 60), 1000)
    ]
    return chance.sample(every, 8) * 2


async def test_the_newest_rows_are_those_of_a_walk_through_all(store: Store) -> None:
    chance = random.Random(11)
    for dimension in (TRADES, BARS, MACRO):
        everything = Frame.empty(dimension)
        for number, days in enumerate((range(0, 60, 3), range(50, 60), range(61, 63), range(10))):
            frame = some(dimension, chance, days)
            everything = Frame.concat([everything, frame])
            await add(store, frame, f"run {number}")
            for query in queries(dimension, chance):
                wanted = everything.select(query.symbols or None, query.start, query.end, query.interval)
                got = (await store.read(query)).frame
                assert got == wanted.newest(query.limit or 0), query
