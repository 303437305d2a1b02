"""What keeping mended rows means, whoever stores them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.errors import FencedOut
from backbone.store.port import Store
from backbone.store.records import Chunk, Query, RepairRow

BARS = Dimension.DAILY_BARS
DAY = datetime(2024, 1, 1, tzinfo=UTC)


def mended_chunk(closes: dict[int, float], mended: dict[int, float], run_id: str = "run", source: str = "csv") -> Chunk:
    """Daily bars, some of which were given as other prices: closes by day."""
    frame = Frame.from_records(
        BARS, [{"symbol": "VOD.L", "ts": DAY + timedelta(days=day), "close": close} for day, close in closes.items()]
    )
    repairs = tuple(repair(day, given, closes[day]) for day, given in mended.items())
    return Chunk(ingest_id(source, frame), run_id, source, frame, repairs=repairs)


def repair(day: int, original: float, repaired: float) -> RepairRow:
    return RepairRow(
        dimension=BARS,
        symbol="VOD.L",
        interval="",
        ts=DAY + timedelta(days=day),
        rules="unit",
        why="its prices are 1/100 of those of other bars",
        original={"close": original, "adj_close": None},
        repaired={"close": repaired, "adj_close": 1.5},
    )


async def test_a_mended_row_is_kept_with_what_was_given_and_where_it_came_from(store: Store) -> None:
    written = mended_chunk({0: 68.7, 1: 69.1}, {1: 0.691})
    await store.write(written)
    [found] = await store.repairs(BARS)
    assert found.at is not None
    assert replace(found, at=None) == replace(
        repair(1, 0.691, 69.1), source="csv", run_id="run", ingest_id=written.ingest_id
    )
    assert (await store.read(Query(BARS))).frame == written.frame


async def test_the_same_again_adds_nothing(store: Store) -> None:
    written = mended_chunk({0: 68.7, 1: 69.1}, {1: 0.691})
    await store.write(written)
    before = await store.repairs(BARS)
    await store.write(written)
    await store.write(replace(written, run_id="later"))
    longer = mended_chunk({0: 68.7, 1: 69.1, 2: 69.3}, {1: 0.691}, run_id="latest")
    await store.write(longer)
    assert await store.repairs(BARS) == before


async def test_other_values_and_other_sources_are_other_repairs(store: Store) -> None:
    await store.write(mended_chunk({1: 69.1}, {1: 0.691}))
    await store.write(mended_chunk({1: 69.2}, {1: 0.692}, run_id="b"))
    await store.write(mended_chunk({1: 69.2}, {1: 0.692}, run_id="c", source="parquet"))
    assert {(each.source, each.original["close"]) for each in await store.repairs(BARS)} == {
        ("csv", 0.691),
        ("csv", 0.692),
        ("parquet", 0.692),
    }


async def test_repairs_are_asked_for_by_symbol_and_time(store: Store) -> None:
    await store.write(
        mended_chunk({day: 70.0 + day for day in range(5)}, {day: (70.0 + day) / 100 for day in range(5)})
    )
    assert len(await store.repairs(BARS, "VOD.L")) == 5
    assert await store.repairs(BARS, "BP.L") == []
    assert await store.repairs(Dimension.INTRADAY_BARS) == []
    within = await store.repairs(BARS, None, DAY + timedelta(days=1), DAY + timedelta(days=3))
    assert [each.ts for each in within] == [DAY + timedelta(days=day) for day in (1, 2, 3)]
    assert len(await store.repairs(BARS, limit=2)) == 2


async def test_what_does_not_go_in_leaves_no_repair(store: Store) -> None:
    epoch = await store.claim_epoch("csv", BARS)
    await store.claim_epoch("csv", BARS)
    with pytest.raises(FencedOut):
        await store.write(replace(mended_chunk({1: 69.1}, {1: 0.691}), epoch=epoch))
    assert await store.repairs(BARS) == []


async def test_rows_whose_repairs_can_not_be_kept_do_not_go_in_either(store: Store) -> None:
    """Both are of one transaction: a row is never mended without what was given for it."""
    chunk = mended_chunk({0: 68.7, 1: 69.1}, {0: 0.687, 1: 0.691})
    unfit = replace(chunk.repairs[1], original={"close": object()})
    with pytest.raises(TypeError):
        await store.write(replace(chunk, repairs=(chunk.repairs[0], unfit)))
    assert (await store.read(Query(BARS))).frame.num_rows == 0
    assert (await store.repairs(BARS), await store.read_outbox(0, 10)) == ([], [])
    result = await store.write(chunk)
    assert (result.known, result.inserted, len(await store.repairs(BARS))) == (False, 2, 2)


async def test_repairs_go_with_their_rows(store: Store) -> None:
    await store.write(mended_chunk({0: 68.7, 400: 69.1}, {0: 0.687, 400: 0.691}))
    before = DAY + timedelta(days=10)
    await store.drop(BARS, before=before)
    assert len(await store.repairs(BARS)) == 2
    await store.drop(BARS, before=before, dry_run=False)
    assert [each.ts for each in await store.repairs(BARS)] == [DAY + timedelta(days=400)]
