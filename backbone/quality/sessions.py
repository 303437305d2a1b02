"""When markets are open: session calendars, answered for whole columns of stamps at once.

A session belongs to one date, its *session date*. Three calendars are known (`calendar`):

- ``fx``: spot forex, Sunday 17:00 to Friday 17:00 in New York; a session runs from 17:00 to 17:00 and bears the date on
  which it ends. Shut on 25 December and 1 January (see `backbone.quality.holidays`).
- ``us_equities``: 09:30 to 16:00 in New York on weekdays that are no exchange holiday; some days end at 13:00.
- ``24x7``: every day from 00:00 to 24:00 UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backbone.domain.clock import INTERVALS, parse_interval, to_us
from backbone.domain.zones import Stamps, from_wall_time, load_zone, to_wall_time
from backbone.quality.holidays import forex_holidays, us_equity_early_closes, us_equity_holidays

__all__ = ["CALENDARS", "PERIODS", "Calendar", "Dates", "Moment", "calendar", "period_starts"]

Dates: TypeAlias = NDArray[np.datetime64]
Moment: TypeAlias = date | datetime | np.datetime64

_US = "datetime64[us]"
_MICROSECOND = timedelta(microseconds=1)
_DAY = np.timedelta64(1, "D")
_WEEKDAYS = frozenset(range(5))

PERIODS = ("1wk", "1mo", "3mo")
"""Bar intervals that hold whole session dates, by the calendar of weeks and months."""


def _no_days(_year: int) -> frozenset[date]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of one market.

    Moments are aware ``datetime``, or ``datetime64`` in UTC; dates are session dates. A ``datetime`` without a zone is
    refused with ``ValueError``.

    Attributes:
        name: as in settings.
        zone: IANA name of the zone in which the hours are meant.
        opens: from the start of the session date (00:00 local) to the open; negative when it lies on the eve.
        closes: from the start of the session date to the close; a session holds its open but not its close.
        weekdays: days on which there are sessions, Monday = 0.
        holidays: session dates of a year that are left out.
        early_close: from the start of the session date to the close on the days of ``early_days``.
        early_days: session dates of a year that end early.
    """

    name: str
    zone: str
    opens: timedelta
    closes: timedelta
    weekdays: frozenset[int] = _WEEKDAYS
    holidays: Callable[[int], frozenset[date]] = _no_days
    early_close: timedelta = timedelta(0)
    early_days: Callable[[int], frozenset[date]] = _no_days

    def sessions(self, start: Moment, end: Moment) -> Dates:
        """Session dates (datetime64[D], ascending) from start to end.

        Dates mean session dates, both included; moments mean the sessions that overlap the time between them.
        """
        first, last = _day(start), _day(end)
        if not (_is_date(start) and _is_date(end)):
            days = self._dates(first - 2 * _DAY, last + 2 * _DAY)
            opens, closes = self.hours(days)
            return days[(closes > _us(start)) & (opens <= _us(end))]
        return self._dates(first, last)

    def hours(self, sessions: Dates) -> tuple[Stamps, Stamps]:
        """Open and close of each session in UTC, datetime64[us]."""
        days = sessions.astype("datetime64[D]")
        midnight = days.astype("datetime64[us]").astype(np.int64)
        early = np.isin(days, self._listed(self.early_days, days))
        closing = np.where(early, self.early_close // _MICROSECOND, self.closes // _MICROSECOND)
        zone = load_zone(self.zone)
        opens, _, _ = from_wall_time((midnight + self.opens // _MICROSECOND).astype("datetime64[us]"), zone)
        closes, _, _ = from_wall_time((midnight + closing).astype("datetime64[us]"), zone)
        return opens, closes

    def session_of(self, stamps: Stamps) -> Dates:
        """Session date of each UTC stamp (datetime64[D]); NaT where the market is shut."""
        moments = stamps.astype(_US)
        # The open decides which date a stamp belongs to: from then on, the session of that date is the candidate.
        shifted = to_wall_time(moments, load_zone(self.zone)) - np.timedelta64(self.opens)
        days = shifted.astype("datetime64[D]")
        unique, where = np.unique(days, return_inverse=True)
        trading = self._is_session(unique)
        opens, closes = self.hours(unique)
        inside = trading[where] & (moments >= opens[where]) & (moments < closes[where])
        return np.where(inside, days, np.datetime64("NaT", "D"))

    def trades_on(self, dates: Dates) -> NDArray[np.bool_]:
        """Whether each date (datetime64[D], in any order, also repeated) is a session date."""
        unique, where = np.unique(dates, return_inverse=True)
        return self._is_session(unique)[where]

    def is_open(self, moment: Moment) -> bool:
        """Whether the market is open at this moment."""
        return not bool(np.isnat(self.session_of(np.array([_us(moment)]))[0]))

    def open_time(self, start: Moment, end: Moment) -> timedelta:
        """How long the market was open between two moments: the age of data without nights, weekends and holidays."""
        first, last = _us(start), _us(end)
        opens, closes = self.hours(self._dates(_day(start) - 2 * _DAY, _day(end) + 2 * _DAY))
        held = np.minimum(closes, last) - np.maximum(opens, first)
        total = np.maximum(held.astype(np.int64), 0).sum()
        return timedelta(microseconds=int(total))

    def expected_stamps(self, interval: str, start: Moment, end: Moment) -> Stamps:
        """Stamps that a complete series has between start and end, both included (datetime64[us], ascending).

        Intraday bars start at the open and every interval from there, as long as the session lasts. Daily bars bear the
        session date at 00:00, weekly bars its Monday, monthly and quarterly bars the first day of their period.

        Raises:
            ValueError: the interval is unknown, or is ``5d``, for which there is no common rule.
        """
        name = parse_interval(interval)
        first, last = _us(start), _us(end)
        if name == "1d":
            stamps = self._dates(_day(start), _day(end)).astype(_US)
        elif name in PERIODS:
            stamps = self._periods(name, first, last)
        elif name == "5d":
            raise ValueError("there is no rule on which days 5d bars start; ask for 1d or 1wk")
        else:
            stamps = self._intraday(np.timedelta64(INTERVALS[name]).astype("timedelta64[us]"), start, end)
        return stamps[(stamps >= first) & (stamps <= last)]

    def _intraday(self, step: np.timedelta64, start: Moment, end: Moment) -> Stamps:
        opens, closes = self.hours(self._dates(_day(start) - 2 * _DAY, _day(end) + 2 * _DAY))
        width = step.astype(np.int64)
        counts = -((opens - closes).astype(np.int64) // width)
        ordinals = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        stamps: Stamps = np.repeat(opens, counts) + ordinals * step
        return stamps

    def _periods(self, interval: str, first: np.datetime64, last: np.datetime64) -> Stamps:
        days = self._dates(_day(first) - 7 * _DAY, _day(last) + 7 * _DAY)
        stamps: Stamps = np.unique(period_starts(days, interval)).astype(_US)
        return stamps

    def _dates(self, first: np.datetime64, last: np.datetime64) -> Dates:
        days = np.arange(first, max(last, first - _DAY) + _DAY, dtype="datetime64[D]")
        return days[self._is_session(days)]

    def _is_session(self, days: Dates) -> NDArray[np.bool_]:
        weekday = (days.astype(np.int64) + 3) % 7
        return np.isin(weekday, sorted(self.weekdays)) & ~np.isin(days, self._listed(self.holidays, days))

    def _listed(self, rule: Callable[[int], frozenset[date]], days: Dates) -> Dates:
        if days.size == 0 or rule is _no_days:
            return np.zeros(0, dtype="datetime64[D]")
        years = np.unique(days.astype("datetime64[Y]").astype(np.int64) + 1970).tolist()
        return np.array(sorted(day for year in years for day in rule(year)), dtype="datetime64[D]")


CALENDARS: dict[str, Calendar] = {
    "fx": Calendar("fx", "America/New_York", timedelta(hours=-7), timedelta(hours=17), holidays=forex_holidays),
    "24x7": Calendar("24x7", "UTC", timedelta(0), timedelta(hours=24), weekdays=frozenset(range(7))),
    "us_equities": Calendar(
        "us_equities",
        "America/New_York",
        timedelta(hours=9, minutes=30),
        timedelta(hours=16),
        holidays=us_equity_holidays,
        early_close=timedelta(hours=13),
        early_days=us_equity_early_closes,
    ),
}


def calendar(name: str) -> Calendar:
    """Return the calendar of this name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    found = CALENDARS.get(name.strip().lower().replace("-", "_"))
    if found is None:
        raise ValueError(f"no calendar is called {name!r}; there are {', '.join(CALENDARS)}")
    return found


def period_starts(days: Dates, interval: str) -> Dates:
    """The day on which the week (a Monday), month or quarter of each session date begins; NaT stays NaT.

    Args:
        days: session dates, datetime64[D].
        interval: one of ``PERIODS``.
    """
    if interval == "1wk":
        weekday = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7
        return np.where(np.isnat(days), days, days - weekday.astype("timedelta64[D]"))
    months = days.astype("datetime64[M]")
    if interval == "3mo":
        into = months.astype(np.int64) % 3
        months = np.where(np.isnat(months), months, months - into.astype("timedelta64[M]"))
    starts: Dates = months.astype("datetime64[D]")
    return starts


def _is_date(moment: Moment) -> bool:
    if isinstance(moment, np.datetime64):
        return moment.dtype == np.dtype("datetime64[D]")
    return not isinstance(moment, datetime)


def _us(moment: Moment) -> np.datetime64:
    if isinstance(moment, datetime):
        return np.datetime64(to_us(moment), "us")
    instant: np.datetime64 = np.datetime64(moment).astype("datetime64[us]")
    return instant


def _day(moment: Moment) -> np.datetime64:
    day: np.datetime64 = _us(moment).astype("datetime64[D]")
    return day
