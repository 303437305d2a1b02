"""What writing a chunk means, whoever stores it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from string import ascii_letters, digits

import pytest

from backbone.domain import Dimension, Frame, codec
from backbone.domain.identifiers import ingest_id
from backbone.domain.text import LONGEST_TEXT
from backbone.store.errors import FencedOut
from backbone.store.port import Store
from backbone.store.records import Chunk, Query, WriteResult

BARS = Dimension.INTRADAY_BARS
DAY = datetime(2024, 1, 1, tzinfo=UTC)


def bars(closes: dict[int, float | None], symbol: str = "EURUSD", interval: str = "1h") -> Frame:
    """Hourly bars: close by hour."""
    return Frame.from_records(
        BARS,
        [
            {"symbol": symbol, "interval": interval, "ts": DAY + timedelta(hours=hour), "close": close}
            for hour, close in closes.items()
        ],
    )


def chunk(frame: Frame, run_id: str, **more: object) -> Chunk:
    return Chunk(ingest_id("csv", frame), run_id, "csv", frame, **more)  # type: ignore[arg-type]


async def stored(store: Store) -> Frame:
    return (await store.read(Query(BARS))).frame


def counts(result: WriteResult) -> tuple[int, int, int]:
    return result.inserted, result.changed, result.unchanged


async def test_new_rows_are_inserted_and_read_back_byte_for_byte(store: Store) -> None:
    frame = bars({0: 1.5, 1: None, 2: -0.0, 3: float("inf"), 4: 1e-310})
    result = await store.write(chunk(frame, "run"))
    assert counts(result) == (5, 0, 0)
    assert (result.rows, result.known, result.symbols) == (5, False, ("EURUSD",))
    assert (result.start, result.end) == (DAY, DAY + timedelta(hours=4))
    assert result.duration_s > 0
    assert (await stored(store)).canonical_bytes() == frame.canonical_bytes()


@pytest.mark.parametrize("dimension", Dimension)
async def test_the_longest_texts_go_in_and_their_payload_is_small(store: Store, dimension: Dimension) -> None:
    rng = Random(dimension.value)  # an index takes more of what can be compressed
    row: dict[str, object] = {
        name: "".join(rng.choices(ascii_letters + digits, k=LONGEST_TEXT))
        for name, kind in dimension.kinds.items()
        if kind == "string" and name != "interval"
    }
    numbers = {name: 1 for name, kind in dimension.kinds.items() if kind == "int64"}
    interval = {"interval": "1h"} if dimension.has_interval else {}
    frame = Frame.from_records(dimension, [{**row, **numbers, **interval, "ts": DAY}])
    assert counts(await store.write(chunk(frame, "run"))) == (1, 0, 0)
    assert (await store.read(Query(dimension))).frame == frame
    [change] = await store.read_outbox(0)
    assert len(change.payload) < 16 * 1024


async def test_changed_rows_replace_and_equal_rows_are_left_alone(store: Store) -> None:
    first = await store.write(chunk(bars({0: 1.0, 1: 2.0, 2: None, 3: None}), "run"))
    result = await store.write(chunk(bars({1: 2.0, 2: None, 3: 4.0, 4: 5.0}), "run"))
    assert counts(result) == (1, 1, 2)
    assert await stored(store) == bars({0: 1.0, 1: 2.0, 2: None, 3: 4.0, 4: 5.0})
    [change] = await store.read_outbox(first.position)
    assert codec.decode(change.payload) == bars({3: 4.0, 4: 5.0})


async def test_the_same_content_again_passes_as_a_no_op(store: Store) -> None:
    frame = bars({0: 1.0, 1: 2.0})
    await store.write(chunk(frame, "first"))
    result = await store.write(chunk(frame, "second"))
    assert (result.known, counts(result), result.outbox_rows, result.position) == (True, (0, 0, 2), 0, 0)
    assert [row.status for row in await store.journal()] == ["skipped", "ok"]
    assert len(await store.read_outbox(0)) == 1


async def test_content_that_was_overwritten_and_comes_again_wins(store: Store) -> None:
    first, second = bars({0: 1.0, 1: 1.0}), bars({1: 2.0})
    for n, frame in enumerate([first, second, first]):
        await store.write(chunk(frame, f"run {n}"))
    assert await stored(store) == first
    events = await store.read_outbox(0)
    assert len({event.event_id for event in events}) == len(events) == 3
    assert [event.revision for event in events] == sorted({event.revision for event in events})


async def test_equal_rows_that_the_ledger_does_not_know_are_counted_and_not_published(store: Store) -> None:
    await store.write(chunk(bars({0: 1.0, 1: 2.0}), "run 1"))
    result = await store.write(chunk(bars({0: 1.0}), "run 2"))
    assert (result.known, counts(result), result.outbox_rows) == (False, (0, 0, 1), 0)
    again = await store.write(chunk(bars({0: 1.0}), "run 3"))
    assert again.known


async def test_a_chunk_passes_as_a_no_op_only_if_every_symbol_of_it_stands(store: Store) -> None:
    both = Frame.concat([bars({0: 1.0}, "A"), bars({0: 1.0}, "B")])
    await store.write(chunk(both, "run 1"))
    await store.write(chunk(bars({0: 2.0}, "B"), "run 2"))
    result = await store.write(chunk(both, "run 3"))
    assert (result.known, counts(result)) == (False, (0, 1, 1))
    assert await stored(store) == both


@pytest.mark.parametrize("many", [1, 2, 3, 4])
async def test_what_is_known_of_a_symbol_does_not_depend_on_how_many_stand_in_its_chunk(
    store: Store, many: int
) -> None:
    symbols = [f"S{number}" for number in range(many)]
    histories: list[dict[int, float | None]] = [
        {0: 1.0, 1: 1.0},
        {0: 2.0, 1: 1.0},
        {-1: 3.0, 0: 2.0, 1: 1.0, 2: 3.0},
    ]
    first, second, wide = (Frame.concat([bars(closes, symbol) for symbol in symbols]) for closes in histories)
    await store.write(chunk(bars({0: 7.0}, "OTHER"), "run"))
    assert counts(await store.write(chunk(first, "run"))) == (2 * many, 0, 0)
    assert counts(await store.write(chunk(second, "run"))) == (0, many, many)
    assert (await store.write(chunk(second, "again"))).known
    assert counts(await store.write(chunk(wide, "run"))) == (2 * many, 0, 2 * many)
    assert (await store.write(chunk(wide, "again"))).known
    assert counts(await store.write(chunk(first, "back"))) == (0, many, many)
    beside = Frame.concat([bars({2: 3.0}, symbol) for symbol in symbols])
    assert counts(await store.write(chunk(beside, "run"))) == (0, 0, many)
    assert (await store.write(chunk(bars({0: 7.0}, "OTHER"), "again"))).known
    assert (await stored(store)).num_rows == 4 * many + 1


async def test_intervals_of_one_symbol_have_nothing_to_do_with_each_other(store: Store) -> None:
    await store.write(chunk(bars({0: 1.0, 1: 1.0}, interval="1h"), "run"))
    result = await store.write(chunk(bars({0: 9.0, 1: 9.0}, interval="1m"), "run"))
    assert counts(result) == (2, 0, 0)
    assert (await store.read(Query(BARS, interval="1h"))).frame == bars({0: 1.0, 1: 1.0})
    assert (await store.write(chunk(bars({0: 1.0, 1: 1.0}, interval="1h"), "again"))).known


async def test_new_and_known_symbols_in_one_chunk_are_told_apart(store: Store) -> None:
    first = await store.write(chunk(bars({0: 1.0, 1: 1.0}, "B"), "run"))
    mixed = Frame.concat([bars({0: 5.0}, "A"), bars({0: 1.0, 1: 7.0, 2: 8.0}, "B"), bars({0: 6.0}, "C")])
    result = await store.write(chunk(mixed, "run"))
    assert counts(result) == (3, 1, 1)
    assert await stored(store) == mixed
    published = Frame.concat([codec.decode(row.payload) for row in await store.read_outbox(first.position)])
    assert published == Frame.concat([bars({0: 5.0}, "A"), bars({1: 7.0, 2: 8.0}, "B"), bars({0: 6.0}, "C")])


async def test_a_retry_within_a_run_is_told_what_the_first_attempt_did(store: Store) -> None:
    given = chunk(bars({0: 1.0, 1: 2.0}), "run", metadata={"file": "a.csv"})
    first = await store.write(given)
    await store.write(chunk(bars({0: 9.0}), "other"))
    retry = await store.write(given)
    assert retry.known
    assert (counts(retry), retry.position, retry.start) == (counts(first), first.position, first.start)
    assert await stored(store) == bars({0: 9.0, 1: 2.0})
    assert len(await store.journal()) == 2
    found = await store.lookup("run", given.ingest_id)
    assert found is not None
    assert counts(found) == counts(first)


@pytest.mark.parametrize("many", [256, 257, 3000])
async def test_a_chunk_of_many_symbols_is_told_of_with_all_of_them(store: Store, many: int) -> None:
    symbols = sorted(f"naïve{n}" for n in range(many))
    frame = Frame.from_records(BARS, [{"symbol": each, "interval": "1h", "ts": DAY, "close": 1.0} for each in symbols])
    await store.write(chunk(bars({0: 1.0}), "other"))
    first = await store.write(given := chunk(frame, "run"))
    await store.write(chunk(frame, "third"))
    retry = await store.write(given)
    assert (retry.known, retry.symbols, retry.position) == (True, tuple(symbols), first.position)
    found = await store.lookup("run", given.ingest_id)
    assert found is not None
    assert found.symbols == tuple(symbols)
    assert [row.symbols for row in await store.journal()] == [tuple(symbols), tuple(symbols), ("EURUSD",)]


async def test_lookup_knows_only_what_was_committed(store: Store) -> None:
    given = chunk(bars({0: 1.0}), "run")
    assert await store.lookup("run", given.ingest_id) is None
    await store.write(given)
    assert await store.lookup("another", given.ingest_id) is None


async def test_a_chunk_without_rows_is_journalled(store: Store) -> None:
    result = await store.write(chunk(Frame.empty(BARS), "run"))
    assert (result.rows, result.start, result.position, result.symbols) == (0, None, 0, ())
    [row] = await store.journal()
    assert (row.status, row.rows, row.start) == ("ok", 0, None)


async def test_a_writer_of_an_older_epoch_is_fenced_out_and_nothing_is_written(store: Store) -> None:
    old = await store.claim_epoch("csv", BARS)
    new = await store.claim_epoch("csv", BARS)
    assert new == old + 1
    with pytest.raises(FencedOut, match="stop this writer"):
        await store.write(chunk(bars({0: 1.0}), "run", epoch=old))
    assert len(await stored(store)) == 0
    assert await store.journal() == []
    await store.write(chunk(bars({0: 1.0}), "run", epoch=new))
    assert len(await stored(store)) == 1


async def test_a_zombie_is_fenced_out_of_a_no_op_too(store: Store) -> None:
    await store.write(chunk(bars({0: 1.0}), "run 1"))
    old = await store.claim_epoch("csv", BARS)
    await store.claim_epoch("csv", BARS)
    with pytest.raises(FencedOut):
        await store.write(chunk(bars({0: 1.0}), "run 2", epoch=old))
    assert [row.run_id for row in await store.journal()] == ["run 1"]


async def test_an_epoch_that_nobody_claimed_is_refused(store: Store) -> None:
    with pytest.raises(FencedOut, match="none was claimed"):
        await store.write(chunk(bars({0: 1.0}), "run", epoch=1))


async def test_epochs_of_other_sources_and_dimensions_do_not_fence(store: Store) -> None:
    epoch = await store.claim_epoch("csv", BARS)
    await store.claim_epoch("yahoo", BARS)
    await store.claim_epoch("csv", Dimension.TRADES)
    await store.write(chunk(bars({0: 1.0}), "run", epoch=epoch))


async def test_dropped_rows_can_be_ingested_again(store: Store) -> None:
    frame = bars({0: 1.0, 1: 2.0, 2: 3.0})
    await store.write(chunk(frame, "run 1"))
    cut = DAY + timedelta(hours=2)
    assert await store.drop(BARS, before=cut) == 2
    assert await stored(store) == frame
    assert await store.drop(BARS, before=cut, dry_run=False) == 2
    assert await stored(store) == bars({2: 3.0})
    result = await store.write(chunk(frame, "run 2"))
    assert counts(result) == (2, 0, 1)
    assert await stored(store) == frame


async def test_drops_are_counted_so_that_other_processes_hear_of_them(store: Store) -> None:
    await store.write(chunk(bars({0: 1.0, 1: 2.0, 2: 3.0}), "run"))
    before, cut = await store.drop_count(), DAY + timedelta(hours=1)
    await store.drop(BARS, before=cut)
    assert await store.drop_count() == before
    await store.drop(BARS, before=cut, dry_run=False)
    await store.drop(BARS, before=cut + timedelta(hours=1), dry_run=False)
    assert await store.drop_count() == before + 2


async def test_the_journal_tells_what_was_written_newest_first(store: Store) -> None:
    await store.write(chunk(bars({0: 1.0}), "run 1", metadata={"file": "a.csv"}))
    await store.write(chunk(bars({0: 2.0, 1: 1.0}), "run 2"))
    newest, oldest = await store.journal()
    assert (newest.run_id, newest.inserted, newest.changed) == ("run 2", 1, 1)
    assert (oldest.metadata, oldest.symbols, oldest.error) == ({"file": "a.csv"}, ("EURUSD",), None)
    assert await store.journal(limit=1) == [newest]
    assert await store.journal(dimension=Dimension.TRADES) == []
