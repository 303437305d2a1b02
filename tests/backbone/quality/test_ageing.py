"""What the age of rows makes of their judgement, and that a series which has all that is due scores 1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.clock import from_us
from backbone.quality.ageing import UNKNOWN, left_by, with_freshness
from backbone.quality.freshness import Freshness, freshness
from backbone.quality.report import QualityReport, assess
from backbone.quality.sessions import NO_CALENDAR, calendar

DAILY, BARS = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS
DAY = 86_400.0
PRICES = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
SUNDAY = datetime(2024, 3, 31, 12, tzinfo=UTC)


def complete(market: str, interval: str, days: int, *, until: datetime = SUNDAY) -> Frame:
    """Every bar that a market expects in the days before a moment."""
    stamps = calendar(market).expected_stamps(interval, until - timedelta(days=days), until)
    moments = [from_us(each) for each in stamps.astype(np.int64).tolist()]
    dimension = DAILY if interval == "1d" else BARS
    own = {} if interval == "1d" else {"interval": interval}
    return Frame.from_records(dimension, [{"symbol": "A", "ts": moment, **own, **PRICES} for moment in moments])


def judged(frame: Frame, market: str, interval: str, now: datetime, days: int, limit_s: float) -> QualityReport:
    report = assess(frame, calendar=market, interval=interval, start=SUNDAY - timedelta(days=days), end=SUNDAY)
    found = freshness(
        frame.dimension, "A", frame.end, now, calendar=calendar(market), limit_s=limit_s, interval=interval
    )
    return with_freshness(report, [found], warn_score=0.85, fail_score=0.60)


@pytest.mark.parametrize(
    ("market", "interval", "limit_s"),
    [
        ("us_equities", "1d", DAY),
        ("us_equities", "1m", 900),
        ("us_equities", "1h", 900),
        ("fx", "1d", DAY),
        ("fx", "1h", 900),
        ("24x7", "1d", DAY),
    ],
)
def test_a_complete_series_scores_1_on_a_sunday_and_half_of_it_does_not(
    market: str, interval: str, limit_s: float
) -> None:
    whole = complete(market, interval, 60)
    half = Frame.from_arrow(whole.dimension, whole.to_arrow().slice(0, whole.num_rows // 2))

    report = judged(whole, market, interval, SUNDAY, 60, limit_s)
    assert (report.score, report.status, report.observed_rows) == (1.0, "ok", report.expected_rows)
    assert judged(half, market, interval, SUNDAY, 60, limit_s).status == "failed"


@pytest.mark.parametrize(
    ("late_s", "left"), [(0, 1.0), (DAY, 1.0), (1.25 * DAY, 0.75), (1.5 * DAY, 0.5), (2 * DAY, 0.0), (9 * DAY, 0.0)]
)
def test_what_is_left_falls_from_the_limit_to_twice_the_limit(late_s: float, left: float) -> None:
    newest = datetime(2024, 1, 1, tzinfo=UTC)  # its next bar is due two days later
    now = newest + timedelta(days=2, seconds=late_s)
    found = freshness(DAILY, "A", newest, now, calendar=calendar("24x7"), limit_s=DAY)

    assert left_by(found) == pytest.approx(left)


def of_level(newest: datetime | None, *, known: bool = True) -> Freshness:
    market = calendar("24x7") if known else NO_CALENDAR
    return freshness(DAILY, "A", newest, SUNDAY, calendar=market, limit_s=DAY)


def test_a_score_is_at_most_what_freshness_leaves_and_unknown_leaves_three_quarters() -> None:
    report = assess(complete("24x7", "1d", 60), calendar="24x7")

    for found in (of_level(None), of_level(datetime(2024, 1, 1, tzinfo=UTC), known=False)):
        doubted = with_freshness(report, [found], warn_score=0.85, fail_score=0.60)
        assert (doubted.score, doubted.status, doubted.findings[0].code) == (UNKNOWN, "degraded", "freshness_unknown")
    old = with_freshness(report, [of_level(datetime(2024, 1, 1, tzinfo=UTC))], warn_score=0.85, fail_score=0.60)
    assert (old.score, old.status, old.findings[0].code) == (0.0, "failed", "stale")
    assert "1 of 1 series are stale: A: its newest row is of 2024-01-01" in old.messages[1]


def test_of_several_series_the_mean_counts_and_bad_rows_still_do() -> None:
    whole = complete("24x7", "1d", 60)
    report = assess(Frame.from_arrow(DAILY, whole.to_arrow().slice(30)), calendar="24x7", start=whole.start)
    assert report.score == pytest.approx(0.5, abs=0.02)

    fresh, old = of_level(SUNDAY - timedelta(days=1)), of_level(datetime(2024, 1, 1, tzinfo=UTC))
    assert with_freshness(report, [fresh, old], warn_score=0.85, fail_score=0.40).score == report.score
    assert with_freshness(report, [fresh, old, old], warn_score=0.85, fail_score=0.40).score == pytest.approx(1 / 3)
    assert with_freshness(report, [], warn_score=0.85, fail_score=0.40) is report
