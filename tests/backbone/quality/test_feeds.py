"""What is wrong with a feed, as far as its silence tells."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backbone.domain import Dimension
from backbone.quality.feeds import feed_anomalies
from backbone.quality.freshness import freshness
from backbone.quality.sessions import NO_CALENDAR, calendar

DAILY, BARS, EVENTS = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.MACRO_EVENTS


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("dimension", "limit_s", "newest", "now", "rows", "wrong"),
    [
        (DAILY, 21_600, "2024-01-05", "2024-01-07T12:00", None, []),
        (DAILY, 21_600, "2024-01-05", "2024-01-07T12:00", 0, []),  # a weekend without rows is no break
        (DAILY, 21_600, "2024-01-05", "2024-01-09T02:00", 0, [("feed_break", "critical")]),  # Monday's bar was due
        (DAILY, 21_600, "2024-01-05", "2024-01-09T03:01", 5, [("stale_feed", "warning")]),
        (DAILY, 21_600, "2024-01-05", "2024-01-09T09:01", 5, [("stale_feed", "critical")]),
        (BARS, 900, "2024-01-05T20:59", "2024-01-07T12:00", 0, []),
        (BARS, 900, "2024-01-05T15:00", "2024-01-05T15:10", 0, [("feed_break", "critical")]),
        (BARS, 900, "2024-01-05T15:00", "2024-01-05T15:18", None, [("stale_feed", "warning")]),
        (
            BARS,
            900,
            "2024-01-05T15:00",
            "2024-01-05T15:40",
            0,
            [("feed_break", "critical"), ("stale_feed", "critical")],
        ),
        (EVENTS, 86_400, "2024-01-05T13:30", "2024-01-06T14:30", None, [("stale_feed", "warning")]),
        (DAILY, 21_600, None, "2024-01-06", 0, [("feed_break", "critical"), ("missing_freshness", "warning")]),
        (DAILY, 21_600, None, "2024-01-06", None, [("missing_freshness", "warning")]),
    ],
)
def test_silence_counts_in_the_time_of_the_market(
    dimension: Dimension, limit_s: float, newest: str | None, now: str, rows: int | None, wrong: list[tuple[str, str]]
) -> None:
    last, interval = None if newest is None else utc(newest), "1m" if dimension is BARS else None
    market = calendar("us_equities")
    found = freshness(dimension, "A", last, utc(now), calendar=market, limit_s=limit_s, interval=interval)

    assert [(each.code, each.severity) for each in feed_anomalies(found, rows)] == wrong


def test_without_a_calendar_freshness_is_missing() -> None:
    found = freshness(DAILY, "A", utc("2024-01-01"), utc("2024-02-01"), calendar=NO_CALENDAR, limit_s=21_600)

    [anomaly] = feed_anomalies(found)
    assert (anomaly.code, anomaly.age_s) == ("missing_freshness", None)
    assert "no calendar is known of A" in anomaly.message
