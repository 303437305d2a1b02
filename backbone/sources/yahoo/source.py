"""Yahoo as a source: daily and intraday bars, trades made of them, dividends and splits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

from backbone.domain.clock import parse_interval, utc_now
from backbone.domain.dimension import Dimension
from backbone.settings import Settings
from backbone.sources.asking import Provider, providers_of
from backbone.sources.http.opening import Connection
from backbone.sources.port import SourceChunk
from backbone.sources.yahoo.actions import actions_of
from backbone.sources.yahoo.asking import EPOCH, Charts, kept_since, windows
from backbone.sources.yahoo.bars import bars_of
from backbone.sources.yahoo.chart import Events

__all__ = ["YahooSource"]

_SYMBOL: Final = re.compile(r"[A-Za-z0-9_.=^\-]{1,32}")
_INTERVALS: Final = ("1m", "2m", "5m", "15m", "30m", "45m", "1h", "90m", "4h", "1d", "5d", "1wk", "1mo", "3mo")
_SERVED: Final = (Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.TRADES, Dimension.MACRO_EVENTS)


class YahooSource(Provider):
    """Asks Yahoo's chart endpoint, symbol by symbol.

    Of `daily_bars` a row is a session; `trades` are the closes of bars, with venue YAHOO and conditions HISTORICAL;
    `macro_events` are the dividends and splits, whose calendar is the symbol.

    Args:
        dimension: one of these four.
        symbols: as Yahoo has them, such as ``EURUSD=X``.
        interval: of the bars; of daily ones 1d, of trades 1m unless given.
        start: see Provider.
        end: see Provider.
        settings: where Yahoo is, and how it is asked.
        now: the wall clock, by which a bar is over.
        connection: how it is spoken to; None: as the settings say.

    Raises:
        ValueError: a symbol, the interval or the dimension is none that Yahoo has.
    """

    name: ClassVar[str] = "yahoo"

    def __init__(
        self,
        dimension: Dimension | str,
        *,
        symbols: Sequence[str] = (),
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        settings: Settings | None = None,
        now: Callable[[], datetime] = utc_now,
        connection: Connection | None = None,
    ) -> None:
        providers = providers_of(settings)
        chosen = providers.yahoo
        self._interval = _interval(Dimension.parse(dimension), interval)
        super().__init__(
            Dimension.parse(dimension),
            _symbols(symbols),
            start=start,
            end=end,
            lag=timedelta(days=chosen.lag_days),
            lookback=timedelta(days=chosen.lookback_days),
            now=now,
        )
        browser = chosen.impersonate if chosen.transport == "curl_cffi" else None
        self._connection = connection or Connection(providers, browser=browser)
        self._charts = Charts(chosen, self._connection)

    def rows_of(self, symbol: str) -> Iterator[SourceChunk]:
        """The rows of one symbol, piece by piece."""
        for start, end in windows(self._interval, self._first(symbol), self.end):
            now = self._now()
            chart = self._charts.get(symbol, self._interval, start, end)
            if self.dimension is Dimension.MACRO_EVENTS:
                yield actions_of(chart, symbol)
                continue
            if not chart.timestamp:
                self.account.note(f"{symbol}: Yahoo has no {self._interval} bars from {start:%F %R} to {end:%F %R} UTC")
            if chart.events is not None:
                self.account.note(*self._restated(symbol, chart.events, start, end))
            yield bars_of(chart, symbol, self.dimension, self._interval, now, self.account.note)

    def _restated(self, symbol: str, events: Events, start: datetime, end: datetime) -> Iterator[str]:
        """What dividends and splits mean for rows that are stored: Yahoo restates its past by them, nobody ours."""
        if actions := len(events.dividends) + len(events.splits):
            text = "ingest macro_events from yahoo to keep them"
            yield f"{symbol}: {actions} dividends and splits from {start:%F} to {end:%F}; {text}"
        stored = self._start is not None or symbol in self._cursor.newest  # or it may be
        daily = self.dimension is Dimension.DAILY_BARS
        if stored and (events.splits or (events.dividends and daily)):
            what = "prices" if events.splits else "adjusted closes"
            text = f"{symbol}: warn: Yahoo restates all earlier {what} by them"
            yield f"{text}; what is stored from before {start:%F} is as it was: fetch it again, with a start"

    def _first(self, symbol: str) -> datetime:
        """From when on Yahoo is asked: what a plan names, it is to answer itself; all there is, is what it keeps."""
        first, kept = self.start_of(symbol), kept_since(self._interval, self._now())
        if (self._start is not None and first >= EPOCH) or first >= kept:
            return first
        stored = self._cursor.newest.get(symbol)
        if stored is not None and stored < kept:
            lost = f"from {stored:%F %R} to {kept:%F %R} UTC"
            self.account.note(f"{symbol}: warn: Yahoo has no {self._interval} bars {lost} any more, and nor have we")
        return kept

    def stop(self) -> None:
        """Give up what is being waited for."""
        self._connection.stop()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


def _interval(dimension: Dimension, interval: str | None) -> str:
    if dimension not in _SERVED:
        raise ValueError(f"{dimension} asked of yahoo; it has {', '.join(_SERVED)}")
    if interval is None and dimension is Dimension.INTRADAY_BARS:
        raise ValueError(f"no interval given; name one of the bars, of {', '.join(_INTERVALS)}")
    name = parse_interval(interval or ("1m" if dimension is Dimension.TRADES else "1d"))
    if name not in _INTERVALS:
        raise ValueError(f"interval {name!r} asked of yahoo; it has {', '.join(_INTERVALS)}")
    return name


def _symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    if not symbols:
        raise ValueError("no symbols given; name those to ask yahoo for, such as EURUSD=X")
    for each in symbols:
        if not _SYMBOL.fullmatch(each):
            raise ValueError(f"symbol {each!r} given; yahoo's have 1 to 32 letters, digits and any of _ . = ^ -")
    return tuple(each.upper() for each in symbols)
