"""Which of the bars that were made are not known to their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame
from backbone.quality.resample import TRADES, resample
from backbone.quality.sessions import Calendar, calendar

FRIDAY = datetime(2024, 7, 5, tzinfo=UTC)
THURSDAY, WEDNESDAY, MONDAY = (FRIDAY - timedelta(days=n) for n in (1, 2, 4))


def us(_symbol: str) -> Calendar:
    return calendar("us_equities")  # shut on Thursday the 4th; on Wednesday the 3rd the session ended at 17:00 UTC


def bars(interval: str, *moments: datetime, symbol: str = "ACME") -> Frame:
    prices = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    rows = [{"symbol": symbol, "interval": interval, "ts": ts, **prices} for ts in moments]
    return Frame.from_records(Dimension.INTRADAY_BARS, rows)


def days(*dates: datetime) -> Frame:
    return Frame.from_records(Dimension.DAILY_BARS, [{"symbol": "ACME", "ts": date, "close": 1.0} for date in dates])


def at(day: datetime, hour: int, minute: int = 0) -> datetime:
    return day + timedelta(hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("source", "last", "interval", "begin"),
    [
        ("30m", at(MONDAY, 19), "1d", MONDAY),
        ("30m", at(MONDAY, 19, 30), "1d", None),
        ("30m", at(WEDNESDAY, 16), "1d", WEDNESDAY),
        ("30m", at(WEDNESDAY, 16, 30), "1d", None),
        ("30m", at(WEDNESDAY, 16, 30), "1wk", MONDAY),
        ("30m", at(FRIDAY, 19, 30), "1wk", None),
        ("30m", at(MONDAY, 14, 30), "4h", at(MONDAY, 13, 30)),
        ("30m", at(MONDAY, 17), "4h", None),
        ("30m", at(MONDAY, 19), "4h", at(MONDAY, 17, 30)),
        ("30m", at(MONDAY, 19, 30), "4h", None),  # the session ends before the four hours do
        ("30m", at(MONDAY, 21), "1d", None),  # after hours tell of no session, but that it is over
        ("1h", at(MONDAY, 19), "1d", None),
    ],
)
def test_a_bar_is_whole_when_what_it_is_made_of_goes_on_to_its_end(
    source: str, last: datetime, interval: str, begin: datetime | None
) -> None:
    made = resample(bars(source, at(MONDAY, 13, 30), last), source, interval, us)
    assert made.partial == ({} if begin is None else {"ACME": begin})


def test_a_week_of_days_ends_with_its_last_session() -> None:
    assert resample(days(MONDAY, WEDNESDAY), "1d", "1wk", us).partial == {"ACME": MONDAY}
    assert resample(days(MONDAY, FRIDAY), "1d", "1wk", us).partial == {}
    before = days(MONDAY - timedelta(days=4), WEDNESDAY)
    assert resample(before, "1d", "1wk", us).partial == {"ACME": MONDAY}
    holiday = resample(days(datetime(2024, 3, 25, tzinfo=UTC), datetime(2024, 3, 28, tzinfo=UTC)), "1d", "1wk", us)
    assert holiday.partial == {}  # Good Friday: the week ended on Thursday


def test_a_minute_of_trades_is_whole_once_something_is_known_of_after_it() -> None:
    rows = [
        {"symbol": "ACME", "ts": at(MONDAY, 14) + timedelta(seconds=n), "sequence": n, "price": 1.0} for n in (1, 59)
    ]
    trades = Frame.from_records(Dimension.TRADES, rows)
    assert resample(trades, TRADES, "1m", us).partial == {"ACME": at(MONDAY, 14)}
    later = Frame.from_records(Dimension.TRADES, [*rows, {**rows[0], "ts": at(MONDAY, 14, 1), "sequence": 1}])
    assert resample(later, TRADES, "1m", us).partial == {"ACME": at(MONDAY, 14, 1)}


def test_each_symbol_has_its_own_and_the_mark_is_no_part_of_the_rows() -> None:
    frame = Frame.concat([bars("1h", at(MONDAY, 14)), bars("1h", at(MONDAY, 14), at(MONDAY, 19), symbol="B")])
    made = resample(frame, "1h", "1d", us)
    assert made.partial == {"ACME": MONDAY}
    plain = made.with_partial({})
    assert (plain.partial, plain) == ({}, made)
    assert (plain.fingerprint, hash(plain)) == (made.fingerprint, hash(made))
    assert "partial" in repr(made)
    assert "partial" not in repr(plain)


def test_parts_of_a_frame_keep_the_mark_where_they_have_the_bar() -> None:
    made = resample(bars("1h", at(MONDAY, 14), at(WEDNESDAY, 14)), "1h", "1d", us)
    assert made.partial == {"ACME": WEDNESDAY}
    assert made.newest(1).partial == made.as_stale().partial == made.slice(1).partial == made.partial
    assert made.select(start=WEDNESDAY).partial == made.partial
    assert made.select(end=MONDAY).partial == made.slice(0, 1).partial == made.newest(0).partial == {}
    other = resample(bars("1h", at(MONDAY, 14), symbol="B"), "1h", "1d", us)
    both = Frame.concat([made, other.as_stale()])
    assert both.partial == {"ACME": WEDNESDAY, "B": MONDAY}
    assert both.stale
    with pytest.raises(TypeError):
        both.partial["C"] = MONDAY  # type: ignore[index]
