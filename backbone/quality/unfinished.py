"""Which of the bars that were made are not known to their end: of each symbol, the newest may be.

A bar is whole when what it was made of goes on to its end, or beyond it: the end of its interval, of the session, of
the week's last session. Nothing is read off a clock on the wall, so that history is judged as it was lived. Where
nothing was traded in the last minute of a bar, it counts as unfinished until something is known of after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from backbone.domain import Frame
from backbone.domain.clock import INTERVALS, from_us
from backbone.domain.selection import runs
from backbone.domain.zones import Stamps
from backbone.quality.extents import extents
from backbone.quality.sessions import Calendar

__all__ = ["bar_ends", "ends_of", "unfinished"]

_DAY = timedelta(days=1)


def ends_of(
    stamps: Stamps, symbols: Sequence[str], interval: str, calendar_of: Callable[[str], Calendar]
) -> dict[str, np.datetime64]:
    """Up to when a row of each symbol tells what happened.

    Args:
        stamps: of one row of each symbol.
        symbols: each once.
        interval: of the rows, or `trades`.
        calendar_of: the trading calendar of a symbol.
    """
    return _each(stamps, symbols, calendar_of, lambda own, calendar: extents(own, interval, calendar)[1])


def unfinished(
    bars: Frame, known: Mapping[str, np.datetime64], interval: str, calendar_of: Callable[[str], Calendar]
) -> dict[str, datetime]:
    """The symbols whose newest bar is not known to its end, with where it begins.

    Args:
        bars: that were made.
        known: up to when it is known what happened, by symbol.
        interval: of the bars.
        calendar_of: the trading calendar of a symbol.
    """
    if not bars.num_rows:
        return {}
    stretches = runs(bars.to_arrow().column(0))
    symbols = [symbol for symbol, _, _ in stretches]
    newest = bars.column("ts")[[first + length - 1 for _, first, length in stretches]]
    ends = _each(newest, symbols, calendar_of, lambda own, calendar: bar_ends(own, interval, calendar))
    begins = dict(zip(symbols, newest.astype(np.int64).tolist(), strict=True))
    return {symbol: from_us(begins[symbol]) for symbol in symbols if known[symbol] < ends[symbol]}


def bar_ends(starts: Stamps, interval: str, calendar: Calendar) -> Stamps:
    """When bars that begin at these moments end; those within a session at its close at the latest."""
    ends = extents(starts, interval, calendar)[1]
    width = INTERVALS[interval]
    if width is None or width >= _DAY:
        return ends
    dates = calendar.session_of(starts)
    inside = ~np.isnat(dates)
    ends[inside] = np.minimum(ends[inside], calendar.hours(dates[inside])[1])
    return ends


def _each(
    stamps: Stamps,
    symbols: Sequence[str],
    calendar_of: Callable[[str], Calendar],
    ends: Callable[[Stamps, Calendar], Stamps],
) -> dict[str, np.datetime64]:
    """The ends for all symbols of one calendar at once."""
    calendars = {id(each): each for each in map(calendar_of, symbols)}
    found: dict[str, np.datetime64] = {}
    for number, calendar in calendars.items():
        places = [place for place, symbol in enumerate(symbols) if id(calendar_of(symbol)) == number]
        found |= {symbols[place]: end for place, end in zip(places, ends(stamps[places], calendar), strict=True)}
    return found
