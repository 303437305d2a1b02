from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.clock import (
    INTERVALS,
    MAX_US,
    MIN_US,
    from_us,
    interval_duration,
    parse_duration,
    parse_interval,
    parse_time,
    to_us,
    utc_now,
)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_microseconds_and_moments_are_exact_inverses(moment: datetime) -> None:
    microseconds = to_us(moment)
    if MIN_US <= microseconds <= MAX_US:
        assert from_us(microseconds) == moment
        assert from_us(microseconds).tzinfo is UTC


def test_a_naive_moment_has_no_microseconds() -> None:
    with pytest.raises(ValueError, match="2024-01-01T00:00:00 has no time zone"):
        to_us(datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("microseconds", [MIN_US - 1, MAX_US + 1, 2**63])
def test_moments_outside_the_years_1_to_9999_are_refused(microseconds: int) -> None:
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        from_us(microseconds)


def test_the_wall_clock_is_in_utc() -> None:
    assert utc_now().tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2024-03-01T14:30:00Z", None, datetime(2024, 3, 1, 14, 30, tzinfo=UTC)),
        (" 2024-03-01 14:30+01:00 ", None, datetime(2024, 3, 1, 13, 30, tzinfo=UTC)),
        ("2024-03-01T14:30:00.123456Z", None, datetime(2024, 3, 1, 14, 30, 0, 123456, tzinfo=UTC)),
        ("2024-03-01T14:30:00.123456000Z", None, datetime(2024, 3, 1, 14, 30, 0, 123456, tzinfo=UTC)),
        ("2024-03-01", "UTC", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01T09:30", "America/New_York", datetime(2024, 3, 1, 14, 30, tzinfo=UTC)),
        ("2024-07-01T09:30", "America/New_York", datetime(2024, 7, 1, 13, 30, tzinfo=UTC)),
        ("2024-07-01T09:30Z", "America/New_York", datetime(2024, 7, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_from_iso_8601(text: str, zone: str | None, expected: datetime) -> None:
    moment = parse_time(text, zone)
    assert moment == expected
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "zone", "message"),
    [
        ("2024-03-01T14:30:00", None, "has no time zone; add an offset, such as 2024-03-01T14:30:00Z"),
        ("2024-03-01", None, "has no time zone"),
        ("yesterday", None, "is not a time; give ISO-8601"),
        ("", None, "is not a time"),
        ("2024-02-30T00:00Z", None, "is not a time"),
        ("2024-03-01T14:30:00.1234567Z", None, "finer than a microsecond"),
        ("2024-03-10T02:30", "America/New_York", "does not exist .the clocks skip it. in America/New_York"),
        ("2024-11-03T01:30", "America/New_York", "is ambiguous"),
        ("2024-03-01T14:30", "Mars/Olympus", "unknown time zone 'Mars/Olympus'"),
        ("2024-03-01T14:30", "../etc/passwd", "unknown time zone"),
        ("0001-01-01T00:00+10:00", None, "outside the years 1 to 9999"),
    ],
)
def test_a_text_that_is_no_certain_moment_is_refused(text: str, zone: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_time(text, zone)


def test_what_is_no_text_is_no_moment() -> None:
    with pytest.raises(ValueError, match="None is not a time"):
        parse_time(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("90s", timedelta(seconds=90)),
        (" 15M ", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1 d 12 h", timedelta(days=1, hours=12)),
        ("0.5h", timedelta(minutes=30)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1y", "1h-", "1h 30", "99999999999999999999d", "9" * 400 + "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 15m|too long"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        (("1s", "S1", "1sec", "1 second", "1S"), "1s"),
        (("30s", "S30", "30 secs"), "30s"),
        (("1m", "1min", "1 minute", "01m", "M1", "1T", "1", "60s"), "1m"),
        (("5m", "5min", "M5", "m5", "PERIOD_M5", "5T", "5 mins", "5"), "5m"),
        (("45m", "M45", "45T"), "45m"),
        (("1h", "60m", "1hour", "1hr", "1H", "60 min", "H1", "h1", "PERIOD_H1", "60", "60T", "3600s", "hourly"), "1h"),
        (("90m", "90min", "90T", "90"), "90m"),
        (("2h", "120m", "2H", "H2", "120"), "2h"),
        (("4h", "240m", "H4", "240", "4 hours"), "4h"),
        (("12h", "720m", "H12", "720"), "12h"),
        (("1d", "1day", "24h", "1D", "D1", "D", "daily", "1440", "1440m", "PERIOD_D1", "86400s"), "1d"),
        (("1wk", "1w", "1week", "7d", "1W", "W1", "W", "weekly", "10080"), "1wk"),
        (("1mo", "1month", "MN1", "MN", "PERIOD_MN1", "1mn", "monthly", "43200"), "1mo"),
        (("3mo", "3 months", "quarterly"), "3mo"),
    ],
)
def test_an_interval_has_one_name_whatever_its_spelling(spellings: tuple[str, ...], expected: str) -> None:
    assert {text: parse_interval(text) for text in spellings} == dict.fromkeys(spellings, expected)


def test_each_interval_is_its_own_name() -> None:
    assert [parse_interval(name) for name in INTERVALS] == list(INTERVALS)
    assert set(INTERVALS) >= {"1s", "5s", "10s", "15s", "30s", "3m", "10m", "20m", "2h", "3h", "6h", "8h", "12h"}


NOT_OFFERED = "7m 1M 5M M T H h 1x 1h1m -1h 11111111h 1y M7 H0 0 0m 1MS 5t T5 43200m 1.5h banana period_ \u0661m"


@pytest.mark.parametrize("text", ["", *NOT_OFFERED.split()])
def test_an_interval_that_is_not_offered_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"use one of: 1s, 5s, .*, 1m, 2m, 3m, 5m, .* 1h, 90m, 2h, .*, 1d, 5d, 1wk, 1mo, 3mo"
    ):
        parse_interval(text)


@pytest.mark.parametrize("text", ["1M", "3M", "12M"])
def test_what_may_be_minutes_or_months_is_asked_about(text: str) -> None:
    with pytest.raises(ValueError, match="minutes or months"):
        parse_interval(text)


def test_every_interval_but_months_has_a_length() -> None:
    lengths = [interval_duration(name) for name in INTERVALS if not name.endswith("mo")]
    assert lengths == sorted(lengths)
    assert interval_duration("60m") == timedelta(hours=1)
    with pytest.raises(ValueError, match="1mo has no fixed length"):
        interval_duration("1mo")
