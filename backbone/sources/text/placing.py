"""Wall clocks in UTC: by their offset, by a zone, or as the dates of sessions; a column at once or one by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from backbone.domain.clock import MAX_US, MIN_US, to_us
from backbone.domain.zones import from_wall_time, to_wall_time
from backbone.sources.casting import Mask
from backbone.sources.form import TimeUnit
from backbone.sources.text.spelled import Spelled
from backbone.sources.text.written import Looks
from backbone.sources.years import EARLIEST, LATEST

__all__ = ["FIRST_WALL", "LAST_WALL", "TimeForm", "place", "placed"]

_DAY_US: Final = 86_400_000_000
FIRST_WALL: Final = MIN_US + _DAY_US
"""The first wall clock that is looked at: its moment is one everywhere on earth."""
LAST_WALL: Final = MAX_US - _DAY_US
"""The last one."""

_WALL_START: Final = datetime(1970, 1, 1)  # noqa: DTZ001  of the wall clock


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeForm:
    """How the times of a column are written.

    Attributes:
        format: of all of them, in the letters of `datetime.datetime.strptime`; None: told by their looks.
        unit: of numbers since 1970; None: told by their digits.
        zone: of those without an offset; None: such times can't be placed.
        dates: whether they are the sessions' dates of daily bars, which stand for themselves.
        day_first: whether digits between dots begin with the day.
        epochs: whether they are numbers since 1970; None: not looked at yet, each stands by itself.
        finer: whether numbers since 1970 are finer than seconds; few digits are no seconds then.
        clock: how many digits times of day without colons have; None: not looked at yet.
        earliest: the first year that can be true.
        latest: the last year that can be true.
    """

    format: str | None = None
    unit: TimeUnit | None = None
    zone: ZoneInfo | None = None
    dates: bool = False
    day_first: bool = False
    epochs: bool | None = None
    finer: bool = False
    clock: Literal["four", "six"] | None = None
    earliest: int = EARLIEST
    latest: int = LATEST

    @property
    def first(self) -> int:
        """The first moment that can be true, in microseconds since 1970."""
        return to_us(datetime(self.earliest, 1, 1, tzinfo=UTC))

    @property
    def last(self) -> int:
        """The last one."""
        return to_us(datetime(self.latest, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))

    @property
    def years(self) -> str:
        """In words: what is wrong with a moment that is not between them."""
        return (
            f"lies outside the years {self.earliest} to {self.latest}, which sources.earliest and sources.latest widen"
        )

    @property
    def looks(self) -> Looks:
        """What tells the parts of a text."""
        return Looks(self.format, self.unit, self.day_first, self.epochs, self.clock, self.finer)


def place(text: str, said: Spelled, form: TimeForm) -> tuple[int, bool]:
    """Place one moment between `FIRST_WALL` and `LAST_WALL`.

    Returns:
        Microseconds since 1970 in UTC, or of a date's midnight; and whether the clocks showed it twice.

    Raises:
        ValueError: it can't be placed; says why.
    """
    if form.dates:
        return _date_of(text, said, form), False
    if said.offset is not None:
        return said.wall - said.offset, False
    if form.zone is None:
        raise ValueError(
            f"{text!r} has no time zone; add an offset, such as {text.strip()}Z, or name the zone (--zone UTC)"
        )
    naive = _WALL_START + timedelta(microseconds=said.wall)
    first, second = naive.replace(tzinfo=form.zone, fold=0), naive.replace(tzinfo=form.zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return to_us(first), False
    if first.astimezone(UTC).astimezone(form.zone).replace(tzinfo=None) != naive:
        raise ValueError(f"{text!r} does not exist (the clocks skip it) in {form.zone}; give it with its offset")
    return to_us(first), True


def _date_of(text: str, said: Spelled, form: TimeForm) -> int:
    """The date as written, or else that of the zone's midnight."""
    if said.wall % _DAY_US == 0:
        return said.wall
    if form.zone is not None and said.offset is not None:
        local = _wall_clock(said.wall - said.offset, form.zone)
        if local % _DAY_US == 0:
            return local
    raise ValueError(f"{text!r} has a time of day; daily bars bear the session's date, such as 2024-03-01")


def _wall_clock(us: int, zone: ZoneInfo) -> int:
    return int(to_wall_time(np.array([us], dtype="datetime64[us]"), zone).astype(np.int64)[0])


def placed(
    wall: NDArray[np.int64], offset: NDArray[np.int64] | int, aware: Mask, form: TimeForm
) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Wall clocks in UTC.

    Args:
        wall: microseconds since 1970 of the wall clock.
        offset: microseconds that it is ahead of UTC; 0 where that is not known.
        aware: whether it is known; the others are those of the form's zone.
        form: of the column.

    Returns:
        Microseconds since 1970 in UTC, or of a date's midnight; which can't be placed; and which the clocks showed
        twice.
    """
    repeated = np.zeros(len(wall), dtype=np.bool_)
    possible = (wall >= FIRST_WALL) & (wall <= LAST_WALL)
    if not possible.all():
        wall = np.where(possible, wall, 0)
    us = wall - offset  # offsets that are not known are 0
    if form.dates:
        us, failed = _dates(wall, us, aware, form.zone)
    elif aware.all():
        failed = np.zeros(len(wall), dtype=np.bool_)
    elif form.zone is None:
        failed = ~aware
    else:
        utc, repeated, skipped = from_wall_time(wall.astype("datetime64[us]"), form.zone)
        us = np.where(aware, us, utc.astype(np.int64))
        failed, repeated = ~aware & skipped, ~aware & repeated
    failed |= ~possible | (us < form.first) | (us > form.last)
    return us, failed, repeated


def _dates(
    wall: NDArray[np.int64], us: NDArray[np.int64], aware: Mask, zone: ZoneInfo | None
) -> tuple[NDArray[np.int64], Mask]:
    """The dates as written, or else those of the zone's midnight."""
    failed: Mask = wall % _DAY_US != 0
    if zone is None or not (failed & aware).any():
        return wall, failed
    local = to_wall_time(us.astype("datetime64[us]"), zone).astype(np.int64)
    there = failed & aware & (local % _DAY_US == 0)
    return np.where(there, local, wall), failed & ~there
