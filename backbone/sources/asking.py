"""What providers share: symbol after symbol, and what is refused of one costs no other one its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from backbone.domain import Dimension, Frame
from backbone.domain.clock import utc_now
from backbone.settings import Settings
from backbone.settings.redaction import redact
from backbone.settings.sections.providers import ProvidersSettings
from backbone.sources.errors import InputInvalid, SourceError, SourceUnavailable, SourceUnset
from backbone.sources.port import Account, BadRow, Cursor, Progress, SourceChunk, excerpt

__all__ = ["Provider", "providers_of"]


class Provider(ABC):
    """Asks for the rows of several symbols, one after the other.

    Args:
        dimension: what the rows are.
        symbols: whom to ask for, in this order.
        start: rows from this moment on; None: from what is stored, or `lookback` before now.
        end: rows up to this moment; None: up to now.
        lag: see `backbone.sources.port.Cursor`.
        lookback: how far back is asked where nothing is stored and no start is given.
        now: the wall clock.

    Attributes:
        account: what else is to be said of what came.
    """

    name: ClassVar[str]

    def __init__(
        self,
        dimension: Dimension,
        symbols: Sequence[str],
        *,
        start: datetime | None,
        end: datetime | None,
        lag: timedelta,
        lookback: timedelta,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.dimension = dimension
        self.symbols = tuple(dict.fromkeys(symbols))
        self.lag = lag
        self.account = Account()
        self._start = start
        self._end = end
        self._lookback = lookback
        self._now = now
        self._cursor = Cursor()

    def follow(self, cursor: Cursor) -> None:
        """Go on from there, where no times are given."""
        self._cursor = cursor

    def describe(self) -> str:
        """Whom it asks for what."""
        return f"{self.name} {', '.join(self.symbols[:5])}{', …' if len(self.symbols) > 5 else ''} ({self.dimension})"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        """The rows of all symbols; those of which nothing can be had come last, as bad rows with the reason.

        Raises:
            SourceError: nothing can be had of any of them.
        """
        self.account = Account()
        refused: dict[str, SourceError] = {}
        rows_read = 0
        try:
            for number, symbol in enumerate(self.symbols, 1):
                try:
                    for chunk in self.rows_of(symbol):
                        rows_read += _rows(chunk)
                        yield replace(chunk, token=f"{symbol}:{rows_read}", rows_read=rows_read)
                except SourceUnset:
                    raise
                except SourceError as error:
                    refused[symbol] = error
                except ValueError as error:  # a text that no frame holds, a moment beyond all years
                    refused[symbol] = InputInvalid(f"{symbol}: {error}")
                if progress is not None:
                    progress(Progress(rows_read, number, len(self.symbols), "symbols"))
            if refused:
                yield self._refused(refused, rows_read)
        finally:
            self.close()

    def start_of(self, symbol: str) -> datetime:
        """From which moment on a symbol is asked for."""
        if self._start is not None:
            return self._start
        return self._cursor.start(symbol) or (self._end or self._now()) - self._lookback

    @property
    def end(self) -> datetime:
        """Up to which moment is asked."""
        return self._now() if self._end is None else self._end

    @abstractmethod
    def rows_of(self, symbol: str) -> Iterator[SourceChunk]:
        """The rows of one symbol; token and rows_read are filled in by `chunks`.

        Raises:
            SourceUnset: nobody can be asked at all.
            SourceError: nothing more can be had of this symbol.
        """

    @abstractmethod
    def stop(self) -> None:
        """Give up what is being waited for."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened; called when the chunks end, in whatever way."""

    def _refused(self, refused: dict[str, SourceError], rows_read: int) -> SourceChunk:
        """The symbols of which something was refused, as bad rows.

        Raises:
            SourceError: there is no other symbol.
        """
        if len(refused) == len(self.symbols):
            raise _all_of(self.name, refused)
        bad = tuple(BadRow(f"{self.name} {each}", redact(str(why)), excerpt(each)) for each, why in refused.items())
        return SourceChunk(Frame.empty(self.dimension), bad, "refused", rows_read + len(bad))


def providers_of(settings: Settings | None) -> ProvidersSettings:
    """How providers are asked; by the defaults where no settings are given."""
    return ProvidersSettings() if settings is None else settings.providers


def _rows(chunk: SourceChunk) -> int:
    return (chunk.frame if chunk.given is None else chunk.given).num_rows + len(chunk.quarantined)


def _all_of(name: str, refused: dict[str, SourceError]) -> SourceError:
    """One error for all symbols: that of a host that may answer later, if there is one."""
    passing = [each for each in refused.values() if isinstance(each, SourceUnavailable)]
    told = passing[0] if passing else next(iter(refused.values()))
    symbols = list(refused)
    text = f"{name} {', '.join(symbols[:3])}{', …' if len(symbols) > 3 else ''}: {redact(str(told))}"
    if isinstance(told, SourceUnavailable):
        waits = [each.retry_after for each in passing if each.retry_after is not None]
        return SourceUnavailable(text, retry_after=max(waits, default=None))
    return type(told)(text)
