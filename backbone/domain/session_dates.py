"""Which session a daily bar is of: its stamp is a date, whatever zone its midnight is in.

Libraries stamp a day of New York with midnight in New York, which is 05:00 UTC in winter. Stored as it is, it would be
another bar beside the one stamped 00:00 UTC. The date that was meant is plain, so it is taken; any other time of day
leaves it open, and is refused.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from backbone.domain.clock import from_us, to_us

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.domain.zones import Stamps

__all__ = ["session_date_us", "session_dates"]

_DAY_US: Final = 86_400_000_000
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
_ALLOWED: Final = "daily bars bear the session's date: 00:00 UTC, or midnight of the zone that the moments are in"


def session_date_us(moment: datetime) -> int:
    """The date of an aware moment that is midnight, in UTC or by its own clock: microseconds from 1970 to 00:00 UTC.

    Raises:
        ValueError: it has no zone, or a time of day.
    """
    us = to_us(moment)
    if us % _DAY_US == 0:
        return us
    offset = moment.utcoffset() or timedelta(0)
    local = us + offset // timedelta(microseconds=1)
    if local % _DAY_US:
        raise ValueError(f"the moment has a time of day; {_ALLOWED}")
    return local


def session_dates(where: str, stamps: pa.Array, zone: str) -> pa.Array:
    """A column of moments (`timestamp[us, UTC]`) as dates at 00:00 UTC; the array itself where they are that already.

    Args:
        where: name of the column, for the message.
        stamps: without nulls.
        zone: in which the column came, as Arrow names it.

    Raises:
        ValueError: a moment has a time of day in UTC and in the zone.
    """
    import numpy as np
    import pyarrow as pa

    from backbone.domain.arrays import array_of
    from backbone.domain.canonical import integers

    us = integers(stamps)
    odd = us % _DAY_US != 0
    if not odd.any():
        return stamps
    local = _wall_time(us.view("datetime64[us]"), zone).astype(np.int64)
    dates = np.where(odd, local, us)
    if (dates % _DAY_US).any():
        row = int(np.flatnonzero(dates % _DAY_US)[0])
        given = f"{from_us(int(us[row])).isoformat()} given in row {row} has a time of day"
        raise ValueError(f"{where}: {given}; {_ALLOWED}")
    return array_of(dates, pa.int64()).cast(stamps.type)


def _wall_time(utc: Stamps, zone: str) -> Stamps:
    """What the clocks of a zone show, or those of an offset such as +05:30."""
    import numpy as np

    from backbone.domain.zones import load_zone, to_wall_time

    if found := _OFFSET.fullmatch(zone):
        minutes = int(found[2]) * 60 + int(found[3])
        return utc + np.timedelta64(minutes if found[1] == "+" else -minutes, "m")
    return to_wall_time(utc, load_zone(zone))
