"""When markets are open: session calendars, answered for whole columns of stamps at once.

A session belongs to one date, its *session date*, which is the date on which it ends. Known by name (`calendar`) are:

- ``fx``: spot forex, Sunday 17:00 to Friday 17:00 in New York; a session runs from 17:00 to 17:00. Shut on 25 December
  and 1 January (see `backbone.quality.holidays`).
- ``us_equities``: 09:30 to 16:00 in New York on weekdays that are no exchange holiday; some days end at 13:00.
- ``24x7``: every day from 00:00 to 24:00 UTC.
- ``cme``, ``nymex``, ``cme_fx``: futures on Globex, Sunday 17:00 to Friday 16:00 in Chicago, an hour of rest each day:
  on stock indices and rates, on energy and metals, on currencies. They differ in when holidays end.

Exchanges and sessions of one's own are calendars, too: see `backbone.quality.instruments`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backbone.domain.clock import INTERVALS, parse_interval, to_us
from backbone.domain.zones import Stamps, from_wall_time, load_zone, to_wall_time
from backbone.quality import holidays as rules
from backbone.quality.tables import Dates, Table

__all__ = ["CALENDARS", "NO_CALENDAR", "PERIODS", "Calendar", "Dates", "Moment", "calendar", "period_starts"]

Moment: TypeAlias = date | datetime | np.datetime64

_US = "datetime64[us]"
_MICROSECOND = timedelta(microseconds=1)
_DAY = np.timedelta64(1, "D")
_WEEKDAYS = frozenset(range(5))

PERIODS = ("1wk", "1mo", "3mo")
"""Bar intervals that hold whole session dates, by the calendar of weeks and months."""


def _no_days(_year: int) -> frozenset[date]:
    return frozenset()


def _no_early_days(_year: int) -> Mapping[date, timedelta]:
    return {}


@dataclass(frozen=True, slots=True, eq=False)
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
        early: session dates of a year that end early, each with the time from its start to the close.
        breaks: pauses within each session, each from and to a time after the start of the session date.
        table: sessions as an exchange had them; the rules above hold before its first and after its last day.
        known: False for the one that stands in where no calendar is known: it leaves nothing out, and judges nothing.
        why_unknown: where one is named that can't be had.
    """

    name: str
    zone: str
    opens: timedelta
    closes: timedelta
    weekdays: frozenset[int] = _WEEKDAYS
    holidays: Callable[[int], frozenset[date]] = _no_days
    early: Callable[[int], Mapping[date, timedelta]] = _no_early_days
    breaks: tuple[tuple[timedelta, timedelta], ...] = ()
    table: Table | None = None
    known: bool = True
    why_unknown: str = ""

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
        opens, closes = self._at(days, self.opens), self._closes(days)
        return (opens, closes) if self.table is None else self.table.hours(days, opens, closes)

    def pauses(self, sessions: Dates) -> list[tuple[Stamps, Stamps]]:
        """Start and end of each break of each session in UTC; NaT where a session has none."""
        days = sessions.astype("datetime64[D]")
        found = [(self._at(days, start), self._at(days, end)) for start, end in self.breaks]
        return found if self.table is None else self.table.pauses(days, found)

    def edges(self, start: Moment, end: Moment) -> Stamps:
        """The moments, in no order, at which the sessions that overlap a window open, pause and close."""
        days = self.sessions(start, end)
        edges: Stamps = np.concatenate([*self.hours(days), *(edge for pause in self.pauses(days) for edge in pause)])
        return edges[~np.isnat(edges)]

    def session_of(self, stamps: Stamps) -> Dates:
        """Session date of each UTC stamp (datetime64[D]); NaT where the market is shut."""
        moments = stamps.astype(_US)
        # The open decides which date a stamp belongs to: from then on, the session of that date is the candidate.
        first = self.opens if self.table is None else min(self.opens, self.table.earliest_open)
        shifted = to_wall_time(moments, load_zone(self.zone)) - np.timedelta64(first)
        days = shifted.astype("datetime64[D]")
        unique, where = _distinct(days)
        trading = self._is_session(unique)
        opens, closes = self.hours(unique)
        inside = trading[where] & (moments >= opens[where]) & (moments < closes[where])
        for start, end in self.pauses(unique):
            inside &= ~((moments >= start[where]) & (moments < end[where]))
        return np.where(inside, days, np.datetime64("NaT", "D"))

    def touched_by(self, stamps: Stamps, width: timedelta) -> NDArray[np.bool_]:
        """Whether each bar begins or ends in a session; the hour from 09:00 reaches into one that opens at 09:30."""
        touched = ~np.isnat(self.session_of(stamps))
        if not touched.all():
            last: Stamps = np.add(stamps[~touched], np.timedelta64(width - _MICROSECOND))
            touched[~touched] = ~np.isnat(self.session_of(last))
        return touched

    def trades_on(self, dates: Dates) -> NDArray[np.bool_]:
        """Whether each date (datetime64[D], in any order, also repeated) is a session date."""
        unique, where = _distinct(dates)
        return self._is_session(unique)[where]

    def is_open(self, moment: Moment) -> bool:
        """Whether the market is open at this moment."""
        return not bool(np.isnat(self.session_of(np.array([_us(moment)]))[0]))

    def open_time(self, start: Moment, end: Moment) -> timedelta:
        """How long the market was open between two moments: the age of data without nights, weekends and holidays."""
        first, last = _us(start), _us(end)
        days = self._dates(_day(start) - 2 * _DAY, _day(end) + 2 * _DAY)
        opens, closes = self.hours(days)
        total = _shared(opens, closes, first, last)
        for pause, resume in self.pauses(days):
            total -= _shared(np.maximum(pause, opens), np.minimum(resume, closes), first, last)
        return timedelta(microseconds=total)

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
        days = self._dates(_day(start) - 2 * _DAY, _day(end) + 2 * _DAY)
        opens, closes = self.hours(days)
        width = step.astype(np.int64)
        counts = -((opens - closes).astype(np.int64) // width)
        ordinals = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        stamps: Stamps = np.repeat(opens, counts) + ordinals * step
        ends = np.minimum(stamps + step, np.repeat(closes, counts))
        wanted = np.ones(stamps.size, dtype=np.bool_)
        for pause, resume in self.pauses(days):
            wanted &= ~((stamps >= np.repeat(pause, counts)) & (ends <= np.repeat(resume, counts)))
        return stamps if wanted.all() else stamps[wanted]

    def _periods(self, interval: str, first: np.datetime64, last: np.datetime64) -> Stamps:
        days = self._dates(_day(first) - 7 * _DAY, _day(last) + 7 * _DAY)
        stamps: Stamps = np.unique(period_starts(days, interval)).astype(_US)
        return stamps

    def _dates(self, first: np.datetime64, last: np.datetime64) -> Dates:
        days = np.arange(first, max(last, first - _DAY) + _DAY, dtype="datetime64[D]")
        return days[self._is_session(days)]

    def _is_session(self, days: Dates) -> NDArray[np.bool_]:
        weekday = (days.astype(np.int64) + 3) % 7
        found = np.isin(weekday, sorted(self.weekdays)) & ~np.isin(days, self._holidays(days))
        return found if self.table is None else self.table.trades_on(days, found)

    def _at(self, days: Dates, time: timedelta) -> Stamps:
        """A time after the start of each day, as the clocks on the wall count it, in UTC."""
        midnight = days.astype(_US).astype(np.int64)
        wall = (midnight + time // _MICROSECOND).astype(_US)
        return from_wall_time(wall, load_zone(self.zone))[0]

    def _closes(self, days: Dates) -> Stamps:
        closes = self._at(days, self.closes)
        early = {day: time for year in _years(days) for day, time in self.early(year).items()}
        for time in sorted(set(early.values())):
            those = np.isin(days, _sorted(day for day, ends in early.items() if ends == time))
            closes[those] = self._at(days[those], time)
        return closes

    def _holidays(self, days: Dates) -> Dates:
        return _sorted(day for year in _years(days) for day in self.holidays(year))


_NEW_YORK, _CHICAGO = "America/New_York", "America/Chicago"
_GLOBEX = (_CHICAGO, timedelta(hours=-7), timedelta(hours=16), _WEEKDAYS)
_DAILY = frozenset(range(7))

CALENDARS: dict[str, Calendar] = {
    "fx": Calendar("fx", _NEW_YORK, timedelta(hours=-7), timedelta(hours=17), holidays=rules.forex_holidays),
    "24x7": Calendar("24x7", "UTC", timedelta(0), timedelta(hours=24), weekdays=_DAILY),
    "us_equities": Calendar(
        "us_equities",
        _NEW_YORK,
        timedelta(hours=9, minutes=30),
        timedelta(hours=16),
        holidays=rules.us_equity_holidays,
        early=rules.us_equity_early_closes,
    ),
    "cme": Calendar("cme", *_GLOBEX, holidays=rules.cme_holidays, early=rules.cme_early_closes),
    "nymex": Calendar("nymex", *_GLOBEX, holidays=rules.nymex_holidays, early=rules.nymex_early_closes),
    "cme_fx": Calendar("cme_fx", *_GLOBEX, holidays=rules.cme_fx_holidays, early=rules.cme_fx_early_closes),
}

NO_CALENDAR = Calendar("none", "UTC", timedelta(0), timedelta(hours=24), weekdays=_DAILY, known=False)
"""Stands in where no calendar is known: bars of hours and minutes begin by the clock in UTC."""


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


def _distinct(days: Dates) -> tuple[Dates, NDArray[np.intp]]:
    """Each day once, and for each row which of them it has; most columns are in order, where that is told at once."""
    steps = np.diff(days).astype(np.int64)  # of NaT far below zero
    if days.size and (steps >= 0).all():
        firsts = np.concatenate(([0], np.flatnonzero(steps) + 1))
        return days[firsts], np.repeat(np.arange(firsts.size), np.diff(np.append(firsts, days.size)))
    unique, where = np.unique(days, return_inverse=True)
    return unique, where


def _shared(starts: Stamps, ends: Stamps, first: np.datetime64, last: np.datetime64) -> int:
    """Microseconds of these stretches that lie between two moments; a stretch of NaT has none."""
    held = np.minimum(ends, last) - np.maximum(starts, first)
    return int(np.maximum(held[~np.isnat(held)].astype(np.int64), 0).sum())


def _years(days: Dates) -> list[int]:
    """The years of some days; beyond those of `date`, which are looked at beside a last day, no rule has holidays."""
    years: list[int] = np.unique(days.astype("datetime64[Y]").astype(np.int64) + 1970).tolist()
    return [year for year in years if MINYEAR <= year <= MAXYEAR]


def _sorted(days: Iterable[date]) -> Dates:
    return np.array(sorted(days), dtype="datetime64[D]")


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
