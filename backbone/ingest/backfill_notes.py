"""Which pieces of a backfill are under way: noted in the store before a piece is begun, and struck out when it is done.

A process that is killed leaves its note behind. That matters, for a day of trades of which one half is stored is no gap
that anybody could see: whoever fills gaps next begins with what is noted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from backbone.domain.clock import MIN_US, from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.store.messages import CommitOffsets, ReadOffsets

__all__ = ["Notes", "Piece"]

_GROUP = "backfill"
_NOTHING = 0


class Piece(NamedTuple):
    """A stretch of one series that is asked of the source at once.

    Attributes:
        symbol, interval: the series.
        start, end: first and last moment.
        missing: bars or sessions that are expected to come.
    """

    symbol: str
    interval: str | None
    start: datetime
    end: datetime
    missing: int

    @property
    def name(self) -> str:
        """What it is, in a line."""
        of = " ".join(filter(None, (self.symbol, self.interval)))
        return f"{of} {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


class Notes:
    """The notes of one dimension.

    They lie among the offsets, as two numbers for each piece: a place that was struck out is used again, so that there
    are never more of them than pieces of a series that failed. Another process may fill gaps of the same dimension:
    what stands is looked up each time before a place is chosen.

    Args:
        dimension: of the rows.
        ask: asks the store.
    """

    def __init__(self, dimension: Dimension, ask: Callable[[Any], Awaitable[Any]]) -> None:
        self._group = f"{_GROUP}:{dimension}"
        self._ask = ask
        self._numbers: dict[tuple[str, int], int] = {}

    async def unfinished(self) -> list[Piece]:
        """The pieces that were begun and not ended."""
        await self._look()
        found = []
        for (series, place), number in sorted(self._numbers.items()):
            end = self._numbers.get((series, place + 1), _NOTHING)
            if place % 2 == 0 and number != _NOTHING and end != _NOTHING:
                symbol, interval = msgspec.json.decode(series, type=tuple[str, str | None])
                found.append(Piece(symbol, interval, _moment(number), _moment(end), 0))
        return found

    async def begin(self, piece: Piece) -> None:
        """Note a piece, unless it is noted already."""
        await self._look()
        if self._place(piece) is not None:
            return
        series = _series(piece)
        place = 0
        while self._numbers.get((series, place), _NOTHING) != _NOTHING:
            place += 2
        await self._set(series, place, _number(piece.start), _number(piece.end))

    async def end(self, piece: Piece) -> None:
        """Strike a piece out."""
        await self._look()
        place = self._place(piece)
        if place is not None:
            await self._set(_series(piece), place, _NOTHING, _NOTHING)

    async def _look(self) -> None:
        self._numbers = dict(await self._ask(ReadOffsets(self._group)))

    def _place(self, piece: Piece) -> int | None:
        series, wanted = _series(piece), (_number(piece.start), _number(piece.end))
        places = (place for each, place in self._numbers if each == series and place % 2 == 0)
        held = ((place, tuple(self._numbers.get((series, place + n)) for n in (0, 1))) for place in places)
        return next((place for place, numbers in held if numbers == wanted), None)

    async def _set(self, series: str, place: int, start: int, end: int) -> None:
        numbers = {(series, place): start, (series, place + 1): end}
        await self._ask(CommitOffsets(self._group, numbers))


def _series(piece: Piece) -> str:
    return msgspec.json.encode((piece.symbol, piece.interval)).decode()


def _number(moment: datetime) -> int:
    return to_us(moment) - MIN_US + 1


def _moment(number: int) -> datetime:
    return from_us(number + MIN_US - 1)
