"""The ranges of a frame: what the ledger reasons about, one per symbol and bar interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.frame import Frame
from backbone.domain.selection import runs

__all__ = ["Ranges", "ranges_of"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Consecutive stretches of a frame, as columns.

    Attributes:
        symbols: symbol (or calendar) of each stretch.
        intervals: bar interval of each, "" where the dimension has none.
        starts_us: earliest moment of each, microseconds since 1970 UTC.
        ends_us: latest moment of each, inclusive.
        offsets: first row of each.
        lengths: number of rows of each.
    """

    symbols: list[str]
    intervals: list[str]
    starts_us: Integers
    ends_us: Integers
    offsets: Integers
    lengths: Integers

    def __len__(self) -> int:
        return len(self.symbols)

    def rows(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """One truth per row of the frame: that of its range."""
        return np.repeat(chosen, self.lengths)

    def to_arrow(self) -> pa.Table:
        """Columns `n, symbol, interval, start_ts, end_ts, rows`."""
        moment = pa.timestamp("us", tz="UTC")
        return pa.table(
            {
                "n": array_of(np.arange(len(self))),
                "symbol": array_of(self.symbols, pa.string()),
                "interval": array_of(self.intervals, pa.string()),
                "start_ts": array_of(self.starts_us, moment),
                "end_ts": array_of(self.ends_us, moment),
                "rows": array_of(self.lengths),
            }
        )


def ranges_of(frame: Frame) -> Ranges:
    """The stretches of a frame with the same symbol and interval; none without rows."""
    stretches = _stretches(frame)
    offsets = np.array([offset for _, _, offset, _ in stretches], dtype=np.int64)
    stamps = frame.column("ts").view(np.int64)
    return Ranges(
        symbols=[symbol for symbol, _, _, _ in stretches],
        intervals=[interval for _, interval, _, _ in stretches],
        starts_us=np.minimum.reduceat(stamps, offsets) if stretches else offsets,
        ends_us=np.maximum.reduceat(stamps, offsets) if stretches else offsets,
        offsets=offsets,
        lengths=np.array([length for _, _, _, length in stretches], dtype=np.int64),
    )


def _stretches(frame: Frame) -> list[tuple[str, str, int, int]]:
    table = frame.to_arrow()
    by_symbol = runs(table.column(0))
    if not frame.dimension.has_interval:
        return [(symbol, "", offset, length) for symbol, offset, length in by_symbol]
    intervals = table.column("interval")
    return [
        (symbol, interval, offset + inner, inner_length)
        for symbol, offset, length in by_symbol
        for interval, inner, inner_length in runs(intervals.slice(offset, length))
    ]
