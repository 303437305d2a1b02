"""Batches of any size into chunks of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, SourceChunk

__all__ = ["Chunker"]


@dataclass(slots=True)
class Chunker:
    """Collects good and bad rows, and gives chunks as soon as there are enough rows.

    Attributes:
        dimension: what the rows are.
        chunk_rows: good rows per chunk; so many bad ones make a chunk too.
        origin: for messages.
    """

    dimension: Dimension
    chunk_rows: int
    origin: str
    _tables: list[pa.Table] = field(default_factory=list)
    _bad: list[BadRow] = field(default_factory=list)
    _good_rows: int = 0
    _rows_read: int = 0

    def add(self, table: pa.Table, bad: list[BadRow]) -> Iterator[SourceChunk]:
        """Add rows in the order of the source; yields the chunks that are full."""
        self._tables.append(table)
        self._good_rows += table.num_rows
        self._bad.extend(bad)
        # the row behind a chunk has to be there, so that where a chunk ends does not depend on the size of batches
        while self._good_rows > self.chunk_rows or len(self._bad) >= self.chunk_rows:
            yield self._take()

    def rest(self) -> Iterator[SourceChunk]:
        """The last chunk, if anything is left."""
        if self._good_rows or self._bad:
            yield self._take()

    @property
    def rows_read(self) -> int:
        """Rows added so far, good and bad."""
        return self._rows_read + self._good_rows + len(self._bad)

    def _take(self) -> SourceChunk:
        pending = pa.concat_tables(self._tables)
        rows = self._end(pending)
        taken = pending.slice(0, rows)
        self._tables = [pending.slice(rows)]
        self._good_rows -= taken.num_rows
        bad, self._bad = tuple(self._bad), []
        self._rows_read += taken.num_rows + len(bad)
        try:
            frame = Frame.from_arrow(self.dimension, taken)
        except ValueError as error:
            raise InputInvalid(f"{self.origin}: {error}") from error
        return SourceChunk(frame, bad, f"rows:{self._rows_read}", self._rows_read)

    def _end(self, pending: pa.Table) -> int:
        """How many rows make the next chunk: of ticks fewer, so that no moment is in two chunks, unless it fills half.

        The store knows chunks again by their content over their range of time. Two that share a moment overlap: each
        would hide the other, and both would be compared row by row when they come again.
        """
        rows = self.chunk_rows
        if "sequence" not in self.dimension.key or pending.num_rows <= rows:
            return rows
        first = rows // 2
        stamps = pending.column("ts").slice(first, rows - first + 1).cast(pa.int64()).to_numpy()
        others = np.flatnonzero(stamps[:-1] != stamps[-1])
        return first + int(others[-1]) + 1 if others.size else rows
