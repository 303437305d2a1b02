"""Batches of any size into chunks of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.domain.values import numpy_of
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, SourceChunk
from backbone.sources.text.order import MOST_BYTES, Order, rows_within, text_bytes

__all__ = ["MOST_BAD", "MOST_BYTES", "Chunker"]

MOST_BAD: Final = 10_000
"""Bad rows that are handed on at once, with a chunk or by themselves."""


@dataclass(slots=True)
class Chunker:
    """Collects good and bad rows, and gives chunks as soon as there are enough rows.

    Of a file that is newest first the good rows come from its end. A chunk has at most about `MOST_BYTES` of text.

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
    _order: Order = field(init=False)

    def __post_init__(self) -> None:
        self._order = Order(self.dimension.partition_column)

    def add(self, table: pa.Table, bad: list[BadRow]) -> Iterator[SourceChunk]:
        """Add rows in the order of the source; yields the chunks that are full."""
        self._bad.extend(bad)
        for each in self._order.add(table):
            yield from self._full(each)
        while len(self._bad) >= MOST_BAD:
            yield self._chunk(Frame.empty(self.dimension), 0)

    def rest(self) -> Iterator[SourceChunk]:
        """The last chunks, if anything is left."""
        for each in self._order.rest():
            yield from self._full(each)
        while self._good_rows:
            yield self._take()
        while self._bad:
            yield self._chunk(Frame.empty(self.dimension), 0)

    @property
    def rows_read(self) -> int:
        """Rows added so far, good and bad."""
        return self._rows_read + self._order.waiting + self._good_rows + len(self._bad)

    def close(self) -> None:
        """Forget what was not given."""
        self._order.close()

    def _full(self, table: pa.Table) -> Iterator[SourceChunk]:
        """The chunks that are full once there are these rows, too."""
        self._tables.append(table)
        self._good_rows += table.num_rows
        self._text_bytes += text_bytes(table)
        # the row behind a chunk has to be there, so that where a chunk ends does not depend on the size of batches
        while self._good_rows > self.chunk_rows or (self._text_bytes > MOST_BYTES and self._good_rows > 1):
            yield self._take()

    def _take(self) -> SourceChunk:
        pending = pa.concat_tables(self._tables)
        taken = pending.slice(0, self._end(pending))
        self._tables = [pending.slice(taken.num_rows)]
        self._text_bytes = text_bytes(self._tables[0])
        try:
            given = Frame.from_arrow(self.dimension, taken, presorted=True)
        except ValueError as error:
            raise InputInvalid(f"{self.origin}: {error}") from error
        frame = given.ordered()
        return self._chunk(frame, taken.num_rows, given if frame.num_rows < taken.num_rows else None)

    def _chunk(self, frame: Frame, rows: int, given: Frame | None = None) -> SourceChunk:
        """A frame made of so many rows, and the bad ones."""
        bad, self._bad = tuple(self._bad[:MOST_BAD]), self._bad[MOST_BAD:]
        self._good_rows -= rows
        self._rows_read += rows + len(bad)
        return SourceChunk(frame, bad, f"rows:{self._rows_read}", self._rows_read, given)

    def _end(self, pending: pa.Table) -> int:
        """How many rows make the next chunk: of ticks fewer, so that no moment is in two chunks, unless it fills half.

        The store knows chunks again by their content over their range of time. Two that share a moment overlap: each
        would hide the other, and both would be compared row by row when they come again.
        """
        rows = self.chunk_rows
        if self._text_bytes > MOST_BYTES:
            rows = min(rows, rows_within(pending, MOST_BYTES))
        if "sequence" not in self.dimension.key or pending.num_rows <= rows:
            return rows
        first = rows // 2
        stamps = numpy_of(pending.column("ts").slice(first, rows - first + 1).cast(pa.int64()))
        others = np.flatnonzero(stamps[:-1] != stamps[-1])
        return first + int(others[-1]) + 1 if others.size else rows
