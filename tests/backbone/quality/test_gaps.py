"""Gaps as calendars tell them, of sums: which bars and sessions are missing, and what is asked for to have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backbone.domain import Dimension
from backbone.quality.gaps import Found, Window, find_gaps, judgeable
from backbone.quality.sessions import CALENDARS, NO_CALENDAR

BARS, TRADES, DAILY = Dimension.INTRADAY_BARS, Dimension.TRADES, Dimension.DAILY_BARS
FX, STOCKS = CALENDARS["fx"], CALENDARS["us_equities"]
MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WEEK = Window(at("2018-06-04"), at("2018-06-08T23:59"), at("2018-06-09"))  # Monday to Friday


def found(
    stamps: np.ndarray,
    interval: str | None = "1h",
    dimension: Dimension = BARS,
    most: int = 1000,
    window: Window = WEEK,
) -> Found:
    """As the store sums it up: rows by quarter of an hour."""
    calendar = FX if dimension is BARS else STOCKS
    quarters = stamps.astype(np.int64) // 900_000_000 * 900_000_000
    held = np.unique(quarters, return_counts=True)
    return find_gaps(dimension, interval, calendar, (held[0].astype("datetime64[us]"), held[1]), window, most)


def expected(interval: str, dimension: Dimension = BARS) -> np.ndarray:
    return (FX if dimension is BARS else STOCKS).expected_stamps(interval, WEEK.start, WEEK.end)


def without(stamps: np.ndarray, start: str, end: str) -> np.ndarray:
    return stamps[(stamps < np.datetime64(start)) | (stamps >= np.datetime64(end))]


@pytest.mark.parametrize("interval", ["1m", "5m", "10m", "15m", "20m", "1h", "90m", "4h"])
def test_a_whole_series_has_no_gap(interval: str) -> None:
    stamps = expected(interval)
    assert found(stamps, interval) == Found(stamps.size, 0, ())


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h"])
def test_one_bar_that_is_missing_is_found(interval: str) -> None:
    stamps = np.delete(expected(interval), 10)
    gaps = found(stamps, interval)
    assert gaps.missing == 1
    [gap] = gaps.gaps
    missing = expected(interval)[10].item().replace(tzinfo=UTC)
    assert gap.start <= missing <= gap.end
    assert gap.end - gap.start <= max(timedelta(minutes=15), timedelta(hours=1)) - MICROSECOND


def test_bars_that_start_at_other_minutes_than_the_session_are_there() -> None:
    assert found(expected("1h") + np.timedelta64(7, "m"), "1h").missing == 0


def test_a_gap_that_reaches_the_edge_of_a_session_is_asked_for_with_the_closed_hours() -> None:
    stamps = without(expected("1h"), "2018-06-08T12:00", "2018-06-10")
    [gap] = found(stamps).gaps
    assert (gap.start, gap.end) == (at("2018-06-08T12:00"), WEEK.end)  # the market shuts at 21:00
    assert gap.missing == 9


def test_a_session_without_any_trade_is_missing_and_one_with_a_single_one_is_not() -> None:
    trades = np.array(["2018-06-04T14:00", "2018-06-06T19:59", "2018-06-08T13:30"], "datetime64[us]")
    gaps = found(trades, None, TRADES)
    assert (gaps.expected, gaps.missing) == (5, 2)
    assert [(gap.start, gap.end) for gap in gaps.gaps] == [
        (at("2018-06-04T20:00"), at("2018-06-06T13:30") - MICROSECOND),  # from close to open: trades before and after
        (at("2018-06-06T20:00"), at("2018-06-08T13:30") - MICROSECOND),
    ]


def test_trades_outside_of_all_sessions_fill_none() -> None:
    assert found(np.array(["2018-06-04T12:00"], "datetime64[us]"), None, TRADES).missing == 5


def test_days_are_missed_by_their_dates() -> None:
    days = np.delete(expected("1d", DAILY), [1, 2])
    gaps = found(days, None, DAILY)
    assert (gaps.expected, gaps.missing) == (5, 2)
    [gap] = gaps.gaps
    assert (gap.start, gap.end) == (at("2018-06-05"), at("2018-06-07") - MICROSECOND)


def test_what_is_still_under_way_is_not_missing() -> None:
    window = WEEK._replace(closed=at("2018-06-06T10:30"))
    gaps = found(expected("1h")[:0], "1h", window=window)
    assert gaps.expected == gaps.missing == 58  # from Monday 00:00; the bar of 10:00 has not ended
    assert gaps.gaps[-1].end == at("2018-06-06T10:00") - MICROSECOND
    assert found(expected("1h")[:0], None, TRADES, window=window).missing == 2


def test_a_long_gap_is_cut_and_the_rest_is_cut_alike_once_a_piece_is_filled() -> None:
    stamps = expected("1h")
    whole = found(stamps[:0], most=10)
    assert sum(gap.missing for gap in whole.gaps) == whole.missing == stamps.size
    assert {gap.missing for gap in whole.gaps[:-1]} == {10}
    assert all(one.end + MICROSECOND == two.start for one, two in zip(whole.gaps, whole.gaps[1:], strict=False))
    assert found(stamps[:9], most=10).gaps[1:] == whole.gaps[1:]  # one of the first ten never came
    assert found(stamps[:10], most=10).gaps == whole.gaps[1:]


def test_pieces_of_short_bars_hold_as_many_as_was_said() -> None:
    assert {gap.missing for gap in found(expected("1m")[:0], "1m", most=600).gaps[:-1]} == {600}


def test_an_empty_window_has_no_gaps() -> None:
    weekend = Window(at("2018-06-09T12:00"), at("2018-06-09T13:00"), at("2018-06-11"))
    assert found(expected("1h")[:0], window=weekend) == Found(0, 0, ())


@pytest.mark.parametrize(
    ("dimension", "interval", "told"),
    [(BARS, "1h", True), (BARS, "1s", False), (BARS, "5d", False), (TRADES, None, True), (DAILY, None, True)],
)
def test_of_which_series_gaps_can_be_told(dimension: Dimension, interval: str | None, told: bool) -> None:
    assert judgeable(dimension, interval, FX) is told
    assert not judgeable(dimension, interval, NO_CALENDAR)


def test_of_macro_events_none_can() -> None:
    assert not judgeable(Dimension.MACRO_EVENTS, None, FX)
