"""Bars that the store makes by itself, and where it must not, through the facade."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from backbone import Backbone, Dimension, Frame, load_settings
from backbone.quality.resample import TRADES as OF_TRADES
from backbone.quality.resample import resample
from backbone.quality.sessions import CALENDARS
from backbone.store.port import Store
from backbone.store.records import Query, ReadResult
from backbone.testing import with_store

BARS, TRADES = Dimension.INTRADAY_BARS, Dimension.TRADES
FRIDAY = datetime(2024, 11, 1, tzinfo=UTC)  # clocks change on Sunday
DAYS = timedelta(days=6)


@cache
def minutes(step: int = 1, shift: timedelta = timedelta(0)) -> Frame:
    chance = random.Random(3)
    moments = [FRIDAY + shift + number * timedelta(minutes=step) for number in range(DAYS // timedelta(minutes=step))]
    rows = [
        {
            "symbol": "EURUSD",
            "interval": f"{step}m",
            "ts": ts,
            "open": 1.0 + chance.random(),
            "high": 2.0 + chance.random(),
            "low": 0.5 + chance.random() / 2,
            "close": 1.0 + chance.random(),
            "volume": float(chance.randrange(9)),
        }
        for ts in moments
        if chance.random() < 0.5
    ]
    return Frame.from_records(BARS, rows)


@cache
def ticks() -> Frame:
    chance = random.Random(5)
    return Frame.from_records(
        TRADES,
        [
            {
                "symbol": "EURUSD",
                "ts": FRIDAY + chance.random() * DAYS,
                "sequence": number,
                "price": 1.0 + chance.random(),
                "size": float(chance.randrange(9)),
            }
            for number in range(3000)
        ],
    )


@asynccontextmanager
async def asked(session: str = "fx") -> AsyncIterator[tuple[Backbone, list[Query]]]:
    """A backbone, and what its store was asked to read."""
    queries: list[Query] = []

    def watched(make: Callable[[], Store]) -> Store:
        store: Any = make()
        read = store.read

        async def seen(query: Query) -> ReadResult:
            queries.append(query)
            result: ReadResult = await read(query)
            return result

        store.read = seen
        return store  # type: ignore[no-any-return]

    memory = {"store.path": ":memory:", "store.inline": True, "control.enabled": False}
    settings = load_settings(profile="embedded", env={}, overrides={**memory, "quality.session": session})
    async with Backbone.open(settings, parts=with_store(watched)) as backbone:
        yield backbone, queries


@pytest.mark.parametrize("session", list(CALENDARS))
@pytest.mark.parametrize("interval", ["15m", "30m", "1h", "4h"])
@pytest.mark.parametrize("frame", [minutes(), ticks()], ids=["bars", "trades"])
async def test_bars_are_the_same_whoever_makes_them(session: str, interval: str, frame: Frame) -> None:
    source = OF_TRADES if frame.dimension is TRADES else "1m"
    wanted = resample(frame, source, interval, lambda _: CALENDARS[session])
    async with asked(session) as (backbone, queries):
        await backbone.record(frame)
        for start, end in ((FRIDAY, None), (FRIDAY + timedelta(hours=40), FRIDAY + timedelta(hours=100, minutes=7))):
            made = await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, start=start, end=end)
            assert made == wanted.select(start=start, end=end)
        newest = await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, limit=9)
        assert newest == wanted.newest(9)
        assert newest.dimension is BARS
        by_store = any(query.bucket is not None for query in queries)
        fits = session == "24x7" or interval != "4h"
        assert by_store == (fits and (session, interval) != ("us_equities", "1h"))


async def test_a_bar_that_begins_before_the_open_is_left_to_python() -> None:
    opening = FRIDAY + timedelta(hours=13, minutes=30)
    row = {"symbol": "EURUSD", "interval": "15m", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    moments = [opening - timedelta(minutes=10), opening + timedelta(minutes=15), opening + timedelta(minutes=30)]
    frame = Frame.from_records(BARS, [{**row, "ts": ts, "volume": 1.0} for ts in moments])
    async with asked("us_equities") as (backbone, queries):
        await backbone.record(frame)
        made = await backbone.fetch(BARS, symbols=["EURUSD"], interval="30m", start=opening, end=opening)
        assert made.column("volume").tolist() == [2.0]
        assert [query.bucket is None for query in queries[-2:]] == [False, True]


async def test_bars_that_lie_in_two_are_refused_as_by_python() -> None:
    async with asked("24x7") as (backbone, _):
        await backbone.record(minutes(15, shift=timedelta(minutes=50)))
        with pytest.raises(ValueError, match="lies in two 30m bars"):
            await backbone.fetch(BARS, symbols=["EURUSD"], interval="30m", start=FRIDAY)


async def test_what_was_recorded_since_is_in_the_bars() -> None:
    frame = minutes()
    half = FRIDAY + DAYS / 2
    async with asked("24x7") as (backbone, _):
        await backbone.record(frame.select(end=half))
        ask = {"symbols": ["EURUSD"], "interval": "15m", "start": FRIDAY}
        before = await backbone.fetch(BARS, **ask)  # type: ignore[arg-type]
        await backbone.record(frame.select(start=half))
        after = await backbone.fetch(BARS, **ask)  # type: ignore[arg-type]
        assert before.num_rows < after.num_rows
        assert after == resample(frame, "1m", "15m", lambda _: CALENDARS["24x7"])
