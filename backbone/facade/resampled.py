"""Bars of wider intervals made of finer ones that are stored, by trading session.

Which intervals make which is in `backbone.quality.resample`, which of them a query needs in `backbone.facade.planning`;
here is decided what is read for it: the widest interval that fits, from before the window begins, so that the first
bar is whole, and where it leaves gaps the next finer one (`backbone.quality.layers`); for the newest few, a guess of
how far back. Of a symbol that has no bars at all, they are made of its trades, where the window has a beginning or a
limit. Where the store can count them by itself (`backbone.facade.aggregated`), it does.

For example the newest 10 bars of 4h where 1h and 15m are stored: 1h is taken, read from midnight about 20 bars (and ten
days) back; where that gives fewer than 10, because of a holiday, all is read. Where the last hours are missing, the 15m
of these hours are read, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from backbone.domain import Frame
from backbone.domain.arguments import shown
from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.threads import in_thread
from backbone.facade.aggregated import Aggregator
from backbone.facade.holdings import Intervals
from backbone.facade.planning import Complete, Plan, plan, reach, refusal
from backbone.quality.instruments import Instruments
from backbone.settings import Settings
from backbone.store.errors import StoreUnavailable
from backbone.store.records import Query

__all__ = ["Resampler", "Stored", "lacking"]

T = TypeVar("T")

_log = logging.getLogger("backbone")

_ROWS_INLINE = 5_000  # what can be resampled in a few milliseconds
_MARGIN = timedelta(days=2)  # a bar may bear a date that its session began before, and end after
_PERIODS = ("1wk", "1mo", "3mo")
_MOST_SAID = 1000


class Stored(Protocol):
    """What is stored, as the reader of this backbone sees it."""

    async def stored(self, query: Query) -> Frame:
        """Rows as they are stored."""

    async def intervals(self, dimension: Dimension, *, of: Sequence[str] = ()) -> Intervals:
        """What is stored of a dimension; no less than this backbone has written of some symbols."""

    async def glance(self, dimension: Dimension, symbols: Sequence[str]) -> Intervals:
        """The same for who has rows of these symbols in hand already."""

    def known(self, dimension: Dimension) -> Intervals:
        """The same as it was known last, without asking."""

    def written(self, dimension: Dimension) -> tuple[str, ...]:
        """The symbols of which this backbone has written rows."""


def lacking(frame: Frame, symbols: Sequence[str]) -> set[str]:
    """The symbols that a frame was read for and has no rows of; to know that of one alone, no row is looked at."""
    if len(symbols) == 1 and frame.num_rows:
        return set()
    return set(symbols) - set(frame.symbols)


class Resampler:
    """Makes bars.

    Args:
        rows: what is stored.
        settings: the trading calendars.
    """

    def __init__(self, rows: Stored, settings: Settings) -> None:
        self._rows = rows
        self._instruments = Instruments(settings)
        self._by_store = Aggregator(rows, self._instruments)
        self.settings = settings
        self._complete = Complete()
        self._said: set[str] = set()

    async def bars(self, query: Query) -> Frame:
        """Bars of the interval asked for: those stored, and where a symbol has none, made of its finer ones.

        Raises:
            ValueError: the interval can't be made of what is stored.
        """
        if query.dimension is Dimension.DAILY_BARS:
            return await self._of_daily(query)
        direct = await self._rows.stored(query)
        try:
            sources = await self._sources(query, direct)
        except StoreUnavailable:
            if not direct.num_rows:
                raise
            return direct
        if not sources and not query.symbols and not direct.num_rows:
            self._refuse_unmakeable(query)
        made = [await self._made(query, symbols, layers) for layers, symbols in sources.items()]
        return _newest(Frame.concat([*made, direct]), query.limit) if made else direct

    async def _of_daily(self, query: Query) -> Frame:
        interval = query.interval
        stored = msgspec.structs.replace(query, interval=None)
        if interval in (None, "1d"):
            return await self._rows.stored(stored)
        if interval not in _PERIODS:
            raise ValueError(
                f"interval={interval} given, but daily_bars are stored per day; allowed: 1d, {', '.join(_PERIODS)}; "
                "intraday_bars has finer ones, if they were ingested"
            )
        return await self._made(query, query.symbols, ("1d",))

    async def _sources(self, query: Query, direct: Frame) -> Plan:
        """What is to be made of which intervals, because the bars of the one asked for are not all there is."""
        if query.symbols and not lacking(direct, query.symbols):
            stored = await self._rows.glance(query.dimension, query.symbols)
            spans = [stored.get(symbol, {}) for symbol in query.symbols]
            if all(len(each) < 2 for each in spans) or self._complete.holds(query, direct, spans):
                return {}
            finer = (await self._plan(query, direct, stored))[0]
            if not finer:
                self._complete.note(query, direct, spans)
            return finer
        symbols = query.symbols or self._rows.written(query.dimension)
        stored = await self._rows.intervals(query.dimension)
        finer, refused = await self._plan(query, direct, stored)
        if refused or not set(symbols) <= stored.keys():
            stored = await self._rows.intervals(query.dimension, of=symbols)
            finer, refused = await self._plan(query, direct, stored)
        if refused:
            raise ValueError(refused)
        return finer

    async def _plan(self, query: Query, direct: Frame, stored: Intervals) -> tuple[Plan, str]:
        several = [symbol for symbol in query.symbols or stored if len(stored.get(symbol, ())) > 1]
        await self._instruments.load(several, judging=True)
        return plan(query, direct, stored, self._instruments.calendar_at_hand, self._say)

    def _say(self, symbol: str, text: str) -> None:
        """Once of each symbol: it is asked for again and again."""
        if symbol not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(symbol)
            _log.warning("%s: %s", shown(symbol), text)

    def _refuse_unmakeable(self, query: Query) -> None:
        """Nothing of the interval is stored, nor what it could be made of: an empty answer would say nothing."""
        there = {interval for spans in self._rows.known(query.dimension).values() for interval in spans}
        if there and query.interval not in there:
            raise ValueError(refusal(query.interval or "", "any symbol", there))

    async def _made(self, query: Query, symbols: Sequence[str], layers: Sequence[str]) -> Frame:
        """The bars that begin within the window, whole: what is read begins before it and ends after it.

        For the newest few a window of their length is tried first, a generous one; holidays and gaps may still be
        longer, then everything is read.
        """
        whole = partial(self._window, query, symbols, layers)
        if query.limit is None:
            return await whole(query.start)
        begin = await self._begin(query, symbols, layers)
        if begin is not None and (query.start is None or begin > query.start):
            frame = await whole(begin)
            if frame.num_rows >= query.limit:
                return frame.newest(query.limit)
        return (await whole(query.start)).newest(query.limit)

    async def _begin(self, query: Query, symbols: Sequence[str], layers: Sequence[str]) -> datetime | None:
        """Midnight from which on there should be as many bars as asked for; None: nothing is stored, or all is."""
        from backbone.quality.resample import span_of

        latest = await self._latest(query, symbols, layers)
        if latest is None or query.limit is None or query.interval is None:
            return None
        newest = latest if query.end is None else min(latest, query.end)
        span = span_of(query.interval)
        closed = 2 if span >= timedelta(days=1) else 6  # a stock's session is a fifth of the hours of a week
        begin = _shifted(newest, -(closed * query.limit * span.total_seconds()) - timedelta(days=10).total_seconds())
        return None if begin is None else begin.replace(hour=0, minute=0, second=0, microsecond=0)

    async def _latest(self, query: Query, symbols: Sequence[str], layers: Sequence[str]) -> datetime | None:
        """About the newest moment of what bars are made of; None: there is nothing."""
        from backbone.quality.resample import TRADES

        if TRADES in layers:
            return (await self._rows.stored(Query(Dimension.TRADES, tuple(symbols), end=query.end, limit=1))).end
        stored = await self._rows.intervals(query.dimension)
        of = [stored[symbol] for symbol in symbols or stored if symbol in stored]
        latest = max((last for spans in of for _, last in spans.values()), default=None)
        return None if latest is None else from_us(latest)

    async def _window(
        self, query: Query, symbols: Sequence[str], layers: Sequence[str], start: datetime | None
    ) -> Frame:
        await self._instruments.load(symbols)
        layers = self._within(query, symbols, layers, start)
        made = await (
            self._of_one(query, symbols, layers[0], start)
            if len(layers) == 1
            else self._of_several(query, symbols, layers, start)
        )
        return made.select(start=start, end=query.end)

    def _within(
        self, query: Query, symbols: Sequence[str], layers: Sequence[str], start: datetime | None
    ) -> Sequence[str]:
        """The layers that have rows within the window and its margins, at least one."""
        if len(layers) == 1:
            return layers
        read = self._finer(query, symbols, layers[0], start)
        found = [each for each in layers if reach(self._spans(query, symbols, each), each, read.start, read.end)]
        return found or layers[:1]

    def _spans(self, query: Query, symbols: Sequence[str], layer: str) -> Mapping[str, tuple[int, int]]:
        known = self._rows.known(query.dimension)
        return {symbol: known[symbol][layer] for symbol in symbols if layer in known.get(symbol, {})}

    async def _of_one(self, query: Query, symbols: Sequence[str], source: str, start: datetime | None) -> Frame:
        from backbone.quality.resample import resample

        if source == query.interval:
            return await self._rows.stored(
                msgspec.structs.replace(query, symbols=tuple(symbols), start=start, limit=None)
            )
        newest = None if query.end is not None else await self._latest(query, symbols, (source,))
        by_store = await self._by_store.bars(query, symbols, source, start, newest)
        if by_store is not None:
            return by_store
        frame = await self._rows.stored(self._finer(query, symbols, source, start))
        await self._instruments.load(frame.symbols)
        return await self._work(
            frame.num_rows, partial(resample, frame, source, query.interval or source, self._instruments.calendar_of)
        )

    async def _of_several(
        self, query: Query, symbols: Sequence[str], layers: Sequence[str], start: datetime | None
    ) -> Frame:
        """The widest layer is read as a whole, of the others what those before them leave open."""
        from backbone.quality.layers import Layers

        several, rows = Layers(query.interval or "", self._instruments.calendar_of), 0
        for number, source in enumerate(layers):
            read = self._finer(query, symbols, source, start)
            if number:
                spans = reach(self._spans(query, symbols, source), source, read.start, read.end)
                left = several.uncovered(spans)
                if left is None:
                    continue
                goes_on = left[1] >= max(last for _, last in spans.values())  # newer rows may have come
                end = read.end if goes_on else from_us(int(left[1].astype(np.int64)))
                read = msgspec.structs.replace(read, start=_midnight(left[0]), end=end)
            frame = await self._rows.stored(read)
            rows += frame.num_rows
            await self._instruments.load(frame.symbols)
            await self._work(frame.num_rows, partial(several.add, source, frame))
        return await self._work(rows, several.bars)

    def _finer(self, query: Query, symbols: Sequence[str], source: str, start: datetime | None) -> Query:
        """What is read of a source for the bars of a window: from before it, and beyond its end."""
        from backbone.quality.resample import TRADES, span_of

        after = (_MARGIN + span_of(query.interval or source)).total_seconds()
        return msgspec.structs.replace(
            query,
            symbols=tuple(symbols),
            dimension=Dimension.TRADES if source == TRADES else query.dimension,
            interval=source if query.dimension.has_interval and source != TRADES else None,
            start=_shifted(start, -_MARGIN.total_seconds()),
            end=_shifted(query.end, after),
            limit=None,
        )

    async def _work(self, rows: int, work: Callable[[], T]) -> T:
        inline = rows <= _ROWS_INLINE or self.settings.store.inline
        return work() if inline else await in_thread(work)


def _newest(frame: Frame, limit: int | None) -> Frame:
    return frame if limit is None else frame.newest(limit)


def _shifted(moment: datetime | None, seconds: float) -> datetime | None:
    """A moment so many seconds later; None, that is open, where the calendar does not go so far."""
    try:
        return None if moment is None else moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _midnight(moment: np.datetime64) -> datetime:
    """That before a moment, so that who asks again a little later asks the same."""
    return from_us(int(moment.astype("datetime64[D]").astype("datetime64[us]").astype(np.int64)))
