"""What a store tells and forgets for those who fill gaps and judge bad rows again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.errors import VersionStands
from backbone.store.port import Store
from backbone.store.records import Chunk, QuarantineRow, Query

BARS = Dimension.INTRADAY_BARS
DAY_2 = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def minute_bars(*numbers: int, symbol: str = "EURUSD", begin: datetime = DAY_2, close: float = 1.0) -> Frame:
    values = {"open": 1.0, "high": 1.0, "low": 0.5, "close": close}
    rows = [{"symbol": symbol, "interval": "1m", "ts": begin + each * MINUTE, **values} for each in numbers]
    return Frame.from_records(BARS, rows)


def of_run(frame: Frame, run: str = "run") -> Chunk:
    return Chunk(ingest_id("csv", frame), run, "csv", frame)


def bad_row(n: int, **more: object) -> QuarantineRow:
    row = QuarantineRow("csv:/bars.csv", f"bars.csv:{n}", "has no price", "…", "daily_bars", "run", AT)
    return msgspec.structs.replace(row, **more)


async def test_each_quarter_of_an_hour_is_counted_by_symbol_and_interval(store: Store) -> None:
    await store.write(of_run(minute_bars(0, 1, 14, 15, 46)))
    await store.write(of_run(minute_bars(3, symbol="USDJPY")))
    tallies = await store.tallies(BARS, DAY_2, DAY_2 + 45 * MINUTE)
    assert list(tallies) == [("EURUSD", "1m"), ("USDJPY", "1m")]
    quarters, counts = tallies["EURUSD", "1m"]
    assert quarters.tolist() == np.array(["2024-01-02T00:00", "2024-01-02T00:15"], "datetime64[us]").tolist()
    assert counts.tolist() == [3, 1]
    assert list(await store.tallies(BARS, DAY_2, DAY_2 + 60 * MINUTE, symbols=["USDJPY"])) == [("USDJPY", "1m")]
    assert await store.tallies(BARS, DAY_2 + 60 * MINUTE, DAY_2 + 90 * MINUTE) == {}


async def test_quarters_before_1970_are_counted_as_such(store: Store) -> None:
    await store.write(of_run(minute_bars(-1, 0, begin=datetime(1970, 1, 1, tzinfo=UTC))))
    [(quarters, counts)] = (await store.tallies(BARS, datetime(1969, 1, 1, tzinfo=UTC), DAY_2)).values()
    assert quarters.astype(np.int64).tolist() == [-900_000_000, 0]
    assert counts.tolist() == [1, 1]


async def test_what_the_ledger_was_told_to_forget_is_compared_and_not_passed(store: Store) -> None:
    frame = minute_bars(0, 1, 2)
    await store.write(of_run(frame))
    assert (await store.write(of_run(frame, "again"))).known
    assert await store.void(BARS, "EURUSD", "1m", DAY_2 + 2 * MINUTE, DAY_2 + 9 * MINUTE) == 1
    looked = await store.write(of_run(frame, "looked"))
    assert not looked.known
    assert looked.unchanged == 3
    assert (await store.write(of_run(frame, "known again"))).known


async def test_a_chunk_that_yields_takes_no_other_versions_place_and_leaves_nothing_behind(store: Store) -> None:
    stands, other = minute_bars(0, 1), Frame.concat([minute_bars(0, close=0.5), minute_bars(2)])
    await store.write(of_run(stands))
    with pytest.raises(VersionStands, match="other versions of 1 rows are stored"):
        await store.write(msgspec.structs.replace(of_run(other), yields=True))
    assert (await store.read(Query(BARS))).frame.canonical_bytes() == stands.canonical_bytes()
    assert await store.lookup("run", of_run(other).ingest_id) is None
    assert (await store.write(of_run(stands, "again"))).known
    more = msgspec.structs.replace(of_run(minute_bars(0, 1, 2), "more"), yields=True)
    result = await store.write(more)
    assert (result.inserted, result.changed, result.unchanged) == (1, 0, 2)
    assert (await store.write(of_run(other, "not yielding"))).changed == 1


async def test_only_entries_of_the_series_that_reach_into_the_range_are_voided(store: Store) -> None:
    await store.write(of_run(minute_bars(0, 1)))
    assert await store.void(BARS, "EURUSD", "1h", DAY_2, DAY_2 + MINUTE) == 0
    assert await store.void(BARS, "USDJPY", "1m", DAY_2, DAY_2 + MINUTE) == 0
    assert await store.void(BARS, "EURUSD", "1m", DAY_2 + 2 * MINUTE, DAY_2 + 3 * MINUTE) == 0
    assert await store.void(Dimension.TRADES, "EURUSD", None, DAY_2, DAY_2 + MINUTE) == 0
    assert (await store.write(of_run(minute_bars(0, 1), "again"))).known


async def test_a_bad_row_is_kept_whole_found_by_its_id_and_forgotten(store: Store) -> None:
    rows = [bad_row(1, payload=b"\0whole"), bad_row(2), bad_row(3)]
    assert await store.quarantine(rows) == 3
    assert await store.quarantined_at([rows[2].id, "no such", rows[0].id]) == [rows[2], rows[0]]
    assert await store.delete_quarantined([rows[0], bad_row(9)]) == 1
    assert await store.quarantined() == rows[1:]
    assert await store.quarantined_at([rows[0].id]) == []


async def test_the_id_of_a_bad_row_is_that_of_its_texts_as_they_are_kept(store: Store) -> None:
    row = bad_row(1, reason="has\ta tab" + 3000 * "x", location="bars.csv:\x00")
    await store.quarantine([row])
    [kept] = await store.quarantined()
    assert kept.id == row.id
    assert await store.delete_quarantined([row]) == 1


async def test_the_journal_is_read_of_one_source(store: Store) -> None:
    for number, source in enumerate(("csv:/a", "csv:/b", "csv:/a")):
        frame = minute_bars(number)
        await store.write(Chunk(ingest_id(source, frame), f"run {number}", source, frame, metadata={"columns": "{}"}))
    assert [row.run_id for row in await store.journal(source="csv:/a")] == ["run 2", "run 0"]
    assert [row.run_id for row in await store.journal(1, BARS, source="csv:/a")] == ["run 2"]
    assert [row.metadata for row in await store.journal(source="csv:/b")] == [{"columns": "{}"}]
    assert await store.journal(source="nowhere") == []
    assert len(await store.journal(2)) == 2


async def test_bad_rows_up_to_a_moment_are_forgotten_some_at_a_time(store: Store) -> None:
    await store.quarantine([bad_row(n, at=AT + n * MINUTE) for n in range(5)])
    until = AT + 3 * MINUTE
    assert [await store.clear_quarantine(until, 3) for _ in range(3)] == [3, 1, 0]
    assert [row.location for row in await store.quarantined()] == ["bars.csv:4"]
