"""Rows of one symbol in the order of their key, of which a span of time is a slice or a few."""

from __future__ import annotations

import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.selection import runs
from backbone.domain.values import numpy_of

__all__ = ["Piece", "Runs"]

Runs = list[tuple[str, int, int]]


class Piece:
    """A canonical table of one symbol, one piece a column.

    Args:
        dimension: of the rows.
        table: all columns.
        known: `runs` of the same rows, where they were found before.

    Attributes:
        runs: stretches of one interval, or of one name, each in order of time, as (text, offset, length).
    """

    __slots__ = ("_stamps", "_table", "runs")

    def __init__(self, dimension: Dimension, table: pa.Table, known: Runs | None = None) -> None:
        self._table = table
        self._stamps = numpy_of(table.column("ts").chunk(0).view(pa.int64()))
        first = next(name for name in dimension.key if name != dimension.partition_column)
        whole = [("", 0, table.num_rows)]
        self.runs = known or (whole if first == "ts" else runs(table.column(first)))

    def between(self, start_us: int, end_us: int, interval: str | None) -> list[pa.Table]:
        """The rows of a span, both ends inclusive, and of one interval if given; nothing is copied."""
        found = []
        for text, offset, length in self.runs:
            if interval is not None and text != interval:
                continue
            stamps = self._stamps[offset : offset + length]
            first = int(stamps.searchsorted(start_us, side="left"))
            behind = int(stamps.searchsorted(end_us, side="right"))
            if behind > first:
                found.append(self._table.slice(offset + first, behind - first))
        return found
