"""Where bars begin at the same moments by a plain clock as by sessions, so that whoever can count may make them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np

from backbone.domain import Frame
from backbone.domain.selection import runs
from backbone.quality.resample import CalendarOf, span_of
from backbone.quality.sessions import Calendar

__all__ = ["in_session", "offset_of"]

_DAY = timedelta(days=1)


def offset_of(calendars: Iterable[Calendar], interval: str, start: datetime, end: datetime) -> int | None:
    """How many microseconds after multiples of the interval since 1970 its bars begin; None: no one number says it.

    It holds where all sessions open and close at such moments: then each bucket lies within a session, or outside of
    all. Spot forex from 17:00 in New York fits hours in summer and in winter, and 4h until the clocks change; an
    exchange open for 6.5 hours fits 30m and not 1h.
    """
    if span_of(interval) >= _DAY:
        return None
    width = int(span_of(interval) / timedelta(microseconds=1))
    found: set[int] = set()
    for calendar in set(calendars):
        edges = calendar.edges(start, end).astype(np.int64)
        found.update(np.unique(edges % width).tolist())
    return next(iter(found)) if len(found) == 1 else None


def in_session(frame: Frame, calendar_of: CalendarOf) -> Frame:
    """The bars that begin within a session of their symbol."""
    if not frame.num_rows:
        return frame
    table, stamps = frame.to_arrow(), frame.column("ts")
    inside = np.zeros(frame.num_rows, dtype=np.bool_)
    for symbol, first, length in runs(table.column(0)):
        own = slice(first, first + length)
        inside[own] = ~np.isnat(calendar_of(symbol).session_of(stamps[own]))
    if inside.all():
        return frame
    kept = Frame.of_known(frame.dimension, table.filter(inside))
    return kept.as_stale() if frame.stale else kept
