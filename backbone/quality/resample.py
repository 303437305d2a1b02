"""Wider bars out of finer ones, by trading session.

A bar is made of all bars that begin within it: open first, high highest, low lowest, close last, volume summed (null
where all are null), adj_close last; a null is passed over where another bar knows better. Where bars begin:

- Up to 4h: at the open of the session and every interval from there; the last one ends with the session.
- ``1d``: a session, wherever its hours lie: spot forex from 17:00 to 17:00 in New York, in summer and in winter. The
  bar bears the session date at 00:00 UTC.
- ``1wk``, ``1mo``, ``3mo``: the session dates of a week, a month, a quarter; the bar bears the first day of it.

Bars outside all sessions (before the open, on holidays) enter nothing; one that begins before an open and reaches into
the session belongs to it. A bar that is cut short, because history begins in it or it has not ended yet, is given as
far as it is known: whoever reads a window has to read it from the first of its wide bars to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.clock import INTERVALS, interval_duration, parse_interval
from backbone.domain.fates import counting
from backbone.domain.selection import runs
from backbone.domain.zones import Stamps
from backbone.quality.calendars import CalendarOf, check_known, check_weekends
from backbone.quality.extents import TRADES
from backbone.quality.sessions import PERIODS, Calendar, period_starts
from backbone.quality.unfinished import ends_of, unfinished

__all__ = [
    "TRADES",
    "CalendarOf",
    "CrossesEdge",
    "bars_of",
    "is_finer",
    "made_of",
    "refuse_crossing",
    "resample",
    "span_of",
    "starts_of",
    "values_of",
]

_Floats: TypeAlias = NDArray[np.float64]
_Places: TypeAlias = NDArray[np.int64]

_DAY = timedelta(days=1)
_LONGEST = {"1mo": timedelta(days=31), "3mo": timedelta(days=92)}
_US = "datetime64[us]"
_MICROSECOND = np.timedelta64(1, "us")
_OF_TRADES = {"open": "price", "high": "price", "low": "price", "close": "price", "volume": "size"}


class CrossesEdge(ValueError):
    """A finer bar lies in two of the wider ones, so that they can't be told from it; use a finer interval still."""


def span_of(interval: str) -> timedelta:
    """How long a bar lasts at most."""
    return _LONGEST.get(interval) or interval_duration(interval)


def is_finer(interval: str, other: str) -> bool:
    """Whether bars of an interval are shorter than those of another."""
    return span_of(interval) < span_of(other)


@cache
def made_of(interval: str) -> tuple[str, ...]:
    """The intervals of which bars of this one can be made, widest first; none for ``5d``, which has no rule."""
    name = parse_interval(interval)
    finer = sorted((each for each in INTERVALS if is_finer(each, name)), key=span_of, reverse=True)
    intraday = tuple(each for each in finer if span_of(each) < _DAY)
    if name == "5d":
        return ()
    if name in PERIODS:
        return (*(("1mo",) if name == "3mo" else ()), "1d", *intraday)
    return tuple(each for each in intraday if span_of(name) % span_of(each) == timedelta(0))


def resample(frame: Frame, source: str, interval: str, calendar_of: CalendarOf) -> Frame:
    """Bars of a wider interval, of the dimension of the frame.

    Args:
        frame: daily or intraday bars, all of one interval; or trades.
        source: the interval of its bars; ``1d`` for daily bars, ``trades`` for trades.
        interval: the interval wanted.
        calendar_of: the trading calendar of a symbol.

    Raises:
        ValueError: the interval can't be made of this source; the message says of which.
        CrossesEdge: bars of the source lie in two bars of the interval.
    """
    interval = parse_interval(interval)
    source = source if source == TRADES else parse_interval(source)
    allowed = (*made_of(interval), *((TRADES,) if span_of(interval) < _DAY else ()))
    if source not in allowed:
        what = f"those of {', '.join(allowed)}" if allowed else "none"
        raise ValueError(f"{interval} bars asked of {source} bars; they can be made of: {what}")
    made_as = Dimension.INTRADAY_BARS if source == TRADES else frame.dimension
    if not frame.num_rows:
        return Frame.empty(made_as)
    stretches = runs(frame.to_arrow().column(0))
    starts, crossing = starts_of(frame.column("ts"), stretches, source, interval, calendar_of)
    refuse_crossing(crossing, frame.column("ts"), stretches, source, interval, calendar_of)
    within = ~np.isnat(starts)
    inside = np.flatnonzero(within & counting(frame.to_arrow().column("conditions")) if source == TRADES else within)
    if not inside.size:
        return Frame.empty(made_as)
    owners = np.repeat(np.arange(len(stretches)), [length for _, _, length in stretches])[inside]
    columns = {name: values_of(frame, name, source)[inside] for name in made_as.values}
    names = [name for name, _, _ in stretches]
    made = bars_of(made_as, interval, names, owners, starts[inside], columns)
    newest = frame.column("ts")[[first + length - 1 for _, first, length in stretches]]
    known = ends_of(newest, names, source, calendar_of)
    made = made.with_partial(unfinished(made, known, interval, calendar_of))
    return made.as_stale() if frame.stale else made


def values_of(frame: Frame, column: str, source: str) -> _Floats:
    """The values of which a column of the bars is made."""
    found: _Floats = frame.column(_OF_TRADES[column] if source == TRADES else column)
    return found


def bars_of(
    dimension: Dimension,
    interval: str,
    symbols: Sequence[str],
    owners: _Places,
    starts: Stamps,
    columns: dict[str, _Floats],
) -> Frame:
    """Bars of rows that are in the order of symbol and time.

    Args:
        dimension: of the bars.
        interval: of the bars.
        symbols: ascending.
        owners: for each row, which of the symbols it is of.
        starts: for each row, where its bar begins.
        columns: the values of the rows, by column of the bars.
    """
    changed = (np.diff(owners) != 0) | (np.diff(starts) != np.timedelta64(0, "us"))
    firsts = np.concatenate(([0], np.flatnonzero(changed) + 1))
    names = array_of(symbols, pa.string())
    return _frame(dimension, names.take(array_of(owners[firsts])), interval, starts[firsts], columns, firsts)


def _frame(
    dimension: Dimension, symbols: pa.Array, interval: str, starts: Stamps, columns: dict[str, Any], firsts: _Places
) -> Frame:
    given: dict[str, Any] = {"symbol": symbols, "ts": array_of(starts, pa.timestamp("us", tz="UTC"))}
    if dimension.has_interval:
        given["interval"] = pa.repeat(scalar_of(interval), len(symbols))
    for name, values in columns.items():
        given[name] = array_of(_AGGREGATES[name](values, firsts))
    return Frame.of_known(dimension, pa.table(given))


def _first(values: _Floats, firsts: _Places) -> _Floats:
    unknown = np.isnan(values)
    places = np.where(unknown, values.size - 1, np.arange(values.size))
    return np.where(_any(~unknown, firsts), values[np.minimum.reduceat(places, firsts)], np.nan)


def _last(values: _Floats, firsts: _Places) -> _Floats:
    unknown = np.isnan(values)
    places = np.where(unknown, 0, np.arange(values.size))
    return np.where(_any(~unknown, firsts), values[np.maximum.reduceat(places, firsts)], np.nan)


def _highest(values: _Floats, firsts: _Places) -> _Floats:
    found: _Floats = np.fmax.reduceat(values, firsts)
    return found


def _lowest(values: _Floats, firsts: _Places) -> _Floats:
    found: _Floats = np.fmin.reduceat(values, firsts)
    return found


def _sum(values: _Floats, firsts: _Places) -> _Floats:
    unknown = np.isnan(values)
    total = np.add.reduceat(np.where(unknown, 0.0, values), firsts)
    return np.where(_any(~unknown, firsts), total, np.nan)


def _any(truths: NDArray[np.bool_], firsts: _Places) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.logical_or.reduceat(truths, firsts)
    return found


_AGGREGATES: dict[str, Callable[[_Floats, _Places], _Floats]] = {
    "open": _first,
    "high": _highest,
    "low": _lowest,
    "close": _last,
    "adj_close": _last,
    "volume": _sum,
}


def starts_of(
    stamps: Stamps, stretches: list[tuple[str, int, int]], source: str, interval: str, calendar_of: CalendarOf
) -> tuple[Stamps, _Places]:
    """Where the wide bar of each row begins, NaT outside all sessions; and which rows lie in two of them."""
    nowhere = np.zeros(0, dtype=np.int64)
    if span_of(interval) >= _DAY and source != TRADES and span_of(source) < _DAY:
        check_known([symbol for symbol, _, _ in stretches], interval, calendar_of)
    if source == "1d":
        check_weekends(stamps, stretches, interval, calendar_of)
    if source == "1d":
        return _of_dates(stamps.astype("datetime64[D]"), stretches, interval, calendar_of), nowhere
    if source != TRADES and span_of(source) >= _DAY:
        return period_starts(stamps.astype("datetime64[D]"), interval).astype(_US), nowhere
    width = _MICROSECOND if source == TRADES else np.timedelta64(span_of(source)).astype("timedelta64[us]")
    starts, crossing = np.empty(stamps.size, dtype=_US), [nowhere]
    for calendar, first, last in _by_calendar(stretches, calendar_of):
        own = stamps[first:last]
        begin = _starts_of(own, interval, calendar)
        end = _starts_of(own + width - _MICROSECOND, interval, calendar)
        crossing.append(first + np.flatnonzero((begin != end) & ~np.isnat(begin) & ~np.isnat(end)))
        starts[first:last] = np.where(np.isnat(begin), end, begin)
    return starts, np.concatenate(crossing)


def refuse_crossing(
    crossing: _Places,
    stamps: Stamps,
    stretches: list[tuple[str, int, int]],
    source: str,
    interval: str,
    calendar_of: CalendarOf,
) -> None:
    """Refuse rows that lie in two of the bars.

    Raises:
        CrossesEdge: there is one; tells which.
    """
    if not crossing.size:
        return
    symbol = next(name for name, first, length in reversed(stretches) if first <= crossing[0])
    raise CrossesEdge(
        f"the {source} bar at {stamps[crossing[0]]}Z lies in two {interval} bars of the {calendar_of(symbol).name} "
        f"calendar, and so do {crossing.size - 1:,} others; a finer interval is needed to make {interval} bars"
    )


def _of_dates(
    dates: NDArray[np.datetime64], stretches: list[tuple[str, int, int]], interval: str, calendar_of: CalendarOf
) -> Stamps:
    """Where the wide bar of each daily bar begins; NaT where its date is no session.

    Spot forex opens on Sunday evening, but that belongs to Monday: a bar dated Sunday would give a week the prices of
    the next one.
    """
    starts = period_starts(dates, interval).astype(_US)
    for calendar, first, last in _by_calendar(stretches, calendar_of):
        starts[first:last][~calendar.trades_on(dates[first:last])] = np.datetime64("NaT", "us")
    return starts


def _by_calendar(stretches: list[tuple[str, int, int]], calendar_of: CalendarOf) -> list[tuple[Calendar, int, int]]:
    """Neighbours that trade by the same calendar, as (calendar, first row, row after the last)."""
    calendars = [calendar_of(symbol) for symbol, _, _ in stretches]
    begins = [0, *(n for n, (a, b) in enumerate(pairwise(calendars), 1) if a is not b), len(calendars)]
    return [(calendars[a], stretches[a][1], stretches[b - 1][1] + stretches[b - 1][2]) for a, b in pairwise(begins)]


def _starts_of(moments: Stamps, interval: str, calendar: Calendar) -> Stamps:
    """Where the wide bar that holds each moment begins; NaT where the market is shut."""
    dates = calendar.session_of(moments)
    if interval in PERIODS:
        return period_starts(dates, interval).astype(_US)
    if interval == "1d":
        return dates.astype(_US)
    shut = np.isnat(dates)
    if shut.all():
        return dates.astype(_US)
    unique, where = np.unique(dates[~shut], return_inverse=True)
    opens = calendar.hours(unique)[0][where]
    width = np.timedelta64(span_of(interval)).astype("timedelta64[us]")
    starts = np.full(moments.size, np.datetime64("NaT", "us"))
    starts[~shut] = opens + (moments[~shut] - opens) // width * width
    return starts
