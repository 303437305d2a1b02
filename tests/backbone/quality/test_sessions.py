"""Session calendars: hours, holidays, daylight saving, expected stamps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.quality.holidays import us_equity_early_closes, us_equity_holidays
from backbone.quality.sessions import CALENDARS, calendar

NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2018-03-09T21:59:59", True),  # Friday 16:59:59 EST
        ("2018-03-09T22:00:00", False),  # Friday 17:00 EST
        ("2018-03-10T12:00:00", False),
        ("2018-03-11T20:59:59", False),  # Sunday 16:59:59 EDT, the clocks have changed
        ("2018-03-11T21:00:00", True),  # Sunday 17:00 EDT
        ("2018-11-04T21:59:59", False),  # Sunday 16:59:59 EST, changed back
        ("2018-11-04T22:00:00", True),
        ("2018-12-24T21:59:59", True),
        ("2018-12-24T22:00:00", False),  # Christmas begins at 17:00 on the eve
        ("2018-12-25T21:59:59", False),
        ("2018-12-25T22:00:00", True),
        ("2019-01-01T12:00:00", False),
    ],
)
def test_forex_is_open_from_sunday_to_friday_17_00_new_york(moment: str, is_open: bool) -> None:
    assert calendar("fx").is_open(utc(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2024-07-01T13:29:59", False),
        ("2024-07-01T13:30:00", True),
        ("2024-07-01T19:59:59", True),
        ("2024-07-01T20:00:00", False),
        ("2024-07-03T16:59:59", True),  # early close, 13:00 EDT
        ("2024-07-03T17:00:00", False),
        ("2024-07-04T15:00:00", False),
        ("2024-01-02T14:30:00", True),  # 09:30 EST
        ("2024-06-01T15:00:00", False),  # a Saturday
    ],
)
def test_us_equities_are_open_in_exchange_hours(moment: str, is_open: bool) -> None:
    assert calendar("us_equities").is_open(utc(moment)) is is_open


def test_us_holidays_of_2022_and_2024_are_those_the_exchange_published() -> None:
    assert sorted(us_equity_holidays(2024)) == [
        date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 19), date(2024, 3, 29), date(2024, 5, 27),
        date(2024, 6, 19), date(2024, 7, 4), date(2024, 9, 2), date(2024, 11, 28), date(2024, 12, 25),
    ]  # fmt: skip
    # 1 January 2022 was a Saturday: no day was given for it. Juneteenth and Christmas, Sundays, moved to Mondays.
    assert sorted(us_equity_holidays(2022)) == [
        date(2022, 1, 17), date(2022, 2, 21), date(2022, 4, 15), date(2022, 5, 30), date(2022, 6, 20),
        date(2022, 7, 4), date(2022, 9, 5), date(2022, 11, 24), date(2022, 12, 26),
    ]  # fmt: skip


def test_juneteenth_is_a_holiday_from_2022_only() -> None:
    assert date(2021, 6, 18) not in us_equity_holidays(2021)
    assert date(2023, 6, 19) in us_equity_holidays(2023)


def test_early_closes_of_2024_and_none_on_a_holiday() -> None:
    assert us_equity_early_closes(2024) == {date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24)}
    assert us_equity_early_closes(2021) == {date(2021, 11, 26)}  # 24 December was the holiday, 3 July a Saturday


def test_a_forex_session_bears_the_date_on_which_it_ends() -> None:
    found = calendar("fx").session_of(
        stamps("2018-03-11T21:00", "2018-03-12T20:59", "2018-03-12T21:00", "2018-03-16T21:00", "2018-12-25T10:00")
    )
    expected = np.array(["2018-03-12", "2018-03-12", "2018-03-13", "NaT", "NaT"], dtype="datetime64[D]")
    np.testing.assert_array_equal(found, expected)


def test_sessions_by_date_and_by_moment() -> None:
    fx = calendar("fx")
    assert fx.sessions(date(2018, 3, 9), date(2018, 3, 12)).tolist() == [date(2018, 3, 9), date(2018, 3, 12)]
    weekend = fx.sessions(utc("2018-03-09T22:00"), utc("2018-03-11T20:59"))
    assert weekend.size == 0
    assert fx.sessions(utc("2018-03-09T21:59"), utc("2018-03-11T21:00")).tolist() == [
        date(2018, 3, 9),
        date(2018, 3, 12),
    ]


@pytest.mark.parametrize("week", ["2018-03-05", "2018-03-12", "2018-10-29", "2018-11-05"])
def test_every_forex_week_has_120_hours_across_daylight_saving(week: str) -> None:
    monday = date.fromisoformat(week)
    start = datetime.combine(monday - timedelta(days=1), datetime.min.time(), NEW_YORK).replace(hour=17)
    end = datetime.combine(monday + timedelta(days=4), datetime.min.time(), NEW_YORK).replace(hour=16)
    expected = calendar("fx").expected_stamps("1h", start, end)
    assert len(expected) == 120
    assert expected[0] == np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us")
    assert expected[-1] == np.datetime64(end.astimezone(UTC).replace(tzinfo=None), "us")


@pytest.mark.parametrize(
    ("name", "interval", "start", "end", "count"),
    [
        ("us_equities", "1h", "2024-07-01T00:00", "2024-07-02T00:00", 7),
        ("us_equities", "1h", "2024-07-03T00:00", "2024-07-04T00:00", 4),
        ("us_equities", "1m", "2024-07-01T00:00", "2024-07-02T00:00", 390),
        ("us_equities", "1d", "2024-07-01T00:00", "2024-07-07T00:00", 4),
        ("24x7", "4h", "2024-07-01T00:00", "2024-07-01T23:59", 6),
        ("24x7", "1d", "2024-02-01T00:00", "2024-02-29T00:00", 29),
        ("fx", "1wk", "2024-01-01T00:00", "2024-01-31T00:00", 5),
        ("fx", "1mo", "2024-01-01T00:00", "2024-12-31T00:00", 12),
        ("fx", "3mo", "2024-01-01T00:00", "2024-12-31T00:00", 4),
        ("fx", "1h", "2024-06-01T00:00", "2024-06-02T12:00", 0),
    ],
)
def test_number_of_expected_stamps(name: str, interval: str, start: str, end: str, count: int) -> None:
    assert len(calendar(name).expected_stamps(interval, utc(start), utc(end))) == count


def test_a_span_that_ends_before_it_starts_expects_nothing() -> None:
    assert calendar("fx").expected_stamps("1h", utc("2024-06-05T00:00"), utc("2024-05-01T00:00")).size == 0


def test_open_time_leaves_the_weekend_out() -> None:
    fx = calendar("fx")
    assert fx.open_time(utc("2018-06-08T20:00"), utc("2018-06-10T22:00")) == timedelta(hours=2)
    assert fx.open_time(utc("2018-06-09T00:00"), utc("2018-06-10T20:00")) == timedelta(0)


def test_an_unknown_calendar_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match="'lse'; there are fx, 24x7, us_equities"):
        calendar("lse")


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        calendar("fx").is_open(datetime(2018, 6, 8, 12))  # noqa: DTZ001  what is refused


def test_five_day_bars_have_no_rule() -> None:
    with pytest.raises(ValueError, match="5d"):
        calendar("fx").expected_stamps("5d", utc("2018-06-08T20:00"), utc("2018-06-10T22:00"))


@given(
    name=st.sampled_from(sorted(CALENDARS)),
    interval=st.sampled_from(["1m", "15m", "1h", "90m", "4h"]),
    start=st.datetimes(datetime(1999, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    days=st.integers(0, 12),
)
def test_what_is_expected_is_ordered_inside_the_span_and_in_a_session(
    name: str, interval: str, start: datetime, days: int
) -> None:
    market, end = calendar(name), start + timedelta(days=days)
    expected = market.expected_stamps(interval, start, end)
    assert (np.diff(expected.astype(np.int64)) > 0).all()
    assert not np.isnat(market.session_of(expected)).any()
    if expected.size:
        assert expected[0] >= np.datetime64(start.replace(tzinfo=None), "us")
        assert expected[-1] <= np.datetime64(end.replace(tzinfo=None), "us")
