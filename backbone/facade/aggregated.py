"""Bars made by the store itself, where they are the same as those made by session in Python.

A store counts buckets by a plain clock. That is the same where every session of the window opens and closes at a
moment of that clock (`backbone.quality.buckets`), for bars of intraday intervals; bars outside the sessions are left
out here. Everything else is left to Python: windows without a beginning, as_of, rows that lie in two bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from backbone.domain import Frame
from backbone.domain.clock import MIN_US, from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.facade.holdings import Intervals
from backbone.quality.instruments import Instruments
from backbone.store.errors import Unsupported
from backbone.store.records import Bucket, Query

__all__ = ["Aggregator"]

_MOST_BARS = 65_536  # of one symbol: what the store gives as one answer
_MARGIN = timedelta(days=8)  # rows may have come since somebody looked which is the newest
_MICROSECOND = timedelta(microseconds=1)


class Stored(Protocol):
    """What is stored, as the reader of this backbone sees it."""

    async def stored(self, query: Query) -> Frame:
        """Rows as they are stored, or bars made of them."""

    def known(self, dimension: Dimension) -> Intervals:
        """What is stored of a dimension, as it was known last, without asking."""


class Aggregator:
    """Asks the store for bars.

    Args:
        rows: what is stored.
        instruments: the trading calendars.
    """

    def __init__(self, rows: Stored, instruments: Instruments) -> None:
        self._rows = rows
        self._instruments = instruments

    async def bars(
        self, query: Query, symbols: Sequence[str], source: str, start: datetime | None, newest: datetime | None
    ) -> Frame | None:
        """The bars that begin within a window, whole; None: Python has to make them.

        Args:
            query: for bars; its limit is left out of account.
            symbols: of which; at least one.
            source: interval of the rows, or `trades`.
            start: of the window.
            newest: a moment about that of the newest row, for windows without an end.
        """
        from backbone.quality.buckets import in_session
        from backbone.quality.resample import TRADES

        bucket = self._bucket(query, symbols, source, start, query.end or newest)
        if bucket is None or start is None:
            return None
        of_trades = source == TRADES
        try:
            first, last = _window(bucket, start, query.end)
            made = await self._rows.stored(
                Query(
                    Dimension.TRADES if of_trades else query.dimension,
                    tuple(symbols),
                    None if of_trades else source,
                    first,
                    last,
                    bucket=bucket,
                )
            )
        except (Unsupported, OverflowError):
            return None
        kept = in_session(made, self._instruments.calendar_of)
        return kept.with_partial(await self._unfinished(kept, query, source))

    async def _unfinished(self, made: Frame, query: Query, source: str) -> dict[str, datetime]:
        """The bars that are not known to their end; where that is in doubt, the newest row of a symbol is looked at."""
        from backbone.quality.resample import TRADES
        from backbone.quality.unfinished import ends_of, unfinished

        interval, calendar_of = query.interval or source, self._instruments.calendar_of
        known = {
            symbol: spans[source][1] for symbol, spans in self._rows.known(query.dimension).items() if source in spans
        }
        stamps = np.array([known.get(symbol, MIN_US) for symbol in made.symbols], dtype=np.int64).view("datetime64[us]")
        ends = ends_of(stamps, made.symbols, source, calendar_of)
        doubtful = unfinished(made, ends, interval, calendar_of)
        for symbol in doubtful:
            dimension = Dimension.TRADES if source == TRADES else query.dimension
            newest = await self._rows.stored(Query(dimension, (symbol,), None if source == TRADES else source, limit=1))
            ends |= ends_of(newest.column("ts"), newest.symbols, source, calendar_of)
        return unfinished(made, ends, interval, calendar_of) if doubtful else {}

    def _bucket(
        self, query: Query, symbols: Sequence[str], source: str, start: datetime | None, end: datetime | None
    ) -> Bucket | None:
        from backbone.quality.buckets import offset_of
        from backbone.quality.resample import TRADES, span_of

        interval = query.interval
        if interval is None or not symbols or query.as_of is not None or start is None or end is None or end < start:
            return None
        if (
            query.dimension is not Dimension.INTRADAY_BARS
            or (end - start) // span_of(interval) * len(symbols) > _MOST_BARS
        ):
            return None
        calendars = [self._instruments.calendar_of(symbol) for symbol in symbols]
        try:
            offset = offset_of(calendars, interval, start - _MARGIN, end + _MARGIN)
        except OverflowError:
            return None
        if offset is None:
            return None
        span = 1 if source == TRADES else span_of(source) // _MICROSECOND
        return Bucket(interval, span_of(interval) // _MICROSECOND, offset, span)


def _window(bucket: Bucket, start: datetime, end: datetime | None) -> tuple[datetime, datetime | None]:
    """From the first whole bucket to the end of the last; a row before that reaches into it would be noticed."""
    start_us = to_us(start)
    first = start_us + (bucket.offset_us - start_us) % bucket.width_us
    last = None
    if end is not None:
        end_us = to_us(end)
        last = from_us(end_us - (end_us - bucket.offset_us) % bucket.width_us + bucket.width_us - 1)
    return from_us(first - bucket.span_us + 1), last
