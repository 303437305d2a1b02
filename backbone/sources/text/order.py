"""Files that are newest first are read from their end, so that whatever comes after them meets rows in order of time.

What a run makes of a file hangs on the order of its rows: of two with one key the last counts, and events of one moment
are numbered as they come. Which way a file runs its first rows tell, always the same number of them, so that the answer
does not depend on where blocks end. Of a file that runs backwards, what is more than these rows waits in a file without
a name until the end is reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.arrays import array_of
from backbone.domain.values import numpy_of
from backbone.files import scratch

__all__ = ["MOST_BYTES", "SHOWN", "Order", "newest_first", "rows_within", "text_bytes"]

SHOWN: Final = 100_000
"""Rows by which the order of a file is told."""
MOST_BYTES: Final = 32 * 2**20
"""Bytes of text that are held at once; a file whose first rows have more is told by fewer of them."""
_CLEARLY: Final = 20
"""Steps backwards for each one forwards, of a file that is newest first."""

_PACKED: Final = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(slots=True)
class Order:
    """Takes the tables of a file as they come, and gives them in the order of time, as far as the file has one.

    Attributes:
        partition_column: whose values have each a series of their own, such as ``symbol``.
        waiting: rows that were taken and not yet given.
        backwards: whether the file is newest first; None: not known yet.
    """

    partition_column: str
    waiting: int = 0
    backwards: bool | None = None
    _held: list[pa.Table] = field(default_factory=list)
    _bytes: int = 0
    _laid_down: list[tuple[int, int]] = field(default_factory=list)
    _file: IO[bytes] | None = None

    def add(self, table: pa.Table) -> Iterator[pa.Table]:
        """Take the next rows; yields what can be given already."""
        if self.backwards is False:
            yield table
            return
        self.waiting += table.num_rows
        if self.backwards:
            self._lay_down(table)
            return
        self._held.append(table)
        self._bytes += text_bytes(table)
        if self.waiting >= SHOWN or self._bytes > MOST_BYTES:
            yield from self._decide()

    def rest(self) -> Iterator[pa.Table]:
        """What was not given yet; no more is added."""
        if self.backwards is None:
            yield from self._decide()
        while self._laid_down and self._file is not None:
            at, size = self._laid_down.pop()
            self._file.seek(at)
            with pa.ipc.open_stream(self._file.read(size)) as stream:
                yield self._given(_reversed(stream.read_all()))
        while self._held:
            yield self._given(_reversed(self._held.pop()))

    def close(self) -> None:
        """Forget what was not given."""
        self._held.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _decide(self) -> Iterator[pa.Table]:
        if not self._held:
            return
        self.backwards = self._first_rows_go_back()
        while self._held and not self.backwards:
            yield self._given(self._held.pop(0))

    def _first_rows_go_back(self) -> bool:
        first = pa.concat_tables(self._held)
        return newest_first(first.slice(0, min(SHOWN, rows_within(first, MOST_BYTES))), self.partition_column)

    def _given(self, table: pa.Table) -> pa.Table:
        self.waiting -= table.num_rows
        return table

    def _lay_down(self, table: pa.Table) -> None:
        """Write rows where they take up no memory."""
        if self._file is None:
            self._file = scratch()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=_PACKED) as stream:
            stream.write_table(table)
        packed = sink.getvalue()
        self._laid_down.append((self._file.tell(), packed.size))
        self._file.write(packed)


def newest_first(table: pa.Table, partition_column: str) -> bool:
    """Whether the moments of rows go backwards, and forwards next to never, each symbol's by themselves.

    Rows in order of receipt, or in none, go both ways: they are read as they stand.
    """
    if not table.num_rows:
        return False
    series = table.column(partition_column).dictionary_encode().unify_dictionaries()  # the texts stay where they are
    codes = np.concatenate([numpy_of(chunk.indices) for chunk in series.chunks])
    order = np.argsort(codes, kind="stable")
    steps = np.diff(numpy_of(table.column("ts").cast(pa.int64()))[order])
    steps = steps[codes[order][1:] == codes[order][:-1]]
    return bool((steps < 0).sum() > _CLEARLY * (steps > 0).sum())


def text_bytes(table: pa.Table) -> int:
    """The bytes of all texts of some rows."""
    return sum(pc.sum(lengths).as_py() or 0 for lengths in _lengths(table))


def rows_within(table: pa.Table, most: int) -> int:
    """How many of the first rows have texts of no more than so many bytes, at least one."""
    sizes = np.zeros(table.num_rows, dtype=np.int64)
    for lengths in _lengths(table):
        sizes += numpy_of(lengths, 0)
    return max(1, int(np.searchsorted(np.cumsum(sizes), most, side="right")))


def _reversed(table: pa.Table) -> pa.Table:
    return table.take(array_of(np.arange(table.num_rows - 1, -1, -1)))


def _lengths(table: pa.Table) -> list[pa.ChunkedArray]:
    """The bytes of each text, for each column of texts."""
    return [pc.binary_length(column) for column in table.columns if pa.types.is_string(column.type)]
