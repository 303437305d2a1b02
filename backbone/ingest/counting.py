"""Which of several equal events each row of a run is, also where a moment goes on in the next chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backbone.domain.canonical import integers, whole
from backbone.domain.events import agreeing, alike, ranks_within, unnumbered

if TYPE_CHECKING:
    import numpy.typing as npt

    from backbone.domain import Frame

    Counts = npt.NDArray[np.int64]

__all__ = ["Counting"]


class Counting:
    """Counts the events without a sequence of one run.

    Of each symbol the newest moment is remembered, so that a moment of any size is counted through all chunks that it
    fills. An event of a moment from before that counts within its own chunk.
    """

    def __init__(self) -> None:
        self._seen: pa.Table | None = None
        self._counts: Counts = np.zeros(0, dtype=np.int64)

    def nth(self, frame: Frame) -> bytes:
        """Which of the equal events of its moment each row is within the run, as int64; empty: all have a sequence.

        Args:
            frame: the next rows of the run.
        """
        table = frame.to_arrow()
        missing = unnumbered(table)
        if missing is None:
            return b""
        events = table.filter(pa.array(missing))
        known = 0 if self._seen is None else self._seen.num_rows
        both = events if self._seen is None else pa.concat_tables([self._seen, events])
        kinds = alike(frame.dimension, both)
        counts = np.zeros(int(kinds.max()) + 1, dtype=np.int64)
        counts[kinds[:known]] = self._counts
        nth = np.zeros(frame.num_rows, dtype=np.int64)
        nth[missing] = ranks_within(kinds[known:]) + counts[kinds[known:]]
        self._remember(both, kinds, counts + np.bincount(kinds[known:], minlength=len(counts)))
        return nth.tobytes()

    def _remember(self, table: pa.Table, kinds: Counts, counts: Counts) -> None:
        """Keep one of each kind of the newest moment of each symbol, and how many there were."""
        symbols = agreeing(table, table.column_names[:1])
        stamps = integers(whole(table.combine_chunks().column("ts")))
        newest = np.full(int(symbols.max()) + 1, np.iinfo(np.int64).min)
        np.maximum.at(newest, symbols, stamps)
        found, first = np.unique(kinds, return_index=True)
        kept = stamps[first] == newest[symbols[first]]
        self._seen = table.take(pa.array(first[kept]))
        self._counts = counts[found[kept]]
