"""At what time of day releases come out, which FRED does not say.

The times are those that the publishing agencies give for their regular releases (New York time, summer and winter).
They are our knowledge, not FRED's: `providers.fred.release_times` overrides them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from backbone.domain.clock import parse_time

__all__ = ["ReleaseTimes"]

_ZONE: Final = "America/New_York"
_OTHERS: Final = "*"
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_USUAL: Final[Mapping[str, str]] = {
    _OTHERS: "08:30",
    "13": "09:15",  # Industrial Production and Capacity Utilization, G.17
    "18": "16:15",  # Selected Interest Rates, H.15
    "20": "16:30",  # Factors Affecting Reserve Balances, H.4.1
    "21": "13:00",  # Money Stock Measures, H.6
    "91": "10:00",  # Surveys of Consumers
    "97": "10:00",  # New Residential Sales
    "101": "14:00",  # FOMC Press Release
    "192": "10:00",  # Job Openings and Labor Turnover Survey
    "291": "10:00",  # Existing Home Sales
}


class ReleaseTimes:
    """The times of releases.

    Args:
        settings: time of day by the number of a release, above the usual ones.

    Raises:
        ValueError: one of them is no time of day, or no number.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        for number, time in settings.items():
            if not _TIME.fullmatch(time) or not (number == _OTHERS or number.isdigit()):
                raise ValueError(
                    f"providers.fred.release_times has {number}={time}; allowed is such as 10=08:30, *=08:30"
                )
        self._times = {**_USUAL, **settings}

    def moment(self, date: str, release: int | None = None) -> datetime:
        """When a release of a date comes out, in UTC.

        Raises:
            ValueError: the date is none, or the clocks of New York skip or repeat that time on it.
        """
        time = self._times.get(str(release), self._times[_OTHERS])
        return parse_time(f"{date}T{time}:00", _ZONE)
