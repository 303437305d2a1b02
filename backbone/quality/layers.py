"""Bars of history that is kept in several intervals: hours of the years before, five minutes since spring.

The widest interval comes first. Rows of a finer one count where no bar of a wider one lies, so that nothing enters
twice and a day that is made of both is whole. Where bars of the interval asked for are stored themselves, they are the
first layer: they stay as they are, a bar that would overlap one is left out, and so is one at the end that is not whole
yet, for stored bars are.

A bar that lies in two of the bars asked for is passed over if finer ones tell the same time; else it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import array_of
from backbone.domain.selection import runs
from backbone.domain.zones import Stamps
from backbone.quality.checks import Mask
from backbone.quality.extents import Extents, extents, overlapping, uncovered
from backbone.quality.resample import TRADES, CalendarOf, bars_of, refuse_crossing, starts_of, values_of
from backbone.quality.sessions import Calendar
from backbone.quality.unfinished import bar_ends, unfinished

__all__ = ["Layers", "has_gap"]

_Places: TypeAlias = NDArray[np.int64]

_NOTHING = np.zeros(0, dtype="datetime64[us]")
_NEVER = np.datetime64("0001-01-01", "us")


@dataclass
class _Symbol:
    """What is known of one symbol so far.

    Attributes:
        number: of the symbol, in the order of appearance.
        covered: when there are bars.
        known: up to when it is known what happened.
        stored: bars of the interval asked for that are stored, and where they begin.
    """

    number: int
    covered: Extents = (_NOTHING, _NOTHING)
    known: np.datetime64 = _NEVER
    stored: Extents | None = None
    begins: Stamps = field(default_factory=lambda: _NOTHING)

    def take(self, taken: Extents) -> None:
        begins, ends = (np.concatenate(pair) for pair in zip(self.covered, taken, strict=True))
        order = np.argsort(begins, kind="stable")
        self.covered = begins[order], ends[order]


@dataclass(frozen=True)
class _Rows:
    """Rows that enter bars, with the numbers of their symbols and where their bars begin."""

    owners: _Places
    stamps: Stamps
    starts: Stamps
    values: dict[str, NDArray[np.float64]]


def has_gap(stamps: Stamps, interval: str, first: np.datetime64, last: np.datetime64, calendar: Calendar) -> bool:
    """Whether finer rows from first to last could give bars that a series lacks; the one not ended by then is none.

    Args:
        stamps: of the series.
        interval: of the series.
        first: of the finer rows.
        last: up to when they tell what happened.
        calendar: of the market.
    """
    covered = extents(stamps, interval, calendar)
    gap = uncovered(covered, first, last, calendar)
    if gap is None or (stamps.size and gap[0] < covered[1].max()):
        return gap is not None
    begins, _ = starts_of(np.array([gap[0]]), [("", 0, 1)], TRADES, interval, lambda _: calendar)
    return bool(bar_ends(begins, interval, calendar)[0] <= gap[1])


class Layers:
    """Collects the layers, widest first, and makes bars of them.

    Args:
        interval: of the bars asked for.
        calendar_of: the trading calendar of a symbol.
    """

    def __init__(self, interval: str, calendar_of: CalendarOf) -> None:
        self._interval = interval
        self._calendar_of = calendar_of
        self._symbols: dict[str, _Symbol] = {}
        self._rows: list[_Rows] = []
        self._crossing: list[tuple[str, Frame]] = []
        self._dimension = Dimension.INTRADAY_BARS
        self._stale = False

    def uncovered(
        self, reach: Mapping[str, tuple[np.datetime64, np.datetime64]]
    ) -> tuple[np.datetime64, np.datetime64] | None:
        """From the first to the last moment of which no bar tells although the market was open; None: there is none.

        Args:
            reach: by symbol, first and behind the last of the moments in question.
        """
        found = []
        for symbol, (first, last) in reach.items():
            if first < last:
                covered = self._symbols[symbol].covered if symbol in self._symbols else (_NOTHING, _NOTHING)
                found.append(uncovered(covered, first, last, self._calendar_of(symbol)))
        stretches = [each for each in found if each is not None]
        return (min(a for a, _ in stretches), max(b for _, b in stretches)) if stretches else None

    def add(self, source: str, frame: Frame) -> None:
        """Take the rows of a layer that lie where no wider one does.

        Args:
            source: interval of the rows.
            frame: its rows.
        """
        self._stale = self._stale or frame.stale
        free = self._free(source, frame)
        if not free.any():
            return
        self._dimension = frame.dimension
        frame = frame if free.all() else _filtered(frame, free)
        stretches, stamps = runs(frame.to_arrow().column(0)), frame.column("ts")
        starts, kept = self._placed(source, frame, stretches)
        for symbol, first, length in stretches:
            own = slice(first, first + length)
            self._take(symbol, source, stamps[own][kept[own]])
        numbers = [self._symbols[symbol].number for symbol, _, _ in stretches]
        owners = np.repeat(np.array(numbers, dtype=np.int64), [length for _, _, length in stretches])
        values = {name: values_of(frame, name, source)[kept] for name in frame.dimension.values}
        self._rows.append(_Rows(owners[kept], stamps[kept], starts[kept], values))

    def _free(self, source: str, frame: Frame) -> Mask:
        """Which rows lie where no bar does; notes up to when all of them tell what happened."""
        free = np.ones(frame.num_rows, dtype=np.bool_)
        stamps = frame.column("ts")
        for symbol, first, length in runs(frame.to_arrow().column(0)):
            own = slice(first, first + length)
            of = self._symbols.setdefault(symbol, _Symbol(len(self._symbols)))
            rows = extents(stamps[own], source, self._calendar_of(symbol))
            free[own] = ~overlapping(rows, of.covered)
            of.known = max(of.known, rows[1][-1])
        return free

    def _placed(self, source: str, frame: Frame, stretches: list[tuple[str, int, int]]) -> tuple[Stamps, Mask]:
        """Where the bar of each row begins, and which rows enter one."""
        stamps = frame.column("ts")
        if source == self._interval:
            return stamps, np.ones(stamps.size, dtype=np.bool_)
        starts, crossing = starts_of(stamps, stretches, source, self._interval, self._calendar_of)
        kept = ~np.isnat(starts)
        kept[crossing] = False
        if crossing.size:
            twice = np.zeros(stamps.size, dtype=np.bool_)
            twice[crossing] = True
            self._crossing.append((source, _filtered(frame, twice)))
        return starts, kept

    def _take(self, symbol: str, source: str, stamps: Stamps) -> None:
        of, taken = self._symbols[symbol], extents(stamps, source, self._calendar_of(symbol))
        of.take(taken)
        if source == self._interval:
            of.stored, of.begins = taken, stamps

    def bars(self) -> Frame:
        """The bars of all layers.

        Raises:
            CrossesEdge: a row lies in two of the bars, and no finer one tells of its time.
        """
        self._refuse_crossing()
        if not any(each.stamps.size for each in self._rows):
            return Frame.empty(self._dimension)
        symbols = sorted(self._symbols)
        ranks = np.empty(len(symbols), dtype=np.int64)
        ranks[[self._symbols[symbol].number for symbol in symbols]] = np.arange(len(symbols))
        owners = ranks[np.concatenate([each.owners for each in self._rows])]
        order = np.lexsort((np.concatenate([each.stamps for each in self._rows]), owners))
        starts = np.concatenate([each.starts for each in self._rows])[order]
        values = {
            name: np.concatenate([each.values[name] for each in self._rows])[order] for name in self._dimension.values
        }
        made = self._whole(bars_of(self._dimension, self._interval, symbols, owners[order], starts, values))
        return made.as_stale() if self._stale else made

    def _whole(self, made: Frame) -> Frame:
        """Without bars that overlap stored ones, and without an unfinished one at the end of stored ones."""
        known = {symbol: each.known for symbol, each in self._symbols.items()}
        left = unfinished(made, known, self._interval, self._calendar_of)
        kept, stamps = np.ones(made.num_rows, dtype=np.bool_), made.column("ts")
        for symbol, first, length in runs(made.to_arrow().column(0)):
            of, own = self._symbols[symbol], slice(first, first + length)
            if of.stored is None:
                continue
            spans = extents(stamps[own], self._interval, self._calendar_of(symbol))
            stored = np.isin(stamps[own], of.begins)
            kept[own] = stored | ~overlapping(spans, of.stored)
            if left.pop(symbol, None) is not None and not stored[-1]:
                kept[first + length - 1] = False
        return (made if kept.all() else _filtered(made, kept)).with_partial(left)

    def _refuse_crossing(self) -> None:
        for source, frame in self._crossing:
            told = np.zeros(frame.num_rows, dtype=np.bool_)
            stretches = runs(frame.to_arrow().column(0))
            for symbol, first, length in stretches:
                own = slice(first, first + length)
                rows = extents(frame.column("ts")[own], source, self._calendar_of(symbol))
                told[own] = overlapping(rows, self._symbols[symbol].covered)
            refuse_crossing(
                np.flatnonzero(~told), frame.column("ts"), stretches, source, self._interval, self._calendar_of
            )


def _filtered(frame: Frame, mask: Mask) -> Frame:
    return Frame.of_known(frame.dimension, frame.to_arrow().filter(array_of(mask)))
