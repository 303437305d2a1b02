"""Wall clocks of time zones, for whole columns at once.

Market sessions and files without offsets speak of local time. ``zoneinfo`` answers for one ``datetime`` at a time; here
its rules are read once per year and applied to numpy columns. No other time zone database than that of ``zoneinfo`` is
used, so that machines without one of their own give the same answers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stamps", "from_wall_time", "load_zone", "second_pass", "to_wall_time"]

Stamps: TypeAlias = NDArray[np.datetime64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_FIRST_YEAR, _LAST_YEAR = 2, 9998
_MANY_YEARS = 100  # from the first to the last: most are years of no row, and looking at each row is cheaper


def load_zone(name: str) -> ZoneInfo:
    """Return the zone of this IANA name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"time zone {name!r} is not known; give an IANA name such as 'UTC', 'America/New_York' or 'Europe/London'"
        ) from error


def to_wall_time(stamps: Stamps, zone: ZoneInfo) -> Stamps:
    """Turn UTC stamps (datetime64[us]) into the zone's wall clock (datetime64[us], without a zone)."""
    utc = stamps.astype("datetime64[us]").astype(np.int64)
    return (utc + _offsets_at(utc, zone)).astype("datetime64[us]")


def from_wall_time(wall: Stamps, zone: ZoneInfo) -> tuple[Stamps, NDArray[np.bool_], NDArray[np.bool_]]:
    """Turn wall-clock times into UTC.

    Args:
        wall: datetime64[us] as the clock on the wall showed them.
        zone: where the wall stands.

    Returns:
        UTC stamps; a mask of the ambiguous ones (the hour that comes twice in autumn; the stamp is the first of the
        two); and a mask of the nonexistent ones (the hour left out in spring; their stamps mean nothing).
    """
    local = wall.astype("datetime64[us]").astype(np.int64)
    fixed = zone.utcoffset(None)
    if fixed is not None:  # such as UTC: no clock is ever changed
        never = np.zeros(local.shape, dtype=np.bool_)
        return (local - fixed // _MICROSECOND).astype("datetime64[us]"), never, never.copy()
    early = local - _offsets_at(local - _DAY_US, zone)
    late = local - _offsets_at(local + _DAY_US, zone)
    early_fits = early + _offsets_at(early, zone) == local
    late_fits = late + _offsets_at(late, zone) == local
    utc = np.where(early_fits, early, late).astype("datetime64[us]")
    return utc, early_fits & late_fits & (early != late), ~(early_fits | late_fits)


def second_pass(stamps: Stamps, zone: ZoneInfo) -> Stamps:
    """The second of the two moments at which the clocks show the same, of the first ones (datetime64[us], UTC)."""
    local = to_wall_time(stamps, zone).astype(np.int64)
    return (local - _offsets_at(local + _DAY_US, zone)).astype("datetime64[us]")


def _offsets_at(utc: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Offsets from UTC in microseconds; zones change at most once a day, which every zone so far has kept to."""
    if utc.size == 0:
        return np.zeros(0, dtype=np.int64)
    years = (min(max(year, _FIRST_YEAR), _LAST_YEAR) for year in _years_of(utc))
    rules = [rule for year in years for rule in _year_rules(zone.key, year)]
    starts = np.array([start for start, _ in rules], dtype=np.int64)
    offsets = np.array([offset for _, offset in rules], dtype=np.int64)
    if (offsets == offsets[0]).all():
        return np.full(utc.size, offsets[0])
    return offsets[np.maximum(np.searchsorted(starts, utc, side="right") - 1, 0)]


def _years_of(utc: NDArray[np.int64]) -> Sequence[int]:
    """The UTC years of some moments, ascending, and perhaps those between them."""
    first, last = _years(np.array([utc.min(), utc.max()])).tolist()
    if last - first <= _MANY_YEARS:
        return range(first, last + 1)
    found: list[int] = np.unique(_years(utc)).tolist()
    return found


def _years(utc: NDArray[np.int64]) -> NDArray[np.int64]:
    return utc.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970


@lru_cache(maxsize=4096)
def _year_rules(name: str, year: int) -> tuple[tuple[int, int], ...]:
    """The offsets in force in one UTC year: (from this microsecond on, offset in microseconds), ascending."""
    zone = ZoneInfo(name)
    day, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    rules = [((day - _EPOCH) // _MICROSECOND, _offset(zone, day))]
    while day < end:
        if _offset(zone, day + _DAY) != _offset(zone, day):
            change = _change_within(zone, day)
            rules.append(((change - _EPOCH) // _MICROSECOND, _offset(zone, change)))
        day += _DAY
    return tuple(rules)


def _change_within(zone: ZoneInfo, day: datetime) -> datetime:
    """The second of this day from which on the offset is that of its end."""
    before = _offset(zone, day)
    second = bisect_right(range(86_400), 0, key=lambda n: int(_offset(zone, day + timedelta(seconds=n)) != before))
    return day + timedelta(seconds=second)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _MICROSECOND
