"""What reading means: rows, outbox, coverage, quarantine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from backbone.domain import Dimension, Frame, codec
from backbone.domain.identifiers import ingest_id
from backbone.store.errors import CursorSetBack, FencedOut, PositionLost
from backbone.store.port import Store
from backbone.store.records import Chunk, JournalBound, JournalRow, QuarantineRow, Query, Reached

DAY = datetime(2024, 1, 1, tzinfo=UTC)
TRADES, MACRO, BARS = Dimension.TRADES, Dimension.MACRO_EVENTS, Dimension.INTRADAY_BARS

SAMPLES: dict[Dimension, dict[str, object]] = {
    Dimension.DAILY_BARS: {"symbol": "ÄÖ-A", "open": 1.5, "adj_close": None},
    Dimension.INTRADAY_BARS: {"symbol": "EURUSD", "interval": "1h", "volume": 0.0},
    Dimension.TRADES: {"symbol": "EURUSD", "sequence": 2**62, "price": 1.0, "venue": "", "conditions": None},
    Dimension.QUOTES: {"symbol": "EURUSD", "sequence": -1, "bid": 1.0, "ask_size": 3.0},
    Dimension.ORDER_BOOK: {"symbol": "EURUSD", "sequence": 1, "side": "bid", "level": 3, "price": 1.0},
    Dimension.MACRO_EVENTS: {"calendar": "FRED", "event": "GDP's; DROP TABLE", "currency": "USD", "actual": 0.1},
}


def trades(seconds: range, symbol: str = "EURUSD") -> Frame:
    return Frame.from_records(
        TRADES,
        [
            {"symbol": symbol, "ts": DAY + timedelta(seconds=second), "sequence": 0, "price": float(second)}
            for second in seconds
        ],
    )


async def put(store: Store, frame: Frame, run_id: str = "run") -> int:
    return (await store.write(Chunk(ingest_id("csv", frame), run_id, "csv", frame))).position


@pytest.mark.parametrize("dimension", list(Dimension))
@pytest.mark.parametrize("year", [1, 1969, 2024, 9999])
async def test_every_dimension_comes_back_as_it_was_given(store: Store, dimension: Dimension, year: int) -> None:
    ts = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    ts = datetime(year, 12, 31, tzinfo=UTC) if dimension is Dimension.DAILY_BARS else ts
    frame = Frame.from_records(dimension, [{**SAMPLES[dimension], "ts": ts}])
    await put(store, frame)
    read = (await store.read(Query(dimension))).frame
    assert read.canonical_bytes() == frame.canonical_bytes()
    [row] = await store.read_outbox(0)
    assert codec.decode(row.payload) == frame
    assert (row.dimension, row.symbol) == (dimension, frame.symbols[0])
    symbol = frame.symbols[0]
    assert len((await store.read(Query(dimension, (symbol,)))).frame) == 1
    assert len((await store.read(Query(dimension, ("another",)))).frame) == 0


async def test_start_and_end_are_inclusive(store: Store) -> None:
    await put(store, trades(range(10)))
    query = Query(TRADES, start=DAY + timedelta(seconds=3), end=DAY + timedelta(seconds=5))
    assert (await store.read(query)).frame == trades(range(3, 6))


async def test_limit_is_the_newest_rows_in_ascending_order(store: Store) -> None:
    both = Frame.concat([trades(range(0, 10, 2), "A"), trades(range(0, 10, 3), "B")])
    await put(store, both)
    for limit in range(12):
        assert (await store.read(Query(TRADES, limit=limit))).frame == both.newest(limit)
    assert (await store.read(Query(TRADES, ("A",), limit=2))).frame == trades(range(6, 10, 2), "A")


async def test_an_empty_answer_is_an_empty_frame_at_position_0(store: Store) -> None:
    result = await store.read(Query(TRADES, ("NONE",)))
    assert (result.frame, result.position) == (Frame.empty(TRADES), 0)


async def test_a_read_tells_the_newest_position_of_what_it_read(store: Store) -> None:
    first = await put(store, trades(range(3), "A"))
    second = await put(store, trades(range(3), "B"))
    assert (await store.read(Query(TRADES, ("A",)))).position == first
    assert (await store.read(Query(TRADES, ("A", "B")))).position == second
    assert (await store.read(Query(TRADES))).position == second
    assert (await store.read(Query(BARS))).position == 0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [(Query(Dimension.DAILY_BARS, interval="1wk"), ValueError)],
)
async def test_a_question_that_makes_no_sense_is_refused(store: Store, wrong: Query, error: type[Exception]) -> None:
    with pytest.raises(error):
        await store.read(wrong)


async def test_each_sink_is_behind_by_its_own_cursor_and_all_by_the_last_of_them(store: Store) -> None:
    await put(store, priced({("A", 1): 1.0}), "run 1")
    newest = (await store.outbox_status()).newest
    await store.advance("stream", 0, 0, 0)
    await store.advance("archive", 0, newest, 0)
    told = {sink: await store.outbox_status(sink) for sink in ("archive", "stream", "nobody", "")}
    assert {sink: (each.pending, each.cursor == newest) for sink, each in told.items()} == {
        "archive": (0, True),
        "stream": (1, False),
        "nobody": (1, False),
        "": (1, False),
    }


async def test_rows_are_read_as_they_were_known_at_any_moment(store: Store) -> None:
    """Whatever was corrected, added late or written again between; also before there was anything."""
    chance = random.Random(7)
    model: dict[tuple[str, int], float] = {}
    moments, known = [datetime(1970, 1, 1, tzinfo=UTC)], [Frame.empty(TRADES)]
    for number in range(12):
        rows = {(chance.choice("AB"), chance.randrange(8)): float(chance.randrange(4)) for _ in range(6)}
        if all(model.get(key) == price for key, price in rows.items()):
            continue
        before = (await store.outbox_status()).newest
        await put(store, priced(rows), f"run {number}")
        model.update(rows)
        moments.append((await store.read_outbox(before))[0].created_at)
        known.append(priced(model))
    for at, frame in zip(moments, known, strict=True):
        assert (await store.read(Query(TRADES, as_of=at))).frame == frame
        assert (await store.read(Query(TRADES, as_of=at, limit=5))).frame == frame.newest(5)
        start, end = DAY + timedelta(seconds=2), DAY + timedelta(seconds=5)
        window = Query(TRADES, ("A",), start=start, end=end, as_of=at)
        assert (await store.read(window)).frame == frame.select(["A"], start, end)
        newest = Query(TRADES, ("B",), as_of=at, limit=2)
        assert (await store.read(newest)).frame == frame.select(["B"]).newest(2)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert (await store.read(Query(TRADES, as_of=later))).frame == known[-1]


def priced(rows: dict[tuple[str, int], float]) -> Frame:
    """Trades: price by symbol and second."""
    return Frame.from_records(
        TRADES,
        [
            {"symbol": symbol, "ts": DAY + timedelta(seconds=second), "sequence": 0, "price": price}
            for (symbol, second), price in rows.items()
        ],
    )


async def test_late_rows_come_in_their_place(store: Store) -> None:
    for seconds in (range(5, 9), range(2), range(3, 5), range(20, 22), range(2, 3)):
        await put(store, trades(seconds), f"run {seconds}")
    await put(store, trades(range(30), "Z"), "run")
    expected = trades(range(9)), trades(range(20, 22))
    assert (await store.read(Query(TRADES, ("EURUSD",)))).frame == Frame.concat(expected)
    assert (await store.read(Query(TRADES, ("EURUSD",), limit=4))).frame == Frame.concat(expected).newest(4)
    assert (await store.read(Query(TRADES, ("EURUSD", "Z")))).frame == Frame.concat([*expected, trades(range(30), "Z")])


async def test_symbols_are_values_never_sql(store: Store) -> None:
    await put(store, trades(range(3)))
    for evil in ["' OR 1=1 --", '"; DROP TABLE market_data.trades; --', "%", "EUR_SD"]:
        assert len((await store.read(Query(TRADES, (evil,)))).frame) == 0
        await put(store, trades(range(3), evil))
        assert (await store.read(Query(TRADES, (evil,)))).frame == trades(range(3), evil)


async def test_the_outbox_holds_every_row_once_in_bounded_payloads_in_key_order(store: Store) -> None:
    frame = Frame.concat([trades(range(3000), "A"), trades(range(500), "B")])
    position = await put(store, frame)
    rows = await store.read_outbox(0)
    assert len(rows) > 5
    assert all(len(row.payload) <= 16 * 1024 for row in rows)
    assert [row.position for row in rows] == sorted({row.position for row in rows})
    assert rows[-1].position == position
    assert Frame.concat([codec.decode(row.payload) for row in rows]) == frame
    assert [row.symbol for row in rows] == sorted(row.symbol for row in rows)
    assert [row.rows for row in rows] == [len(codec.decode(row.payload)) for row in rows]
    assert len({row.event_id for row in rows}) == len(rows)


async def test_a_payload_says_where_its_rows_come_from(store: Store) -> None:
    await put(store, trades(range(3)))
    [row] = await store.read_outbox(0)
    meta = codec.read_meta(row.payload)
    assert meta == {
        "event_id": row.event_id,
        "ingest_id": row.ingest_id,
        "revision": str(row.revision),
        "source": "csv",
        "ingested_at": str(round(row.created_at.timestamp() * 1_000_000)),
    }
    assert row.checksum == codec.checksum_of(row.payload)


async def test_reading_the_outbox_is_bounded_in_rows_and_bytes_yet_always_goes_on(store: Store) -> None:
    await put(store, trades(range(3000)))
    everything = await store.read_outbox(0)
    assert await store.read_outbox(0, 2) == everything[:2]
    size = len(everything[0].payload) + len(everything[1].payload)
    assert await store.read_outbox(0, max_bytes=size) == everything[:2]
    assert await store.read_outbox(0, max_bytes=size - 1) == everything[:1]
    assert await store.read_outbox(0, max_bytes=1) == everything[:1]
    assert await store.read_outbox(everything[0].position, 1) == everything[1:2]
    assert await store.read_outbox(everything[-1].position) == []


async def test_a_sink_that_reads_the_outbox_is_told_where_its_cursor_was_set_back(store: Store) -> None:
    await put(store, trades(range(3)))
    [row] = await store.read_outbox(0)
    await store.advance("stream", 0, 10, 0)
    assert await store.read_outbox(0, sink="stream", known=10) == [row]
    assert await store.read_outbox(0, whole=True, sink="stream", known=9) == [row]
    for whole in (False, True):
        with pytest.raises(CursorSetBack, match="cursor of stream, shard 0 was at 11 and stands at 10"):
            await store.read_outbox(0, whole=whole, sink="stream", known=11)
        with pytest.raises(CursorSetBack, match="was at 1 and stands at 0"):
            await store.read_outbox(0, whole=whole, sink="another", known=1)


async def test_a_cursor_moves_forward_only(store: Store) -> None:
    assert await store.cursor("stream", 0) == 0
    await store.advance("stream", 0, 7, 0)
    await store.advance("stream", 0, 3, 0)
    assert await store.cursor("stream", 0) == 7


async def test_a_cursor_moves_only_from_where_its_sink_knows_it_or_further(store: Store) -> None:
    await store.advance("stream", 0, 7, 0, known=0)
    await store.advance("stream", 0, 9, 0, known=7)
    await store.advance("stream", 0, 10, 0, known=8)  # another process of the sink was further
    with pytest.raises(CursorSetBack, match="cursor of stream, shard 0 was at 11 and stands at 10"):
        await store.advance("stream", 0, 12, 0, known=11)
    assert await store.cursor("stream", 0) == 10
    with pytest.raises(CursorSetBack, match="was at 1 and stands at 0"):
        await store.advance("stream", 1, 2, 0, known=1)
    assert await store.cursor("stream", 1) == 0


async def test_a_cursor_moves_only_on_the_server_that_its_sink_has_published_from(store: Store) -> None:
    server = (await store.outbox_status()).server
    await store.advance("stream", 0, 7, 0, server=server)
    with pytest.raises(CursorSetBack, match="was published from server elsewhere/1"):
        await store.advance("stream", 0, 9, 0, known=7, server="elsewhere/1")
    assert await store.cursor("stream", 0) == 7


async def test_sinks_and_shards_have_cursors_of_their_own(store: Store) -> None:
    await store.advance("stream", 0, 7, 0)
    await store.advance("kafka", 0, 5, 3)
    await store.advance("kafka", 63, 9, 1)
    found = [await store.cursor(sink, shard) for sink, shard in (("stream", 0), ("kafka", 0), ("kafka", 63))]
    assert found == [7, 5, 9]
    assert await store.cursor("kafka", 1) == 0


async def test_who_advances_with_an_older_epoch_is_fenced_out_and_moves_nothing(store: Store) -> None:
    await store.advance("kafka", 3, 5, 1)
    await store.advance("kafka", 3, 4, 2)
    with pytest.raises(FencedOut, match="epoch 1 given for kafka, shard 3, but epoch 2 holds now"):
        await store.advance("kafka", 3, 9, 1)
    assert await store.cursor("kafka", 3) == 5
    await store.advance("kafka", 3, 9, 2)
    assert await store.cursor("kafka", 3) == 9


async def test_what_one_sink_has_not_published_is_not_pruned(store: Store) -> None:
    first = await put(store, trades(range(3), "A"))
    second = await put(store, trades(range(3), "B"))
    await store.advance("stream", 0, second, 0)
    await store.advance("kafka", 5, first, 0)
    later = datetime.now(UTC) + timedelta(hours=1)
    await store.prune(outbox_before=later, dry_run=False)
    assert [row.position for row in await store.read_outbox(0)] == [second]
    assert (await store.outbox_status()).cursor == first


async def test_streams_that_end_with_their_process_are_owed_nothing_where_there_is_a_shared_one(store: Store) -> None:
    first = await put(store, trades(range(3), "A"))
    second = await put(store, trades(range(3), "B"))
    await store.advance("stream", 0, first - 1, 0)
    await store.advance("kafka", 0, first, 0)
    assert ((await store.outbox_status()).cursor, (await store.outbox_status()).pending) == (first, 1)
    await store.prune(outbox_before=datetime.now(UTC) + timedelta(hours=1), dry_run=False)
    assert [row.position for row in await store.read_outbox(0)] == [second]


async def test_how_far_the_database_has_come_is_told_whatever_waits_for_whom(store: Store) -> None:
    assert await store.reached() == Reached(0)
    first = await put(store, trades(range(3), "A"))
    assert await store.reached() == Reached(first)
    second = await put(store, trades(range(3), "B"))
    for published in (first, second):
        assert await store.reached() == Reached(second)
        await store.advance("stream", 0, published, 0)
    await store.prune(outbox_before=datetime.now(UTC) + timedelta(hours=1), dry_run=False)
    assert await store.reached() == Reached(second)


async def test_outbox_status_tells_how_far_the_relay_is_behind(store: Store) -> None:
    empty = await store.outbox_status()
    assert (empty.newest, empty.cursor, empty.pending, empty.oldest_pending_at) == (0, 0, 0, None)
    first = await put(store, trades(range(3), "A"))
    second = await put(store, trades(range(3), "B"))
    await store.advance("stream", 0, first, 0)
    status = await store.outbox_status()
    assert (status.newest, status.cursor, status.pending) == (second, first, 1)
    assert status.oldest_pending_at is not None
    await store.advance("stream", 0, second, 0)
    assert (await store.outbox_status()).pending == 0


async def test_pruning_takes_published_rows_only_and_readers_keep_their_position(store: Store) -> None:
    first = await put(store, trades(range(3), "A"))
    second = await put(store, trades(range(3), "B"))
    await store.advance("stream", 0, first, 0)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert (await store.prune(outbox_before=later))["outbox"] == 1
    assert len(await store.read_outbox(0)) == 2
    assert (await store.prune(outbox_before=later, dry_run=False))["outbox"] == 1
    assert [row.position for row in await store.read_outbox(0)] == [second]
    assert (await store.read(Query(TRADES, ("A",)))).position == first
    assert (await store.outbox_status()).newest == second
    third = await put(store, trades(range(3), "C"))
    assert third > second


@pytest.mark.parametrize("together", [False, True])
async def test_the_oldest_published_rows_go_until_so_many_bytes_are_left_and_readers_before_them_are_told(
    store: Store, together: bool
) -> None:
    """Their order counts, not when they were written: rows of one commit have one moment, and clocks are set back."""
    frames = [trades(range(3), name) for name in "ABCDEF"]
    for frame in [Frame.concat(frames)] if together else frames:
        await put(store, frame)
    rows = await store.read_outbox(0)
    size = len(rows[0].payload)
    await store.advance("stream", 0, rows[4].position, 0)
    assert (await store.prune(outbox_bytes=3 * size + size // 2))["outbox"] == 3
    assert len(await store.read_outbox(0)) == 6
    assert (await store.prune(outbox_bytes=3 * size + size // 2, dry_run=False))["outbox"] == 3
    assert await store.read_outbox(0) == rows[3:]
    with pytest.raises(PositionLost):
        await store.read_outbox(rows[1].position, whole=True)
    assert await store.read_outbox(rows[2].position, whole=True) == rows[3:]
    assert (await store.prune(outbox_bytes=3 * size + size // 2, dry_run=False))["outbox"] == 0
    await store.prune(outbox_bytes=1, dry_run=False)
    assert await store.read_outbox(0) == rows[5:]  # that of nobody yet


async def test_who_reads_on_from_before_what_was_pruned_is_told_and_nobody_else(store: Store) -> None:
    """Rows are left, so that without being told they would take the gap for silence."""
    first, second = [await put(store, trades(range(3), name)) for name in "AB"]
    await store.advance("stream", 0, second, 0)
    later = datetime.now(UTC) + timedelta(hours=1)
    await store.prune(outbox_before=later)
    assert [row.position for row in await store.read_outbox(0, whole=True)] == [first, second]
    await store.prune(outbox_before=later, dry_run=False)
    third, fourth = [await put(store, trades(range(3), name)) for name in "CD"]
    with pytest.raises(PositionLost, match=f"position {first} given; log and outbox do not go back so far"):
        await store.read_outbox(first, whole=True)
    assert [row.position for row in await store.read_outbox(first)] == [third, fourth]
    assert [row.position for row in await store.read_outbox(second, whole=True)] == [third, fourth]
    await store.advance("stream", 0, fourth, 0)
    await store.prune(outbox_before=datetime.now(UTC) - timedelta(hours=1), quarantine_before=later, dry_run=False)
    assert [row.position for row in await store.read_outbox(second, whole=True)] == [third, fourth]


async def test_pruning_keeps_what_is_newer_than_asked_for(store: Store) -> None:
    await store.advance("stream", 0, await put(store, trades(range(3))), 0)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    assert await store.prune(outbox_before=earlier, quarantine_before=earlier, dry_run=False) == {
        "outbox": 0,
        "seen": 0,
        "quarantine": 0,
        "dead_letters": 0,
        "journal": 0,
    }


def bad(location: str, at: datetime = DAY, **more: str) -> QuarantineRow:
    row = QuarantineRow("csv", location, "negative price", "EURUSD;-1", "trades", "run", at)
    return msgspec.structs.replace(row, **more)


async def test_a_bad_row_is_kept_once(store: Store) -> None:
    assert await store.quarantine([bad("a.csv:1"), bad("a.csv:2"), bad("a.csv:1")]) == 2
    assert await store.quarantine([bad("a.csv:2", run_id="again"), bad("a.csv:2", reason="other"), bad("b.csv:2")]) == 2
    assert len(await store.quarantined()) == 4
    assert await store.quarantine([]) == 0


async def test_bad_rows_are_listed_newest_first(store: Store) -> None:
    rows = [bad(f"a.csv:{n}", DAY + timedelta(hours=n)) for n in range(3)]
    await store.quarantine([*rows, bad("x", source="yahoo", run_id="other")])
    assert await store.quarantined(2) == [rows[2], rows[1]]
    assert await store.quarantined(2, 1) == [rows[1], rows[0]]
    assert await store.quarantined(5, 4) == []


async def test_old_bad_rows_are_pruned(store: Store) -> None:
    await store.quarantine([bad("a.csv:1"), bad("a.csv:2", DAY + timedelta(days=40))])
    cut = DAY + timedelta(days=30)
    assert (await store.prune(quarantine_before=cut))["quarantine"] == 1
    assert len(await store.quarantined()) == 2
    await store.prune(quarantine_before=cut, dry_run=False)
    assert [row.location for row in await store.quarantined()] == ["a.csv:2"]


async def test_text_that_no_database_takes_can_be_quarantined_all_the_same(store: Store) -> None:
    await store.quarantine([bad("a.csv:1", excerpt="a\0b\x1b[31m\ud800" + "x" * 5000)])
    [row] = await store.quarantined()
    assert row.excerpt.startswith("a\\x00b\\x1b[31m\\ud800x")
    assert len(row.excerpt) <= 2000


async def test_a_failed_run_is_journalled_with_its_error(store: Store) -> None:
    row = JournalRow(
        run_id="run",
        ingest_id="",
        dimension=TRADES,
        source="csv",
        status="failed",
        rows=0,
        inserted=0,
        changed=0,
        unchanged=0,
        symbols=("A", "B"),
        start=None,
        end=None,
        duration_s=0.5,
        executed_at=DAY,
        error="no such file",
        metadata={"requested": "A,B"},
    )
    await store.record_journal(row)
    assert await store.journal() == [row]
    assert await store.lookup("run", "") is None


def run_of(number: int, at: datetime, source: str = "live", dimension: Dimension = TRADES) -> JournalRow:
    return JournalRow(
        run_id=f"{source}-{number}",
        ingest_id="",
        dimension=dimension,
        source=source,
        status="failed",
        rows=0,
        inserted=0,
        changed=0,
        unchanged=0,
        symbols=(),
        start=None,
        end=None,
        duration_s=0.0,
        executed_at=at,
    )


async def journalled(store: Store, rows: Sequence[JournalRow]) -> None:
    for row in rows:
        await store.record_journal(row)


async def kept(store: Store, before: datetime, rows: int) -> list[str]:
    """The journal after a dry run, which has to say how many go, and a true one."""
    stood = len(await store.journal(1000))
    bound = JournalBound(before, rows)
    due = (await store.prune(journal=bound))["journal"]
    assert (await store.prune(journal=bound, dry_run=False))["journal"] == due
    left = [row.run_id for row in reversed(await store.journal(1000))]
    assert len(left) == stood - due
    return left


async def test_old_rows_of_the_journal_go_and_the_newest_of_each_source_and_dimension_stay(store: Store) -> None:
    now = datetime.now(UTC)
    old, young = now - timedelta(days=100), now - timedelta(days=2)
    others = [run_of(3, old, "csv:/a"), run_of(4, old, "csv:/a"), run_of(5, old, dimension=BARS)]
    await journalled(store, [run_of(1, old), run_of(2, old), *others, run_of(6, young), run_of(7, young)])
    assert await kept(store, now - timedelta(days=90), 1000) == ["csv:/a-4", "live-5", "live-6", "live-7"]


async def test_the_journal_keeps_the_newest_so_many_rows_and_all_that_a_run_under_way_may_need(store: Store) -> None:
    now = datetime.now(UTC)
    yesterday, earlier, just_now = now - timedelta(hours=30), now - timedelta(hours=2), now - timedelta(minutes=5)
    files = [run_of(1, yesterday, "csv:/a"), run_of(2, earlier, "csv:/a"), run_of(3, just_now, "csv:/a")]
    await journalled(
        store, [*files, *(run_of(n, earlier) for n in range(4, 8)), *(run_of(n, just_now) for n in (8, 9))]
    )
    assert await kept(store, now - timedelta(days=90), 3) == ["csv:/a-2", "csv:/a-3", "live-7", "live-8", "live-9"]
    assert await kept(store, now - timedelta(days=90), 0) == ["csv:/a-2", "csv:/a-3", "live-8", "live-9"]


async def test_a_run_that_goes_on_after_the_journal_was_pruned_is_told_what_it_wrote_and_undoes_no_correction(
    store: Store,
) -> None:
    corrected = Frame.from_records(TRADES, [{"symbol": "EURUSD", "ts": DAY, "sequence": 0, "price": 9.0}])
    frame = trades(range(2))
    chunk = Chunk(ingest_id("csv", frame), "cut off", "csv", frame)
    written = await store.write(chunk)
    await put(store, corrected, "correction")
    await store.prune(journal=JournalBound(datetime.now(UTC), 0), dry_run=False)
    again = await store.write(chunk)
    assert (again.inserted, again.changed, again.position) == (2, 0, written.position)
    assert (await store.read(Query(TRADES))).frame.column("price").tolist() == [9.0, 1.0]


async def test_the_journal_is_left_alone_where_nothing_is_said_of_it(store: Store) -> None:
    await journalled(store, [run_of(number, DAY) for number in range(3)])
    assert (await store.prune(dry_run=False))["journal"] == 0
    assert len(await store.journal()) == 3


async def test_coverage_tells_rows_and_span_per_symbol(store: Store) -> None:
    await put(store, Frame.concat([trades(range(5), "A"), trades(range(3, 9), "B")]))
    a, b = await store.coverage(TRADES)
    assert (a.symbol, a.interval, a.rows, a.earliest, a.latest) == ("A", None, 5, DAY, DAY + timedelta(seconds=4))
    assert (b.symbol, b.rows) == ("B", 6)
    [only] = await store.coverage(TRADES, DAY + timedelta(seconds=2))
    assert (only.symbol, only.rows) == ("A", 3)
    assert await store.coverage(TRADES, symbols=["B", "A"]) == [a, b]
    assert await store.coverage(TRADES, symbols=["B"]) == [b]
    assert await store.coverage(TRADES, symbols=["C"]) == []
    assert await store.coverage(TRADES, DAY + timedelta(seconds=2), symbols=["B", "A"]) == [only]
    assert await store.coverage(BARS) == []


async def test_quarters_are_those_of_an_hour_that_have_rows_whatever_their_number(store: Store) -> None:
    await put(store, Frame.concat([trades(range(890, 1000)), trades(range(7200, 7203), "B"), trades(range(-3, -1))]))
    found = await store.quarters(TRADES, DAY - timedelta(days=1), DAY + timedelta(hours=2, seconds=1))
    assert {key: [at.replace(tzinfo=UTC) - DAY for at in moments.tolist()] for key, moments in found.items()} == {
        ("EURUSD", None): [timedelta(minutes=n) for n in (-15, 0, 15)],
        ("B", None): [timedelta(hours=2)],
    }
    assert {each.dtype for each in found.values()} == {np.dtype("datetime64[us]")}
    assert list(await store.quarters(TRADES, DAY + timedelta(seconds=999), DAY + timedelta(hours=1))) == [
        ("EURUSD", None)
    ]
    assert await store.quarters(TRADES, DAY + timedelta(hours=3), DAY + timedelta(hours=4)) == {}


async def test_quarters_are_told_by_interval_and_also_before_1970(store: Store) -> None:
    old = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
    rows = [{"symbol": "A", "interval": name, "ts": old, "close": 1.0} for name in ("1m", "1h")]
    await put(store, Frame.from_records(Dimension.INTRADAY_BARS, rows))
    found = await store.quarters(Dimension.INTRADAY_BARS, old - timedelta(days=1), old)
    quarter = datetime(1969, 12, 31, 23, 45)  # noqa: DTZ001  as numpy gives it
    assert {key: moments.tolist() for key, moments in found.items()} == {
        ("A", "1h"): [quarter],
        ("A", "1m"): [quarter],
    }


async def test_probe_proves_that_the_store_takes_writes(store: Store) -> None:
    info = await store.probe()
    assert info.writable
    assert info.degraded_reason is None or "works" in info.degraded_reason
    assert info.version


async def test_migrating_again_does_nothing(store: Store) -> None:
    report = await store.migrate()
    assert (report.applied, report.pending) == ((), ())
    assert report.current
