"""Judging a frame: one score, one status, and what was found, worst first.

score = coverage x soundness, between 0 and 1:

- coverage: of the bars that the calendar expects between the first and the last one (or in the span asked for), the
  share that is there; for ticks, of the sessions. 1 where nothing can be expected (macro events, no calendar).
- soundness: 1 - (rows with an error + half the rows with a warning) / rows. Errors are impossible or missing prices;
  warnings are bars that begin before the one before has ended, crossed quotes, prices off the tick, spikes and
  conflicting duplicates.

Nights, weekends and holidays of the calendar are not expected, so Friday's last bar is not old on Saturday. Each symbol
is judged by its own calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from backbone.domain import Dimension, Frame, Status
from backbone.domain.clock import to_us
from backbone.quality.anomalies import MOST_ANOMALIES, Anomaly, false_ticks, worst
from backbone.quality.calendars import CalendarOf
from backbone.quality.checks import SEVERITIES, Finding, Mask, label
from backbone.quality.coverage import BARS, Coverage, Series, coverage_findings, coverages, ratio, series, unjudged
from backbone.quality.row_findings import row_findings, tick_findings
from backbone.quality.screening import STRICT, Screening
from backbone.quality.series import repeated_keys, unordered_rows
from backbone.quality.sessions import Calendar
from backbone.quality.sessions import calendar as calendar_named
from backbone.quality.stepping import end_findings, step_findings

__all__ = ["QualityReport", "assess"]

_EXAMPLES = 5
_TRADED = {Dimension.DAILY_BARS: "close", Dimension.INTRADAY_BARS: "close", Dimension.TRADES: "price"}


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """How good a frame is.

    Attributes:
        dimension: what the rows are.
        calendar: by which they were judged, several with commas between them; ``none`` where none is known.
        status: ok from ``warn_score`` on and without errors; failed below ``fail_score``; else degraded.
        score: from 0 to 1, see the module.
        observed_rows: rows of the frame.
        expected_rows: bars that a complete frame has; None where there is no such number (ticks, events).
        coverage_ratio: see the module; None where nothing can be expected.
        findings: worst first.
        messages: coverage, then the findings, each as a sentence.
        anomalies: prices that can't be trusted, the worst few; how many there are is a finding.
    """

    dimension: Dimension
    calendar: str
    status: Status
    score: float
    observed_rows: int
    expected_rows: int | None
    coverage_ratio: float | None
    findings: tuple[Finding, ...]
    messages: tuple[str, ...]
    anomalies: tuple[Anomaly, ...] = ()


def assess(
    frame: Frame,
    *,
    calendar: Calendar | str | CalendarOf,
    interval: str | None = None,
    raw: pa.Table | None = None,
    symbols: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    as_of: datetime | None = None,
    warn_score: float = 0.85,
    fail_score: float = 0.60,
    rules: Screening = STRICT,
    tick_of: Callable[[str], float | None] = lambda _symbol: None,
) -> QualityReport:
    """Judge a frame.

    Args:
        frame: what is judged.
        calendar: of its market, or the name of one, or what tells the calendar of a symbol.
        interval: of daily bars that are weekly or monthly ones; of intraday bars, the only interval to be judged.
        raw: the table the frame was made from, to report what canonical form hides: duplicates and order.
        symbols: that should be there; one that is absent counts as a finding, and as missing bars when a span is given.
        start: from when on bars are expected; None: from the first one of each series.
        end: until when bars are expected, itself included; None: until the last one of each series.
        as_of: rows later than this are reported as from the future.
        warn_score: below it the status is degraded.
        fail_score: below it the status is failed.
        rules: what is allowed although it looks impossible; it is mentioned.
        tick_of: what the prices of a symbol are multiples of; None: of nothing known.

    Raises:
        ValueError: the calendar or interval is unknown, or a moment has no zone.
    """
    calendar_of = _for_all(calendar)
    judged = frame.select(interval=interval) if interval and frame.dimension.has_interval else frame
    wrong, odd = (np.zeros(judged.num_rows, dtype=np.bool_) for _ in range(2))
    parts = series(judged)
    findings = [*row_findings(judged, rules, wrong, odd), *tick_findings(judged, parts, tick_of, odd)]
    anomalies = _anomalies(judged, parts, odd)
    findings += [*_spike_findings(judged, anomalies), *_future_findings(judged, as_of)]
    findings += [*step_findings(judged, parts, calendar_of, odd), *end_findings(judged, parts, calendar_of, odd)]
    findings += unjudged(judged.dimension, parts, calendar_of)
    if raw is not None:
        findings.extend(_raw_findings(raw, judged.dimension))
    covered = coverages(judged, parts, calendar_of, interval, symbols, (start, end))
    findings.extend(coverage_findings(judged, covered, symbols))
    market_shut = bool(covered) and ratio(covered) is None and not symbols
    if not judged and not market_shut:
        findings.append(Finding(code="no_rows", severity="error", count=0, message="there are no rows"))
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), -finding.count))
    score = _score(ratio(covered), _soundness(wrong, odd, findings), findings)
    return QualityReport(
        dimension=judged.dimension,
        calendar=", ".join(sorted({calendar_of(symbol).name for symbol in judged.symbols or ("",)})),
        status=_status(score, findings, warn_score, fail_score),
        score=score,
        observed_rows=judged.num_rows,
        expected_rows=sum(c.expected for _, c in covered) if judged.dimension in BARS and covered else None,
        coverage_ratio=ratio(covered),
        findings=tuple(findings),
        messages=(_summary(judged, covered), *(finding.message for finding in findings)),
        anomalies=worst(anomalies.told),
    )


def _for_all(calendar: Calendar | str | CalendarOf) -> CalendarOf:
    if callable(calendar):
        return calendar
    market = calendar_named(calendar) if isinstance(calendar, str) else calendar
    return lambda _symbol: market


def _soundness(wrong: Mask, odd: Mask, findings: list[Finding]) -> float:
    """1 less the share of bad rows; a row with a warning counts half."""
    conflicting = sum(finding.count for finding in findings if finding.code == "conflicting_duplicates")
    bad = float(wrong.sum()) + 0.5 * (float((odd & ~wrong).sum()) + conflicting)
    return max(0.0, 1.0 - bad / wrong.size) if wrong.size else 1.0


def _score(coverage: float | None, soundness: float, findings: list[Finding]) -> float:
    if any(finding.code == "no_rows" for finding in findings):
        return 0.0
    return soundness if coverage is None else coverage * soundness


def _status(score: float, findings: list[Finding], warn_score: float, fail_score: float) -> Status:
    if score < fail_score or any(finding.code == "no_rows" for finding in findings):
        return Status.FAILED
    if score < warn_score or any(finding.severity == "error" for finding in findings):
        return Status.DEGRADED
    return Status.OK


def _summary(frame: Frame, covered: Sequence[tuple[str, Coverage]]) -> str:
    unit = "bars" if frame.dimension in BARS else "sessions"
    share = ratio(covered)
    if share is None:
        return f"{frame.num_rows:,} rows; no {unit} are expected"
    there, expected = (sum(getattr(c, name) for _, c in covered) for name in ("covered", "expected"))
    # Rounding must not make a series complete that is not.
    shown = "100" if there == expected else f"{min(share, 0.9999) * 100:.2f}"
    return f"{there:,} of {expected:,} expected {unit} are there ({shown} %)"


class _Anomalies(NamedTuple):
    """How many prices jump away and back, and the worst few of each series."""

    found: int
    told: tuple[Anomaly, ...]


def _anomalies(frame: Frame, parts: Sequence[Series], odd: Mask) -> _Anomalies:
    """Prices that jump away and back; their rows are added to the mask."""
    if frame.dimension is Dimension.QUOTES:
        prices = (frame.column("bid") + frame.column("ask")) / 2
    elif frame.dimension in _TRADED:
        prices = frame.column(_TRADED[frame.dimension])
    else:
        return _Anomalies(0, ())
    stamps = frame.column("ts").astype(np.int64)
    total, told = 0, list[Anomaly]()
    for one in parts:
        own = slice(one.first, one.last)
        places, found = false_ticks(prices[own], stamps[own], one.symbol, first=one.first, most=MOST_ANOMALIES)
        odd[places] = True
        total += places.size
        told += found
    return _Anomalies(total, tuple(told))


def _spike_findings(frame: Frame, anomalies: _Anomalies) -> Iterator[Finding]:
    if anomalies.found:
        message = f"{anomalies.found:,} of {frame.num_rows:,} rows jump away from the price and back: false ticks?"
        shown = anomalies.told[:_EXAMPLES]
        examples = tuple(f"{label(frame, each.index)} price {each.price:g} z {each.z_score:.1f}" for each in shown)
        yield Finding(code="spike", severity="warning", count=anomalies.found, message=message, examples=examples)


def _future_findings(frame: Frame, as_of: datetime | None) -> Iterator[Finding]:
    if as_of is None or not frame.num_rows:
        return
    rows = np.flatnonzero(frame.column("ts").astype(np.int64) > to_us(as_of))
    if rows.size:
        message = f"{rows.size:,} rows are later than {as_of:%Y-%m-%dT%H:%M:%S%z}: clocks or zones are wrong"
        examples = tuple(label(frame, row) for row in rows[:_EXAMPLES].tolist())
        yield Finding(code="future_rows", severity="warning", count=rows.size, message=message, examples=examples)


def _raw_findings(raw: pa.Table, dimension: Dimension) -> Iterator[Finding]:
    same, differing = repeated_keys(raw, dimension)
    if differing:
        message = f"{differing:,} rows repeat a key with other values: the last one given counts"
        yield Finding(code="conflicting_duplicates", severity="warning", count=differing, message=message)
    if same:
        message = f"{same:,} rows repeat another one exactly: dropped"
        yield Finding(code="duplicates", severity="info", count=same, message=message)
    unordered = unordered_rows(raw, dimension)
    if unordered:
        message = f"{unordered:,} rows came later than a newer one of their series: sorted"
        yield Finding(code="unordered", severity="info", count=unordered, message=message)
