"""What a snapshot means: one moment, read part by part, whatever is written meanwhile."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import anyio
import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame
from backbone.store.errors import SnapshotLost, StoreError
from backbone.store.port import Store
from backbone.store.snapshots import Part, PartFacts, Parts, key_behind
from tests.contracts.test_store_read import DAY, SAMPLES, TRADES, put, trades


async def rows_of(store: Store, snapshot: str, part: Part, limit: int = 65_536) -> Frame:
    """All rows of a part, page by page."""
    pages = [await store.read_part(snapshot, part, None, limit)]
    while pages[-1].more:
        page = await store.read_part(snapshot, part, key_behind(pages[-1].frame), limit)
        pages.append(page)
    return Frame.concat([page.frame for page in pages])


async def all_rows(store: Store, snapshot: str, facts: list[PartFacts]) -> Frame:
    return Frame.concat([await rows_of(store, snapshot, each.part) for each in facts])


def hash_of(column: pa.ChunkedArray) -> bytes:
    """As the port has it, made of the values one by one."""
    values = column.to_pylist()
    if pa.types.is_string(column.type):
        lengths = b"".join((-1 if v is None else len(v.encode())).to_bytes(4, signed=True) for v in values)
        texts = "".join(v or "" for v in values).encode()
        return hashlib.sha256(hashlib.sha256(lengths).digest() + hashlib.sha256(texts).digest()).digest()
    if pa.types.is_timestamp(column.type):
        values = [v - 946_684_800_000_000 for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_floating(column.type):
        null = bytes.fromhex("7ff8000000000001")
        return hashlib.sha256(b"".join(null if v is None else np.array(v, ">f8").tobytes() for v in values)).digest()
    return hashlib.sha256(b"".join(v.to_bytes(8, signed=True) for v in values)).digest()


async def test_what_is_written_changed_or_deleted_during_a_snapshot_is_not_seen_in_it(store: Store) -> None:
    # a chunk that a snapshot has read can't be dropped before it is closed: none of other tests is to be in the way
    await store.drop(TRADES, before=DAY, dry_run=False)
    before = Frame.concat([trades(range(300), "A"), trades(range(300), "B")])
    await put(store, before)
    snapshot = await store.open_snapshot("test", 60.0, 2)
    found = await store.find_parts(snapshot.name, Parts(TRADES))
    first = await rows_of(store, snapshot.name, found[0].part)
    await put(store, trades(range(300, 400), "A"), "later")
    await put(store, trades(range(10), "C"), "another")
    changed = [{"symbol": "B", "ts": DAY + timedelta(seconds=5), "sequence": 0, "price": 99.0}]
    await put(store, Frame.from_records(TRADES, changed), "correction")
    await store.drop(TRADES, before=DAY + timedelta(seconds=100), dry_run=False)
    assert first == trades(range(300), "A")
    assert await store.find_parts(snapshot.name, Parts(TRADES)) == found
    assert await all_rows(store, snapshot.name, found) == before
    assert (await store.sum_part(snapshot.name, found[1].part)).rows == 300
    await store.close_snapshot(snapshot.name)
    now = await store.open_snapshot("test", 60.0)
    assert now.position > snapshot.position
    assert now.drops > snapshot.drops
    assert now.generation == snapshot.generation
    found = await store.find_parts(now.name, Parts(TRADES))
    assert {each.part.symbol: each.rows for each in found} == {"A": 300, "B": 200}
    await store.close_snapshot(now.name)


async def test_a_snapshot_holds_up_neither_commits_nor_what_the_relay_reads(store: Store) -> None:
    await put(store, trades(range(5)))
    snapshot = await store.open_snapshot("test", 60.0)
    position = await put(store, trades(range(5, 9)), "later")
    assert [row.position for row in await store.read_outbox(snapshot.position)] == [position]
    await store.advance("stream", 0, position, 1)
    assert (await store.outbox_status()).pending == 0
    await store.close_snapshot(snapshot.name)


@pytest.mark.parametrize("dimension", list(Dimension))
@pytest.mark.parametrize("year", [1, 1969, 2024, 9999])
async def test_rows_and_their_sums_are_exact(store: Store, dimension: Dimension, year: int) -> None:
    ts = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    ts = datetime(year, 12, 31, tzinfo=UTC) if dimension is Dimension.DAILY_BARS else ts
    odd = {name: value for name, value in SAMPLES[dimension].items() if name in dimension.key}
    frame = Frame.from_records(dimension, [{**SAMPLES[dimension], "ts": ts}, {**odd, "ts": ts - timedelta(days=1)}])
    await put(store, frame)
    snapshot = await store.open_snapshot("test", 60.0)
    for by_symbol in (True, False):
        for period in ("day", "month", "year", "all"):
            found = await store.find_parts(snapshot.name, Parts(dimension, period=period, by_symbol=by_symbol))
            assert await all_rows(store, snapshot.name, found) == frame
            assert sum(each.rows for each in found) == 2
            assert len(found) == (2 if period == "day" else 1)
            for each in found:
                rows = await rows_of(store, snapshot.name, each.part)
                sums = await store.sum_part(snapshot.name, each.part)
                table = rows.to_arrow()
                assert sums.hashes == {name: hash_of(table.column(name)) for name in each.part.columns}
                assert (each.earliest, each.latest) == (rows.start, rows.end)
    await store.close_snapshot(snapshot.name)


DOUBLES = [0.0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1, 1 / 3, -1.5, 1e-7, 123456789.123456789, None]
TEXTS = ["", None, "a", "Ärger", "日本", "\x01", "a'b\"c\\", "%s", "\U0001f600", "x" * 300]


async def test_sums_are_exact_for_awkward_doubles_and_texts(store: Store) -> None:
    rows = [
        {"symbol": "S", "ts": DAY + timedelta(microseconds=n), "sequence": n - 5, "price": d, "size": 1.0, "venue": t}
        for n, (d, t) in enumerate(zip(DOUBLES, TEXTS, strict=True))
    ]
    await put(store, Frame.from_records(TRADES, rows))
    snapshot = await store.open_snapshot("test", 60.0)
    [facts] = await store.find_parts(snapshot.name, Parts(TRADES))
    table = (await rows_of(store, snapshot.name, facts.part)).to_arrow()
    sums = await store.sum_part(snapshot.name, facts.part)
    assert sums.hashes == {name: hash_of(table.column(name)) for name in facts.part.columns}
    await store.close_snapshot(snapshot.name)


@pytest.mark.parametrize("limit", [1, 7, 50, 65_536])
async def test_pages_of_any_size_give_the_same_rows_and_hashes_of_just_these(store: Store, limit: int) -> None:
    one = Frame.concat([trades(range(60), "A"), trades(range(40), "B")])
    await put(store, one)
    snapshot = await store.open_snapshot("test", 60.0, 3)
    [facts] = await store.find_parts(snapshot.name, Parts(TRADES, by_symbol=False))
    assert await rows_of(store, snapshot.name, facts.part, limit) == one
    after, seen = None, 0
    while seen < 100:
        page = await store.read_part(snapshot.name, facts.part, after, limit)
        sums = await store.sum_part(snapshot.name, facts.part, after, limit)
        table = page.frame.to_arrow()
        assert sums.hashes == {name: hash_of(table.column(name)) for name in facts.part.columns}
        assert sums.rows == page.frame.num_rows
        after, seen = key_behind(page.frame), seen + sums.rows
    await store.close_snapshot(snapshot.name)


async def test_a_part_has_another_version_as_soon_as_a_row_of_it_is_written_changed_or_deleted(store: Store) -> None:
    async def versions() -> dict[tuple[str | None, datetime | None], str]:
        snapshot = await store.open_snapshot("test", 60.0)
        found = await store.find_parts(snapshot.name, Parts(TRADES))
        await store.close_snapshot(snapshot.name)
        return {(each.part.symbol, each.part.start): each.version for each in found}

    a, b, next_day = ("A", DAY), ("B", DAY), ("A", DAY + timedelta(days=1))
    await put(store, Frame.concat([trades(range(10), "A"), trades(range(10), "B")]))
    await put(store, trades(range(86_400, 86_410), "A"))
    first = await versions()
    assert set(first) == {a, b, next_day}
    assert await versions() == first
    await put(store, trades(range(10, 11), "A"), "more")
    second = await versions()
    assert [second[each] == first[each] for each in (a, b, next_day)] == [False, True, True]
    change = {"symbol": "B", "ts": DAY + timedelta(seconds=3), "sequence": 0, "price": 7.5}
    await put(store, Frame.from_records(TRADES, [change]), "correction")
    third = await versions()
    assert [third[each] == second[each] for each in (a, b, next_day)] == [True, False, True]
    await store.drop(TRADES, before=DAY + timedelta(seconds=2), dry_run=False)
    fourth = await versions()
    assert [fourth[each] == third[each] for each in (a, b, next_day)] == [False, False, True]


async def test_bounds_and_symbols_cut_parts_short(store: Store) -> None:
    await put(store, Frame.concat([trades(range(10), "A"), trades(range(10), "B")]))
    snapshot = await store.open_snapshot("test", 60.0)
    start, end = DAY + timedelta(seconds=2), DAY + timedelta(seconds=4)
    [facts] = await store.find_parts(snapshot.name, Parts(TRADES, ("B", "none"), start, end))
    assert (facts.part, facts.rows) == (Part(TRADES, "B", start, end), 3)
    assert await rows_of(store, snapshot.name, facts.part) == trades(range(2, 5), "B")
    await store.close_snapshot(snapshot.name)


async def test_a_snapshot_that_was_closed_replaced_or_never_was_is_lost(store: Store) -> None:
    await put(store, trades(range(5)))
    first = await store.open_snapshot("test", 60.0)
    other = await store.open_snapshot("other", 60.0)
    second = await store.open_snapshot("test", 60.0)
    for name in (first.name, "never"):
        with pytest.raises(SnapshotLost):
            await store.find_parts(name, Parts(TRADES))
    await store.close_snapshot(second.name)
    await store.close_snapshot(second.name)
    with pytest.raises(SnapshotLost):
        await store.find_parts(second.name, Parts(TRADES))
    assert len(await store.find_parts(other.name, Parts(TRADES))) == 1
    await store.close_snapshot(other.name)


async def test_a_snapshot_ends_when_its_time_is_over(store: Store) -> None:
    await put(store, trades(range(5)))
    snapshot = await store.open_snapshot("test", 0.5)

    async def ask_until_refused() -> None:
        while True:
            await store.find_parts(snapshot.name, Parts(TRADES))

    with anyio.fail_after(10), pytest.raises(SnapshotLost, match=r"0\.5 s"):
        await ask_until_refused()


async def test_parts_are_read_side_by_side(store: Store) -> None:
    await put(store, Frame.concat([trades(range(50), name) for name in "ABCDEF"]))
    snapshot = await store.open_snapshot("test", 60.0, 3)
    found = await store.find_parts(snapshot.name, Parts(TRADES))
    read: dict[str | None, Frame] = {}

    async def take(part: Part) -> None:
        read[part.symbol] = await rows_of(store, snapshot.name, part, 20)

    async with anyio.create_task_group() as group:
        for each in found:
            group.start_soon(take, each.part)
    assert read == {name: trades(range(50), name) for name in "ABCDEF"}
    await store.close_snapshot(snapshot.name)


async def test_a_question_that_fails_never_leads_to_another_moment(store: Store) -> None:
    await put(store, trades(range(5)))
    snapshot = await store.open_snapshot("test", 60.0)
    [facts] = await store.find_parts(snapshot.name, Parts(TRADES))
    await put(store, trades(range(5, 10)), "more")
    with pytest.raises((StoreError, ValueError)):
        await store.read_part(snapshot.name, facts.part, tuple("no key" for _ in TRADES.key))
    try:
        page = await store.read_part(snapshot.name, facts.part)
    except SnapshotLost:
        return
    assert page.frame == trades(range(5))
