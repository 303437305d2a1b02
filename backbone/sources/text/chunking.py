"""Batches of any size into chunks of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain import Dimension, Frame
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, SourceChunk

__all__ = ["MOST_BAD", "MOST_BYTES", "Chunker"]

MOST_BYTES: Final = 32 * 2**20
"""Bytes of text in a chunk: what has more is cut sooner than by its number of rows."""
MOST_BAD: Final = 10_000
"""Bad rows that are handed on at once, with a chunk or by themselves."""


@dataclass(slots=True)
class Chunker:
    """Collects good and bad rows, and gives chunks as soon as there are enough rows.

    Attributes:
        dimension: what the rows are.
        chunk_rows: good rows per chunk.
        origin: for messages.
    """

    dimension: Dimension
    chunk_rows: int
    origin: str
    _tables: list[pa.Table] = field(default_factory=list)
    _bad: list[BadRow] = field(default_factory=list)
    _good_rows: int = 0
    _text_bytes: int = 0
    _rows_read: int = 0

    def add(self, table: pa.Table, bad: list[BadRow]) -> Iterator[SourceChunk]:
        """Add rows in the order of the source; yields the chunks that are full."""
        self._tables.append(table)
        self._good_rows += table.num_rows
        self._text_bytes += sum(pc.sum(lengths).as_py() or 0 for lengths in _lengths(table))
        self._bad.extend(bad)
        # the row behind a chunk has to be there, so that where a chunk ends does not depend on the size of batches
        while self._good_rows > self.chunk_rows or (self._text_bytes > MOST_BYTES and self._good_rows > 1):
            yield self._take()
        while len(self._bad) >= MOST_BAD:
            yield self._chunk(Frame.empty(self.dimension), 0)

    def rest(self) -> Iterator[SourceChunk]:
        """The last chunks, if anything is left."""
        while self._good_rows or self._bad:
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
        self._text_bytes = sum(pc.sum(lengths).as_py() or 0 for lengths in _lengths(self._tables[0]))
        try:
            frame = Frame.from_arrow(self.dimension, taken)
        except ValueError as error:
            raise InputInvalid(f"{self.origin}: {error}") from error
        return self._chunk(frame, taken.num_rows)

    def _chunk(self, frame: Frame, rows: int) -> SourceChunk:
        """A frame made of so many rows, and the bad ones."""
        bad, self._bad = tuple(self._bad[:MOST_BAD]), self._bad[MOST_BAD:]
        self._good_rows -= rows
        self._rows_read += rows + len(bad)
        return SourceChunk(frame, bad, f"rows:{self._rows_read}", self._rows_read)

    def _end(self, pending: pa.Table) -> int:
        """How many rows make the next chunk: of ticks fewer, so that no moment is in two chunks, unless it fills half.

        The store knows chunks again by their content over their range of time. Two that share a moment overlap: each
        would hide the other, and both would be compared row by row when they come again.
        """
        rows = self.chunk_rows if self._text_bytes <= MOST_BYTES else self._within_bytes(pending)
        if "sequence" not in self.dimension.key or pending.num_rows <= rows:
            return rows
        first = rows // 2
        stamps = pending.column("ts").slice(first, rows - first + 1).cast(pa.int64()).to_numpy()
        others = np.flatnonzero(stamps[:-1] != stamps[-1])
        return first + int(others[-1]) + 1 if others.size else rows

    def _within_bytes(self, pending: pa.Table) -> int:
        """How many rows have texts of no more than a chunk may have, at least one."""
        sizes = np.zeros(pending.num_rows, dtype=np.int64)
        for lengths in _lengths(pending):
            sizes += lengths.fill_null(0).to_numpy()
        rows = int(np.searchsorted(np.cumsum(sizes), MOST_BYTES, side="right"))
        return min(self.chunk_rows, max(1, rows))


def _lengths(table: pa.Table) -> list[pa.ChunkedArray]:
    """The bytes of each text, for each column of texts."""
    return [pc.binary_length(column) for column in table.columns if pa.types.is_string(column.type)]
