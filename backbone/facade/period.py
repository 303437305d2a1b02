"""A window that ends now: it begins at a round moment, so that who asks again asks the same question."""

from __future__ import annotations

from datetime import datetime, timedelta

from backbone.domain import arguments
from backbone.domain.clock import MIN_US, from_us, parse_duration, to_us

__all__ = ["beginning"]

_STEPS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1))


def beginning(period: object, now: datetime) -> datetime:
    """Where a period that ends now begins, rounded down.

    That is to the second; from 100 minutes on to the minute, from 100 hours on to the hour, from 100 days on to the
    day. For example "30d" asked at 10:17:23 begins at 10:00 thirty days ago, and at 10:58:01 still does: a second
    question within the hour is the same one, which the cache answers.

    Args:
        period: such as "90m", "24h", "30d" or "4w".
        now: in UTC.

    Raises:
        TypeError: it is no text. ValueError: it is no duration of a second or more, or begins before the year 1.
    """
    if not isinstance(period, str):
        raise TypeError(f"period={arguments.shown(period)} given; allowed is text, such as '30d', or None")
    try:
        length = parse_duration(period)
    except ValueError as error:
        raise ValueError(f"period={arguments.shown(period)} given: {error}") from None
    if length < timedelta(seconds=1):
        raise ValueError(f"period={arguments.shown(period)} given; allowed is a second or more, such as '30d'")
    step = next((each for each in _STEPS if length >= 100 * each), timedelta(seconds=1)) // timedelta(microseconds=1)
    start = (to_us(now) - length // timedelta(microseconds=1)) // step * step
    if start < MIN_US:
        raise ValueError(f"period={arguments.shown(period)} given, which begins before the year 1; give a shorter one")
    return from_us(start)
