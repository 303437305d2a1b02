"""How far rows go: the newest moment of each symbol and interval is that of a walk through all rows."""

from __future__ import annotations

import random
from datetime import timedelta

from backbone.domain import Dimension, Frame
from backbone.store.port import Store
from backbone.store.records import Latest, Query
from tests.contracts.test_store_newest import BARS, DAY, MACRO, TRADES, add, some


def walked(frame: Frame) -> list[Latest]:
    newest: dict[tuple[str, str | None], Latest] = {}
    for row in frame.to_arrow().to_pylist():
        key = (row[frame.dimension.partition_column], row.get("interval"))
        if key not in newest or newest[key].ts < row["ts"]:
            newest[key] = Latest(frame.dimension, *key, row["ts"])
    return [newest[key] for key in sorted(newest, key=lambda each: (each[0], each[1] or ""))]


async def test_the_newest_moments_are_those_of_a_walk_through_all_rows(store: Store) -> None:
    chance = random.Random(7)
    for dimension in (TRADES, BARS, MACRO):
        for number, days in enumerate((range(0, 90, 3), range(50, 60), range(61, 63), range(10))):
            await add(store, some(dimension, chance, days), f"run-{number}")
            for as_of in (None, DAY + timedelta(days=55), DAY + timedelta(days=5), DAY - timedelta(days=1)):
                rows = (await store.read(Query(dimension, end=as_of))).frame
                assert await store.latest(dimension, as_of=as_of) == walked(rows)


async def test_only_those_asked_for_are_told_of(store: Store) -> None:
    await add(store, some(TRADES, random.Random(1), range(9)), "run")
    everything = await store.latest(TRADES)
    assert [each.symbol for each in everything] == ["A", "B", "C"]
    assert await store.latest(TRADES, ["B", "NONE", "A"]) == everything[:2]
    assert await store.latest(TRADES, ["NONE"]) == []
    assert await store.latest(Dimension.QUOTES) == []


async def test_what_was_dropped_is_not_told_of(store: Store) -> None:
    await add(store, some(TRADES, random.Random(1), range(9)), "run")
    await store.drop(TRADES, before=DAY + timedelta(days=400), dry_run=False)
    assert await store.latest(TRADES) == walked((await store.read(Query(TRADES))).frame)
