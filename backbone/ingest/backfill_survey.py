"""What is missing: each series of a request, judged by sums of what is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from backbone.domain.text import written_out
from backbone.ingest.backfill_messages import BackfillRequest, SeriesGaps
from backbone.ingest.backfill_notes import Piece
from backbone.quality.calendars import HOW_TO_NAME
from backbone.quality.coverage import BARS
from backbone.quality.gaps import Window, find_gaps, judgeable
from backbone.quality.instruments import Instruments
from backbone.quality.sessions import Calendar
from backbone.settings import Settings
from backbone.store.messages import ReadCoverage, ReadTallies
from backbone.store.records import Coverage

__all__ = ["Survey", "Surveyed"]

_NOTHING = (np.array([], "datetime64[us]"), np.array([], np.int64))


class Surveyed(NamedTuple):
    """What was found: every series, and the pieces that would fill its gaps, in order."""

    series: tuple[SeriesGaps, ...]
    pieces: tuple[Piece, ...]


class _Series(NamedTuple):
    symbol: str
    interval: str | None
    earliest: datetime | None


class Survey:
    """Looks for gaps, one symbol at a time, so that memory stays bounded.

    Args:
        request: which.
        ask: asks the store.
        settings: calendars, and how much is asked of a source at once.
    """

    def __init__(self, request: BackfillRequest, ask: Callable[[Any], Awaitable[Any]], settings: Settings) -> None:
        self._request = request
        self._dimension = request.of
        self._ask = ask
        chosen = settings.backfill
        self._most = chosen.chunk_bars if self._dimension in BARS else chosen.chunk_sessions
        kept = settings.retention
        drops = kept.enabled and settings.store.backend != "duckdb"  # of an embedded store nothing is dropped
        self._cap = timedelta(days=kept.of(self._dimension).cap) if drops else None
        self._instruments = Instruments(settings)

    async def look(self, now: datetime) -> Surveyed:
        """What is missing at this moment.

        Raises:
            ValueError: a symbol or interval is not stored, and the request does not say since when it is to be there.
            StoreUnavailable: nobody can say now.
        """
        wanted = await self._series()
        await self._instruments.load({each.symbol for each in wanted}, judging=True)
        series, pieces = list[SeriesGaps](), list[Piece]()
        for each in wanted:
            judged, gaps = await self._judge(each, now)
            series.append(judged)
            pieces += gaps
        return Surveyed(tuple(series), tuple(pieces))

    async def _series(self) -> list[_Series]:
        """The series that are stored, of those that are wanted, and those that are wanted and not stored."""
        request = self._request
        stored: Sequence[Coverage] = await self._ask(ReadCoverage(self._dimension))
        names = {name.casefold() for name in request.symbols}
        found = [
            _Series(each.symbol, each.interval, each.earliest)
            for each in stored
            if (not names or each.symbol.casefold() in names) and request.interval in {None, each.interval}
        ]
        there = {each.symbol.casefold() for each in found}
        absent = [name for name in request.symbols if name.casefold() not in there]
        return sorted([*found, *(self._absent(name) for name in absent)], key=lambda each: (each[0], each[1] or ""))

    def _absent(self, symbol: str) -> _Series:
        request, shown = self._request, written_out(symbol)
        if request.start is None:
            text = f"symbols={shown!r} given, of which no {self._dimension} are stored"
            raise ValueError(f"{text}; give a start, from which on they are to be there")
        if self._dimension.has_interval and request.interval is None:
            text = f"symbols={shown!r} given, of which no {self._dimension} are stored"
            raise ValueError(f"{text}; give the interval of the bars that are to be there, such as '1h'")
        return _Series(symbol.upper(), request.interval, None)

    async def _judge(self, each: _Series, now: datetime) -> tuple[SeriesGaps, list[Piece]]:
        calendar = self._instruments.judging_calendar_of(each.symbol)
        unit = "bars" if self._dimension in BARS else "sessions"
        start, end = self._request.start or each.earliest, self._request.end or now
        since = self._kept_since(each, now)
        note = ""
        if start is not None and since is not None and start < since:
            start, note = since, f"retention drops rows from before {since:%Y-%m-%d %H:%M} UTC: looked at from then on"
        if start is None or start > end or not judgeable(self._dimension, each.interval, calendar):
            note = note if start is None or start > end else _why(calendar, each.interval)
            return _gaps_of(each, unit, calendar, note=note), []
        tallies = await self._ask(ReadTallies(self._dimension, start, end, (each.symbol,)))
        stored = tallies.get((each.symbol, each.interval), _NOTHING)
        window = Window(start, end, now)
        found = find_gaps(self._dimension, each.interval, calendar, stored, window, self._most)
        pieces = [Piece(each.symbol, each.interval, gap.start, gap.end, gap.missing) for gap in found.gaps]
        return _gaps_of(each, unit, calendar, expected=found.expected, missing=found.missing, note=note), pieces

    def _kept_since(self, each: _Series, now: datetime) -> datetime | None:
        """Since when rows of a series stay: what is filled before that would be dropped, and missing again."""
        if self._cap is None:
            return None
        cap = now - self._cap
        return cap if each.earliest is None else min(cap, each.earliest)


def _gaps_of(each: _Series, unit: str, calendar: Calendar, **more: Any) -> SeriesGaps:
    name = calendar.name if calendar.known else ""
    return SeriesGaps(symbol=each.symbol, interval=each.interval, unit=unit, calendar=name, **more)


def _why(calendar: Calendar, interval: str | None) -> str:
    if not calendar.known:
        return f"no gaps can be told: {calendar.why_unknown or f'no calendar is known; {HOW_TO_NAME}'}"
    return f"no calendar tells when {interval} bars are to come"
