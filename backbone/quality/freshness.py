"""How fresh data is, by the sessions of its market: the one rule for health, score, schedule, gate and readiness.

Not how long ago the newest row was counts, but for how long the next one has been due while its market was open:

- trades, quotes, order books: since the newest one.
- bars of hours and minutes: since the end of the bar that should follow the newest one.
- bars of days and longer: since the close of the sessions that the next one holds. A trading day counts its 24 hours,
  other days none: a limit of 86,400 s is one trading day late, be the session six hours long or a day.
- macro events: since the newest one, by the clock on the wall.

So the close of Friday is fresh on Sunday, and on Monday until its session is over. Where no calendar is known, data is
fresh as long as it would be in a market that never closes; then it can't be told, and is ``unknown``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from backbone.domain.clock import INTERVALS, from_us, parse_interval, to_us
from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.domain.text import written_out
from backbone.domain.zones import from_wall_time, load_zone
from backbone.quality.calendars import HOW_TO_NAME
from backbone.quality.coverage import has_rule
from backbone.quality.extents import Extents, stretches
from backbone.quality.sessions import CALENDARS, Calendar
from backbone.quality.unfinished import bar_ends

__all__ = ["Freshness", "freshness"]

_US = "datetime64[us]"
_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
_FAILED = 2  # times the limit
_SKEW_US = 60_000_000  # by which the clock of a source may be ahead
_AHEAD = 10, 80, 800  # days in which the next bar is looked for
_FIRST_YEAR, _LAST_YEAR = 2, 9998
_FIRST, _LAST = np.datetime64("0002-01-01", "us"), np.datetime64("9998-12-31", "us")


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh the rows of one symbol are.

    Attributes:
        dimension: of the rows.
        symbol: of the rows; of macro events, the calendar.
        newest: moment of the newest row; None: there is none.
        age_s: for how many seconds, while its market was open, the next row has been due; None: it can't be told.
        limit_s: how many of them it may be.
        level: ok within the limit, degraded up to twice the limit, failed beyond; unknown where it can't be told.
        why: in a sentence.
        due: when the next row was, or will be due; None: it can't be told.
        stale_at: when the limit is, or was passed, if no row comes; None: not within a year, or it can't be told.
        interval: of bars; None: of daily bars a day, of others unknown.
    """

    dimension: Dimension
    symbol: str
    newest: datetime | None
    age_s: float | None
    limit_s: float
    level: Status
    why: str
    due: datetime | None = None
    stale_at: datetime | None = None
    interval: str | None = None


def freshness(
    dimension: Dimension,
    symbol: str,
    newest: datetime | None,
    now: datetime,
    *,
    calendar: Calendar,
    limit_s: float,
    interval: str | None = None,
) -> Freshness:
    """Judge how fresh the rows of a symbol are.

    Args:
        dimension: of the rows.
        symbol: of the rows.
        newest: moment of the newest row; of a bar, that of its beginning. None: there is none.
        now: as of when.
        calendar: of its market.
        limit_s: for how many seconds the next row may be due.
        interval: of bars; None: daily_bars are of a day, intraday_bars are judged as ticks are.

    Raises:
        ValueError: a moment has no zone, or the interval is unknown.
    """
    verdict = _judge(dimension, symbol, newest, now, calendar, limit_s, _width(dimension, interval))
    return Freshness(
        dimension=dimension,
        symbol=symbol,
        newest=newest,
        age_s=verdict.age_s,
        limit_s=limit_s,
        level=verdict.level,
        why=verdict.why,
        due=verdict.due,
        stale_at=verdict.stale_at,
        interval=interval,
    )


class _Verdict(NamedTuple):
    level: Status
    why: str
    age_s: float | None = None
    due: datetime | None = None
    stale_at: datetime | None = None


def _judge(
    dimension: Dimension,
    symbol: str,
    newest: datetime | None,
    now: datetime,
    calendar: Calendar,
    limit_s: float,
    width: str | None,
) -> _Verdict:
    if newest is None:
        return _Verdict(Status.UNKNOWN, f"nothing is stored of {written_out(symbol)}")
    last, moment = to_us(newest), to_us(now)
    if dimension is Dimension.MACRO_EVENTS:
        calendar = CALENDARS["24x7"]
    elif last > moment + (_DAY_US if _by_day(width) else _SKEW_US):
        text = f"its newest row is of {_text(newest)}, which is yet to come: a clock or a zone is wrong"
        return _Verdict(Status.UNKNOWN, text)
    due = last if width is None else _due(calendar, width, last)
    if due is None:
        return _Verdict(Status.OK, f"its newest row is of {_text(newest)}, and its market does not open again", 0.0)
    clock = _clock(calendar, _by_day(width), *_years(min(due, moment), max(due, moment)))
    age = max(clock.at(moment) - clock.at(due), 0.0)
    stale_at = clock.when(clock.at(due) + limit_s)
    if age > limit_s and not calendar.known:
        return _Verdict(Status.UNKNOWN, _unjudged(calendar, symbol, newest), None, None, stale_at)
    level = Status.OK if age <= limit_s else Status.DEGRADED if age <= _FAILED * limit_s else Status.FAILED
    why = _reason(newest, age, limit_s, is_open=clock.runs(moment), is_due=moment >= due)
    return _Verdict(level, why, age, from_us(due), stale_at)


def _width(dimension: Dimension, interval: str | None) -> str | None:
    """The interval by which rows follow each other; None where no rule says it."""
    if dimension is Dimension.DAILY_BARS:
        interval = interval or "1d"
    elif dimension is not Dimension.INTRADAY_BARS:
        return None
    return parse_interval(interval) if interval is not None and has_rule(interval) else None


def _by_day(width: str | None) -> bool:
    length = _DAY if width is None else INTERVALS[width]
    return width is not None and (length is None or length >= _DAY)


@lru_cache(maxsize=16_384)
def _due(calendar: Calendar, width: str, newest: int) -> int | None:
    """When the bar is over that follows the newest one, in microseconds; None: its market does not open again."""
    last = np.datetime64(newest, "us")
    begins = _next(calendar, width, last)
    if begins is None:
        return None
    if not calendar.known:  # one of a day may be over at any time of it, and is not known to be late before
        return _number(begins) if _by_day(width) else newest + 2 * _length(width)
    if _by_day(width) or calendar.expected_stamps(width, last, last).size:
        return _end(calendar, width, begins)
    return _due_off_the_grid(calendar, width, last)


def _due_off_the_grid(calendar: Calendar, width: str, last: np.datetime64) -> int | None:
    """The same of bars that begin at other minutes than the session does."""
    begins = last + np.timedelta64(_length(width), "us")
    following = begins if calendar.is_open(begins) else _next(calendar, width, begins)
    return None if following is None else _end(calendar, width, following)


def _next(calendar: Calendar, width: str, last: np.datetime64) -> np.datetime64 | None:
    """When the bar after the one of this moment begins."""
    for days in _AHEAD:
        until = min(last + np.timedelta64(days, "D"), _LAST)
        following = calendar.expected_stamps(width, min(last + np.timedelta64(1, "us"), until), until)
        if following.size:
            found: np.datetime64 = following[0]
            return found
    return None


def _end(calendar: Calendar, width: str, begins: np.datetime64) -> int:
    return _number(bar_ends(np.array([begins]).astype(_US), width, calendar)[0])


def _number(moment: np.datetime64) -> int:
    return int(moment.astype(_US).astype(np.int64))


def _length(width: str) -> int:
    return (INTERVALS[width] or _DAY) // timedelta(microseconds=1)


class _Clock(NamedTuple):
    """A clock that stands still while a market is shut.

    Attributes:
        begins: when it starts, ascending, microseconds.
        ends: when it stops.
        total: how much it has counted at each start; one more for the end.
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    total: NDArray[np.int64]

    def at(self, moment: int) -> float:
        """What it shows, in seconds."""
        place = int(np.searchsorted(self.begins, moment, side="right")) - 1
        if place < 0:
            return 0.0
        return float(self.total[place] + min(moment, self.ends[place]) - self.begins[place]) / 1e6

    def runs(self, moment: int) -> bool:
        """Whether it runs at a moment."""
        place = int(np.searchsorted(self.begins, moment, side="right")) - 1
        return place >= 0 and moment < self.ends[place]

    def when(self, shows: float) -> datetime | None:
        """The last moment at which it shows no more than this; None: it is not known that far."""
        counted = round(shows * 1e6)
        place = int(np.searchsorted(self.total, counted, side="right")) - 1
        if place >= self.begins.size:
            return None
        return from_us(int(self.begins[place] + counted - self.total[place]))


@lru_cache(maxsize=512)
def _clock(calendar: Calendar, by_day: bool, first_year: int, last_year: int) -> _Clock:
    first = max(np.datetime64(f"{first_year:04}-01-01", "us") - np.timedelta64(10, "D"), _FIRST)
    last = min(np.datetime64(f"{last_year:04}-12-31", "us") + np.timedelta64(10, "D"), _LAST)
    begins, ends = _days(calendar, first, last) if by_day else stretches(calendar, first, last)
    starts, stops = begins.astype(np.int64), ends.astype(np.int64)
    return _Clock(starts, stops, np.concatenate(([0], np.cumsum(stops - starts))))


def _days(calendar: Calendar, first: np.datetime64, last: np.datetime64) -> Extents:
    """Trading days, from midnight to midnight where the market is."""
    days = calendar.sessions(first.astype("datetime64[D]"), last.astype("datetime64[D]"))
    zone = load_zone(calendar.zone)
    midnights = (from_wall_time(each.astype(_US), zone)[0] for each in (days, days + np.timedelta64(1, "D")))
    return next(midnights), next(midnights)


def _years(first: int, last: int) -> tuple[int, int]:
    """From the year of the first moment to the one after that of the last."""
    return max(from_us(first).year, _FIRST_YEAR), min(from_us(last).year + 1, _LAST_YEAR)


def _reason(newest: datetime, age: float, limit: float, *, is_open: bool, is_due: bool) -> str:
    row = f"its newest row is of {_text(newest)}"
    market = "" if is_open else "; its market is shut"
    if not age:
        return f"{row}{market}" if is_due else f"{row}; the next one is not due yet{market}"
    late = f"{row}; the next one has been due for {_lasting(age)} of its market's time"
    return f"{late}{market}" if age <= limit else f"{late}, {_lasting(limit)} are allowed{market}"


def _unjudged(calendar: Calendar, symbol: str, newest: datetime) -> str:
    because = calendar.why_unknown or f"no calendar is known of {written_out(symbol)}; {HOW_TO_NAME}"
    return f"its newest row is of {_text(newest)}; whether its market was open since can't be told: {because}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lasting(seconds: float) -> str:
    """A duration in the largest unit that it has two of."""
    for size, unit in ((_DAY.total_seconds(), "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
