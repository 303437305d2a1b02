"""Time: the wall clock, moments, durations and bar intervals, each read in one place.

Inside the backbone a moment is an aware ``datetime`` in UTC or a whole number of microseconds since 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "INTERVALS",
    "MAX_US",
    "MIN_US",
    "from_us",
    "interval_duration",
    "parse_duration",
    "parse_interval",
    "parse_time",
    "to_us",
    "utc_now",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
MIN_US: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The first microsecond of year 1, counted from 1970."""
MAX_US: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last microsecond of year 9999, counted from 1970."""


def utc_now() -> datetime:
    """The wall clock, in UTC. For stamps only: deadlines are measured on a monotonic clock."""
    return datetime.now(UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of an aware moment.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"the moment {moment.isoformat()} has no time zone; give one, such as {moment.isoformat()}Z")
    return (moment - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The moment in UTC that lies so many microseconds after 1970-01-01T00:00:00Z.

    Raises:
        ValueError: the moment lies outside the years 1 to 9999.
    """
    if not MIN_US <= microseconds <= MAX_US:
        raise ValueError(f"{microseconds} microseconds since 1970 lie outside the years 1 to 9999")
    return _EPOCH + timedelta(microseconds=microseconds)


_EXCESS_FRACTION: Final = re.compile(r"[.,]\d{6}\d*[1-9]")


def parse_time(text: str, zone: str | tzinfo | None = None) -> datetime:
    """Read an ISO-8601 moment, and give it in UTC.

    Args:
        text: such as ``2024-03-01T14:30:00Z``, ``2024-03-01 14:30+01:00``; with ``zone`` also ``2024-03-01``.
        zone: the zone of a text that has no offset of its own, such as ``"America/New_York"``.

    Raises:
        ValueError: the text is no moment, has no offset while no zone is given, is finer than a microsecond, or names
            a local time that the zone's clocks skip or show twice.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{text!r} is not a time; give ISO-8601, such as 2024-03-01T14:30:00Z") from error
    if _EXCESS_FRACTION.search(text):
        raise ValueError(f"{text!r} is finer than a microsecond; give at most six digits of a second")
    if moment.utcoffset() is None:
        if zone is None:
            raise ValueError(f"{text!r} has no time zone; add an offset, such as {text.strip()}Z, or name the zone")
        moment = _localise(moment, _zone(zone))
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999 in UTC") from error


def _zone(zone: str | tzinfo) -> tzinfo:
    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {zone!r}; give an IANA name, such as UTC or America/New_York") from error


def _localise(naive: datetime, zone: tzinfo) -> datetime:
    """Attach a zone to a local time, refusing the hours that a change of the clocks skips or repeats."""
    first, second = naive.replace(tzinfo=zone, fold=0), naive.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    skipped = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive
    what = "does not exist (the clocks skip it)" if skipped else "is ambiguous (the clocks show it twice)"
    raise ValueError(f"{naive.isoformat()} {what} in {zone}; give an offset, such as {naive.isoformat()}+00:00")


_UNITS: Final[Mapping[str, timedelta]] = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])")


def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``500ms``, ``90s``, ``15m``, ``1h``, ``30d``, ``2w`` or ``1h30m``.

    Raises:
        ValueError: the text is no duration, or longer than 10,000 years.
    """
    compact = text.strip().lower()
    parts = _DURATION_PART.findall(compact)
    if not parts or _DURATION_PART.sub("", compact).strip():
        raise ValueError(f"{text!r} is not a duration; give a number and a unit of ms, s, m, h, d or w, such as 15m")
    try:
        total = sum((_UNITS[unit] * float(number) for number, unit in parts), timedelta())
    except OverflowError as error:
        raise ValueError(f"the duration {text!r} is too long; give at most 3650000d") from error
    if total > timedelta(days=3_650_000):
        raise ValueError(f"the duration {text!r} is too long; give at most 3650000d")
    return total


INTERVALS: Final[Mapping[str, timedelta | None]] = {
    **{f"{number}s": timedelta(seconds=number) for number in (1, 5, 10, 15, 30)},
    **{f"{number}m": timedelta(minutes=number) for number in (1, 2, 3, 5, 10, 15, 20, 30, 45)},
    "1h": timedelta(hours=1),
    "90m": timedelta(minutes=90),
    **{f"{number}h": timedelta(hours=number) for number in (2, 3, 4, 6, 8, 12)},
    "1d": timedelta(days=1),
    "5d": timedelta(days=5),
    "1wk": timedelta(weeks=1),
    "1mo": None,
    "3mo": None,
}
"""The bar intervals and how long each lasts; None where the length varies with the calendar."""

_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "wk": 604_800}
_BY_LENGTH: Final = {int(length.total_seconds()): name for name, length in INTERVALS.items() if length is not None}
_SPELLING: Final = re.compile(r"([0-9]{1,5})\s*([a-z]*)")
_LETTERS_FIRST: Final = re.compile(r"(?:period_)?(mn|[smhdw])([0-9]{1,3})")
_UNIT_SPELLINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("", "m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), "wk"),
    **dict.fromkeys(("mo", "mos", "mn", "mth", "month", "months"), "mo"),
}
_WORDS: Final[Mapping[str, str]] = {
    "43200": "1mo",
    "hourly": "1h",
    "d": "1d",
    "daily": "1d",
    "w": "1wk",
    "weekly": "1wk",
    "mn": "1mo",
    "monthly": "1mo",
    "quarterly": "3mo",
}


def parse_interval(text: str) -> str:
    """Read a bar interval in any common spelling and give its one name.

    ``60m``, ``1hour``, ``1 hr``, ``1H`` and ``3600s`` are ``1h``, and so are ``H1``, ``PERIOD_H1`` and ``60``
    (minutes), as MetaTrader writes it. ``5T`` is ``5m``, as pandas wrote it.

    Raises:
        ValueError: the interval is not one of ``INTERVALS``, or is the ambiguous ``1M`` (minutes or months?).
    """
    compact = text.strip()
    plain = f"{compact[:-1].strip()}m" if compact[:-1].strip().isdigit() and compact.endswith("T") else compact.lower()
    name = _WORDS.get(plain) or _counted(plain)
    if name is None or _is_ambiguous(compact):
        asked = "minutes or months? " if _is_ambiguous(compact) else ""
        raise ValueError(f"unknown interval {text!r}; {asked}use one of: {', '.join(INTERVALS)}")
    return name


def _is_ambiguous(text: str) -> bool:
    return text.endswith("M") and text[:-1].strip().isdigit()


def _counted(text: str) -> str | None:
    """The interval of a number and a unit in either order; None: there is none."""
    if found := _SPELLING.fullmatch(text):
        number, unit = int(found[1]), _UNIT_SPELLINGS.get(found[2], "")
    elif found := _LETTERS_FIRST.fullmatch(text):
        number, unit = int(found[2]), _UNIT_SPELLINGS[found[1]]
    else:
        return None
    if unit in _SECONDS:
        return _BY_LENGTH.get(number * _SECONDS[unit])
    name = f"{number}{unit}"
    return name if name in INTERVALS else None


def interval_duration(interval: str) -> timedelta:
    """How long one bar of an interval lasts.

    Raises:
        ValueError: the interval is unknown, or its length varies (months).
    """
    name = parse_interval(interval)
    duration = INTERVALS[name]
    if duration is None:
        raise ValueError(f"the interval {name} has no fixed length; use one of at most a week")
    return duration
