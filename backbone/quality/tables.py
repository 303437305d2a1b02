"""Sessions that no rule foretells, as a table: what an exchange had, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backbone.domain.zones import Stamps

__all__ = ["Dates", "Table"]

Dates: TypeAlias = NDArray[np.datetime64]

_NEVER = np.datetime64("NaT", "us")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The sessions from one day to another; of days before and after them it knows nothing.

    Attributes:
        days: session dates, datetime64[D], ascending, at least one.
        opens: of each in UTC, datetime64[us].
        closes: of each in UTC.
        pause_starts: of the break of each in UTC; NaT where it has none.
        pause_ends: the same.
        earliest_open: from the start of the session date in the exchange's zone to the open, the least there was.
    """

    days: Dates
    opens: Stamps
    closes: Stamps
    pause_starts: Stamps
    pause_ends: Stamps
    earliest_open: timedelta

    def trades_on(self, days: Dates, otherwise: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each day is a session; as given for days that the table does not reach."""
        return np.where(self._reaches(days), self._found(days)[0], otherwise)

    def hours(self, days: Dates, opens: Stamps, closes: Stamps) -> tuple[Stamps, Stamps]:
        """Open and close of each day; as given for days that are not in the table."""
        found, places = self._found(days)
        return np.where(found, self.opens[places], opens), np.where(found, self.closes[places], closes)

    def pauses(self, days: Dates, otherwise: Sequence[tuple[Stamps, Stamps]]) -> list[tuple[Stamps, Stamps]]:
        """Start and end of the break of each day; as given for days that the table does not reach."""
        found, places = self._found(days)
        inside = self._reaches(days)
        nothing = np.full(days.shape, _NEVER)
        start, end = otherwise[0] if otherwise else (nothing, nothing)
        starts = np.where(found, self.pause_starts[places], np.where(inside, _NEVER, start))
        ends = np.where(found, self.pause_ends[places], np.where(inside, _NEVER, end))
        return [] if np.isnat(starts).all() else [(starts, ends)]

    def _reaches(self, days: Dates) -> NDArray[np.bool_]:
        return np.asarray((days >= self.days[0]) & (days <= self.days[-1]))

    def _found(self, days: Dates) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        places = np.minimum(np.searchsorted(self.days, days), self.days.size - 1)
        return np.asarray(self.days[places] == days), places
