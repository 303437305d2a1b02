"""How the facade reads: through the cache, never older than what this backbone has written or was told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from backbone.cache.at_hand import AtHand
from backbone.cache.messages import Fetch
from backbone.domain import Frame
from backbone.domain.dimension import Dimension
from backbone.facade.holdings import Holdings, Intervals
from backbone.facade.resampled import Resampler, lacking
from backbone.facade.spelling import Ask, Names
from backbone.settings import Settings
from backbone.store.records import Query

__all__ = ["Reader"]

_NAMES_FOR_SOME = 0.25  # seconds to wait for the names that are stored, where rows of other symbols are there already
_NAMES_FOR_NOTHING = 5.0  # and where there are none


class Reader:
    """Reads through the cache, never older than what this backbone has written or a subscriber of it was given.

    Args:
        ask: asks an actor.
        settings: the trading calendars.
        clock: monotonic seconds.
        at_hand: windows that are had without asking.
        set_back: whether the database was set back since this was asked last.
    """

    def __init__(
        self,
        ask: Ask,
        settings: Settings,
        clock: Callable[[], float],
        at_hand: AtHand,
        set_back: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ask = ask
        self._at_hand = at_hand
        self._clock = clock
        self._set_back = set_back
        self._positions: dict[tuple[Dimension, str], int] = {}
        self._heard: dict[tuple[Dimension, str], int] = {}
        self._names = Names(ask, clock)
        self._holdings = Holdings(ask, clock)
        self._resampler = Resampler(self, settings)

    def saw(self, dimension: Dimension, symbol: str, position: int) -> None:
        """This backbone has written rows of a symbol, or was told of them, up to an outbox position."""
        key = (dimension, symbol)
        self._positions[key] = max(position, self._positions.get(key, 0))
        self._names.saw(dimension, symbol)

    def heard(self, dimension: Dimension, symbol: str, position: int) -> None:
        """A subscriber of this backbone was given a change of a symbol: who fetches on it gets no rows of before it."""
        self._mind_set_back()
        key = (dimension, symbol)
        self._heard[key] = max(position, self._heard.get(key, 0))

    async def fetch(self, query: Query, *, resample: bool = True) -> Frame:
        """The rows of a query; names that nobody stored are tried in the one other case that somebody did.

        Args:
            query: checked.
            resample: make bars of finer ones where the interval asked for is not stored.

        Raises:
            ValueError: the interval can't be made of what is stored.
        """
        frame = await self._read(query, resample=resample)
        missing = lacking(frame, query.symbols)
        if not missing:
            return frame
        names = await self.spelled(query.dimension, query.symbols, missing)
        if names == query.symbols:
            return frame
        return await self._read(msgspec.structs.replace(query, symbols=tuple(sorted(names))), resample=resample)

    async def _read(self, query: Query, *, resample: bool) -> Frame:
        bars = query.dimension is Dimension.DAILY_BARS or query.dimension.has_interval
        made = resample and query.interval is not None and bars
        return await (self._resampler.bars(query) if made else self.stored(query))

    async def spelled(
        self, dimension: Dimension, symbols: tuple[str, ...], lacking: Iterable[str] | None = None
    ) -> tuple[str, ...]:
        """The symbols as they are stored, where one and only one stored name differs in nothing but its case.

        Args:
            dimension: of the rows.
            symbols: as they were given.
            lacking: those in question; None: all of them.
        """
        doubtful = set(symbols if lacking is None else lacking)
        if not doubtful:
            return symbols
        await self._names.look(dimension, _NAMES_FOR_SOME if doubtful < set(symbols) else _NAMES_FOR_NOTHING)
        found = (self._names.spelled(dimension, each) if each in doubtful else each for each in symbols)
        return tuple(dict.fromkeys(found))

    def name_of(self, dimension: Dimension, symbol: str) -> str:
        """The same of one symbol, by what is known already."""
        return self._names.spelled(dimension, symbol)

    async def stored(self, query: Query) -> Frame:
        """Rows as they are stored."""
        at_least = self._at_least(query.dimension, query.symbols)
        fetched = await self._at_hand.window(query, at_least)
        if fetched is None:
            fetched = await self._ask("cache", Fetch(query, at_least))
        return fetched.frame

    def wrote(self, frame: Frame) -> None:
        """This backbone has committed these rows; who fetches next may have bars made of them."""
        self._holdings.wrote(frame)

    def ingested(self, dimension: Dimension) -> None:
        """This backbone has ingested rows of which it did not see the intervals."""
        self._holdings.forget(dimension)

    async def intervals(self, dimension: Dimension, *, of: Sequence[str] = ()) -> Intervals:
        """What is stored, as known for a while; no less than this backbone has written of some symbols."""
        least = self._written_up_to(dimension, of) if of else 0
        return await self._holdings.look(dimension, least, self._written_up_to(dimension, ()))

    async def glance(self, dimension: Dimension, symbols: Sequence[str]) -> Intervals:
        """The same for who has rows in hand already: known for longer, not waited for long, and never refused."""
        return await self._holdings.glance(dimension, symbols)

    def known(self, dimension: Dimension) -> Intervals:
        """What was stored of a dimension when it was looked at last."""
        return self._holdings.known(dimension)

    def written(self, dimension: Dimension) -> tuple[str, ...]:
        """The symbols of which this backbone has written rows."""
        return tuple(name for each, name in self._positions if each is dimension)

    def _at_least(self, dimension: Dimension, symbols: Sequence[str]) -> int:
        return max(self._written_up_to(dimension, symbols), _newest(self._heard, dimension, symbols))

    def _written_up_to(self, dimension: Dimension, symbols: Sequence[str]) -> int:
        self._mind_set_back()
        return _newest(self._positions, dimension, symbols)

    def _mind_set_back(self) -> None:
        """What was written before may be gone then, and its positions come again for other changes."""
        if self._set_back():
            self._positions = dict.fromkeys(self._positions, 0)
            self._heard.clear()
            self._holdings.forget()


def _newest(positions: Mapping[tuple[Dimension, str], int], dimension: Dimension, symbols: Sequence[str]) -> int:
    """The newest position of some symbols, or of all of a dimension."""
    if symbols:
        return max(positions.get((dimension, symbol), 0) for symbol in symbols)
    return max((at for (each, _), at in positions.items() if each is dimension), default=0)
