"""Which intervals are stored of each symbol, and how far: asked of the store now and then, own rows known at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

import anyio
import msgspec

from backbone.domain import Frame
from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension
from backbone.facade.spelling import Ask
from backbone.store.errors import StoreError
from backbone.store.messages import ReadCoverage
from backbone.store.records import Coverage

__all__ = ["Holdings", "Intervals", "Span"]

Span: TypeAlias = tuple[int, int]
"""The first and the last moment of which there is a row, in microseconds since 1970."""

Intervals: TypeAlias = Mapping[str, Mapping[str, Span]]
"""By symbol, the intervals that are stored of it and how far they reach; of days, the interval is 1d."""

_KNOWN_FOR = 30.0  # seconds: an interval that another process brings is noticed after so long
_KNOWN_TO_WHOM_HAS_ROWS_FOR = 600.0
_PATIENCE = 0.25  # seconds to wait for it, where rows of the interval asked for are there already


class _Known(msgspec.Struct):
    """When the store was asked, up to where own writes were in it then, and what there is; when for single symbols."""

    at: float
    position: int
    intervals: dict[str, dict[str, Span]]
    seen: dict[str, float]


class Holdings:
    """What is stored, as known for a while.

    Args:
        ask: asks an actor.
        clock: monotonic seconds.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._known: dict[Dimension, _Known] = {}
        self._own: dict[Dimension, dict[str, dict[str, Span]]] = {}
        self._forgotten = 0

    def known(self, dimension: Dimension) -> Intervals:
        """What there was of a dimension when it was looked at last, and what was written since."""
        known = self._known.get(dimension)
        return self._own.get(dimension, {}) if known is None else known.intervals

    def wrote(self, frame: Frame) -> None:
        """Rows of this frame were committed by this backbone."""
        if not frame.dimension.has_interval:
            return
        own = self._own.setdefault(frame.dimension, {})
        known = self._known.get(frame.dimension)
        for symbol, interval, span in _spans(frame):
            _widen(own, symbol, interval, span)
            if known is not None:
                _widen(known.intervals, symbol, interval, span)

    def forget(self, dimension: Dimension | None = None) -> None:
        """What is stored has changed in ways that are not known here; an answer on its way is of before."""
        self._forgotten += 1
        for each in self._known if dimension is None else {dimension} & self._known.keys():
            self._known[each].at = float("-inf")
            self._known[each].seen.clear()
        if dimension is None:
            self._own.clear()

    async def look(self, dimension: Dimension, position: int, written: int) -> Intervals:
        """What there is, as known for half a minute.

        Args:
            dimension: of the rows.
            position: it has to be no older than this.
            written: up to where this backbone has written by now.

        Raises:
            StoreError: the store does not say.
        """
        known = self._known.get(dimension)
        if known is None or self._clock() - known.at >= _KNOWN_FOR or position > known.position:
            forgotten = self._forgotten
            self._learn(dimension, written, await self._ask("store", ReadCoverage(dimension)), forgotten)
        return self.known(dimension)

    async def glance(self, dimension: Dimension, symbols: Sequence[str]) -> Intervals:
        """The same for who has rows of symbols in hand already: known for longer, and not waited for long."""
        known = self._known.get(dimension)
        if known is None:
            own = _copied(self._own.get(dimension, {}))
            known = self._known[dimension] = _Known(float("-inf"), 0, own, {})
        since = self._clock() - _KNOWN_TO_WHOM_HAS_ROWS_FOR
        asked = [each for each in symbols if max(known.at, known.seen.get(each, known.at)) <= since]
        if not asked:
            return known.intervals
        forgotten, coverage = self._forgotten, list[Coverage]()
        with anyio.move_on_after(_PATIENCE), suppress(StoreError):
            coverage = await self._ask("store", ReadCoverage(dimension, symbols=asked))
        for each in coverage:
            _widen(known.intervals, each.symbol, each.interval or "1d", (to_us(each.earliest), to_us(each.latest)))
        if forgotten == self._forgotten:  # a store that does not answer is left alone for a while, too
            known.seen |= dict.fromkeys(asked, self._clock())
        return self.known(dimension)

    def _learn(self, dimension: Dimension, written: int, coverage: Iterable[Coverage], forgotten: int) -> None:
        intervals: dict[str, dict[str, Span]] = _copied(self._own.get(dimension, {}))
        for each in coverage:
            _widen(intervals, each.symbol, each.interval or "1d", (to_us(each.earliest), to_us(each.latest)))
        at = self._clock() if forgotten == self._forgotten else float("-inf")
        self._known[dimension] = _Known(at, written, intervals, {})


def _copied(intervals: Mapping[str, Mapping[str, Span]]) -> dict[str, dict[str, Span]]:
    return {symbol: dict(spans) for symbol, spans in intervals.items()}


def _widen(intervals: dict[str, dict[str, Span]], symbol: str, interval: str, span: Span) -> None:
    spans = intervals.setdefault(symbol, {})
    before = spans.get(interval, span)
    spans[interval] = min(before[0], span[0]), max(before[1], span[1])


def _spans(frame: Frame) -> Iterator[tuple[str, str, Span]]:
    """Symbols and intervals of bars, with how far they reach."""
    if frame.cells is not None:
        for symbol, interval, us, *_ in frame.cells.rows:
            yield symbol, interval, (us, us)
        return
    from backbone.quality.coverage import series

    stamps = frame.column("ts").astype("int64")
    for one in series(frame):
        yield one.symbol, one.interval or "", (int(stamps[one.first]), int(stamps[one.last - 1]))
