"""Scores, statuses and findings of whole frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame, Status
from backbone.quality.report import QualityReport, assess
from backbone.quality.sessions import calendar
from backbone.sources.csv import CsvSource

SAMPLE = Path(__file__).parents[3] / "config" / "samples" / "eurusd_1h_tail.csv.gz"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bars(stamps: np.ndarray, *, symbol: str = "EURUSD", interval: str = "1h", close: np.ndarray | None = None) -> Frame:
    price = np.full(len(stamps), 1.1) if close is None else close
    columns = {"open": price, "high": price + 0.01, "low": price - 0.01, "close": price}
    return Frame.from_arrow(Dimension.INTRADAY_BARS, keyed(stamps, columns, symbol=symbol, interval=interval))


def keyed(stamps: np.ndarray, columns: dict[str, np.ndarray], **texts: str) -> pa.Table:
    ts = pa.array(stamps.astype("datetime64[us]"), pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return pa.table({**{k: pa.repeat(v, len(stamps)) for k, v in texts.items()}, "ts": ts, **columns})


def week(day: str, name: str = "fx", interval: str = "1h") -> np.ndarray:
    """All stamps from the Sunday before this Monday to the Saturday after it."""
    monday = utc(day)
    return calendar(name).expected_stamps(interval, monday - timedelta(days=1), monday + timedelta(days=5))


def codes(report: QualityReport) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("monday", ["2018-03-05", "2018-03-12", "2018-10-29", "2018-11-05", "2018-12-24"])
def test_a_complete_forex_week_scores_one_across_daylight_saving_and_christmas(monday: str) -> None:
    report = assess(bars(week(monday)), calendar="fx")
    assert (report.score, report.coverage_ratio, report.status) == (1.0, 1.0, Status.OK)
    assert report.findings == ()
    assert "100 %" in report.messages[0]


@pytest.mark.parametrize("interval", ["1m", "15m", "1h"])
def test_a_complete_equity_week_with_a_holiday_and_an_early_close_scores_one(interval: str) -> None:
    stamps = week("2024-07-01", "us_equities", interval)
    report = assess(bars(stamps, symbol="SPY", interval=interval), calendar="us_equities")
    assert (report.score, report.status) == (1.0, Status.OK)


def test_sixty_days_of_weekday_bars_score_one() -> None:
    days = calendar("us_equities").sessions(utc("2024-01-02"), utc("2024-03-01"))
    prices = dict.fromkeys(("open", "high", "low", "close"), np.ones(len(days)))
    table = keyed(days, prices, symbol="SPY")
    report = assess(Frame.from_arrow("daily", table), calendar="us_equities")
    assert (report.score, report.expected_rows, report.status) == (1.0, 41, Status.OK)


def test_fridays_last_bar_is_not_a_gap_on_saturday_and_sunday() -> None:
    stamps = week("2018-06-04")
    for end in ("2018-06-09T12:00", "2018-06-10T20:59"):
        assert assess(bars(stamps), calendar="fx", start=utc("2018-06-03"), end=utc(end)).score == 1.0
    report = assess(bars(stamps), calendar="fx", start=utc("2018-06-03"), end=utc("2018-06-10T23:00"))
    assert report.findings[0].count == 3


@pytest.mark.parametrize(
    ("kept", "status"), [(1.0, Status.OK), (0.9, Status.OK), (0.75, Status.DEGRADED), (0.5, Status.FAILED)]
)
def test_part_of_a_series_warns_or_fails(kept: float, status: Status) -> None:
    stamps = week("2018-06-04")
    some = stamps[: int(len(stamps) * kept)]
    report = assess(bars(some), calendar="fx", start=utc("2018-06-03"), end=utc("2018-06-09"))
    assert report.score == pytest.approx(kept)
    assert report.status is status


def test_every_other_bar_fails_without_a_span_being_given() -> None:
    report = assess(bars(week("2018-06-04")[::2]), calendar="fx")
    assert report.status is Status.FAILED
    assert report.coverage_ratio == pytest.approx(60 / 119)
    assert codes(report) == ["interval_too_short", "missing_bars"]


def test_a_gap_is_named_by_its_ends_and_size() -> None:
    stamps = week("2018-06-04")
    report = assess(bars(np.delete(stamps, slice(10, 13))), calendar="fx")
    assert report.findings[0].examples == ("EURUSD 1h 2018-06-04T07:00:00Z to 2018-06-04T09:00:00Z: 3",)
    assert report.findings[0].count == 3


def test_no_rows_score_zero_and_fail() -> None:
    report = assess(Frame.empty("intraday"), calendar="fx")
    assert (report.score, report.status, report.observed_rows) == (0.0, Status.FAILED, 0)
    assert codes(report) == ["no_rows"]


def test_no_rows_are_right_while_the_market_is_shut() -> None:
    closed = {"interval": "1h", "start": utc("2018-06-09"), "end": utc("2018-06-10T12:00")}
    report = assess(Frame.empty("intraday"), calendar="fx", **closed)  # type: ignore[arg-type]
    assert (report.status, report.findings) == (Status.OK, ())
    open_ = {**closed, "end": utc("2018-06-11")}
    assert assess(Frame.empty("intraday"), calendar="fx", **open_).status is Status.FAILED  # type: ignore[arg-type]


def test_an_absent_symbol_is_an_error_and_counts_as_missing_bars() -> None:
    report = assess(bars(week("2018-06-04")), calendar="fx", symbols=["EURUSD", "GBPUSD"])
    assert codes(report) == ["missing_symbols", "missing_bars"]
    assert report.coverage_ratio == pytest.approx(0.5)
    assert report.expected_rows == 240


def test_each_symbol_is_judged_over_its_own_span() -> None:
    late = bars(week("2018-06-11"), symbol="GBPUSD")
    assert assess(Frame.concat([bars(week("2018-06-04")), late]), calendar="fx").score == 1.0


def test_bars_that_start_at_other_minutes_count_for_their_hour() -> None:
    report = assess(bars(week("2018-06-04") + np.timedelta64(7, "m")), calendar="fx")
    assert (report.score, codes(report)) == (1.0, [])


def test_rows_outside_sessions_are_mentioned() -> None:
    saturday = np.array(["2018-06-09T12:00"], dtype="datetime64[us]")
    report = assess(bars(np.append(week("2018-06-04"), saturday)), calendar="fx")
    assert (codes(report), report.findings[0].severity) == (["outside_sessions"], "info")
    assert report.score == 1.0


def test_bad_rows_lower_the_score_and_an_error_degrades() -> None:
    close = np.full(120, 1.1)
    close[:12] = -1.0
    report = assess(bars(week("2018-06-04"), close=close), calendar="fx")
    assert report.score == pytest.approx(0.9)
    assert report.status is Status.DEGRADED
    assert codes(report) == ["non_positive_price"]
    assert report.findings[0].examples[0] == "EURUSD 1h 2018-06-03T21:00:00Z"


def test_duplicates_and_order_are_seen_in_the_raw_table_only() -> None:
    frame = bars(week("2018-06-04"))
    table = frame.to_arrow()
    doubled = pa.concat_tables([table, table.slice(0, 2)])
    changed = table.slice(5, 1).set_column(6, table.schema.field("close"), pa.array([1.105]))
    report = assess(frame, calendar="fx", raw=pa.concat_tables([doubled, changed]))
    assert {finding.code: finding.count for finding in report.findings} == {
        "conflicting_duplicates": 1, "duplicates": 2, "unordered": 1,
    }  # fmt: skip
    assert report.score == pytest.approx(1 - 0.5 / 120)
    assert assess(frame, calendar="fx", raw=table).findings == ()


def test_rows_from_the_future_are_reported() -> None:
    report = assess(bars(week("2018-06-04")), calendar="fx", as_of=utc("2018-06-08T18:30"))
    assert (codes(report), report.findings[0].count) == (["future_rows"], 2)


def test_the_sample_is_nearly_complete() -> None:
    frame = Frame.concat([chunk.frame for chunk in CsvSource(SAMPLE, "intraday", interval="1h").chunks()])
    report = assess(frame, calendar="fx")
    assert (report.status, report.expected_rows) == (Status.OK, 5046)
    assert report.score == pytest.approx(5000 / 5046)


def test_ticks_are_judged_by_sessions() -> None:
    stamps = ["2018-06-04T10:00", "2018-06-05T10:00", "2018-06-07T10:00"]
    records = [{"symbol": "EURUSD", "ts": utc(ts), "bid": 1.1, "ask": 1.2} for ts in stamps]
    report = assess(Frame.from_records("quotes", records), calendar="fx")
    assert (report.coverage_ratio, report.expected_rows) == (0.75, None)
    assert report.findings[0].examples == ("EURUSD 2018-06-06 to 2018-06-06: 1",)


def test_macro_events_have_no_expected_number() -> None:
    events = [{"calendar": "US", "event": "CPI", "ts": utc("2018-06-12T12:30"), "actual": -0.1}]
    report = assess(Frame.from_records("macro", events), calendar="24x7")
    assert (report.score, report.coverage_ratio, report.status) == (1.0, None, Status.OK)


def test_bars_of_seconds_are_not_judged_by_coverage_for_nobody_trades_in_every_second() -> None:
    hours = calendar("fx").expected_stamps("4h", utc("1998-06-04"), utc("2018-06-04"))
    report = assess(bars(hours, interval="1s"), calendar="fx")
    assert (report.score, report.expected_rows, report.coverage_ratio) == (1.0, None, None)


def test_an_interval_without_a_rule_is_not_judged_by_coverage() -> None:
    mondays = np.arange(np.datetime64("2018-06-04"), np.datetime64("2018-09-04"), 7)
    report = assess(bars(mondays, interval="5d"), calendar="fx")
    assert (report.coverage_ratio, report.score) == (None, 1.0)


@settings(max_examples=60, deadline=None)
@given(dropped=st.sets(st.integers(1, 118), max_size=118), monday=st.sampled_from(["2018-03-12", "2018-11-05"]))
def test_the_score_is_the_share_of_bars_that_are_there(dropped: set[int], monday: str) -> None:
    kept = [n for n in range(120) if n not in dropped]
    report = assess(bars(week(monday)[kept]), calendar="fx")
    assert report.score == pytest.approx(len(kept) / 120)
    assert report.observed_rows == len(kept)
    assert sum(finding.count for finding in report.findings) == len(dropped)
