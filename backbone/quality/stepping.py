"""Bars that are not what they are said to be: of another interval, or stamped with their end.

Both are told by the stamps alone, and neither is mended here: a guess is never right. The finding asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.domain.clock import INTERVALS
from backbone.domain.zones import Stamps
from backbone.quality.calendars import CalendarOf
from backbone.quality.checks import Finding, Mask
from backbone.quality.coverage import Series
from backbone.quality.sessions import Calendar

__all__ = ["end_findings", "step_findings"]

_MONTHS = {"1mo": timedelta(days=28), "3mo": timedelta(days=90)}
_DAY = timedelta(days=1)
_MANY = 1 / 3  # of the steps; a clock that changes and a session that ends early leave single short ones
_NEARLY_ALL = 0.8
_FEWEST_STEPS = 3


def step_findings(frame: Frame, parts: Sequence[Series], calendar_of: CalendarOf, odd: Mask) -> Iterator[Finding]:
    """Series whose bars lie closer together, or wider apart, than their interval lets them.

    Args:
        frame: what is judged.
        parts: its series.
        calendar_of: of a symbol: between the last bar of a session and the next one nothing is missing.
        odd: rows that come too early after the one before are added.
    """
    if frame.dimension is not Dimension.INTRADAY_BARS:
        return
    stamps = frame.column("ts")
    for one in parts:
        own = stamps[one.first : one.last]
        if own.size > 1:
            yield from _too_close(one, np.diff(own), odd)
            yield from _too_far(one, own, calendar_of(one.symbol))


def _too_close(one: Series, steps: NDArray[np.timedelta64], odd: Mask) -> Iterator[Finding]:
    close = np.flatnonzero(steps < np.timedelta64(_shortest(one)))
    if not close.size:
        return
    many = close.size > _MANY * steps.size
    if many:
        odd[one.first + 1 + close] = True
    step = _commonest(steps[close])
    asked = f": are they bars of {_named(step)}? Say so by --interval" if many else ""
    yield Finding(
        code="interval_too_long",
        severity="warning" if many else "info",
        count=close.size,
        message=f"{close.size:,} of {steps.size + 1:,} bars of {one.name} begin less than {one.interval} after the one "
        f"before, most often {_named(step)}{asked}",
    )


def _too_far(one: Series, stamps: Stamps, calendar: Calendar) -> Iterator[Finding]:
    """Bars of which no two are neighbours, and nearly all as far apart as those of a wider interval are."""
    steps = np.diff(stamps)
    step, width = _commonest(steps), np.timedelta64(_shortest(one))
    wider = step.astype(timedelta) in INTERVALS.values()
    if steps.size < _FEWEST_STEPS or steps.min() <= width or not wider:
        return
    if int(((steps == step) & ~_last_of_session(stamps, width, calendar)[:-1]).sum()) < _NEARLY_ALL * steps.size:
        return
    yield Finding(
        code="interval_too_short",
        severity="warning",
        count=stamps.size,
        message=f"{stamps.size:,} bars of {one.name} are {_named(step)} or more apart: are they bars of "
        f"{_named(step)}? Say so by --interval",
    )


def _last_of_session(stamps: Stamps, width: np.timedelta64, calendar: Calendar) -> Mask:
    """Bars up to whose end, or beyond it, their session lasts."""
    dates = calendar.session_of(stamps)
    inside = ~np.isnat(dates)
    last = np.zeros(stamps.size, dtype=np.bool_)
    last[inside] = stamps[inside] + width >= calendar.hours(dates[inside])[1]
    return last


def end_findings(frame: Frame, parts: Sequence[Series], calendar_of: CalendarOf, odd: Mask) -> Iterator[Finding]:
    """Series in which the market closes upon a bar and opens upon none: their stamps are the ends of the bars.

    Args:
        frame: what is judged.
        parts: its series.
        calendar_of: of a symbol; a market that never closes tells nothing.
        odd: the rows that bear the close are added.
    """
    if frame.dimension is not Dimension.INTRADAY_BARS:
        return
    stamps = frame.column("ts")
    for one in parts:
        if _shortest(one) >= _DAY:
            continue
        at_close = _upon_close(stamps[one.first : one.last], np.timedelta64(_shortest(one)), calendar_of(one.symbol))
        if at_close.size:
            odd[one.first + at_close] = True
            yield Finding(
                code="end_stamps",
                severity="warning",
                count=at_close.size,
                message=f"{at_close.size:,} bars of {one.name} are stamped with the close of the market and none with "
                "its open: do the stamps mark the end of the bars? If so, say --stamps end",
            )


def _upon_close(stamps: Stamps, width: np.timedelta64, calendar: Calendar) -> NDArray[np.intp]:
    """Places of the bars stamped with a close; none where one bears an open, or more lie elsewhere out of sessions."""
    sessions = calendar.sessions(stamps[0] - width, stamps[-1] + width)
    opens, closes = calendar.hours(sessions)
    first_opens, last_closes = np.setdiff1d(opens, closes), np.setdiff1d(closes, opens)
    places = np.flatnonzero(np.isin(stamps, last_closes))
    if not places.size:
        return places
    begun = np.searchsorted(stamps, first_opens, side="right") - np.searchsorted(
        stamps, first_opens - width, side="right"
    )
    elsewhere = int(np.isnat(calendar.session_of(stamps)).sum()) - places.size
    return places[:0] if begun.any() or elsewhere > places.size else places


def _shortest(one: Series) -> timedelta:
    """How long a bar of a series lasts at least."""
    name = one.interval or ""
    return INTERVALS[name] or _MONTHS[name]


def _commonest(steps: NDArray[np.timedelta64]) -> np.timedelta64:
    lengths, counts = np.unique(steps, return_counts=True)
    found: np.timedelta64 = lengths[counts.argmax()]
    return found


def _named(step: np.timedelta64) -> str:
    length: timedelta = step.astype(timedelta)
    return next((name for name, each in INTERVALS.items() if each == length), str(length))
