"""What one text says of a moment: the wall clock, the offset from UTC if it names one, and what is too fine."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from backbone.sources.text.written import MONTHS, Looks, digits_of_epoch, find, why_not

__all__ = ["DIGITS_BELOW", "FINE", "PIVOT", "Spelled", "Untold", "spelled", "unit_of"]

DIGITS_BELOW: Final = {"s": 6, "ms": 3, "us": 0, "ns": -3}
"""How many digits lie between a unit and the microsecond."""
FINE: Final = 6
"""Digits of a second that are kept."""
PIVOT: Final = 69
"""Years of two digits from this one on belong to the twentieth century, as in POSIX."""

_UNITS: Final = ((11, "s"), (14, "ms"), (17, "us"), (20, "ns"))
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  of the wall clock
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND_US: Final = 1_000_000
_WEEK: Final = re.compile(r"\d{4}-?W\d\d", re.ASCII)
_EXCESS: Final = re.compile(r"[.,]\d{6}\d*[1-9]", re.ASCII)


class Untold(ValueError):
    """A text that can't be read before the caller has told how it is written; says what to tell."""


class Spelled(NamedTuple):
    """A moment as it is written.

    Attributes:
        wall: microseconds from 1970-01-01T00:00 of the clock on the wall to it.
        offset: how many microseconds that clock is ahead of UTC; None where the text does not say.
        cut: whether it was finer than a microsecond.
    """

    wall: int
    offset: int | None
    cut: bool


def unit_of(digits: int) -> str:
    """The unit of a number since 1970 that has so many digits."""
    return next((unit for most, unit in _UNITS if digits <= most), "ns")


def spelled(text: str, looks: Looks) -> Spelled:
    """Read a text without surrounding blanks; see `backbone.sources.text.written.find`.

    Raises:
        ValueError: it is no moment.
    """
    match = find(text, looks)
    try:
        if match is not None and "whole" in match.groupdict():
            return _counted(match, looks.unit)
        if match is not None:
            return _dated(match.groupdict())
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is not a time: {error}") from error
    loose = looks.format is None and looks.unit is None and not looks.epochs and _WEEK.match(text)
    if loose and (week := _week(text)) is not None:
        return week
    why, could_be_told = why_not(text, looks)
    raise (Untold if could_be_told else ValueError)(f"{text[:60]!r} {why}")


def _counted(match: re.Match[str], unit: str | None) -> Spelled:
    """A number since 1970: its digits down to the microsecond; whether others follow."""
    whole, part = match["whole"].lstrip("0"), match["part"] or ""
    below = DIGITS_BELOW[unit or unit_of(digits_of_epoch(whole))]
    if below >= 0:
        digits, rest = whole + part[:below].ljust(below, "0"), part[below:]
    else:
        digits, rest = whole[:below], whole[below:] + part
    us = int(digits or "0")
    return Spelled(-us if match["minus"] == "-" else us, 0, bool(rest.strip("0")))


def _dated(groups: dict[str, str | None]) -> Spelled:
    year = int(groups.get("year") or 0) if groups.get("year") else _century(int(groups["short"] or 0))
    name, fraction = groups.get("name"), groups.get("fraction") or ""
    month = MONTHS.index(name[:3].lower()) + 1 if name else int(groups["month"] or 0)
    day, minute, second = (int(groups.get(part) or 0) for part in ("day", "minute", "second"))
    wall = datetime(year, month, day, _hour(groups), minute, second)  # noqa: DTZ001  its offset stands beside it
    us = (wall - _EPOCH) // _MICROSECOND + int(fraction[:FINE].ljust(FINE, "0"))
    return Spelled(us, _offset(groups), bool(fraction[FINE:].strip("0")))


def _century(short: int) -> int:
    return short + (1900 if short >= PIVOT else 2000)


def _hour(groups: dict[str, str | None]) -> int:
    hour, half = int(groups.get("hour") or 0), groups.get("half")
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"hour {hour} {half}m does not exist")
    return hour % 12 + (12 if half.lower() == "p" else 0)


def _offset(groups: dict[str, str | None]) -> int | None:
    if groups.get("zulu"):
        return 0
    sign = groups.get("sign")
    if not sign:
        return None
    hours, minutes, seconds = (int(groups.get(f"off_{part}") or 0) for part in ("hour", "minute", "second"))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError("its offset from UTC is not possible")
    ahead = (hours * 3600 + minutes * 60 + seconds) * _SECOND_US
    return -ahead if sign == "-" else ahead


def _week(text: str) -> Spelled | None:
    """A date by its week, which ISO-8601 allows."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = moment.utcoffset()
    wall = (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    return Spelled(wall, None if offset is None else offset // _MICROSECOND, bool(_EXCESS.search(text)))
