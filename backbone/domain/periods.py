"""Periods that end now: a duration, calendar months and years, the year so far, all that there is."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime
from typing import Final

from backbone.domain.arguments import shown
from backbone.domain.clock import parse_duration

__all__ = ["check_period", "period_start"]

_MONTHS: Final = re.compile(r"(\d{1,4})\s*(mo|y)")
_ALL: Final = "max"
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)


def check_period(period: object) -> str | None:
    """A period in its one spelling, or None.

    Raises:
        TypeError: it is no text. ValueError: it is no period; says what is allowed.
    """
    if period is None:
        return None
    if not isinstance(period, str):
        raise TypeError(f"period={shown(period)} given; allowed is text, such as '30d', or None")
    name = period.strip().lower()
    if name in {_ALL, "ytd"} or ((months := _MONTHS.fullmatch(name)) and int(months[1])):
        return name
    try:
        length = parse_duration(name)
    except ValueError as error:
        allowed = "such as '30d', '4w', '6mo', '2y', 'ytd' or 'max'"
        raise ValueError(f"period={shown(period)} given; allowed is a duration or a period, {allowed}") from error
    if length.total_seconds() < 1:
        raise ValueError(f"period={shown(period)} given; allowed is a second or more, such as '30d'")
    return name


def period_start(period: str, now: datetime) -> datetime | None:
    """The first moment of a period that ends now, in UTC; None: as early as there is anything.

    A month back from the 31st is the last day of a month that has none.
    """
    name = check_period(period)
    if name is None or name == _ALL:
        return None
    if name == "ytd":
        return datetime(now.year, 1, 1, tzinfo=UTC)
    if found := _MONTHS.fullmatch(name):
        months = now.year * 12 + now.month - 1 - int(found[1]) * (12 if found[2] == "y" else 1)
        if months < 12:
            return _FIRST
        year, month = divmod(months, 12)
        return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))
    try:
        return now - parse_duration(name)
    except OverflowError:
        return _FIRST
