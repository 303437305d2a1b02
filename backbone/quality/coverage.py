"""What of a series is there, and what a calendar says is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import combined
from backbone.domain.clock import INTERVALS, from_us, interval_duration, parse_interval, to_us
from backbone.domain.values import numpy_of
from backbone.domain.zones import Stamps
from backbone.quality.calendars import HOW_TO_NAME, CalendarOf, called
from backbone.quality.checks import Finding, Mask
from backbone.quality.sessions import Calendar, Moment

__all__ = [
    "BARS",
    "UNJUDGED",
    "Coverage",
    "Series",
    "Span",
    "bar_coverage",
    "coverage_findings",
    "coverages",
    "has_rule",
    "ratio",
    "series",
    "session_coverage",
    "unjudged",
]

BARS = frozenset({Dimension.DAILY_BARS, Dimension.INTRADAY_BARS})
"""Dimensions of which a calendar tells every row to come."""

Span = tuple[datetime | None, datetime | None]
"""First and last moment that are expected; None: as the data has it."""

UNJUDGED = "no_calendar"

_EXAMPLES = 5


class Series(NamedTuple):
    """The rows of one symbol (and interval) in a frame: from ``first`` to before ``last``."""

    symbol: str
    interval: str | None
    first: int
    last: int

    @property
    def name(self) -> str:
        """Symbol and interval."""
        return self.symbol if self.interval is None else f"{self.symbol} {self.interval}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a series is there.

    Attributes:
        expected: bars (or sessions) that a complete series has.
        covered: how many of them are there.
        outside: rows that lie outside all sessions.
        calendar: by which it was judged.
        gaps: first and last missing stamp and their number, for each unbroken run of missing ones.
    """

    expected: int
    covered: int
    outside: int
    gaps: tuple[tuple[np.datetime64, np.datetime64, int], ...]
    calendar: str


def bar_coverage(stamps: Stamps, calendar: Calendar, interval: str, start: Moment, end: Moment) -> Coverage:
    """Compare the bars of one series with those the calendar expects from start to end.

    An intraday bar counts for the expected one in whose interval it starts, so that series whose bars start at other
    minutes than the session's are judged rightly; longer bars must bear the expected date.

    Args:
        stamps: starts of the bars in UTC, ascending.
        calendar: of the market.
        interval: of the bars.
        start: first stamp that may be expected.
        end: last stamp that may be expected.

    Raises:
        ValueError: there is no rule for this interval.
    """
    expected = calendar.expected_stamps(interval, start, end)
    width = INTERVALS[interval]
    place = np.searchsorted(expected, stamps, side="right") - 1
    known = place >= 0
    if _is_intraday(interval):
        known[known] &= stamps[known] - expected[place[known]] < np.timedelta64(width)
        outside = int((~calendar.touched_by(stamps, interval_duration(interval))).sum())
    else:
        known[known] &= stamps[known] == expected[place[known]]
        outside = int((~known).sum())
    there = np.zeros(expected.size, dtype=np.bool_)
    there[place[known]] = True
    return Coverage(expected.size, int(there.sum()), outside, _runs(expected, ~there), calendar.name)


def session_coverage(stamps: Stamps, calendar: Calendar, start: Moment, end: Moment) -> Coverage:
    """Which sessions from start to end have any row; for series without a fixed interval."""
    expected = calendar.sessions(start, end)
    dates = calendar.session_of(stamps)
    closed = np.isnat(dates)
    there = np.isin(expected, np.unique(dates[~closed]))
    return Coverage(expected.size, int(there.sum()), int(closed.sum()), _runs(expected, ~there), calendar.name)


def series(frame: Frame) -> list[Series]:
    """The series of a frame, in its order."""
    if not frame:
        return []
    names = [frame.dimension.partition_column, *(["interval"] if frame.dimension.has_interval else [])]
    columns = [combined(frame.to_arrow().column(name)) for name in names]
    changes = np.zeros(frame.num_rows - 1, dtype=np.bool_)
    for column in columns:
        codes = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
        changes |= np.diff(numpy_of(codes.dictionary_encode().indices)) != 0
    firsts = np.concatenate(([0], np.flatnonzero(changes) + 1, [frame.num_rows])).tolist()
    found = []
    for first, last in pairwise(firsts):
        symbol, *interval = (column[first].as_py() for column in columns)
        found.append(Series(symbol, interval[0] if interval else None, first, last))
    return found


def coverages(
    frame: Frame,
    parts: Sequence[Series],
    calendar_of: CalendarOf,
    interval: str | None,
    symbols: Sequence[str],
    span: Span,
) -> list[tuple[str, Coverage]]:
    """Coverage of each series of a frame by name; of absent symbols too, where a span is known.

    Macro events, intervals without a rule and symbols without a calendar are left out.
    """
    if frame.dimension is Dimension.MACRO_EVENTS:
        return []
    judge = _Judge(frame.dimension, calendar_of)
    stamps = frame.column("ts")
    found = []
    for one in parts:
        own = stamps[one.first : one.last]
        bounds = (span[0] or from_us(int(own[0].astype(np.int64))), span[1] or from_us(int(own[-1].astype(np.int64))))
        found.append((one.name, judge.of(one.symbol, own, one.interval or interval, bounds)))
    start, end = span[0] or frame.start, span[1] or frame.end
    absent = [symbol for symbol in symbols if symbol not in frame.symbols] if frame or symbols else [""]
    if start is not None and end is not None:
        usual = interval or next((one.interval for one in parts), None)
        found += [(symbol, judge.of(symbol, stamps[:0], usual, (start, end))) for symbol in absent]
    return [(name, coverage) for name, coverage in found if coverage is not None]


@dataclass(frozen=True, slots=True)
class _Judge:
    dimension: Dimension
    calendar_of: CalendarOf

    def of(
        self, symbol: str, stamps: Stamps, interval: str | None, bounds: tuple[datetime, datetime]
    ) -> Coverage | None:
        """Coverage of one series; None where there is no rule."""
        calendar = self.calendar_of(symbol)
        if not calendar.known:
            return None
        inside = stamps[
            (stamps >= np.datetime64(to_us(bounds[0]), "us")) & (stamps <= np.datetime64(to_us(bounds[1]), "us"))
        ]
        if self.dimension not in BARS:
            return session_coverage(inside, calendar, *bounds)
        if self.dimension is Dimension.DAILY_BARS:
            interval = interval or "1d"
        if interval is None or not has_rule(interval):
            return None
        return bar_coverage(inside, calendar, parse_interval(interval), *bounds)


def ratio(found: Sequence[tuple[str, Coverage]]) -> float | None:
    """Share of what is expected that is there, over all series; None when nothing is expected."""
    expected = sum(coverage.expected for _, coverage in found)
    return sum(coverage.covered for _, coverage in found) / expected if expected else None


def coverage_findings(frame: Frame, found: Sequence[tuple[str, Coverage]], symbols: Sequence[str]) -> Iterator[Finding]:
    """What is missing: symbols, bars or sessions; and rows that lie outside all sessions."""
    absent = [symbol for symbol in symbols if symbol not in frame.symbols]
    if absent:
        message = f"{len(absent):,} of {len(symbols):,} symbols have no rows: {', '.join(absent[:_EXAMPLES])}"
        yield Finding(code="missing_symbols", severity="error", count=len(absent), message=message)
    unit = "bars" if frame.dimension in BARS else "sessions"
    missing = sum(coverage.expected - coverage.covered for _, coverage in found)
    gaps = sorted(((name, *gap) for name, coverage in found for gap in coverage.gaps), key=lambda gap: -gap[3])
    if missing:
        expected = sum(coverage.expected for _, coverage in found)
        many = f"{len(gaps):,} gaps; longest" if len(gaps) > 1 else "1 gap"
        examples = tuple(f"{name} {_text(a)} to {_text(b)}: {n:,}".strip() for name, a, b, n in gaps[:_EXAMPLES])
        message = f"{missing:,} of {expected:,} expected {unit} are missing, in {many}: {examples[0]}"
        yield Finding(code=f"missing_{unit}", severity="warning", count=missing, message=message, examples=examples)
    outside = sum(coverage.outside for _, coverage in found)
    if outside:
        names = ", ".join(sorted({coverage.calendar for _, coverage in found if coverage.outside}))
        message = (
            f"{outside:,} of {frame.num_rows:,} rows lie outside the sessions of {called(names)}; "
            "quality.session names another"
        )
        yield Finding(code="outside_sessions", severity="info", count=outside, message=message)


def unjudged(dimension: Dimension, parts: Sequence[Series], calendar_of: CalendarOf) -> Iterator[Finding]:
    """The rows of symbols of which no calendar is known, and how to name one."""
    if dimension is Dimension.MACRO_EVENTS:
        return
    found = [one for one in parts if not calendar_of(one.symbol).known]
    if found:
        names = sorted({one.symbol for one in found})
        rows = sum(one.last - one.first for one in found)
        named = ", ".join(names[:_EXAMPLES]) + (", …" if len(names) > _EXAMPLES else "")
        why = next((text for one in found if (text := calendar_of(one.symbol).why_unknown)), "")
        reason = why or f"none is known; {HOW_TO_NAME}"
        message = f"{rows:,} rows of {named} are judged by no calendar, for {reason}"
        yield Finding(code=UNJUDGED, severity="info", count=rows, message=message, examples=tuple(names[:_EXAMPLES]))


def has_rule(interval: str) -> bool:
    """Whether a calendar tells which bars of this interval are to come.

    It does not of bars of seconds: there are many seconds in which nothing is traded, and no bar comes of them.
    """
    try:
        name = parse_interval(interval)
    except ValueError:
        return False
    return name != "5d" and not name.endswith("s")


def _text(stamp: np.datetime64) -> str:
    text = str(stamp)
    return text.removesuffix(".000000") + ("Z" if "T" in text else "")


def _is_intraday(interval: str) -> bool:
    width = INTERVALS[interval]
    return width is not None and width.days < 1


def _runs(expected: Stamps, missing: Mask) -> tuple[tuple[np.datetime64, np.datetime64, int], ...]:
    places = np.flatnonzero(missing)
    if not places.size:
        return ()
    breaks = np.flatnonzero(np.diff(places) > 1)
    firsts, lasts = places[np.append(0, breaks + 1)], places[np.append(breaks, places.size - 1)]
    return tuple((expected[a], expected[b], b - a + 1) for a, b in zip(firsts.tolist(), lasts.tolist(), strict=True))
