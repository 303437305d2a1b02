"""When the schedule runs next: an interval after the last run, jittered, and not while nothing new can have come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import numpy as np

from backbone.domain.clock import from_us, to_us
from backbone.quality.sessions import Calendar
from backbone.settings.sections.schedule import ScheduleSettings

__all__ = ["Due", "Timing"]

_LEAST = 1.0  # seconds
_HORIZON = timedelta(days=15)  # no market is shut for longer
_OPEN = timedelta(0)


class Due(NamedTuple):
    """A moment, and why it is not simply an interval from now; "" where it is."""

    at: datetime
    why: str = ""


class Timing:
    """The rule of the settings.

    Args:
        settings: the section `schedule`.
    """

    def __init__(self, settings: ScheduleSettings) -> None:
        self._interval, self._jitter = settings.interval, settings.jitter
        self._sessions, self._after_close = settings.sessions, timedelta(seconds=settings.after_close)
        self._random = Random(settings.seed)  # noqa: S311  jitter, not secrets

    def delay(self) -> float:
        """Seconds from the end of a run to the next: interval + U(-jitter, +jitter), 1 at least."""
        return max(_LEAST, self._interval + self._random.uniform(-self._jitter, self._jitter))

    def first(self, now: datetime) -> Due:
        """The first run comes at once; by the jitter later, so that many processes do not begin together."""
        return Due(now + timedelta(seconds=max(_LEAST, self._random.uniform(0.0, self._jitter))))

    def next(self, now: datetime, calendars: Sequence[Calendar]) -> Due:
        """When the next run is due, where the last one has ended now.

        Args:
            now: the moment; what came before it has been fetched.
            calendars: of all that is fetched; one that is not known counts as always open. None: always open.
        """
        delay = timedelta(seconds=self.delay())
        at = now + delay
        if not self._sessions or not calendars or not all(each.known for each in calendars):
            return Due(at)
        since = now - self._after_close
        if any(each.open_time(since, at) > _OPEN for each in calendars):
            return Due(at)
        opens = [opened for each in calendars if (opened := _next_open(each, at)) is not None]
        if not opens:
            return Due(at)
        return Due(min(opens) + delay, f"no market is open before {min(opens):%Y-%m-%d %H:%M} UTC")


def _next_open(calendar: Calendar, after: datetime) -> datetime | None:
    """When the market opens next; None: not for a fortnight."""
    opens, _ = calendar.hours(calendar.sessions(after, after + _HORIZON))
    later = opens[opens > np.datetime64(to_us(after), "us")]
    return from_us(int(later.min().astype(np.int64))) if later.size else None
