"""How fresh data is, by the sessions of its market."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain import Dimension, Status
from backbone.quality.freshness import Freshness, freshness
from backbone.quality.sessions import NO_CALENDAR, Calendar, calendar

DAY = 86_400.0
DAILY, BARS, QUOTES, EVENTS = (
    Dimension.DAILY_BARS,
    Dimension.INTRADAY_BARS,
    Dimension.QUOTES,
    Dimension.MACRO_EVENTS,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def named(name: str) -> Calendar:
    return NO_CALENDAR if name == "none" else calendar(name)


def judged(
    dimension: Dimension, market: str, newest: str, now: str, limit_s: float, interval: str | None = None
) -> Freshness:
    return freshness(
        dimension, "ACME", utc(newest), utc(now), calendar=named(market), limit_s=limit_s, interval=interval
    )


@pytest.mark.parametrize(
    ("market", "newest", "now", "age_s", "level"),
    [
        ("us_equities", "2024-01-05", "2024-01-05T22:00", 0, "ok"),
        ("us_equities", "2024-01-05", "2024-01-06T12:00", 0, "ok"),  # Friday's bar on Saturday
        ("us_equities", "2024-01-05", "2024-01-08T20:59:59", 0, "ok"),
        ("us_equities", "2024-01-05", "2024-01-08T22:00", 3600, "ok"),
        ("us_equities", "2024-01-05", "2024-01-09T21:00", DAY, "ok"),  # one trading day late
        ("us_equities", "2024-01-05", "2024-01-09T21:00:01", DAY + 1, "degraded"),
        ("us_equities", "2024-01-05", "2024-01-10T21:00:01", 2 * DAY + 1, "failed"),
        (
            "us_equities",
            "2024-01-04",
            "2024-01-08T04:59:59",
            8 * 3600,
            "ok",
        ),  # the weekend adds nothing to Friday's 8 h
        ("us_equities", "2024-01-04", "2024-01-08T21:00:01", DAY + 1, "degraded"),
        ("us_equities", "2024-07-03", "2024-07-05T19:00", 0, "ok"),  # Independence Day lies between
        ("us_equities", "2024-07-02", "2024-07-03T18:00", 3600, "ok"),  # a half day: its bar was due at 17:00 UTC
        ("us_equities", "2024-03-08", "2024-03-11T20:30", 1800, "ok"),  # due an hour earlier after the clocks changed
        ("fx", "2024-01-05", "2024-01-08T21:59", 0, "ok"),
        ("fx", "2024-01-05", "2024-01-08T23:00", 3600, "ok"),
        ("fx", "2024-12-24", "2024-12-26T21:59", 0, "ok"),  # Christmas has no session
        ("24x7", "2024-01-05", "2024-01-06T23:59", 0, "ok"),
        ("24x7", "2024-01-05", "2024-01-08T00:00:01", DAY + 1, "degraded"),
        ("24x7", "2024-01-05", "2024-01-09T00:00:01", 2 * DAY + 1, "failed"),
    ],
)
def test_daily_bars_are_due_at_the_close_and_late_by_trading_days(
    market: str, newest: str, now: str, age_s: float, level: str
) -> None:
    found = judged(DAILY, market, newest, now, DAY)

    assert (found.age_s, found.level) == (age_s, level), found.why


@pytest.mark.parametrize(
    ("market", "interval", "newest", "now", "age_s", "level"),
    [
        ("us_equities", "1h", "2024-01-05T20:30", "2024-01-07T12:00", 0, "ok"),  # Friday's last bar on Sunday
        ("us_equities", "1h", "2024-01-05T20:30", "2024-01-08T15:45", 900, "ok"),
        ("us_equities", "1h", "2024-01-05T20:30", "2024-01-08T15:45:01", 901, "degraded"),
        ("us_equities", "1m", "2024-01-05T20:59", "2024-01-08T14:46", 900, "ok"),
        ("us_equities", "1m", "2024-01-05T15:00", "2024-01-05T15:32:01", 1801, "failed"),
        ("us_equities", "1m", "2024-07-03T16:59", "2024-07-03T20:00", 0, "ok"),  # a half day is over at 17:00 UTC
        ("us_equities", "1h", "2024-01-05T15:10", "2024-01-05T17:10", 0, "ok"),  # bars that begin at ten past
        ("us_equities", "1h", "2024-01-05T15:10", "2024-01-05T17:26", 960, "degraded"),
        ("fx", "1h", "2024-01-05T21:00", "2024-01-07T23:15", 900, "ok"),
        ("fx", "1h", "2024-03-08T21:00", "2024-03-10T22:15", 900, "ok"),  # opens an hour earlier in summer time
        ("24x7", "1h", "2024-01-06T10:00", "2024-01-06T12:15:01", 901, "degraded"),
        ("us_equities", None, "2024-01-05T20:59:30", "2024-01-08T14:30:10", 40, "ok"),  # no interval: as ticks are
    ],
)
def test_bars_are_due_when_the_next_one_is_over(
    market: str, interval: str | None, newest: str, now: str, age_s: float, level: str
) -> None:
    found = judged(BARS, market, newest, now, 900, interval)

    assert (found.age_s, found.level) == (age_s, level), found.why


@pytest.mark.parametrize(
    ("market", "newest", "now", "age_s", "level"),
    [
        ("fx", "2024-01-05T21:59:59", "2024-01-07T21:59:59", 1, "ok"),  # a closed market is not stale
        ("fx", "2024-01-05T21:59:59", "2024-01-07T22:01:00", 61, "degraded"),
        ("fx", "2024-01-05T21:59:59", "2024-01-07T22:02:00", 121, "failed"),
        ("fx", "2024-12-24T21:59:59", "2024-12-25T21:59", 1, "ok"),
        ("us_equities", "2024-11-29T17:59:59", "2024-12-02T14:30:30", 31, "ok"),  # the half day after Thanksgiving
        ("24x7", "2024-01-06T10:00", "2024-01-06T10:01:01", 61, "degraded"),
    ],
)
def test_ticks_grow_old_only_while_their_market_is_open(
    market: str, newest: str, now: str, age_s: float, level: str
) -> None:
    found = judged(QUOTES, market, newest, now, 60)

    assert (found.age_s, found.level) == (age_s, level), found.why


def test_breaks_at_noon_are_no_time_of_the_market() -> None:
    lunch = Calendar(
        "tokyo", "Asia/Tokyo", timedelta(hours=9), timedelta(hours=15),
        breaks=((timedelta(hours=11, minutes=30), timedelta(hours=12, minutes=30)),),
    )  # fmt: skip

    quotes = freshness(
        QUOTES, "7203.T", utc("2024-01-09T02:29:50"), utc("2024-01-09T03:30:20"), calendar=lunch, limit_s=60
    )
    bars = freshness(
        BARS, "7203.T", utc("2024-01-09T02:29"), utc("2024-01-09T03:31"), calendar=lunch, limit_s=60, interval="1m"
    )

    assert (quotes.age_s, quotes.level) == (30, Status.OK)
    assert (bars.due, bars.age_s) == (utc("2024-01-09T03:31"), 0)


@pytest.mark.parametrize(
    ("interval", "newest", "due"),
    [
        ("1wk", "2024-07-01", "2024-07-12T20:00"),
        ("1mo", "2024-05-01", "2024-06-28T20:00"),
        ("3mo", "2024-01-01", "2024-06-28T20:00"),
    ],
)
def test_longer_bars_are_due_at_the_close_of_their_last_session(interval: str, newest: str, due: str) -> None:
    found = judged(DAILY, "us_equities", newest, "2024-07-02T00:00", DAY, interval)

    assert found.due == utc(due)


@pytest.mark.parametrize(
    ("dimension", "newest", "now", "level"),
    [
        (QUOTES, "2024-01-05T21:59:30", "2024-01-05T22:00:30", "ok"),  # fresh whatever its hours are
        (QUOTES, "2024-01-05T21:59:30", "2024-01-05T22:00:31", "unknown"),
        (DAILY, "2024-01-05", "2024-01-07T00:00", "ok"),
        (DAILY, "2024-01-05", "2024-01-07T00:00:01", "unknown"),
    ],
)
def test_without_a_calendar_only_what_is_fresh_in_any_market_is_fresh(
    dimension: Dimension, newest: str, now: str, level: str
) -> None:
    found = judged(dimension, "none", newest, now, DAY if dimension is DAILY else 60)

    assert found.level == level
    if level == "unknown":
        assert found.age_s is None
        assert "no calendar is known of ACME" in found.why
        assert "quality.session" in found.why


def test_nothing_stored_is_unknown() -> None:
    found = freshness(QUOTES, "ACME", None, utc("2024-01-05"), calendar=calendar("fx"), limit_s=60)

    assert (found.level, found.age_s, found.why) == (Status.UNKNOWN, None, "nothing is stored of ACME")


@pytest.mark.parametrize(
    ("dimension", "newest", "level"),
    [
        (QUOTES, "2024-01-05T12:00:30", "ok"),  # half a minute ahead: clocks differ
        (QUOTES, "2024-01-05T15:00", "unknown"),
        (BARS, "2024-01-05T15:00", "unknown"),
        (DAILY, "2024-01-06", "ok"),  # today's session, where the day began already
        (DAILY, "2024-01-08", "unknown"),
        (EVENTS, "2024-02-01", "ok"),  # events are announced
    ],
)
def test_rows_that_are_yet_to_come_prove_nothing(dimension: Dimension, newest: str, level: str) -> None:
    assert judged(dimension, "24x7", newest, "2024-01-05T12:00", 60).level == level


def test_macro_events_go_by_the_clock_on_the_wall() -> None:
    found = judged(EVENTS, "us_equities", "2024-01-05T13:30", "2024-01-13T13:30", 7 * DAY)

    assert (found.age_s, found.level) == (8 * DAY, Status.DEGRADED)


def test_where_the_market_never_opens_again_nothing_is_due() -> None:
    shut = Calendar("shut", "UTC", timedelta(0), timedelta(hours=24), weekdays=frozenset())

    found = freshness(DAILY, "ACME", utc("2024-01-05"), utc("2025-01-05"), calendar=shut, limit_s=DAY)

    assert (found.level, found.stale_at) == (Status.OK, None)


@given(
    market=st.sampled_from(["fx", "us_equities", "24x7", "cme", "none"]),
    case=st.sampled_from([(QUOTES, None), (BARS, "1m"), (BARS, "1h"), (BARS, "4h"), (DAILY, None), (DAILY, "1wk")]),
    newest=st.datetimes(datetime(2023, 1, 1), datetime(2025, 12, 31)),  # noqa: DTZ001  hypothesis adds the zone
    limit_s=st.sampled_from([1.0, 60.0, 900.0, DAY]),
)
def test_it_turns_stale_just_behind_the_moment_that_it_names(
    market: str, case: tuple[Dimension, str | None], newest: datetime, limit_s: float
) -> None:
    dimension, interval = case
    moment = newest.replace(tzinfo=UTC)
    moment = moment.replace(hour=0, minute=0, second=0, microsecond=0) if dimension is DAILY else moment

    def at(now: datetime) -> Freshness:
        return freshness(
            dimension, "ACME", moment, now, calendar=named(market), limit_s=limit_s, interval=interval
        )  # fmt: skip

    stale_at = at(moment + timedelta(hours=1)).stale_at

    assert stale_at is not None
    assert at(stale_at).level is Status.OK
    assert at(stale_at + timedelta(seconds=1)).level is not Status.OK


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        freshness(QUOTES, "ACME", utc("2024-01-05"), datetime(2024, 1, 5), calendar=calendar("fx"), limit_s=60)  # noqa: DTZ001
