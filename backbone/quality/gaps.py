"""Where rows are missing that a calendar tells to come, found in sums of what is stored.

Of bars each expected one is looked for, by the quarters of an hour that have rows; of bars that are shorter than a
quarter, by how many rows a quarter has. Of trades, quotes and order books, of which nobody knows how many there are to
be, a session without any row is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backbone.domain import Dimension
from backbone.domain.clock import INTERVALS, from_us, parse_interval, to_us
from backbone.domain.zones import Stamps
from backbone.quality.coverage import BARS, has_rule
from backbone.quality.sessions import Calendar

__all__ = ["Found", "Gap", "Window", "find_gaps", "judgeable"]

_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)
_US = "timedelta64[us]"
_MICROSECOND = np.timedelta64(1, "us")


class Window(NamedTuple):
    """From the first to the last moment, both included; what ends after `closed` may still come, and is not missing."""

    start: datetime
    end: datetime
    closed: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of one series that lacks rows.

    Attributes:
        start, end: first and last moment of it, with the closed hours beside it, in which rows may come as well.
        missing: how many bars (or sessions) are missing in it.
    """

    start: datetime
    end: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class Found:
    """What of a series is expected in a window, how much of it is missing, and where."""

    expected: int
    missing: int
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class _Units:
    """What is expected, one after the other: from when to before when each lasts, and how many rows each lacks."""

    begins: Stamps
    ends: Stamps
    expected: npt.NDArray[np.int64]
    missing: npt.NDArray[np.int64]

    def with_closed_hours(self, window: Window) -> tuple[Stamps, Stamps]:
        """From the end of the unit before to the last moment before the next: rows may come before and after hours."""
        first, last = np.datetime64(to_us(window.start), "us"), np.datetime64(to_us(window.end), "us")
        return np.append(first, self.ends[:-1]), np.append(self.begins[1:] - _MICROSECOND, last)


def judgeable(dimension: Dimension, interval: str | None, calendar: Calendar) -> bool:
    """Whether gaps of such a series can be told at all."""
    if not calendar.known or dimension is Dimension.MACRO_EVENTS:
        return False
    return dimension is not Dimension.INTRADAY_BARS or (interval is not None and has_rule(interval))


def find_gaps(
    dimension: Dimension,
    interval: str | None,
    calendar: Calendar,
    stored: tuple[Stamps, npt.NDArray[np.int64]],
    window: Window,
    most: int,
) -> Found:
    """The gaps of a series, ascending, none with more than `most` missing bars or sessions.

    Where a long gap is cut does not hang on what is stored before it: whoever fills one and looks again finds the rest
    cut as before.

    Args:
        dimension: of the rows.
        interval: of intraday bars.
        calendar: of the market, one that is known.
        stored: the quarters of an hour that have rows, ascending, and how many each has.
        window: which part of the series.
        most: bars or sessions of one gap.
    """
    units = _units(dimension, interval, calendar, stored, window)
    over = units.ends <= np.datetime64(to_us(window.closed), "us")
    missing = np.where(over, units.missing, 0)
    gaps = tuple(_gaps(missing, units, window, most)) if missing.any() else ()
    return Found(int(units.expected[over].sum()), int(missing.sum()), gaps)


def _units(
    dimension: Dimension,
    interval: str | None,
    calendar: Calendar,
    stored: tuple[Stamps, npt.NDArray[np.int64]],
    window: Window,
) -> _Units:
    quarters, counts = stored
    if dimension not in BARS:
        return _sessions(calendar, quarters, window)
    name = "1d" if dimension is Dimension.DAILY_BARS else parse_interval(interval or "")
    stamps = calendar.expected_stamps(name, window.start, window.end)
    width = INTERVALS[name] or 31 * _DAY
    if width < _QUARTER:
        return _quarters(stamps, quarters, counts)
    return _bars(stamps, quarters, width)


def _sessions(calendar: Calendar, quarters: Stamps, window: Window) -> _Units:
    dates = calendar.sessions(window.start, window.end)
    opens, closes = calendar.hours(dates)
    there = np.isin(dates, calendar.session_of(quarters)) if quarters.size else np.zeros(dates.size, dtype=bool)
    return _Units(opens, closes, np.ones(dates.size, np.int64), (~there).astype(np.int64))


def _bars(stamps: Stamps, quarters: Stamps, width: timedelta) -> _Units:
    """Bars of a quarter or longer: a bar counts for the last expected one whose quarter is not after its own."""
    begins = _quarter_of(stamps)
    place = np.searchsorted(begins, quarters, side="right") - 1
    known = place >= 0
    longest = np.timedelta64(width if width < _DAY else _QUARTER)
    known[known] &= quarters[known] - begins[place[known]] < longest
    missing = np.ones(stamps.size, np.int64)
    missing[place[known]] = 0
    ends = stamps + np.timedelta64(width).astype(_US)
    if ends.size:
        ends[:-1] = np.minimum(ends[:-1], stamps[1:])
    return _Units(stamps, ends, np.ones(stamps.size, np.int64), missing)


def _quarters(stamps: Stamps, quarters: Stamps, counts: npt.NDArray[np.int64]) -> _Units:
    """Bars that are shorter than a quarter: each quarter has to have as many rows as bars begin in it."""
    begins, expected = np.unique(_quarter_of(stamps), return_counts=True)
    held = np.zeros(begins.size, np.int64)
    place = np.searchsorted(begins, quarters)
    known = place < begins.size
    known[known] &= begins[place[known]] == quarters[known]
    held[place[known]] = counts[known]
    step = np.timedelta64(_QUARTER).astype(_US)
    return _Units(begins, begins + step, expected.astype(np.int64), np.maximum(expected - held, 0))


def _quarter_of(stamps: Stamps) -> Stamps:
    step = np.timedelta64(_QUARTER).astype(_US).astype(np.int64)
    quarters: Stamps = (stamps.astype(np.int64) // step * step).astype("datetime64[us]")
    return quarters


def _gaps(missing: npt.NDArray[np.int64], units: _Units, window: Window, most: int) -> Iterator[Gap]:
    """Unbroken runs of units that lack rows, cut at every so-manieth unit of the window, whichever are there."""
    places = np.flatnonzero(missing)
    block = places // max(1, most // int(units.expected.max()))
    breaks = np.flatnonzero((np.diff(places) > 1) | (np.diff(block) > 0))
    firsts, lasts = places[np.append(0, breaks + 1)], places[np.append(breaks, places.size - 1)]
    starts, ends = units.with_closed_hours(window)
    totals = np.append(0, np.cumsum(missing))
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        start, end = int(starts[first].astype(np.int64)), int(ends[last].astype(np.int64))
        yield Gap(from_us(start), from_us(end), int(totals[last + 1] - totals[first]))
