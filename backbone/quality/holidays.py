"""Days on which markets are shut, or end early, by rule.

US equities follow the rules of the New York Stock Exchange (Rule 7.2 and its yearly holiday notices) as they stand
since 1990; the few closures that no rule foretells (11 September 2001, state funerals, hurricane Sandy) are listed.

Futures on Globex follow the yearly holiday calendars of CME Group: shut on New Year's Day, Christmas Day and Good
Friday, cut short on the other US holidays. Products differ in how early they end, and so there are three calendars.

Spot forex has no exchange. It is taken as shut on Christmas Day and New Year's Day, each from 17:00 New York on the eve
to 17:00 on the day: the core that hourly EURUSD of 2007-2018 agrees on. What a venue leaves out beyond that (an early
end on the eves, a late start on 26 December) differs from year to year, and counts as a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache

__all__ = [
    "cme_early_closes",
    "cme_fx_early_closes",
    "cme_fx_holidays",
    "cme_holidays",
    "forex_holidays",
    "nymex_early_closes",
    "nymex_holidays",
    "us_equity_early_closes",
    "us_equity_holidays",
]

_MONDAY, _WEDNESDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 2, 3, 4, 5, 6
_FIRST_KING_DAY = 1998
_FIRST_JUNETEENTH = 2022
_FIRST_JULY_EVE = 1995
_WEDNESDAY_INSTEAD_OF_FRIDAY = 2013
_FIRST_JOBS_FRIDAY = 2010
_FIRST_THANKSGIVING_EVE = 1992
_FROM_14_TO_13 = 1993
_LATER_HALTS = 2022
_LATER_FX_EVES = 2024
_FIRST_FX_JOBS_FRIDAY = 2021


def _dates(*days: str) -> frozenset[date]:
    return frozenset(map(date.fromisoformat, days))


def _at(hours: int, minutes: int = 0) -> timedelta:
    return timedelta(hours=hours, minutes=minutes)


_UNSCHEDULED = _dates(
    "1994-04-27", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02",
    "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09",
)  # fmt: skip
_EARLY_ONCE = _dates("1997-12-26", "1999-12-31", "2003-12-26")
_MOURNING = _dates("2018-12-05", "2025-01-09")


def forex_holidays(year: int) -> frozenset[date]:
    """Session dates of this year on which spot forex does not trade."""
    return frozenset({date(year, 1, 1), date(year, 12, 25)})


@lru_cache(maxsize=512)
def us_equity_holidays(year: int) -> frozenset[date]:
    """Weekdays of this year on which the US stock exchanges stay shut."""
    days = {*_short_holidays(year), _good_friday(year), _new_year(year), _observed(date(year, 12, 25))}
    days |= {day for day in _UNSCHEDULED if day.year == year}
    return frozenset(day for day in days if day.weekday() < _SATURDAY)


@lru_cache(maxsize=512)
def us_equity_early_closes(year: int) -> Mapping[date, timedelta]:
    """Trading days of this year that end early, at 13:00; until 1992 at 14:00.

    They are the day after Thanksgiving, Christmas Eve, and the day before Independence Day. Where that day was a
    Wednesday, until 2012 the Friday after the holiday ended early instead.
    """
    eves = {date(year, 12, 24)}
    if year >= _FIRST_THANKSGIVING_EVE:
        eves.add(_thanksgiving(year) + timedelta(days=1))
    eves |= {day for day in _EARLY_ONCE if day.year == year}
    july = date(year, 7, 3)
    if year >= _FIRST_JULY_EVE:
        instead = july.weekday() == _WEDNESDAY and year < _WEDNESDAY_INSTEAD_OF_FRIDAY
        eves.add(july + timedelta(days=2) if instead else july)
    days = {eve for eve in eves if eve.weekday() <= _FRIDAY}
    return dict.fromkeys(sorted(days - us_equity_holidays(year)), _at(13 if year >= _FROM_14_TO_13 else 14))


@lru_cache(maxsize=512)
def cme_holidays(year: int) -> frozenset[date]:
    """Session dates of this year on which futures on stock indices and rates do not trade at all."""
    return frozenset(_closed(year, {_good_friday(year)} - _jobs_friday(year)))


@lru_cache(maxsize=512)
def cme_early_closes(year: int) -> Mapping[date, timedelta]:
    """When those sessions end (Chicago) that are cut short: at noon on holidays, with the stock exchange on their eves.

    A Good Friday on which the US jobs report comes out is open for it until 08:15; days of mourning end at 08:30.
    """
    found = dict.fromkeys(us_equity_early_closes(year), _at(12, 15))
    found |= dict.fromkeys(_short_holidays(year), _at(12))
    found |= dict.fromkeys(_jobs_friday(year), _at(8, 15))
    found |= {day: _at(8, 30) for day in _MOURNING if day.year == year}
    return _without(found, cme_holidays(year))


@lru_cache(maxsize=512)
def nymex_holidays(year: int) -> frozenset[date]:
    """Session dates of this year on which futures on energy and metals do not trade at all."""
    return frozenset(_closed(year, {_good_friday(year)}))


@lru_cache(maxsize=512)
def nymex_early_closes(year: int) -> Mapping[date, timedelta]:
    """When those sessions of energy and metals end (Chicago) that are cut short."""
    found = dict.fromkeys(_eves(year), _at(12, 45))
    found |= dict.fromkeys(_short_holidays(year), _at(13, 30) if year >= _LATER_HALTS else _at(12, 15))
    return _without(found, nymex_holidays(year))


@lru_cache(maxsize=512)
def cme_fx_holidays(year: int) -> frozenset[date]:
    """Session dates of this year on which futures on currencies do not trade at all."""
    open_for_jobs = _jobs_friday(year) if year >= _FIRST_FX_JOBS_FRIDAY else frozenset()
    return frozenset(_closed(year, {_good_friday(year)} - open_for_jobs))


@lru_cache(maxsize=512)
def cme_fx_early_closes(year: int) -> Mapping[date, timedelta]:
    """When those sessions of currencies end (Chicago) that are cut short.

    Since 2022 holidays are whole sessions, but for those on a Friday, after which there is no evening.
    """
    found = dict.fromkeys(_eves(year), _at(12, 15))
    if year >= _LATER_FX_EVES:
        found = {eve: _at(12, 45) if eve.month == 12 else _at(13, 45) for eve in found}
    short = _short_holidays(year)
    found |= dict.fromkeys((day for day in short if year < _LATER_HALTS or day.weekday() == _FRIDAY), _at(12))
    found |= dict.fromkeys(_jobs_friday(year), _at(10, 15))
    return _without(found, cme_fx_holidays(year))


def _closed(year: int, good_friday: set[date]) -> set[date]:
    return {_new_year(year), _observed(date(year, 12, 25)), *good_friday}


def _eves(year: int) -> set[date]:
    eves = {date(year, 12, 24), _thanksgiving(year) + timedelta(days=1)}
    return {eve for eve in eves if eve.weekday() <= _FRIDAY}


def _without(early: dict[date, timedelta], shut: frozenset[date]) -> Mapping[date, timedelta]:
    return {day: early[day] for day in sorted(early) if day not in shut}


def _short_holidays(year: int) -> set[date]:
    """US holidays besides New Year, Good Friday and Christmas, as stock exchanges keep them."""
    days = {
        _nth_weekday(year, 2, _MONDAY, 3),
        _nth_weekday(year, 6, _MONDAY, 1) - timedelta(days=7),
        _observed(date(year, 7, 4)),
        _nth_weekday(year, 9, _MONDAY, 1),
        _thanksgiving(year),
    }
    if year >= _FIRST_KING_DAY:
        days.add(_nth_weekday(year, 1, _MONDAY, 3))
    if year >= _FIRST_JUNETEENTH:
        days.add(_observed(date(year, 6, 19)))
    return days


def _new_year(year: int) -> date:
    """New Year's Day on a Saturday is not made up for on the Friday: that day ends the accounting year."""
    day = date(year, 1, 1)
    return day + timedelta(days=1) if day.weekday() == _SUNDAY else day


def _thanksgiving(year: int) -> date:
    return _nth_weekday(year, 11, _THURSDAY, 4)


def _good_friday(year: int) -> date:
    return _easter(year) - timedelta(days=2)


def _jobs_friday(year: int) -> frozenset[date]:
    """Good Friday where it is the first Friday of April, on which the US jobs report comes out."""
    day = _good_friday(year)
    return frozenset({day} if year >= _FIRST_JOBS_FRIDAY and day.month == 4 and day.day <= 7 else ())


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _observed(day: date) -> date:
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return day + timedelta(days={_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))


def _easter(year: int) -> date:
    """Western Easter Sunday (Meeus/Jones/Butcher, "anonymous Gregorian algorithm", Nature, 20 April 1876)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    skipped = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - skipped + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
