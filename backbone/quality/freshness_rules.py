"""How fresh a symbol is by the settings: its calendar, and the limit of its dimension."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.quality.freshness import Freshness, freshness
from backbone.quality.instruments import Instruments
from backbone.settings import Settings

__all__ = ["FreshnessRules"]


class FreshnessRules:
    """Judges by `quality.freshness`, and by what is known of a symbol.

    Args:
        settings: the sections `quality` and `instruments`.
        instruments: the same, where there is one already.
    """

    def __init__(self, settings: Settings, instruments: Instruments | None = None) -> None:
        self._settings = settings
        self.instruments = Instruments(settings) if instruments is None else instruments

    def of(
        self, dimension: Dimension, symbol: str, newest: datetime | None, now: datetime, interval: str | None = None
    ) -> Freshness:
        """How fresh the rows of a symbol are.

        A calendar of an exchange has to be at hand (`Instruments.load`), or it can't be told.

        Args:
            dimension: of the rows.
            symbol: of the rows.
            newest: moment of the newest one; None: there is none.
            now: as of when.
            interval: of bars.
        """
        limit = self._settings.quality.freshness.of(dimension)
        return self._judged(dimension, symbol, newest, now, interval, limit)

    def of_feed(
        self, dimension: Dimension, symbol: str, newest: datetime | None, now: datetime, interval: str | None = None
    ) -> Freshness:
        """The same by the limit of feeds."""
        limit = self._settings.quality.feeds.of(dimension)
        return self._judged(dimension, symbol, newest, now, interval, limit)

    def _judged(
        self,
        dimension: Dimension,
        symbol: str,
        newest: datetime | None,
        now: datetime,
        interval: str | None,
        limit_s: float,
    ) -> Freshness:
        calendar = self.instruments.calendar_at_hand(symbol)
        return freshness(dimension, symbol, newest, now, calendar=calendar, limit_s=limit_s, interval=interval)
