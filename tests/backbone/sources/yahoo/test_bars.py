"""Bars of a chart: what is a bar, what is not one yet, what stands for no trade, what can't be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backbone.domain import Dimension
from backbone.sources.errors import InputInvalid
from backbone.sources.http.decoding import decoded
from backbone.sources.http.transport import Answer
from backbone.sources.port import SourceChunk
from backbone.sources.yahoo.bars import bars_of
from backbone.sources.yahoo.chart import Envelope
from tests.backbone.sources.shapes import FIRST, HOUR, chart

LATER = datetime(2025, 1, 1, tzinfo=UTC)
DAY = 86_400


def bars(
    raw: dict[str, Any], dimension: Dimension = Dimension.INTRADAY_BARS, interval: str = "1h", now: datetime = LATER
) -> tuple[SourceChunk, list[str]]:
    found = decoded(Answer(200, {}, json.dumps(raw).encode()), Envelope)
    assert found.chart is not None
    assert found.chart.result is not None
    notes: list[str] = []
    return bars_of(found.chart.result[0], "ACME", dimension, interval, now, notes.append), notes


def column(chunk: SourceChunk, name: str) -> list[Any]:
    return list(chunk.frame.to_arrow().column(name).to_pylist())


def test_bars_have_their_moments_and_their_interval() -> None:
    chunk, notes = bars(chart(rows=2))
    assert column(chunk, "ts") == [datetime(2024, 3, 4, hour, 30, tzinfo=UTC) for hour in (14, 15)]
    assert (column(chunk, "interval"), column(chunk, "close"), column(chunk, "volume")) == (
        ["1h", "1h"], [10.5, 11.5], [100.0, 200.0],
    )  # fmt: skip
    assert not notes


@pytest.mark.parametrize(
    ("zone", "offset", "seconds", "dates"),
    [
        # New York over the change of its clocks: the open is 14:30 UTC, then 13:30
        ("America/New_York", -14400, [1709908200, 1710163800], ["2024-03-08", "2024-03-11"]),
        # currencies begin at midnight of London, which in summer is the eve in UTC
        ("Europe/London", 3600, [1711670400, 1711926000], ["2024-03-29", "2024-04-01"]),
        ("Asia/Tokyo", 32400, [1709510400], ["2024-03-04"]),
        ("Nowhere/At_All", 32400, [1709510400], ["2024-03-04"]),
        # midnight of London in winter and in summer, by the offset of either
        ("Nowhere/At_All", 0, [1709510400, 1719788400], ["2024-03-04", "2024-07-01"]),
        ("Nowhere/At_All", 3600, [1709510400, 1719788400], ["2024-03-04", "2024-07-01"]),
        # the open of Sydney, on the eve in UTC
        ("Australia/Sydney", 36000, [1709506800, 1712534400], ["2024-03-04", "2024-04-08"]),
    ],
)
def test_a_daily_bar_bears_the_date_on_the_clock_of_its_exchange(
    zone: str, offset: int, seconds: list[int], dates: list[str]
) -> None:
    raw = chart(rows=len(seconds), timestamp=seconds, meta_exchangeTimezoneName=zone, meta_gmtoffset=offset)
    chunk, _ = bars(raw, Dimension.DAILY_BARS, "1d")
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in column(chunk, "ts")] == [f"{date} 00:00" for date in dates]


def test_the_adjusted_close_is_the_close_where_none_is_given() -> None:
    given, _ = bars(chart(step=DAY, adjclose=[1.0, 2.0, 3.0]), Dimension.DAILY_BARS, "1d")
    assert column(given, "adj_close") == [1.0, 2.0, 3.0]
    lacking, _ = bars(chart(step=DAY), Dimension.DAILY_BARS, "1d")
    assert column(lacking, "adj_close") == column(lacking, "close")


def test_trades_are_the_closes_of_bars() -> None:
    chunk, _ = bars(chart(rows=1), Dimension.TRADES, "1m")
    assert chunk.frame.to_arrow().to_pylist() == [
        {"symbol": "ACME", "ts": datetime(2024, 3, 4, 14, 30, tzinfo=UTC), "sequence": None, "price": 10.5,
         "size": 100.0, "venue": "YAHOO", "conditions": "HISTORICAL"},
    ]  # fmt: skip


def test_time_in_which_nobody_traded_is_no_bar_and_is_noted() -> None:
    raw = chart(open=[1.0, None, 3.0], high=[1.0, None, 3.0], low=[1.0, None, 3.0], close=[1.0, None, 3.0])
    chunk, notes = bars(raw)
    assert (column(chunk, "close"), chunk.quarantined) == ([1.0, 3.0], ())
    assert notes == ["ACME: 1 1h bars left out: no price, nobody traded"]


@pytest.mark.parametrize(
    ("now", "rows"),
    [
        (datetime(2024, 3, 4, 16, 29, 59, tzinfo=UTC), 1),  # the second bar is under way
        (datetime(2024, 3, 4, 16, 30, tzinfo=UTC), 2),
        (datetime(2024, 3, 4, 14, 45, tzinfo=UTC), 0),
    ],
)
def test_a_bar_whose_time_is_not_over_is_left_out(now: datetime, rows: int) -> None:
    chunk, notes = bars(chart(rows=2), now=now)
    assert chunk.frame.num_rows == rows
    assert bool(notes) == (rows < 2)


def test_the_last_bar_of_a_session_is_over_when_the_session_is() -> None:
    close = int(datetime(2024, 3, 4, 21, 0, tzinfo=UTC).timestamp())
    period = {"regular": {"start": FIRST, "end": close}}
    raw = chart(rows=7, meta_currentTradingPeriod=period, meta_regularMarketTime=close)
    assert bars(raw, now=datetime(2024, 3, 4, 21, 0, tzinfo=UTC))[0].frame.num_rows == 7  # 20:30 to 21:00
    daily = chart(rows=1, step=DAY, meta_currentTradingPeriod=period, meta_regularMarketTime=close)
    for at, rows in ((datetime(2024, 3, 4, 20, 59, tzinfo=UTC), 0), (datetime(2024, 3, 4, 21, tzinfo=UTC), 1)):
        assert bars(daily, Dimension.DAILY_BARS, "1d", at)[0].frame.num_rows == rows


def test_the_newest_trade_is_no_bar_although_it_stands_among_them() -> None:
    live = FIRST + HOUR * 2 + 1234
    raw = chart(rows=3, timestamp=[FIRST, FIRST + HOUR, live], meta_regularMarketTime=live)
    chunk, notes = bars(raw, now=datetime(2024, 3, 4, 18, tzinfo=UTC))
    assert chunk.frame.num_rows == 2
    assert notes == ["ACME: 1 1h bars left out: not over yet"]


def test_the_bar_of_the_day_is_over_when_trading_is_also_where_it_bears_the_moment_of_the_last_trade() -> None:
    close = int(datetime(2024, 3, 4, 21, 0, tzinfo=UTC).timestamp())
    period, last = {"regular": {"start": FIRST, "end": close}}, close + 1
    eve = FIRST - 3 * DAY
    raw = chart(rows=2, timestamp=[eve, last], meta_currentTradingPeriod=period, meta_regularMarketTime=last)
    chunk, notes = bars(raw, Dimension.DAILY_BARS, "1d", datetime(2024, 3, 4, 21, 30, tzinfo=UTC))
    assert ([f"{each:%F}" for each in column(chunk, "ts")], notes) == (["2024-03-01", "2024-03-04"], [])


def test_the_trade_that_ends_a_session_is_no_bar_that_begins_there() -> None:
    close = int(datetime(2024, 3, 4, 21, 0, tzinfo=UTC).timestamp())
    period = {"regular": {"start": FIRST, "end": close}}
    stamps = [close - 600, close - 300, close]
    raw = chart(timestamp=stamps, meta_currentTradingPeriod=period, meta_regularMarketTime=close)
    chunk, notes = bars(raw, interval="5m")
    assert (column(chunk, "close"), notes) == ([10.5, 11.5], ["ACME: 1 5m bars left out: not over yet"])


@pytest.mark.parametrize("value", ["NaN", "1e999", "ten"])
def test_a_value_that_is_no_number_costs_its_row_alone(value: str) -> None:
    chunk, _ = bars(chart(close=[1.0, value, 3.0]))
    assert column(chunk, "close") == [1.0, 3.0]
    (bad,) = chunk.quarantined
    assert bad.location == "yahoo ACME 1h 2024-03-04T15:30:00Z"
    assert bad.reason == f"close: {value!r} is no number that can be stored"
    assert f"close={value}" in bad.excerpt


@pytest.mark.parametrize("stamp", [None, -1e14, FIRST * 1000, FIRST + 0.5, "1e999", "soon"])
def test_a_moment_that_is_none_costs_its_row_alone(stamp: Any) -> None:
    chunk, _ = bars(chart(timestamp=[FIRST, stamp, FIRST + 2 * HOUR]))
    assert column(chunk, "close") == [10.5, 12.5]
    (bad,) = chunk.quarantined
    assert bad.reason.startswith("ts: ")


def test_two_bars_of_one_moment_are_given_one_after_the_other() -> None:
    chunk, _ = bars(chart(timestamp=[FIRST, FIRST, FIRST + HOUR]))
    assert column(chunk, "close") == [11.5, 12.5]
    assert chunk.given is not None
    assert chunk.given.num_rows == 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"close": [1.0, 2.0]}, "ACME: 3 times and 2 values of close; as many are needed"),
        ({"close": []}, "ACME: 3 times and no closes; both are needed"),
        ({"adjclose": [1.0] * 4}, "ACME: 3 times and 4 values of adj_close"),
    ],
)
def test_columns_of_another_length_are_no_bars(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputInvalid, match=why):
        bars(chart(**changes))


def test_columns_that_are_missing_are_empty() -> None:
    raw = chart()
    del raw["chart"]["result"][0]["indicators"]["quote"][0]["volume"]
    assert column(bars(raw)[0], "volume") == [None] * 3


def test_a_chart_without_rows_has_none() -> None:
    chunk, _ = bars(chart(timestamp=None))
    assert (chunk.frame.num_rows, chunk.quarantined) == (0, ())
