"""Bars of wider intervals than those stored, through the facade."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from backbone import Dimension, Frame, StoreUnavailable
from backbone.testing import Faults, embedded
from tests.backbone.facade.kit import BARS, bars, plan

DAILY = Dimension.DAILY_BARS
SUNDAY = datetime(2018, 6, 3, 21, tzinfo=UTC)  # 17:00 in New York
WEEK = 5 * 24


def of_interval(frame: Frame, interval: str) -> Frame:
    table = frame.to_arrow().to_pylist()
    return Frame.from_records(frame.dimension, [{**row, "interval": interval} for row in table])


def days(count: int, symbol: str = "AAPL", start: datetime = datetime(2018, 1, 1, tzinfo=UTC)) -> Frame:
    rows: list[dict[str, Any]] = [
        {
            "symbol": symbol,
            "ts": start + timedelta(days=n),
            "open": n + 9,
            "high": n + 11,
            "low": n + 8,
            "close": n + 10,
        }
        for n in range(count)
    ]
    rows = [{name: float(v) if isinstance(v, int) else v for name, v in row.items()} for row in rows]
    return Frame.from_records(DAILY, [{**row, "volume": 1.0, "adj_close": 7.0} for row in rows])


async def test_a_weekly_query_returns_weekly_bars_and_never_daily_ones() -> None:
    async with embedded(overrides={"quality.session": "24x7"}) as backbone:
        await backbone.record(days(28))
        weekly = await backbone.fetch(DAILY, symbols=["AAPL"], interval="1w")
        assert weekly.column("ts").astype("datetime64[D]").astype(str).tolist() == [
            "2018-01-01",
            "2018-01-08",
            "2018-01-15",
            "2018-01-22",
        ]
        assert weekly.column("volume").tolist() == [7.0] * 4
        assert weekly.column("close").tolist() == [16.0, 23.0, 30.0, 37.0]
        assert weekly.column("adj_close").tolist() == [7.0] * 4
        assert (await backbone.fetch(DAILY, interval="1d")).num_rows == 28
        assert (await backbone.fetch(DAILY)).num_rows == 28


async def test_daily_bars_are_made_of_hourly_ones_by_session() -> None:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        daily = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d")
        hourly = await backbone.fetch(BARS, symbols=["EURUSD"])
        monday = datetime(2018, 6, 4, tzinfo=UTC)
        (row,) = daily.select(start=monday, end=monday).to_arrow().to_pylist()
        session = hourly.select(start=SUNDAY, end=SUNDAY + timedelta(hours=23))
        assert session.num_rows == 24
        assert row["interval"] == "1d"
        assert (row["open"], row["close"]) == (session.column("open")[0], session.column("close")[-1])
        assert (row["high"], row["low"]) == (session.column("high").max(), session.column("low").min())
        everything = await backbone.fetch(BARS, interval="1d")
        assert everything == daily


async def test_a_window_cuts_no_bar_short() -> None:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        for interval in ("4h", "1d", "1wk", "1mo"):
            whole = await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval)
            ts = whole.column("ts")
            first, last = (ts[place].astype("datetime64[us]").item().replace(tzinfo=UTC) for place in (1, -2))
            window = await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, start=first, end=last)
            assert window == whole.slice(1, whole.num_rows - 2)
            after = await backbone.fetch(
                BARS, symbols=["EURUSD"], interval=interval, start=first + timedelta(seconds=1), end=last
            )
            assert after == whole.slice(2, whole.num_rows - 3)


@pytest.mark.parametrize("limit", [1, 3, 20, 10_000])
@pytest.mark.parametrize("interval", ["4h", "1d", "1wk"])
async def test_a_limit_counts_the_bars_asked_for(interval: str, limit: int) -> None:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        whole = await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval)
        assert await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, limit=limit) == whole.newest(limit)


async def test_the_newest_bars_are_found_across_a_gap_longer_than_was_guessed() -> None:
    async with embedded() as backbone:
        await backbone.record(days(5, start=datetime(2010, 1, 4, tzinfo=UTC)))
        await backbone.record(days(5, start=datetime(2018, 1, 1, tzinfo=UTC)))
        weekly = await backbone.fetch(DAILY, symbols=["AAPL"], interval="1wk", limit=2)
        assert [row["ts"].year for row in weekly.to_arrow().to_pylist()] == [2010, 2018]


async def test_the_widest_interval_that_fits_is_taken_and_a_finer_one_where_its_bars_cross_sessions() -> None:
    async with embedded() as backbone:
        hourly = bars(WEEK, start=SUNDAY)
        await backbone.record(hourly)
        by_utc_day = bars(5, start=datetime(2018, 6, 4, tzinfo=UTC) + timedelta(hours=20), close=9.0)
        daily = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d")
        assert daily.num_rows == 5
        await backbone.record(of_interval(by_utc_day.slice(0, 1), "4h"))
        assert await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d") == daily
        await backbone.record(of_interval(bars(1, symbol="USDJPY"), "1h"))
        await backbone.record(of_interval(bars(1, symbol="USDJPY", close=5.0, start=SUNDAY), "4h"))
        (close,) = (await backbone.fetch(BARS, symbols=["USDJPY"], interval="1d")).column("close")
        assert close == 5.0


async def test_an_interval_finer_than_stored_is_refused_and_says_what_there_is() -> None:
    async with embedded() as backbone:
        await backbone.record(bars())
        with pytest.raises(
            ValueError,
            match=r"15m bars of EURUSD are not stored .*\(1h\); allowed: 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d, 1wk",
        ):
            await backbone.fetch(BARS, symbols=["EURUSD"], interval="15m")
        await backbone.record(days(3))
        with pytest.raises(ValueError, match=r"interval=1h given, but daily_bars .* allowed: 1d, 1wk, 1mo, 3mo"):
            await backbone.fetch(DAILY, interval="1h")
        with pytest.raises(ValueError, match="trades has no interval"):
            await backbone.fetch(Dimension.TRADES, interval="1h")


async def test_what_was_ingested_a_moment_ago_counts() -> None:
    async with embedded() as backbone:
        await backbone.record(bars())
        with pytest.raises(ValueError, match="30m"):
            await backbone.fetch(BARS, symbols=["EURUSD"], interval="30m")
        await backbone.record(of_interval(bars(1, start=SUNDAY), "15m"))
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="30m")).num_rows == 1


async def test_symbols_with_and_without_the_interval_come_together() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(WEEK, start=SUNDAY))
        await backbone.record(of_interval(bars(1, symbol="AAPL"), "1d"))
        both = await backbone.fetch(BARS, interval="1d")
        assert both.symbols == ("AAPL", "EURUSD")
        assert set(both.column("interval")) == {"1d"}
        assert (await backbone.fetch(BARS, symbols=["AAPL", "EURUSD"], interval="1d")) == both
        assert (await backbone.fetch(BARS, interval="1d", limit=2)) == both.newest(2)
        assert (await backbone.fetch(BARS, interval="1h")).symbols == ("EURUSD",)
        assert (await backbone.fetch(BARS, symbols=["NONE"], interval="1d")).num_rows == 0
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d", resample=False)).num_rows == 0


async def test_with_the_store_down_bars_are_made_of_what_the_cache_has_and_say_stale() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(bars(WEEK, start=SUNDAY))
        fresh = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d")
        await backbone.record(bars(1, start=SUNDAY, close=9.0))
        faults.store_down()
        stale = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d")
        assert stale.stale
        assert stale == fresh
        with pytest.raises(StoreUnavailable):
            await backbone.fetch(BARS, symbols=["NEVER"], interval="1d")


async def test_a_live_bar_grows_with_its_parts() -> None:
    async with embedded() as backbone:
        highs = []
        for hour in range(3):
            await backbone.record(bars(1, start=SUNDAY + timedelta(hours=hour), close=1.0 + hour))
            highs.append(float((await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d")).column("high")[0]))
        assert np.allclose(highs, [1.01, 2.01, 3.01])
