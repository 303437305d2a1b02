"""Bars that are not what they are said to be: of another interval, or stamped with their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backbone.domain import Dimension, Frame, Status
from backbone.domain.clock import INTERVALS
from backbone.quality.merging import merge
from backbone.quality.report import QualityReport, assess
from backbone.quality.sessions import calendar

MONDAY = datetime(2024, 3, 4, tzinfo=UTC)


def bars(stamps: np.ndarray, interval: str, symbol: str = "ACME") -> Frame:
    moments = [stamp.replace(tzinfo=UTC) for stamp in stamps.astype("datetime64[us]").tolist()]
    prices = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5}
    return Frame.from_records(
        Dimension.INTRADAY_BARS, [{"symbol": symbol, "interval": interval, "ts": ts, **prices} for ts in moments]
    )


def expected(interval: str, session: str, days: int = 5) -> np.ndarray:
    return calendar(session).expected_stamps(interval, MONDAY, MONDAY + timedelta(days=days))


def found(report: QualityReport) -> dict[str, str]:
    return {finding.code: finding.message for finding in report.findings}


@pytest.mark.parametrize(("told", "true"), [("1h", "5m"), ("1d", "1h"), ("4h", "90m"), ("1mo", "1d"), ("5m", "1m")])
def test_bars_that_lie_closer_than_their_interval_are_asked_about_and_score_less(told: str, true: str) -> None:
    stamps = expected(true, "24x7", 200 if true == "1d" else 5)
    report = assess(bars(stamps, told), calendar="24x7")
    assert (
        f"bars of ACME {told} begin less than {told} after the one before, most often {true}: are they bars of {true}?"
        in (found(report)["interval_too_long"])
    )
    assert report.score < 0.6
    assert report.status is Status.FAILED


def test_a_part_of_another_interval_is_found_as_well() -> None:
    stamps = expected("1h", "24x7", 1)
    fine = np.arange(stamps[-1], stamps[-1] + np.timedelta64(4, "h"), np.timedelta64(5, "m"))
    report = assess(bars(np.union1d(stamps, fine), "1h"), calendar="24x7")
    assert report.findings[0].code == "interval_too_long"
    assert (report.findings[0].severity, report.findings[0].count) == ("warning", fine.size - 1)


def test_a_single_short_step_is_mentioned_and_costs_nothing() -> None:
    stamps = np.append(expected("1h", "us_equities", 1), np.datetime64("2024-03-04T20:45:00"))
    report = assess(bars(stamps, "1h"), calendar="us_equities")
    assert [(each.code, each.severity) for each in report.findings] == [("interval_too_long", "info")]
    assert report.score == 1.0


@pytest.mark.parametrize(("told", "true"), [("5m", "1h"), ("1h", "4h"), ("1m", "1d"), ("1s", "1m")])
def test_bars_that_lie_wider_apart_than_their_interval_are_asked_about(told: str, true: str) -> None:
    report = assess(bars(expected(true, "24x7"), told), calendar="24x7")
    assert f"are {true} or more apart: are they bars of {true}?" in found(report)["interval_too_short"]


@pytest.mark.parametrize("session", ["fx", "24x7", "us_equities"])
@pytest.mark.parametrize("interval", [name for name in INTERVALS if not name.endswith("s") and name != "5d"])
def test_bars_as_they_should_be_are_asked_nothing(session: str, interval: str) -> None:
    stamps = expected(interval, session, 400 if interval[-1] in "dko" else 4)
    assert set(found(assess(bars(stamps, interval), calendar=session))) <= {"missing_bars"}


def test_bars_with_holes_are_asked_nothing() -> None:
    kept = expected("1m", "24x7")[np.random.default_rng(4).random(7201) < 0.05]
    assert set(found(assess(bars(kept, "1m"), calendar="24x7"))) == {"missing_bars"}


@pytest.mark.parametrize("interval", ["1m", "5m", "30m", "1h"])
@pytest.mark.parametrize("session", ["fx", "us_equities"])
def test_bars_stamped_with_their_end_are_asked_about(session: str, interval: str) -> None:
    width = INTERVALS[interval]
    assert width is not None
    starts = expected(interval, session)
    closes = calendar(session).hours(calendar(session).sessions(MONDAY, MONDAY + timedelta(days=5)))[1]
    ends = np.unique([min(each + np.timedelta64(width), closes[closes > each][0]) for each in starts])
    report = assess(bars(ends, interval), calendar=session)
    message = found(report)["end_stamps"]
    assert "stamped with the close of the market and none with its open" in message
    assert "--stamps end" in message
    assert report.score < 1.0
    assert "end_stamps" not in found(assess(bars(starts, interval), calendar=session))


def test_rows_of_weekends_and_nights_are_no_stamps_of_ends() -> None:
    padded = expected("1h", "24x7", 8)
    assert "end_stamps" not in found(assess(bars(padded[100:160], "1h"), calendar="fx"))
    assert "end_stamps" not in found(assess(bars(padded, "1h"), calendar="us_equities"))


def test_what_was_found_in_parts_still_says_what_to_do() -> None:
    parts = [assess(bars(expected("5m", "24x7"), "1h", symbol), calendar="24x7") for symbol in ("A", "B")]
    merged = merge(parts)
    (finding,) = [each for each in merged.findings if each.code == "interval_too_long"]
    assert finding.count == sum(each.findings[0].count for each in parts)
    assert "in all parts, such as:" in finding.message
    assert "are they bars of 5m?" in finding.message
