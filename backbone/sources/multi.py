"""Several providers as one source: the first gives the rows, the next what it lacks, and they are held together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from backbone.domain import Frame
from backbone.domain.clock import utc_now
from backbone.domain.dimension import Dimension
from backbone.settings import Settings
from backbone.settings.redaction import redact
from backbone.sources.agreeing import compared
from backbone.sources.asking import Provider, providers_of
from backbone.sources.errors import SourceError
from backbone.sources.port import BadRow, Cursor, ProviderSource, Source, SourceChunk
from backbone.sources.registry import available_sources, built_in, open_source, reads_file

__all__ = ["MultiSource"]


class MultiSource(Provider):
    """Asks the providers of `providers.multi.providers` for each symbol, and stitches their rows by priority.

    Where two have a row, that of the first counts. What each lacks, how old its newest row is and how far its closes
    differ is noted; a provider that is refused is noted, and the others do.

    Args:
        dimension: of the rows.
        symbols: to ask for.
        interval: of bars.
        start: see Provider.
        end: see Provider.
        settings: whom to ask, and what is noted.
        now: the wall clock.
        **options: for each of the providers.

    Raises:
        ValueError: no providers are named, or one of them reads files, is not there or is this one.
    """

    name: ClassVar[str] = "multi"

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
        **options: Any,
    ) -> None:
        self._settings = settings
        providers = providers_of(settings)
        self._limits = limits = providers.multi
        self._kinds = _kinds(limits.providers)
        self._interval = interval
        self._options = options
        self._open: Source | None = None
        self._stopped = False
        if not symbols:
            raise ValueError("no symbols given; name those to ask providers for")
        super().__init__(
            Dimension.parse(dimension),
            symbols,
            start=start,
            end=end,
            lag=timedelta(days=providers.yahoo.lag_days),
            lookback=timedelta(days=providers.yahoo.lookback_days),
            now=now,
        )

    def rows_of(self, symbol: str) -> Iterator[SourceChunk]:
        """The rows of one symbol."""
        frames: dict[str, Frame] = {}
        bad: list[BadRow] = []
        refused: list[SourceError] = []
        for kind in self._kinds:
            try:
                chunks = list(self._asked(kind, symbol))
            except SourceError as error:
                refused.append(error)
                self.account.note(f"{symbol}: {kind} gave nothing: {redact(str(error))}")
                continue
            if any(chunk.known_at is not None for chunk in chunks):
                text = f"{kind} has revisions, of which the newest alone are taken"
                self.account.note(f"{symbol}: warn: {text}; ingest from {kind} by itself to keep them all")
            bad += [row for chunk in chunks for row in chunk.quarantined]
            frames[kind] = Frame.concat([Frame.empty(self.dimension), *(chunk.frame for chunk in chunks)])
        if not frames:
            raise refused[0]
        whole = Frame.concat([frames[kind] for kind in reversed(self._kinds) if kind in frames])
        for words in compared(frames, whole, self._limits):
            self.account.note(f"{symbol}: {words}")
        yield SourceChunk(whole, tuple(bad), "", 0)

    def stop(self) -> None:
        """Give up what is being waited for."""
        self._stopped = True
        if isinstance(self._open, ProviderSource):
            self._open.stop()

    def close(self) -> None:
        """Nothing stays open between two providers."""

    def _asked(self, kind: str, symbol: str) -> Iterator[SourceChunk]:
        if self._stopped:
            raise SourceError("stopped before all providers had answered; start the same plan again")
        start = self.start_of(symbol)
        offered: Mapping[str, Any] = {
            **self._options,
            "symbols": (symbol,),
            "symbol": symbol,
            "start": start if self._start is not None or not built_in(kind) else None,
            "end": self.end,
            "settings": self._settings,
            "now": self._now,
        }
        outside: tuple[type[Exception], ...] = (ValueError,) if built_in(kind) else (Exception,)
        try:
            self._open = open_source(kind, offered, dimension=self.dimension, interval=self._interval)
            if built_in(kind) and isinstance(self._open, ProviderSource):  # where no start is named, it may keep less
                self._open.follow(Cursor({symbol: start + self._open.lag}, self._open.lag))
            for chunk in self._open.chunks():
                yield self._of_dimension(chunk)
        except SourceError:
            raise
        except outside as error:
            text = str(error) if built_in(kind) else f"{type(error).__name__}: {error}"
            raise SourceError(text) from error
        finally:
            for words in getattr(getattr(self._open, "account", None), "notes", ()):
                self.account.note(f"{kind}: {words}")
            self._open = None

    def _of_dimension(self, chunk: SourceChunk) -> SourceChunk:
        if chunk.frame.dimension is not self.dimension:
            raise SourceError(f"it gave {chunk.frame.dimension}; {self.dimension} were asked for")
        return chunk


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(each.strip().lower() for each in text.split(",") if each.strip()))
    there = [kind for kind in available_sources() if kind != MultiSource.name and not reads_file(kind)]
    wrong = [kind for kind in kinds if kind not in there]
    if not kinds or wrong:
        raise ValueError(f"providers.multi.providers={text!r} given; allowed are several of {', '.join(there)}")
    return kinds
