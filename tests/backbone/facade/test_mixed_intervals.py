"""History that is kept in several intervals, and bars that are not whole yet, through the facade."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from backbone import Dimension, Frame, IngestPlan, StoreUnavailable
from backbone.quality.resample import resample
from backbone.quality.sessions import Calendar, calendar
from backbone.testing import Faults, embedded
from tests.backbone.facade.kit import BARS, write_csv
from tests.backbone.facade.test_aggregated import asked

SUNDAY = datetime(2024, 6, 2, 21, tzinfo=UTC)  # 17:00 in New York
FIVE, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
ALL: dict[str, object] = {"symbols": ["EURUSD"]}


def fx(_symbol: str) -> Calendar:
    return calendar("fx")


def minutes(start: datetime, end: datetime, symbol: str = "EURUSD") -> Frame:
    chance = np.random.default_rng(3)
    rows = []
    for stamp in calendar("fx").expected_stamps("5m", start, end - FIVE).tolist():
        first, last = chance.integers(90, 110, 2).tolist()
        prices = {
            "open": float(first),
            "high": max(first, last) + 1.0,
            "low": min(first, last) - 1.0,
            "close": float(last),
        }
        rows.append({"symbol": symbol, "interval": "5m", "ts": stamp.replace(tzinfo=UTC), **prices, "volume": 1.0})
    return Frame.from_records(BARS, rows)


FINE = minutes(SUNDAY, SUNDAY + 8 * DAY)
HOURLY = resample(FINE, "5m", "1h", fx)


@pytest.mark.parametrize("hours", [24, 50, 61])
@pytest.mark.parametrize("interval", ["30m", "1h", "4h", "1d", "1wk"])
async def test_history_in_hours_and_in_minutes_is_one_history(interval: str, hours: int) -> None:
    at = SUNDAY + timedelta(hours=hours)
    wanted = resample(FINE.select(start=at) if interval == "30m" else FINE, "5m", interval, fx)
    async with embedded() as backbone:
        await backbone.record(HOURLY.select(end=at - HOUR))
        await backbone.record(FINE.select(start=at))
        everything = await backbone.fetch(BARS, **ALL, interval=interval)  # type: ignore[arg-type]
        assert everything == wanted
        assert await backbone.fetch(BARS, interval=interval) == wanted
        for limit in (1, 5, 40):
            assert await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, limit=limit) == wanted.newest(
                limit
            )
        start, end = SUNDAY + 2 * DAY, SUNDAY + 3 * DAY
        assert await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, start=start, end=end) == wanted.select(
            start=start, end=end
        )


async def test_only_bars_that_are_stored_are_given_where_that_was_asked() -> None:
    async with embedded() as backbone:
        await backbone.record(HOURLY.select(end=SUNDAY + DAY))
        await backbone.record(FINE)
        stored = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", resample=False)
        assert stored == HOURLY.select(end=SUNDAY + DAY)


async def test_finer_bars_recorded_a_moment_ago_are_used_by_the_next_fetch() -> None:
    async with embedded(overrides={"quality.session": "us_equities"}) as backbone:
        opening = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
        fine = minutes(opening, opening + timedelta(hours=6, minutes=30), "S")
        prices = {"symbol": "S", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
        hours = [opening - timedelta(minutes=30) + n * HOUR for n in range(7)]
        await backbone.record([{**prices, "interval": "1h", "ts": ts} for ts in hours], BARS)
        with pytest.raises(ValueError, match=r"1h bar at .* lies in two 4h bars"):
            await backbone.fetch(BARS, symbols=["S"], interval="4h")
        await backbone.record(fine)
        made = await backbone.fetch(BARS, symbols=["S"], interval="4h")
        assert made.column("ts").astype(str).tolist() == ["2024-07-02T13:30:00.000000", "2024-07-02T17:30:00.000000"]


async def test_finer_bars_ingested_a_moment_ago_are_used_by_the_next_fetch(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "fine.csv", FINE.select(start=SUNDAY + DAY))
    async with embedded() as backbone:
        await backbone.record(HOURLY.select(end=SUNDAY + DAY - HOUR))
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).num_rows == 24
        await backbone.ingest(IngestPlan(dimensions=[BARS], interval="5m", path=path))
        merged = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
        assert merged.column("close").tolist() == HOURLY.column("close").tolist()


async def test_behind_the_stored_bars_comes_each_one_that_is_whole_and_no_other() -> None:
    async with embedded() as backbone:
        await backbone.record(HOURLY.select(end=SUNDAY + 10 * HOUR))
        ends = []
        for count in range(1, 26):
            start = SUNDAY + 11 * HOUR
            await backbone.record(FINE.select(start=start, end=start + count * FIVE - timedelta(seconds=1)))
            frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", limit=3)
            assert frame.partial == {}
            assert frame == HOURLY.select(end=frame.end).newest(3)
            ends.append((frame.end - SUNDAY) // HOUR if frame.end else None)
        assert ends == [10] * 11 + [11] * 12 + [12] * 2


async def test_what_hours_leave_open_in_between_is_read_to_its_end_and_what_they_leave_open_last_without_one() -> None:
    for hours in (slice(0, None), slice(0, 24)):
        async with asked("fx") as (backbone, queries):
            kept = [HOURLY.slice(0, 10), HOURLY.slice(14)] if hours.stop is None else [HOURLY.slice(0, hours.stop)]
            for frame in (*kept, FINE):
                await backbone.record(frame)
            assert await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h") == HOURLY
            [finer] = [query for query in queries if query.interval == "5m"]
            assert finer.end == (SUNDAY + 14 * HOUR if hours.stop is None else None)  # newer ones may come meanwhile


async def test_who_has_the_bars_asked_for_does_not_wait_for_a_store_that_does_not_answer() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(HOURLY)
        fresh = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
        faults.store_down()
        assert await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h") == fresh
        with pytest.raises(StoreUnavailable):
            await backbone.fetch(BARS, symbols=["NEVER"], interval="1h")


async def test_a_bar_is_marked_as_long_as_it_grows() -> None:
    async with embedded() as backbone:
        marks = []
        for hour in range(23):
            await backbone.record(HOURLY.slice(hour, 1))
            frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="12h")
            marks.append(frame.partial.get("EURUSD"))
            if marks[-1] is not None:
                assert marks[-1] == frame.end
        half = SUNDAY + 12 * HOUR
        assert marks == [SUNDAY] * 11 + [None] + [half] * 11
        await backbone.record(HOURLY.slice(23, 1))
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="12h")).partial == {}
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).partial == {}


async def test_a_week_of_daily_bars_is_marked_until_its_last_session() -> None:
    monday = datetime(2024, 7, 1, tzinfo=UTC)
    async with embedded(overrides={"quality.session": "us_equities"}) as backbone:
        for day, partial in ((0, {"A": monday}), (2, {"A": monday}), (4, {})):
            await backbone.record([{"symbol": "A", "ts": monday + day * DAY, "close": 1.0}], "daily")
            assert (await backbone.fetch("daily", symbols=["A"], interval="1wk")).partial == partial


@pytest.mark.parametrize("source", ["1m", "trades"])
async def test_bars_made_by_the_store_are_marked_as_those_made_in_python(source: str) -> None:
    start = datetime(2024, 6, 4, 10, tzinfo=UTC)
    row = {"symbol": "EURUSD", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "interval": "1m"}
    trade = {"symbol": "EURUSD", "price": 1.0, "size": 1.0}
    of_bars = source == "1m"
    dimension, template = (BARS, row) if of_bars else (Dimension.TRADES, trade)

    def rows(*minutes: int) -> list[dict[str, object]]:
        numbers = {} if of_bars else {"sequence": 1}
        return [{**template, **numbers, "ts": start + timedelta(minutes=n)} for n in minutes]

    async with asked("24x7") as (backbone, queries):
        await backbone.record(rows(0, 3, 4), dimension)
        ask = {"symbols": ["EURUSD"], "interval": "5m", "start": start}
        first = await backbone.fetch(BARS, **ask)  # type: ignore[arg-type]
        assert any(query.bucket is not None for query in queries)
        assert first.partial == ({} if of_bars else {"EURUSD": start})
        await backbone.record(rows(7), dimension)
        second = await backbone.fetch(BARS, **ask)  # type: ignore[arg-type]
        assert second.partial == {"EURUSD": start + FIVE}
        assert (await backbone.fetch(BARS, **ask, end=start)).partial == {}  # type: ignore[arg-type]
        await backbone.record(rows(10), dimension)
        third = await backbone.fetch(BARS, **ask)  # type: ignore[arg-type]
        assert third.partial == {"EURUSD": start + 2 * FIVE}
