"""From when to when bars last, and where the market was open without any."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

import numpy as np

from backbone.domain.clock import INTERVALS
from backbone.domain.zones import Stamps
from backbone.quality.checks import Mask
from backbone.quality.sessions import Calendar, Dates

__all__ = ["TRADES", "Extents", "extents", "overlapping", "stretches", "uncovered"]

TRADES = "trades"
"""What bars are made of where no finer ones are, instead of an interval."""

Extents: TypeAlias = tuple[Stamps, Stamps]
"""Beginnings and ends, ascending; the end itself is not held."""

_US = "datetime64[us]"
_DAY = timedelta(days=1)
_MICROSECOND = np.timedelta64(1, "us")
_MONTHS = {"1mo": 1, "3mo": 3}


def extents(stamps: Stamps, interval: str, calendar: Calendar) -> Extents:
    """When each bar of a series begins and ends; one of days or longer: with its first session, and its last.

    Args:
        stamps: of the bars, or of trades, which last a microsecond; datetime64[us].
        interval: of the bars, or `TRADES`.
        calendar: of their market.
    """
    if interval == TRADES:
        return stamps, stamps + _MICROSECOND
    width = INTERVALS[interval]
    if width is not None and width < _DAY:
        return stamps, stamps + np.timedelta64(width)
    firsts = stamps.astype("datetime64[D]")
    return _of_sessions(firsts, _next(firsts, interval), calendar)


def _next(firsts: Dates, interval: str) -> Dates:
    """The day after the last one of each bar."""
    if interval in _MONTHS:
        following: Dates = (firsts.astype("datetime64[M]") + _MONTHS[interval]).astype("datetime64[D]")
        return following
    width = INTERVALS[interval] or _DAY
    return firsts + np.timedelta64(width.days, "D")


def _of_sessions(firsts: Dates, nexts: Dates, calendar: Calendar) -> Extents:
    """From the open of the first session to the close of the last one; nothing, at midnight, where there is none."""
    begins, ends = firsts.astype(_US), firsts.astype(_US)
    if not firsts.size:
        return begins, ends
    sessions = calendar.sessions(firsts.min(), nexts.max())
    first, last = np.searchsorted(sessions, firsts), np.searchsorted(sessions, nexts) - 1
    held = last >= first
    opens, closes = calendar.hours(sessions)
    begins[held], ends[held] = opens[first[held]], closes[last[held]]
    return begins, ends


def overlapping(some: Extents, others: Extents) -> Mask:
    """Which of some extents share a moment with any of others."""
    begins, ends = some
    if not others[0].size:
        return np.zeros(begins.size, dtype=np.bool_)
    until = np.maximum.accumulate(others[1])
    place = np.searchsorted(until, begins, side="right")
    known = place < until.size
    found = np.zeros(begins.size, dtype=np.bool_)
    found[known] = others[0][place[known]] < ends[known]
    return found


def uncovered(
    covered: Extents, first: np.datetime64, last: np.datetime64, calendar: Calendar
) -> tuple[np.datetime64, np.datetime64] | None:
    """From the first to the last moment at which the market was open and no bar is; None: there is no such moment.

    Args:
        covered: the bars.
        first: of the moments in question.
        last: behind them.
        calendar: of the market.
    """
    begins = np.maximum(np.append(first, np.maximum.accumulate(covered[1])), first)
    ends = np.minimum(np.append(covered[0], last), last)
    holes = begins < ends
    if not holes.any():
        return None
    begins, ends = begins[holes], ends[holes]
    opens, closes = stretches(calendar, first, last)
    following = np.searchsorted(closes, begins, side="right")
    known = following < opens.size
    begins, ends, following = begins[known], ends[known], following[known]
    begins = np.maximum(begins, opens[following])
    there = np.flatnonzero(begins < ends)
    return (begins[there[0]], ends[there[-1]]) if there.size else None


def stretches(calendar: Calendar, first: np.datetime64, last: np.datetime64) -> Extents:
    """When the market was open between two moments, from each opening to the next pause or close."""
    days = calendar.sessions(first, last)
    opens, closes = calendar.hours(days)
    for pause, resume in calendar.pauses(days):
        held = ~np.isnat(pause)
        opens, closes = np.append(opens, resume[held]), np.append(closes, pause[held])
    return np.sort(opens), np.sort(closes)
