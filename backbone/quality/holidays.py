"""Days on which markets are shut, by rule.

US equities follow the rules of the New York Stock Exchange (Rule 7.2 and its yearly holiday notices) as they stand
since 1998; the few closures that no rule foretells (11 September 2001, state funerals, hurricane Sandy) are listed.

Spot forex has no exchange. It is taken as shut on Christmas Day and New Year's Day, each from 17:00 New York on the eve
to 17:00 on the day: the core that hourly EURUSD of 2007-2018 agrees on. What a venue leaves out beyond that (an early
end on the eves, a late start on 26 December) differs from year to year, and counts as a gap.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

__all__ = ["forex_holidays", "us_equity_early_closes", "us_equity_holidays"]

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6
_FIRST_JUNETEENTH = 2022
_UNSCHEDULED = frozenset(
    date.fromisoformat(day)
    for day in (
        "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02",
        "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09",
    )
)  # fmt: skip


def forex_holidays(year: int) -> frozenset[date]:
    """Session dates of this year on which spot forex does not trade."""
    return frozenset({date(year, 1, 1), date(year, 12, 25)})


@lru_cache(maxsize=512)
def us_equity_holidays(year: int) -> frozenset[date]:
    """Weekdays of this year on which the US stock exchanges stay shut."""
    days = {
        _nth_weekday(year, 1, _MONDAY, 3),
        _nth_weekday(year, 2, _MONDAY, 3),
        _easter(year) - timedelta(days=2),
        _nth_weekday(year, 6, _MONDAY, 1) - timedelta(days=7),
        _observed(date(year, 7, 4)),
        _nth_weekday(year, 9, _MONDAY, 1),
        _nth_weekday(year, 11, _THURSDAY, 4),
        _observed(date(year, 12, 25)),
    }
    # New Year's Day on a Saturday is not made up for on the Friday: that day ends the accounting year.
    new_year = date(year, 1, 1)
    days.add(new_year + timedelta(days=1) if new_year.weekday() == _SUNDAY else new_year)
    if year >= _FIRST_JUNETEENTH:
        days.add(_observed(date(year, 6, 19)))
    days |= {day for day in _UNSCHEDULED if day.year == year}
    return frozenset(day for day in days if day.weekday() < _SATURDAY)


@lru_cache(maxsize=512)
def us_equity_early_closes(year: int) -> frozenset[date]:
    """Trading days of this year that end at 13:00: 3 July, the day after Thanksgiving, 24 December."""
    eves = [date(year, 7, 3), date(year, 12, 24)]
    days = {eve for eve in eves if eve.weekday() <= _THURSDAY}
    days.add(_nth_weekday(year, 11, _THURSDAY, 4) + timedelta(days=1))
    return frozenset(days - us_equity_holidays(year))


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
