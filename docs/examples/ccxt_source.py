from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any

from backbone import Frame
from backbone.domain.clock import from_us, interval_duration, to_us, utc_now
from backbone.sources.errors import InputInvalid, SourceError, SourceUnavailable
from backbone.sources.port import BadRow, Cursor, Progress, SourceChunk

COLUMNS = ("open", "high", "low", "close", "volume")
PAGE = 500


class CcxtSource:
    """Bars of one exchange that ccxt knows; the name of the exchange is the name of the source."""

    lag = timedelta(hours=1)

    def __init__(
        self,
        exchange: str,
        dimension: str,
        *,
        symbols: Sequence[str],
        interval: str,
        start: datetime | None = None,
        end: datetime | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = exchange
        self.ccxt: Any = import_module("ccxt")
        self.exchange = getattr(self.ccxt, exchange)({"enableRateLimit": True, "timeout": 10_000})
        self.dimension, self.symbols, self.interval = dimension, symbols, interval
        self.start, self.end, self.now = start, end, now
        self.step = interval_duration(interval)
        self.cursor, self.stopped = Cursor(), False

    def follow(self, cursor: Cursor) -> None:
        self.cursor = cursor

    def stop(self) -> None:
        self.stopped = True

    def describe(self) -> str:
        return f"{self.interval} bars of {', '.join(self.symbols)} at {self.name}"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        read, refused = 0, dict[str, SourceError]()
        for number, symbol in enumerate(self.symbols, 1):
            try:
                for rows, bad in self.pages(symbol):
                    read += len(rows) + len(bad)
                    yield SourceChunk(Frame.from_records(self.dimension, rows), tuple(bad), symbol, read)
            except SourceError as error:
                refused[symbol] = error
            if progress is not None:
                progress(Progress(read, number, len(self.symbols), "symbols"))
        if len(refused) == len(self.symbols):
            raise next(iter(refused.values()))
        bad = [BadRow(f"{self.name} {symbol}", str(error), symbol) for symbol, error in refused.items()]
        if bad:
            yield SourceChunk(Frame.empty(self.dimension), tuple(bad), "refused", read + len(bad))

    def pages(self, symbol: str) -> Iterator[tuple[list[dict[str, Any]], list[BadRow]]]:
        since = self.start or self.cursor.start(symbol) or self.now() - PAGE * self.step
        end = min(self.end or self.now(), self.now() - self.step)  # what is not over yet is no bar
        while since <= end and not self.stopped:
            candles = self.asked(symbol, since)
            rows, bad, moments = [], [], []
            for candle in candles:
                try:
                    moment = from_us(int(candle[0]) * 1000)
                    values = {name: float(value) for name, value in zip(COLUMNS, candle[1:], strict=True)}
                except (TypeError, ValueError) as error:
                    bad.append(BadRow(f"{self.name} {symbol} {candle!r:.40}", str(error), f"{candle!r:.200}"))
                    continue
                moments.append(moment)
                if since <= moment <= end:
                    rows.append({"symbol": symbol, "interval": self.interval, "ts": moment, **values})
            yield rows, bad
            newest = max(moments, default=since - self.step)
            if newest < since:  # it has no more, or gives again what it gave
                return
            since = newest + self.step

    def asked(self, symbol: str, since: datetime) -> list[list[Any]]:
        try:
            found: list[list[Any]] = self.exchange.fetch_ohlcv(symbol, self.interval, to_us(since) // 1000, PAGE)
        except self.ccxt.NetworkError as error:
            raise SourceUnavailable(f"{self.name} gives no answer of {symbol}: {error}") from error
        except self.ccxt.BaseError as error:
            raise InputInvalid(f"{self.name} refuses {symbol}: {error}") from error
        return found


kraken = partial(CcxtSource, "kraken")
binance = partial(CcxtSource, "binance")
