"""Bars made by the store equal those made in Python of the same rows, wherever one clock says where they begin."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.clock import interval_duration
from backbone.domain.identifiers import ingest_id
from backbone.quality.buckets import in_session, offset_of
from backbone.quality.resample import TRADES as OF_TRADES
from backbone.quality.resample import made_of, resample
from backbone.quality.sessions import CALENDARS
from backbone.store.errors import Unsupported
from backbone.store.port import Store
from backbone.store.records import Bucket, Chunk, Query

INTRADAY, EVENTS = Dimension.INTRADAY_BARS, Dimension.TRADES
_AUTUMN = datetime(2024, 11, 1, tzinfo=UTC)  # clocks change on the 3rd
_YEAR_1969 = datetime(1969, 12, 30, tzinfo=UTC)
_LONG = timedelta(days=5)


async def written(store: Store, frame: Frame) -> Frame:
    await store.write(Chunk(ingest_id("csv", frame), "run", "csv", frame))
    return frame


def bucket(interval: str, source: str, offset_us: int) -> Bucket:
    span = timedelta(microseconds=1) if source == OF_TRADES else interval_duration(source)
    microsecond = timedelta(microseconds=1)
    return Bucket(interval, interval_duration(interval) // microsecond, offset_us, span // microsecond)


def some_bars(chance: random.Random, begin: datetime, source: str) -> Frame:
    """With gaps, nulls, nights and weekends; volumes that add up exactly in whatever order."""
    step = interval_duration(source)

    def maybe(value: float) -> float | None:
        return None if chance.random() < 0.2 else value

    return Frame.from_records(
        INTRADAY,
        [
            {
                "symbol": symbol, "interval": source, "ts": begin + number * step, "open": maybe(chance.random()),
                "high": maybe(chance.random()), "low": maybe(chance.random()), "close": maybe(chance.random()),
                "volume": maybe(float(chance.randrange(100))),
            }
            for symbol in ("A", "B")
            for number in range(_LONG // step)
            if chance.random() < 0.4
        ],
    )  # fmt: skip


def some_trades(chance: random.Random, begin: datetime) -> Frame:
    moments = [begin + timedelta(microseconds=chance.randrange(_LONG // timedelta(microseconds=1))) for _ in range(300)]
    return Frame.from_records(
        EVENTS,
        [
            {
                "symbol": chance.choice("AB"), "ts": ts, "sequence": sequence,
                "price": chance.choice([None, chance.random(), chance.random()]),
                "size": chance.choice([None, float(chance.randrange(100))]),
                "conditions": chance.choice([None, "@", "@,cancelled", "cancelled"]),
            }
            for ts in moments
            for sequence in range(chance.randrange(1, 4))
        ],
    )  # fmt: skip


@pytest.mark.parametrize("begin", [_AUTUMN, _YEAR_1969])
@pytest.mark.parametrize("calendar", list(CALENDARS))
@pytest.mark.parametrize("source", ["30s", "1m", "15m", OF_TRADES])
async def test_bars_by_the_store_are_those_by_python(store: Store, source: str, calendar: str, begin: datetime) -> None:
    chance = random.Random(f"{source} {calendar} {begin}")
    rows = await written(store, some_trades(chance, begin) if source == OF_TRADES else some_bars(chance, begin, source))
    by = CALENDARS[calendar]
    compared = 0
    for interval in ("30m", "45m", "1h", "90m", "2h", "3h", "4h", "6h", "8h", "12h"):
        offset = offset_of([by], interval, begin, begin + _LONG)
        if offset is None or source not in (*made_of(interval), OF_TRADES):
            continue
        for symbols in ((), ("A",)):
            kept = None if source == OF_TRADES else source
            query = Query(rows.dimension, symbols, kept, begin, begin + _LONG, bucket=bucket(interval, source, offset))
            made = in_session((await store.read(query)).frame, lambda _: by)
            assert made == resample(rows.select(symbols or None), source, interval, lambda _: by)
            compared += made.num_rows
    assert compared


async def test_a_cancelled_trade_is_part_of_no_bar(store: Store) -> None:
    trades = [(10.0, "@"), (107.0, "@,cancelled"), (11.0, None), (0.1, "cancelled"), (10.5, "@,corrected")]
    rows = [
        {"symbol": "A", "ts": _AUTUMN, "sequence": n, "price": price, "size": 100.0, "conditions": conditions}
        for n, (price, conditions) in enumerate(trades)
    ]
    frame = await written(store, Frame.from_records(EVENTS, rows))
    made = (await store.read(Query(EVENTS, start=_AUTUMN, bucket=bucket("1m", OF_TRADES, 0)))).frame
    assert made == resample(frame, OF_TRADES, "1m", lambda _: CALENDARS["24x7"])
    assert made.to_arrow().select(["open", "high", "low", "close", "volume"]).to_pylist() == [
        {"open": 10.0, "high": 11.0, "low": 10.0, "close": 10.5, "volume": 300.0}
    ]


async def test_first_and_last_of_a_bar_are_those_by_moment_and_number_however_many_there_are(store: Store) -> None:
    """Thousands of trades to a bar, several at each moment, stored in parts that are all mixed up."""
    chance = random.Random(4)
    trades = [
        {"symbol": symbol, "ts": _AUTUMN + timedelta(milliseconds=n // 3), "sequence": n % 3, "price": chance.random()}
        for symbol in ("A", "B")
        for n in range(20_000)
    ]
    chance.shuffle(trades)
    for part in range(4):
        await written(store, Frame.from_records(EVENTS, trades[part::4]))
    rows = Frame.from_records(EVENTS, trades)
    by = CALENDARS["24x7"]
    for symbols in ((), ("A",)):
        asked = Query(EVENTS, symbols, start=_AUTUMN, bucket=bucket("1m", OF_TRADES, 0))
        assert (await store.read(asked)).frame == resample(rows.select(symbols or None), OF_TRADES, "1m", lambda _: by)


async def test_rows_that_lie_in_two_bars_are_refused(store: Store) -> None:
    row = {"symbol": "A", "interval": "1h", "close": 1.0}
    await written(store, Frame.from_records(INTRADAY, [{**row, "ts": _AUTUMN + timedelta(minutes=210)}]))
    with pytest.raises(Unsupported, match="two of the bars"):
        await store.read(Query(INTRADAY, ("A",), "1h", bucket=bucket("4h", "1h", 0)))


async def test_an_answer_without_rows_is_an_empty_frame_of_bars(store: Store) -> None:
    found = await store.read(Query(EVENTS, ("A",), bucket=bucket("5m", OF_TRADES, 0)))
    assert (found.frame, found.position) == (Frame.empty(INTRADAY), 0)


@pytest.mark.parametrize("wrong", [{"limit": 5}, {"as_of": _AUTUMN}])
async def test_bars_of_some_rows_or_of_former_ones_are_refused(store: Store, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="without limit and as_of"):
        await store.read(Query(EVENTS, ("A",), bucket=bucket("5m", OF_TRADES, 0), **wrong))  # type: ignore[arg-type]
