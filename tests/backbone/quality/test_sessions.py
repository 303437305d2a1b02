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
    assert set(us_equity_early_closes(2024)) == {date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24)}
    assert set(us_equity_early_closes(2021)) == {date(2021, 11, 26)}  # 24 December was the holiday, 3 July a Saturday


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
    with pytest.raises(ValueError, match="'lse'; there are fx, 24x7, us_equities, cme"):
        calendar("lse")


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        calendar("fx").is_open(datetime(2018, 6, 8, 12))  # noqa: DTZ001  what is refused


def test_five_day_bars_have_no_rule() -> None:
    with pytest.raises(ValueError, match="5d"):
        calendar("fx").expected_stamps("5d", utc("2018-06-08T20:00"), utc("2018-06-10T22:00"))


@given(
    name=st.sampled_from(sorted(CALENDARS)),
    interval=st.sampled_from(["30s", "1m", "15m", "1h", "90m", "4h", "12h"]),
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


HALF_DAYS = """
1996-07-05 1996-11-29 1996-12-24 1997-07-03 1997-11-28 1997-12-24 1997-12-26 1999-11-26 1999-12-31 2000-07-03
2001-07-03 2002-07-05 2002-11-29 2002-12-24 2003-07-03 2003-11-28 2003-12-24 2003-12-26 2006-07-03 2007-07-03
2008-07-03 2012-07-03 2012-11-23 2012-12-24 2013-07-03 2013-11-29 2013-12-24 2014-07-03 2018-07-03 2018-12-24
2019-07-03 2019-11-29 2019-12-24 2023-07-03 2023-11-24 2024-07-03 2024-11-29 2024-12-24 2025-07-03 2025-12-24
"""
FULL_DAYS = """
1991-11-29 1993-07-02 1994-07-05 1996-07-03 1998-07-02 2002-07-03 2004-07-02 2004-12-23 2005-07-05 2009-07-02 2010-12-23
2013-07-05 2015-07-02 2016-07-01 2016-12-23 2019-07-05 2020-07-02 2021-12-23 2022-07-01 2022-12-23 2024-07-05
2002-12-26 2008-12-26 2014-12-26 2025-12-26
"""


@pytest.mark.parametrize(
    ("days", "closes"), [(HALF_DAYS, 13), (FULL_DAYS, 16), ("1990-12-24 1991-12-24 1992-11-27 1992-12-24", 14)]
)
def test_us_exchanges_close_at_13_00_on_their_half_days_and_at_16_00_on_others(days: str, closes: int) -> None:
    market = calendar("us_equities")
    sessions = np.array(days.split(), dtype="datetime64[D]")
    assert market.trades_on(sessions).all()
    _, ends = market.hours(sessions)
    local = [datetime.fromtimestamp(int(end.astype(np.int64)) / 1e6, NEW_YORK) for end in ends]
    assert {moment.hour for moment in local} == {closes}


def test_king_day_is_a_holiday_from_1998_only() -> None:
    assert calendar("us_equities").trades_on(np.array(["1997-01-20", "1998-01-19"], "datetime64[D]")).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "day", "closes"),
    [
        ("cme", "2024-03-12", "21:00"),  # 16:00 CDT
        ("cme", "2024-03-08", "22:00"),  # 16:00 CST
        ("cme", "2024-07-03", "17:15"),
        ("cme", "2024-07-04", "17:00"),
        ("cme", "2024-11-28", "18:00"),
        ("cme", "2024-11-29", "18:15"),
        ("cme", "2023-04-07", "13:15"),  # Good Friday with the jobs report
        ("cme", "2025-01-09", "14:30"),  # mourning
        ("nymex", "2024-07-03", "21:00"),
        ("nymex", "2024-07-04", "18:30"),
        ("nymex", "2016-07-04", "17:15"),
        ("nymex", "2024-11-29", "18:45"),
        ("cme_fx", "2024-07-04", "21:00"),
        ("cme_fx", "2016-07-04", "17:00"),
        ("cme_fx", "2025-07-04", "17:00"),  # a Friday
        ("cme_fx", "2023-12-22", "22:00"),
        ("cme_fx", "2023-11-24", "18:15"),
        ("cme_fx", "2024-11-29", "19:45"),
        ("cme_fx", "2024-12-24", "18:45"),
        ("cme_fx", "2023-04-07", "15:15"),
    ],
)
def test_sessions_of_globex_end_when_the_holidays_of_their_products_say(name: str, day: str, closes: str) -> None:
    market = calendar(name)
    (session,) = market.sessions(date.fromisoformat(day), date.fromisoformat(day))
    _, (end,) = market.hours(np.array([session]))
    assert str(end)[11:16] == closes
    assert not market.is_open(end)


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("cme", "2024-01-01 2024-03-29 2024-12-25 2023-01-02 2022-12-26 2021-12-24 2019-04-19"),
        ("nymex", "2024-01-01 2023-04-07 2024-03-29 2024-12-25"),
        ("cme_fx", "2012-04-06 2024-03-29 2024-12-25"),
    ],
)
def test_globex_is_shut_on_new_year_good_friday_and_christmas(name: str, days: str) -> None:
    assert not calendar(name).trades_on(np.array(days.split(), "datetime64[D]")).any()


@pytest.mark.parametrize("week", ["2024-03-04", "2024-03-11", "2024-10-28", "2024-11-04"])
def test_every_week_of_globex_has_23_hours_a_day_across_daylight_saving(week: str) -> None:
    monday = date.fromisoformat(week)
    chicago = ZoneInfo("America/Chicago")
    start = datetime.combine(monday - timedelta(days=1), datetime.min.time(), chicago).replace(hour=12)
    expected = calendar("cme").expected_stamps("1h", start, start + timedelta(days=6))
    assert len(expected) == 5 * 23
    local = [datetime.fromtimestamp(int(stamp.astype(np.int64)) / 1e6, chicago) for stamp in expected]
    assert 16 not in {moment.hour for moment in local}
    assert calendar("cme").open_time(start, start + timedelta(days=6)) == timedelta(hours=115)


@given(st.lists(st.integers(0, 60 * 24 * 60), max_size=60), st.sampled_from(sorted(CALENDARS)))
def test_the_session_of_a_stamp_does_not_depend_on_those_around_it(minutes: list[int], name: str) -> None:
    column = np.datetime64("2024-02-01", "us") + np.array(minutes, dtype="timedelta64[m]")
    alone = [calendar(name).session_of(column[n : n + 1]).tolist()[0] for n in range(column.size)]
    for order in (column, np.sort(column)):
        found = dict(zip(order.tolist(), calendar(name).session_of(order).tolist(), strict=True))
        assert [found[moment] for moment in column.tolist()] == alone


@pytest.mark.parametrize("name", CALENDARS)
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_that_there_is_can_be_asked_about(name: str, day: str) -> None:
    moment = np.datetime64(f"{day}T15:00", "us")
    market = calendar(name)
    assert market.sessions(moment, moment).size <= 1
    assert market.open_time(moment, moment) == timedelta(0)
    for interval in ("1h", "1d", "1wk", "1mo"):
        assert market.expected_stamps(interval, moment, moment).size <= 1
