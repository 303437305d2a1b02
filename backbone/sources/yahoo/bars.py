"""Bars of a chart: what is a bar of it, what is not one yet, and what can't be read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.clock import INTERVALS, from_us
from backbone.domain.schema import arrow_schema
from backbone.domain.zones import load_zone, to_wall_time
from backbone.sources.errors import InputInvalid
from backbone.sources.numbers import doubles
from backbone.sources.port import BadRow, SourceChunk, excerpt
from backbone.sources.yahoo.chart import Chart, Meta

__all__ = ["bars_of", "dates_of"]

_PRICES = ("open", "high", "low", "close")
_DAY = 86_400
_OTHER_SEASON = 3600  # by the offset of winter, a day that begins at midnight in summer begins an hour earlier
_SESSION = 72_000  # behind its close, the day's bar may bear the moment of the last trade
_EARLIEST, _LATEST = -5_364_662_400, 4_133_980_800  # 1800 and 2101: beyond, milliseconds were taken for seconds

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


class _Columns(NamedTuple):
    """What was read: the moments in seconds, the values, and by row why it can't be taken."""

    seconds: Doubles
    values: Mapping[str, Doubles]
    wrong: Mapping[int, str]


def bars_of(
    chart: Chart, symbol: str, dimension: Dimension, interval: str, now: datetime, note: Callable[[str], None]
) -> SourceChunk:
    """The bars of one symbol: daily or intraday bars, or trades that are made of their closes.

    A bar that was still being made at `now` is left out, and so are those without any price, which stand for time in
    which nobody traded; both are noted.

    Args:
        chart: the answer.
        symbol: as it was asked for.
        dimension: of the rows.
        interval: of the bars.
        now: when it was asked.
        note: takes what is to be said.

    Raises:
        InputInvalid: columns are missing or not of one length.
    """
    read = _read(chart, symbol)
    empty = np.logical_and.reduce([np.isnan(read.values[name]) for name in _PRICES])
    wrong = np.zeros(len(read.seconds), dtype=np.bool_)
    wrong[list(read.wrong)] = True
    live = _unfinished(read.seconds, chart.meta, interval, now) & ~wrong
    for rows, what in ((empty & ~live & ~wrong, "no price, nobody traded"), (live, "not over yet")):
        if rows.any():
            note(f"{symbol}: {int(rows.sum())} {interval} bars left out: {what}")
    good = ~(empty | live | wrong)
    where = f"yahoo {symbol} {interval}"
    bad = tuple(
        BadRow(f"{where} {_place(read.seconds[at], chart.timestamp[at])}", why, _excerpt(chart, at))
        for at, why in read.wrong.items()
    )
    frame = _frame(read, good, symbol, dimension, interval, chart.meta)
    ordered = frame.ordered()
    return SourceChunk(ordered, bad, "", 0, frame if ordered.num_rows < frame.num_rows else None)


def _read(chart: Chart, symbol: str) -> _Columns:
    quote = chart.indicators.quote[0] if chart.indicators.quote else None
    adjusted = chart.indicators.adjclose[0].adjclose if chart.indicators.adjclose else []
    rows = len(chart.timestamp)
    given: dict[str, Sequence[object]] = {name: getattr(quote, name, []) for name in (*_PRICES, "volume")}
    if adjusted:
        given["adj_close"] = adjusted
    if rows and not given["close"]:
        raise InputInvalid(f"{symbol}: {rows} times and no closes; both are needed")
    seconds, wrong = doubles(chart.timestamp)
    told = {at: f"ts: {why}" for at, why in wrong.items()}
    for at in np.flatnonzero(~((seconds >= _EARLIEST) & (seconds <= _LATEST)) | (seconds % 1 != 0)).tolist():
        told.setdefault(at, f"ts: {_shown(chart.timestamp[at])!r} is no whole second of a year from 1800 to 2100")
    values: dict[str, Doubles] = {}
    for name, column in given.items():
        if column and len(column) != rows:
            raise InputInvalid(f"{symbol}: {rows} times and {len(column)} values of {name}; as many are needed")
        values[name], wrong = doubles(column or [None] * rows)
        for at, why in wrong.items():
            told[at] = f"{told[at]}; {name}: {why}" if at in told else f"{name}: {why}"
    return _Columns(seconds, values, dict(sorted(told.items())))


def _unfinished(seconds: Doubles, meta: Meta, interval: str, now: datetime) -> Truths:
    """Which bars may still change: the newest ones, as long as their market trades and their time is not over."""
    found = np.zeros(len(seconds), dtype=np.bool_)
    if not len(seconds) or not np.isfinite(seconds[-1]):
        return found
    length = INTERVALS[interval] or timedelta(days=31 if interval == "1mo" else 92)
    period = None if meta.current_trading_period is None else meta.current_trading_period.regular
    ends = seconds + length.total_seconds()
    if period is not None and period.end > period.start:
        until = period.end if length < timedelta(days=1) else max(period.end, period.start + _SESSION)
        within = (seconds >= period.start) & (seconds < until)
        if length <= timedelta(days=1):
            ends = np.where(within, np.minimum(ends, period.end), ends)
    found |= ends > now.timestamp()
    step = seconds[-1] - seconds[-2] if len(seconds) > 1 else math.inf
    short = step < min(length.total_seconds(), _DAY) * (1 if length < timedelta(days=1) else 0.5)
    closes = period is not None and seconds[-1] == period.end  # no bar begins there
    odd = length < timedelta(days=1) and (closes or seconds[-1] % 60 != 0)
    if seconds[-1] == meta.regular_market_time and (short or odd):
        found[-1] = True  # the newest trade, as a bar that begins with it
    return found


def _frame(read: _Columns, good: Truths, symbol: str, dimension: Dimension, interval: str, meta: Meta) -> Frame:
    rows = int(good.sum())
    values = {name: array_of(column[good], missing=np.isnan(column[good])) for name, column in read.values.items()}
    stamps = array_of(_stamps(read.seconds[good], dimension, meta), pa.timestamp("us", tz="UTC"))
    columns: dict[str, object] = {"symbol": pa.repeat(scalar_of(symbol), rows), "ts": stamps}
    if dimension is Dimension.TRADES:
        columns |= {"price": values["close"], "size": values["volume"]}
        columns |= {
            "venue": pa.repeat(scalar_of("YAHOO"), rows),
            "conditions": pa.repeat(scalar_of("HISTORICAL"), rows),
        }
    else:
        columns |= {name: values[name] for name in (*_PRICES, "volume")}
    if dimension is Dimension.DAILY_BARS:
        columns["adj_close"] = values.get("adj_close", values["close"])
    if dimension.has_interval:
        columns["interval"] = pa.repeat(scalar_of(interval), rows)
    schema = arrow_schema(dimension)
    given = pa.table({name: columns.get(name, pa.nulls(rows, schema.field(name).type)) for name in schema.names})
    return Frame.from_arrow(dimension, given, presorted=True)


def _stamps(seconds: Doubles, dimension: Dimension, meta: Meta) -> Numbers:
    """Microseconds: of daily bars the date on the exchange's clock, of others the moment."""
    utc = seconds.astype(np.int64) * 1_000_000
    return dates_of(utc, meta) if dimension is Dimension.DAILY_BARS else utc


def dates_of(utc: Numbers, meta: Meta) -> Numbers:
    """The dates on the exchange's clock at some moments, all in microseconds; by today's offset where that is all."""
    try:
        wall = to_wall_time(utc.astype("datetime64[us]"), load_zone(meta.exchange_timezone_name or ""))
    except ValueError:
        wall = (utc + (meta.gmtoffset + _OTHER_SEASON) * 1_000_000).astype("datetime64[us]")
    return wall.astype("datetime64[D]").astype("datetime64[us]").astype(np.int64)


def _excerpt(chart: Chart, at: int) -> str:
    quote = chart.indicators.quote[0]
    return excerpt(
        " ".join(f"{name}={column[at]}" for name in (*_PRICES, "volume") if (column := getattr(quote, name)))
    )


def _place(seconds: float, stamp: object) -> str:
    """The moment of a bar, where it has one."""
    if not _EARLIEST <= seconds <= _LATEST:
        return _shown(stamp)
    return f"{from_us(int(seconds) * 1_000_000):%Y-%m-%dT%H:%M:%SZ}"


def _shown(stamp: object) -> str:
    text = str(stamp)
    return text if len(text) <= 40 else f"{text[:40]}…"
