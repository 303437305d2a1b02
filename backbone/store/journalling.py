"""Which rows of the journal may still be asked for: those of runs that may go on, by which they know what is written.

For example live rows whose commit had an unknown outcome are given again within seconds, chunks of a file within a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

__all__ = ["LIVE", "Needed"]

LIVE: Final = "live"
"""The source of all live rows."""

_LIVE_NEEDED = timedelta(hours=1)
_RUN_NEEDED = timedelta(days=1)


class Needed(NamedTuple):
    """From when on journal rows stay, however many they are."""

    live: datetime
    runs: datetime

    @classmethod
    def at(cls, now: datetime) -> Needed:
        """As of now."""
        return cls(now - _LIVE_NEEDED, now - _RUN_NEEDED)
