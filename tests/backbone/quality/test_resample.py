"""Wider bars by trading session: against values worked out by hand, and laws that hold for all bars."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.quality.resample import CrossesEdge, made_of, resample
from backbone.quality.sessions import Calendar, calendar

HOUR = timedelta(hours=1)
PRICES = ("open", "high", "low", "close")
SHARED = Path(__file__).parents[4] / "shared" / "data"


def shared(name: str) -> Any:
    """Real bars as an Arrow table, with times in UTC."""
    table = (
        pyarrow.parquet.read_table(SHARED / name) if name.endswith("parquet") else pyarrow.csv.read_csv(SHARED / name)
    )
    stamps = pc.cast(table.column("ts"), pa.timestamp("us", "UTC"))
    return table.select(["symbol", *PRICES]).append_column("ts", stamps)


def fx(_symbol: str) -> Calendar:
    return calendar("fx")


def us(_symbol: str) -> Calendar:
    return calendar("us_equities")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hourly(start: str, count: int, *, symbol: str = "EURUSD", step: timedelta = HOUR, interval: str = "1h") -> Frame:
    """Bars numbered from 0: bar n opens at n, closes at n + 0.5, spans n - 1 to n + 2, and has the volume n."""
    return Frame.from_records(
        Dimension.INTRADAY_BARS,
        [
            {
                "symbol": symbol,
                "interval": interval,
                "ts": utc(start) + n * step,
                "open": float(n),
                "high": n + 2.0,
                "low": n - 1.0,
                "close": n + 0.5,
                "volume": float(n),
            }
            for n in range(count)
        ],
    )


def rows(frame: Frame) -> list[tuple[object, ...]]:
    names = ("ts", "open", "high", "low", "close", "volume")
    return [tuple(row[name] for name in names) for row in frame.to_arrow().to_pylist()]


@pytest.mark.parametrize(
    ("first", "monday"),
    [
        # The clocks went forward on 11 March 2018: Friday closes at 22:00 UTC, Sunday opens at 21:00 UTC.
        ("2018-03-08T22:00:00", "2018-03-11T21:00:00"),
        # They went back on 4 November 2018: Friday closes at 21:00 UTC, Sunday opens at 22:00 UTC.
        ("2018-11-01T21:00:00", "2018-11-04T22:00:00"),
    ],
)
def test_daily_bars_run_from_17_00_to_17_00_new_york_across_a_change_of_the_clocks(first: str, monday: str) -> None:
    friday = hourly(first, 24)
    after = hourly(monday, 25)
    daily = resample(Frame.concat([friday, after]), "1h", "1d", fx)
    assert daily.dimension is Dimension.INTRADAY_BARS
    assert set(daily.column("interval")) == {"1d"}
    date = utc(first[:10]) + timedelta(days=1)
    whole = (0.0, 25.0, -1.0, 23.5, 276.0)
    assert rows(daily) == [
        (date, *whole),
        (date + timedelta(days=3), *whole),
        (date + timedelta(days=4), 24.0, 26.0, 23.0, 24.5, 24.0),
    ]


def test_four_hour_bars_begin_at_the_open_in_winter_and_in_summer() -> None:
    winter = resample(hourly("2018-03-08T22:00:00", 24), "1h", "4h", fx)
    summer = resample(hourly("2018-03-11T21:00:00", 24), "1h", "4h", fx)
    assert [stamp.astype(str)[11:13] for stamp in winter.column("ts")] == ["22", "02", "06", "10", "14", "18"]
    assert [stamp.astype(str)[11:13] for stamp in summer.column("ts")] == ["21", "01", "05", "09", "13", "17"]
    assert rows(winter)[1] == (utc("2018-03-09T02:00:00"), 4.0, 9.0, 3.0, 7.5, 22.0)


def test_a_daily_bar_of_a_day_without_a_session_enters_no_week() -> None:
    def bars(*days: str) -> Frame:
        rows = [{"symbol": "EURUSD", "ts": utc(day), **dict.fromkeys(PRICES, float(day[-2:]))} for day in days]
        return Frame.from_records(Dimension.DAILY_BARS, rows)

    friday, sunday, monday = "2018-02-09", "2018-02-11", "2018-02-12"
    weekly = resample(bars(friday, sunday, monday), "1d", "1wk", fx)
    assert rows(weekly) == rows(resample(bars(friday, monday), "1d", "1wk", fx))
    assert weekly.column("close").tolist() == [9.0, 12.0]
    assert resample(bars("2018-12-25", sunday), "1d", "1mo", fx).num_rows == 0


@pytest.mark.skipif(not SHARED.exists(), reason="needs the real bars beside the project")
def test_weeks_of_daily_forex_bars_are_those_of_hourly_ones() -> None:
    daily = Frame.from_arrow("daily", shared("eurusd_1d.csv.gz"))
    hours = shared("eurusd_1h.parquet")
    hourly = Frame.from_arrow("intraday", hours.append_column("interval", pa.repeat("1h", hours.num_rows)))
    of_days, of_hours = resample(daily, "1d", "1wk", fx), resample(hourly, "1h", "1wk", fx)
    assert of_days.column("ts").tolist() == of_hours.column("ts").tolist()
    differing = np.abs(of_days.column("close") - of_hours.column("close"))
    assert (of_days.num_rows, int((differing > 1e-9).sum())) == (627, 1)
    assert differing.max() < 2e-5  # one close of the two files differs by its last digit


def test_weekly_and_monthly_bars_out_of_daily_ones() -> None:
    days = [utc("2018-01-29") + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8)]
    daily = Frame.from_records(
        Dimension.DAILY_BARS,
        [
            {
                "symbol": "AAPL", "ts": day, "open": n + 10.0, "high": n + 12.0, "low": n + 9.0, "close": n + 11.0,
                "volume": None if n == 6 else 100.0 + n, "adj_close": n + 5.0,
            }
            for n, day in enumerate(days)
        ],
    )  # fmt: skip
    weekly = resample(daily, "1d", "1wk", us)
    assert weekly.dimension is Dimension.DAILY_BARS
    assert rows(weekly) == [
        (utc("2018-01-29"), 10.0, 16.0, 9.0, 15.0, 510.0),
        (utc("2018-02-05"), 15.0, 18.0, 14.0, 17.0, 105.0),
    ]
    assert weekly.column("adj_close").tolist() == [9.0, 11.0]
    monthly = resample(daily, "1d", "1mo", us)
    assert rows(monthly) == [
        (utc("2018-01-01"), 10.0, 14.0, 9.0, 13.0, 303.0),
        (utc("2018-02-01"), 13.0, 18.0, 12.0, 17.0, 312.0),
    ]
    assert resample(daily, "1d", "3mo", us).column("ts").astype(str).tolist() == ["2018-01-01T00:00:00.000000"]


def test_a_stock_s_day_leaves_out_what_lies_outside_the_session_and_takes_the_hour_that_reaches_into_it() -> None:
    day = hourly("2024-01-02T12:00:00", 12, symbol="AAPL")  # 07:00 to 19:00 in New York
    assert rows(resample(day, "1h", "1d", us)) == [(utc("2024-01-02"), 2.0, 10.0, 1.0, 8.5, 35.0)]


def test_nulls_are_passed_over_and_a_volume_is_null_only_where_all_are() -> None:
    bars = hourly("2018-06-04T21:00:00", 48).to_arrow().to_pylist()
    for row in bars[:24]:
        row["volume"] = None
    bars[0]["open"] = bars[23]["close"] = bars[5]["high"] = None
    for row in bars[24:]:
        row["low"] = None
    first, second = rows(resample(Frame.from_records(Dimension.INTRADAY_BARS, bars), "1h", "1d", fx))
    assert first == (utc("2018-06-05"), 1.0, 25.0, -1.0, 22.5, None)
    assert second[3] is None
    assert second[5] == sum(range(24, 48))


def test_symbols_keep_apart_and_follow_their_own_calendars() -> None:
    both = Frame.concat([hourly("2018-06-04T21:00:00", 24), hourly("2018-06-04T21:00:00", 24, symbol="BTCUSD")])
    daily = resample(both, "1h", "1d", lambda symbol: calendar("fx" if symbol == "EURUSD" else "24x7"))
    assert [(row["symbol"], row["ts"].day) for row in daily.to_arrow().to_pylist()] == [
        ("BTCUSD", 4),
        ("BTCUSD", 5),
        ("EURUSD", 5),
    ]
    assert daily.select(["BTCUSD"]).column("volume").tolist() == [0 + 1 + 2, sum(range(3, 24))]


def test_a_finer_bar_that_lies_in_two_wider_ones_is_refused() -> None:
    bars = hourly("2018-06-05T00:00:00", 12, step=4 * HOUR, interval="4h")  # 20:00 to 24:00 UTC holds 17:00 New York
    with pytest.raises(CrossesEdge, match=r"the 4h bar at 2018-06-05T20:00:00.* two 1d bars of the fx calendar"):
        resample(bars, "4h", "1d", fx)


@pytest.mark.parametrize(
    ("source", "interval"), [("1d", "1h"), ("1h", "90m"), ("1h", "1h"), ("1wk", "1mo"), ("1h", "5d")]
)
def test_what_can_t_be_made_is_refused_with_what_it_could_be_made_of(source: str, interval: str) -> None:
    with pytest.raises(ValueError, match=rf"{interval} bars asked of {source} bars; they can be made of"):
        resample(hourly("2018-06-04T21:00:00", 3), source, interval, fx)


def test_bars_can_be_made_of_whatever_divides_them_widest_first() -> None:
    seconds = ("30s", "15s", "10s", "5s", "1s")
    assert made_of("4h") == ("2h", "1h", "30m", "20m", "15m", "10m", "5m", "3m", "2m", "1m", *seconds)
    assert made_of("90m") == ("45m", "30m", "15m", "10m", "5m", "3m", "2m", "1m", *seconds)
    assert made_of("1d")[:8] == ("12h", "8h", "6h", "4h", "3h", "2h", "90m", "1h")
    assert made_of("1mo")[:2] == ("1d", "12h")
    assert made_of("3mo")[:2] == ("1mo", "1d")
    assert made_of("1m") == seconds
    assert made_of("1s") == made_of("5d") == ()


def test_no_rows_and_only_rows_outside_sessions_make_no_bars() -> None:
    assert resample(Frame.empty(Dimension.INTRADAY_BARS), "1h", "1d", fx).num_rows == 0
    assert resample(hourly("2018-06-09T00:00:00", 5), "1h", "1d", fx).num_rows == 0


def test_bars_of_a_stale_frame_are_stale() -> None:
    assert resample(hourly("2018-06-04T21:00:00", 5).as_stale(), "1h", "1d", fx).stale


PRICE = st.one_of(st.just(float("nan")), st.floats(0.5, 2.0))
STARTS = st.sampled_from(["2018-03-05T00:00:00", "2018-10-29T00:00:00", "2018-12-20T00:00:00"])


@st.composite
def series(draw: st.DrawFn) -> Frame:
    """Hourly bars of two symbols around a change of the clocks or a holiday, with gaps and nulls."""
    frames = []
    for symbol in ("EURUSD", "USDJPY"):
        hours = sorted(draw(st.sets(st.integers(0, 400), min_size=1, max_size=40)))
        start = utc(draw(STARTS))
        seed = draw(st.integers(0, 2**32 - 1))
        values = np.random.default_rng(seed).uniform(0.5, 2.0, (len(hours), 4))
        blank = draw(st.lists(PRICE, min_size=len(hours), max_size=len(hours)))
        frames.append(
            Frame.from_records(
                Dimension.INTRADAY_BARS,
                [
                    {
                        "symbol": symbol, "interval": "1h", "ts": start + hour * HOUR, "open": blank[n],
                        "high": float(values[n].max()), "low": float(values[n].min()), "close": float(values[n][1]),
                        "volume": float(hour % 7) if hour % 5 else None,
                    }
                    for n, hour in enumerate(hours)
                ],
            )
        )  # fmt: skip
    return Frame.concat(frames)


@settings(max_examples=60, deadline=None)
@given(series(), st.sampled_from(["4h", "1d", "1wk", "1mo", "3mo"]))
def test_wide_bars_enclose_and_add_up_what_they_are_made_of(frame: Frame, interval: str) -> None:
    made = resample(frame, "1h", interval, fx)
    open_hours = ~np.isnat(calendar("fx").session_of(frame.column("ts")))
    for symbol, bars in made.split_by_symbol():
        own = frame.column("symbol") == symbol
        kept = own & open_hours
        assert bars.column("high").max() == frame.column("high")[kept].max()
        assert bars.column("low").min() == frame.column("low")[kept].min()
        assert np.nansum(bars.column("volume")) == np.nansum(frame.column("volume")[kept])
        assert (bars.column("high") >= np.fmax(bars.column("close"), bars.column("low"))).all()
        assert bars.column("close")[-1] == frame.column("close")[kept][-1]
    assert set(made.symbols) == set(frame.column("symbol")[open_hours])


@settings(max_examples=60, deadline=None)
@given(series(), st.sampled_from(["1d", "1wk", "1mo", "3mo"]), st.data())
def test_a_detour_over_an_interval_between_changes_nothing(frame: Frame, interval: str, data: st.DataObject) -> None:
    between = data.draw(st.sampled_from([each for each in made_of(interval) if each in ("4h", "1d", "1mo")]))
    detour = resample(resample(frame, "1h", between, fx), between, interval, fx)
    assert detour == resample(frame, "1h", interval, fx)
