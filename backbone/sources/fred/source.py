"""FRED as a source of macro events: the calendar of releases, and series with their revisions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

from backbone.domain.clock import utc_now
from backbone.domain.dimension import Dimension
from backbone.settings import Settings
from backbone.sources.asking import Provider, providers_of
from backbone.sources.fred.asking import Fred
from backbone.sources.fred.calendar import CALENDAR, releases
from backbone.sources.fred.series import Series
from backbone.sources.fred.times import ReleaseTimes
from backbone.sources.http.opening import Connection
from backbone.sources.port import SourceChunk

__all__ = ["FredSource"]

_SERIES: Final = re.compile(r"[A-Z0-9_.\-]{1,60}")


class FredSource(Provider):
    """Asks FRED for macro events.

    Args:
        dimension: macro_events.
        symbols: ``FRED`` for the calendar of releases, others are names of series; none: the calendar.
        start: see Provider; of a series, the first date of its values.
        end: see Provider; of the calendar without it, some days to come.
        settings: the key, where FRED is, and how it is asked.
        now: the wall clock.
        connection: how it is spoken to; None: as the settings say.

    Raises:
        ValueError: a symbol is no name of a series, or the dimension is another.
    """

    name: ClassVar[str] = "fred"

    def __init__(
        self,
        dimension: Dimension | str,
        *,
        symbols: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        settings: Settings | None = None,
        now: Callable[[], datetime] = utc_now,
        connection: Connection | None = None,
    ) -> None:
        providers = providers_of(settings)
        chosen = providers.fred
        if Dimension.parse(dimension) is not Dimension.MACRO_EVENTS:
            raise ValueError(f"{dimension} asked of fred; it has {Dimension.MACRO_EVENTS}")
        super().__init__(
            Dimension.MACRO_EVENTS,
            _names(symbols),
            start=start,
            end=end,
            lag=timedelta(days=chosen.lag_days),
            lookback=timedelta(days=chosen.lookback_days),
            now=now,
        )
        self._connection = connection or Connection(providers)
        self._fred = Fred(chosen, self._connection)
        self._times = ReleaseTimes(chosen.release_times)
        self._ahead = timedelta(days=chosen.ahead_days)
        self._page_rows, self._vintages = chosen.page_rows, chosen.vintages

    def rows_of(self, symbol: str) -> Iterator[SourceChunk]:
        """The rows of the calendar, or of one series."""
        start, today = self.start_of(symbol), self._now()
        if symbol == CALENDAR:
            yield from releases(self._fred, self._times, min(start, today), self._end or today + self._ahead)
            return
        series = Series(self._fred, symbol, self._times, self._page_rows, today)
        if self._vintages:
            yield from series.vintages(start, self.end)
        else:
            yield from series.newest(start, self.end)

    def stop(self) -> None:
        """Give up what is being waited for."""
        self._connection.stop()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


def _names(symbols: Sequence[str]) -> tuple[str, ...]:
    names = tuple(each.strip().upper() for each in symbols) or (CALENDAR,)
    for each in names:
        if not _SERIES.fullmatch(each):
            raise ValueError(f"symbol {each!r} given; fred's series have 1 to 60 letters, digits and any of _ . -")
    return names
