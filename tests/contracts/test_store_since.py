"""Who holds rows of an earlier moment learns what of them stands, and gets the rest, all of one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.clock import MAX_US, MIN_US, to_us
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.port import Store
from backbone.store.records import Chunk, Query
from backbone.store.since import Since, SinceResult, Stretch

DAY = datetime(2024, 1, 1, tzinfo=UTC)
TRADES, BARS = Dimension.TRADES, Dimension.INTRADAY_BARS
NAME = "export-0123456789abcdef 0f"
ONE_DAY = timedelta(days=1)
DAY_US = 86_400_000_000
WEEK = Query(TRADES, ("AIG",), start=DAY, end=DAY + 7 * ONE_DAY)


def trades_on(*days: float, symbol: str = "AIG", price: float = 5.0) -> Frame:
    rows = [{"symbol": symbol, "ts": DAY + day * ONE_DAY, "sequence": 1, "price": price} for day in days]
    return Frame.from_records(TRADES, rows)


async def written_in(store: Store, frame: Frame) -> None:
    await store.write(Chunk(ingest_id("test", frame), new_run_id(), "test", frame))


async def noted(store: Store, name: str = NAME, *, days: int = 7) -> Since:
    """What an export of a week of this moment would hold, a part for each day."""
    snapshot = await store.open_snapshot("test", 30.0)
    await store.close_snapshot(snapshot.name)
    await store.note_export(name, snapshot.level)
    first = to_us(DAY)
    parts = [(first + day * DAY_US, first + (day + 1) * DAY_US - 1) for day in range(days)]
    return Since(name, snapshot.drops, (MIN_US, MAX_US), {"AIG": parts})


def whole_days(result: SinceResult) -> list[tuple[float, float]]:
    """What was read anew, in days from the first."""
    assert result.anew is not None
    first = to_us(DAY)
    return [((each.start_us - first) / DAY_US, (each.end_us + 1 - first) / DAY_US) for each in result.anew]


async def test_where_nothing_has_changed_all_stands_and_the_position_is_that_of_now(store: Store) -> None:
    await written_in(store, trades_on(0, 1, 2))
    since = await noted(store)
    result = await store.read_since(WEEK, since)
    assert (result.anew, result.frames) == ((), ())
    assert result.position == (await store.read(WEEK)).position
    await written_in(store, trades_on(1, symbol="IBM"))
    assert (await store.read_since(WEEK, since)).anew == ()


@pytest.mark.parametrize(("at", "day"), [(1.0, 1), (1.5, 1), (2 - 1 / DAY_US, 1), (2.0, 2), (0.0, 0)])
async def test_a_row_that_came_since_has_its_whole_part_read_anew_and_no_other(
    store: Store, at: float, day: int
) -> None:
    await written_in(store, trades_on(0, 1, 2, 3))
    since = await noted(store)
    assert (await store.read_since(WEEK, since)).anew == ()
    moment = DAY + timedelta(microseconds=round(at * DAY_US))
    late = Frame.from_records(TRADES, [{"symbol": "AIG", "ts": moment, "sequence": 9, "price": 7.0}])
    await written_in(store, late)
    result = await store.read_since(WEEK, since)
    assert whole_days(result) == [(day, day + 1)]
    [frame] = result.frames
    start = DAY + day * ONE_DAY
    that_day = Query(TRADES, ("AIG",), start=start, end=start + ONE_DAY - timedelta(microseconds=1))
    assert frame == (await store.read(that_day)).frame
    assert result.position == (await store.read(WEEK)).position


async def test_a_correction_and_a_row_between_parts_are_found(store: Store) -> None:
    await written_in(store, trades_on(0, 1, 2))
    since = await noted(store, days=2)
    await written_in(store, trades_on(0, price=6.0))
    await written_in(store, trades_on(5))
    result = await store.read_since(WEEK, since)
    assert whole_days(result)[0] == (0, 1)
    assert [frame.column("price").tolist() for frame in result.frames] == [[6.0], [5.0]]


async def test_rows_that_were_dropped_since_stand_no_more(store: Store) -> None:
    await written_in(store, trades_on(0, 1, 2, 3))
    since = await noted(store)
    assert (await store.read_since(WEEK, since)).anew == ()
    await store.drop(TRADES, before=DAY + 1.5 * ONE_DAY, dry_run=False)
    result = await store.read_since(WEEK, since)
    assert whole_days(result) == [(0, 2)]
    assert sum(frame.num_rows for frame in result.frames) == (await store.read(WEEK)).frame.num_rows - 2
    await store.drop(BARS, before=DAY, dry_run=False)
    assert whole_days(await store.read_since(WEEK, since)) == [(0, 2)]
    later = await noted(store, "export-fedcba9876543210 0f")
    assert (await store.read_since(WEEK, later)).anew == ()


async def test_of_several_drops_the_furthest_counts(store: Store) -> None:
    await written_in(store, trades_on(0, 1, 2, 3))
    since = await noted(store)
    for days in (2.5, 0.5):
        await store.drop(TRADES, before=DAY + days * ONE_DAY, dry_run=False)
    result = await store.read_since(WEEK, since)
    assert whole_days(result) == [(0, 3)]
    assert [frame.num_rows for frame in result.frames] == [0]
    await written_in(store, trades_on(1, price=9.0))
    again = await store.read_since(WEEK, since)
    assert [frame.column("price").tolist() for frame in again.frames] == [[9.0]]


async def test_an_export_that_was_not_noted_here_stands_for_nothing(store: Store) -> None:
    await written_in(store, trades_on(0, 1))
    since = await noted(store)
    other = Since(NAME + "a", since.drops, since.bounds, since.parts)
    result = await store.read_since(WEEK, other)
    assert result.anew is None
    assert [frame.num_rows for frame in result.frames] == [2]
    await store.note_export(NAME + "a", 10**15)
    assert (await store.read_since(WEEK, other)).anew == ()


async def test_what_was_not_asked_for_and_what_can_not_be_used_is_read(store: Store) -> None:
    await written_in(store, trades_on(0, 1, 2, 3))
    since = await noted(store)
    first = to_us(DAY)
    bounded = Since(since.token, since.drops, (first + DAY_US, first + 3 * DAY_US - 1), since.parts)
    assert whole_days(await store.read_since(WEEK, bounded)) == [(0, 1), (3, 7 + 1 / DAY_US)]
    lacking = (Stretch("AIG", first + DAY_US, first + 2 * DAY_US - 1),)
    damaged = Since(since.token, since.drops, since.bounds, since.parts, lacking)
    assert whole_days(await store.read_since(WEEK, damaged)) == [(1, 2)]


async def test_a_symbol_that_is_not_held_is_read_beside_one_that_is(store: Store) -> None:
    await written_in(store, trades_on(0, 1))
    await written_in(store, trades_on(0, symbol="IBM"))
    since = await noted(store)
    both = Query(TRADES, ("AIG", "IBM"), start=DAY, end=DAY + 7 * ONE_DAY)
    result = await store.read_since(both, since)
    assert result.anew is not None
    assert [each.symbol for each in result.anew] == ["IBM"]
    assert [frame.symbols for frame in result.frames] == [("IBM",)]


async def test_entries_of_another_interval_change_nothing(store: Store) -> None:
    def bars(interval: str, close: float) -> Frame:
        row = {"symbol": "EURUSD", "interval": interval, "ts": DAY, "close": close}
        return Frame.from_records(BARS, [row])

    await written_in(store, bars("1h", 1.0))
    held = await noted(store)
    since = Since(held.token, held.drops, held.bounds, {"EURUSD": held.parts["AIG"]})
    await written_in(store, bars("5m", 1.0))
    hourly = Query(BARS, ("EURUSD",), "1h", start=DAY, end=DAY + ONE_DAY)
    assert (await store.read_since(hourly, since)).anew == ()
    result = await store.read_since(Query(BARS, ("EURUSD",), start=DAY, end=DAY + ONE_DAY), since)
    assert [frame.num_rows for frame in result.frames] == [2]
    await written_in(store, bars("1h", 2.0))
    assert (await store.read_since(hourly, since)).anew != ()


async def test_of_many_exports_the_newest_are_known(store: Store) -> None:
    await written_in(store, trades_on(0, 1))
    oldest = await noted(store, "export-oldest")
    since = await noted(store)
    for number in range(150):
        await store.note_export(f"export-{number}", 10**15)
    assert (await store.read_since(WEEK, oldest)).anew is None
    assert (await store.read_since(WEEK, since)).anew is None
    assert (await store.read_since(WEEK, Since("export-149", since.drops, since.bounds, since.parts))).anew == ()
