"""Batches of any size into chunks of a fixed number of rows, and ordinals for ticks that have none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow, SourceChunk

__all__ = ["LATE", "Chunker", "Numbering"]

LATE = "goes back in time behind rows read earlier, and has no sequence number; sort the file by time or add a sequence"


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


class Numbering:
    """Ordinals within (symbol, ts) in the order of the source, going on across batches.

    Numbering each batch by itself would give rows of one moment the same number when a batch ends between them, and the
    later would replace the earlier.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._newest: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._counted: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def number(self, symbols: pa.Array, stamps: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Number one batch.

        Returns:
            The ordinals, and a mask of rows that lie behind an earlier batch of their symbol: these can't be numbered.
        """
        if not len(symbols):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
        code = self._code(symbols)
        ts = stamps.cast(pa.int64()).to_numpy()
        late = ts < self._newest[code]
        order = np.lexsort((ts, code))
        code, ts = code[order], ts[order]
        first = np.append(True, (code[1:] != code[:-1]) | (ts[1:] != ts[:-1]))
        starts = np.flatnonzero(first)
        within = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        within += np.where(ts == self._newest[code], self._counted[code], 0)
        ordinals = np.empty_like(within)
        ordinals[order] = within
        self._remember(code, ts, within)
        return ordinals, late

    def _code(self, symbols: pa.Array) -> NDArray[np.int64]:
        coded = symbols.dictionary_encode()
        known = [self._codes.setdefault(symbol, len(self._codes)) for symbol in coded.dictionary.to_pylist()]
        fresh = len(self._codes) - self._newest.size
        self._newest = np.append(self._newest, np.full(fresh, np.iinfo(np.int64).min))
        self._counted = np.append(self._counted, np.zeros(fresh, dtype=np.int64))
        codes: NDArray[np.int64] = np.array(known, dtype=np.int64)[coded.indices.to_numpy()]
        return codes

    def _remember(self, code: NDArray[np.int64], ts: NDArray[np.int64], within: NDArray[np.int64]) -> None:
        """Keep the newest moment of each symbol, and how many rows it has; the arrays are sorted by symbol and ts."""
        last = np.flatnonzero(np.append(code[1:] != code[:-1], True))
        last = last[ts[last] >= self._newest[code[last]]]
        self._newest[code[last]] = ts[last]
        self._counted[code[last]] = within[last] + 1
