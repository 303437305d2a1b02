"""Bars of wider intervals made of finer ones that are stored, by trading session.

Which intervals make which is in `backbone.quality.resample`; here is decided what is read for it: the widest interval
that fits, from before the window begins, so that the first bar is whole; for the newest few, a guess of how far back.
Of a symbol that has no bars at all, they are made of its trades, where the window has a beginning or a limit. Where the
store can count them by itself (`backbone.facade.aggregated`), it does.

For example the newest 10 bars of 4h where 1h and 15m are stored: 1h is taken, read from midnight about 20 bars (and ten
days) back; where that gives fewer than 10, because of a holiday, all is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import msgspec

from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.domain.text import written_out
from backbone.domain.threads import in_thread
from backbone.facade.aggregated import Aggregator
from backbone.quality.calendars import calendar_of
from backbone.settings import Settings
from backbone.store.errors import StoreUnavailable
from backbone.store.records import Coverage, Query

__all__ = ["Resampler", "Stored", "lacking"]

_ROWS_INLINE = 5_000  # what can be resampled in a few milliseconds
_MARGIN = timedelta(days=2)  # a bar may bear a date that its session began before, and end after
_PERIODS = ("1wk", "1mo", "3mo")


class Stored(Protocol):
    """What is stored, as the reader of this backbone sees it."""

    async def stored(self, query: Query) -> Frame:
        """Rows as they are stored."""

    async def coverage(self, dimension: Dimension, *, of: Sequence[str] | None = None) -> Sequence[Coverage]:
        """What is stored of a dimension; with `of`, no less than this backbone has written of these symbols."""

    def known(self, dimension: Dimension) -> Sequence[Coverage]:
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
        self._by_store = Aggregator(rows, settings.quality)
        self.settings = settings

    async def bars(self, query: Query) -> Frame:
        """Bars of the interval asked for: those stored, and where a symbol has none, made of its finer ones.

        Raises:
            ValueError: the interval can't be made of what is stored.
        """
        if query.dimension is Dimension.DAILY_BARS:
            return await self._of_daily(query)
        direct = await self._rows.stored(query)
        if query.symbols and not lacking(direct, query.symbols):
            return direct
        try:
            sources = await self._sources(query)
        except StoreUnavailable:
            if not direct.num_rows:
                raise
            return direct
        if not sources and not query.symbols and not direct.num_rows:
            self._refuse_unmakeable(query)
        made = [await self._made(query, symbols, finer) for finer, symbols in sources.items()]
        return _newest(Frame.concat([direct, *made]), query.limit) if made else direct

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

    async def _sources(self, query: Query) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Symbols that do not have the interval, by the intervals that it can be made of, widest first."""
        symbols = query.symbols or self._rows.written(query.dimension)
        stored = _intervals(await self._rows.coverage(query.dimension))
        finer, refused = _plan(query, stored)
        if refused or not set(symbols) <= set(stored):
            stored = _intervals(await self._rows.coverage(query.dimension, of=symbols))
            finer, refused = _plan(query, stored)
        if refused:
            raise ValueError(refused)
        return finer

    def _refuse_unmakeable(self, query: Query) -> None:
        """Nothing of the interval is stored, nor what it could be made of: an empty answer would say nothing."""
        stored = _intervals(self._rows.known(query.dimension))
        there = set[str]().union(*stored.values())
        if there and query.interval not in there:
            raise ValueError(_refusal(query.interval or "", "any symbol", there))

    async def _made(self, query: Query, symbols: Sequence[str], finer: Sequence[str]) -> Frame:
        """Bars made of the widest of the finer intervals whose bars each lie within one of them."""
        from backbone.quality.resample import CrossesEdge

        for source in finer[:-1]:
            try:
                return await self._made_of(query, symbols, source)
            except CrossesEdge:
                continue
        return await self._made_of(query, symbols, finer[-1])

    async def _made_of(self, query: Query, symbols: Sequence[str], source: str) -> Frame:
        """The bars that begin within the window, whole: what is read begins before it and ends after it.

        For the newest few a window of their length is tried first, a generous one; holidays and gaps may still be
        longer, then everything is read.
        """
        whole = partial(self._window, query, symbols, source)
        if query.limit is None:
            return await whole(query.start)
        begin = await self._begin(query, symbols, source)
        if begin is not None and (query.start is None or begin > query.start):
            frame = await whole(begin)
            if frame.num_rows >= query.limit:
                return frame.newest(query.limit)
        return (await whole(query.start)).newest(query.limit)

    async def _begin(self, query: Query, symbols: Sequence[str], source: str) -> datetime | None:
        """Midnight from which on there should be as many bars as asked for; None: nothing is stored, or all is."""
        from backbone.quality.resample import span_of

        latest = await self._latest(query, symbols, source)
        if latest is None or query.limit is None or query.interval is None:
            return None
        newest = latest if query.end is None else min(latest, query.end)
        span = span_of(query.interval)
        closed = 2 if span >= timedelta(days=1) else 6  # a stock's session is a fifth of the hours of a week
        begin = _shifted(newest, -(closed * query.limit * span.total_seconds()) - timedelta(days=10).total_seconds())
        return None if begin is None else begin.replace(hour=0, minute=0, second=0, microsecond=0)

    async def _latest(self, query: Query, symbols: Sequence[str], source: str) -> datetime | None:
        """About the newest moment of what bars are made of; None: there is nothing."""
        from backbone.quality.resample import TRADES

        if source == TRADES:
            return (await self._rows.stored(Query(Dimension.TRADES, tuple(symbols), end=query.end, limit=1))).end
        coverage = await self._rows.coverage(query.dimension)
        return max((each.latest for each in coverage if not symbols or each.symbol in symbols), default=None)

    async def _window(self, query: Query, symbols: Sequence[str], source: str, start: datetime | None) -> Frame:
        from backbone.quality.resample import TRADES, resample, span_of

        newest = None if query.end is not None else await self._latest(query, symbols, source)
        by_store = await self._by_store.bars(query, symbols, source, start, newest)
        if by_store is not None:
            return by_store
        interval = query.interval or source
        after = (_MARGIN + span_of(interval)).total_seconds()
        finer = msgspec.structs.replace(
            query,
            symbols=tuple(symbols),
            dimension=Dimension.TRADES if source == TRADES else query.dimension,
            interval=source if query.dimension.has_interval and source != TRADES else None,
            start=_shifted(start, -_MARGIN.total_seconds()),
            end=_shifted(query.end, after),
            limit=None,
        )
        frame = await self._rows.stored(finer)
        work = partial(resample, frame, source, interval, lambda symbol: calendar_of(self.settings.quality, (symbol,)))
        if frame.num_rows <= _ROWS_INLINE or self.settings.store.inline:
            made = work()
        else:
            made = await in_thread(work)
        return made.select(start=start, end=query.end)


def _intervals(coverage: Iterable[Coverage]) -> dict[str, set[str]]:
    """Intervals stored, by symbol."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in coverage:
        if each.interval is not None:
            found[each.symbol].add(each.interval)
    return dict(found)


def _plan(query: Query, stored: dict[str, set[str]]) -> tuple[dict[tuple[str, ...], tuple[str, ...]], str]:
    """What to make of what, and why a symbol that was named can't be served."""
    from backbone.quality.resample import TRADES, made_of, span_of

    interval = query.interval or ""
    bounded = query.start is not None or query.limit is not None
    of_trades = bounded and query.dimension.has_interval and span_of(interval) < timedelta(days=1)
    sources: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for symbol in query.symbols or sorted(stored):
        there = stored.get(symbol, set())
        if interval in there:
            continue
        finer = tuple(each for each in made_of(interval) if each in there)
        if finer:
            sources[finer].append(symbol)
        elif there and query.symbols:
            return {}, _refusal(interval, f" of {written_out(symbol)}", there)
        elif of_trades and query.symbols:
            sources[(TRADES,)].append(symbol)
    if stored and not query.symbols and not sources and not any(interval in there for there in stored.values()):
        return {}, _refusal(interval, "", set().union(*stored.values()))
    return {finer: tuple(symbols) for finer, symbols in sources.items()}, ""


def _refusal(interval: str, of: str, stored: set[str]) -> str:
    from backbone.domain.clock import INTERVALS
    from backbone.quality.resample import made_of

    there = [each for each in INTERVALS if each in stored]
    allowed = [each for each in INTERVALS if each in stored or stored.intersection(made_of(each))]
    return (
        f"interval={interval} given, but {interval} bars{of} are not stored and can't be made of those that "
        f"are ({', '.join(there)}); allowed: {', '.join(allowed)}; or ingest bars of {interval} or finer"
    )


def _newest(frame: Frame, limit: int | None) -> Frame:
    return frame if limit is None else frame.newest(limit)


def _shifted(moment: datetime | None, seconds: float) -> datetime | None:
    """A moment so many seconds later; None, that is open, where the calendar does not go so far."""
    try:
        return None if moment is None else moment + timedelta(seconds=seconds)
    except OverflowError:
        return None
