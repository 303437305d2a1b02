"""What FRED answers, as far as it is read. Sources: recorded answers that are public."""

from __future__ import annotations

import msgspec

__all__ = ["Observation", "Observations", "ReleaseDate", "ReleaseDates", "Releases", "Wrong"]


class Wrong(msgspec.Struct):
    """What it says of a question that it does not take."""

    error_code: int = 0
    error_message: str = ""


class ReleaseDate(msgspec.Struct):
    """A release on a date; it says no time of day."""

    release_id: int
    date: str
    release_name: str = ""


class ReleaseDates(msgspec.Struct):
    """A page of the calendar."""

    release_dates: list[ReleaseDate]
    count: int | None = None

    @property
    def rows(self) -> int:
        """Rows of this page."""
        return len(self.release_dates)


class Observation(msgspec.Struct):
    """What was said of a date, and since when; the value is text, "." where there is none."""

    date: str
    value: str
    realtime_start: str = ""


class Observations(msgspec.Struct):
    """A page of a series."""

    observations: list[Observation]
    count: int | None = None

    @property
    def rows(self) -> int:
        """Rows of this page."""
        return len(self.observations)


class _Release(msgspec.Struct):
    id: int


class Releases(msgspec.Struct):
    """The releases that a series is part of: one."""

    releases: list[_Release]
