"""Files of an export that were opened, found to be what the manifest says, and are read from then on.

A mapped file that somebody else truncates while it is mapped would end the process with SIGBUS where a page is touched
that is gone; we never do that, files are only ever unlinked, which leaves what is mapped. So that a truncation is
noticed before, size and time of change are compared at each read. What was read already is not guarded: a frame out of
a mapped file is a view of it. Parquet is read into memory, and can't be pulled away.

A mapping keeps no file open: frames may be held in any number, and take up no handles.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from backbone.domain.clock import to_us
from backbone.domain.schema import arrow_schema
from backbone.export.manifest import Entry
from backbone.export.mapped import whole_table
from backbone.history.errors import Damaged
from backbone.history.files import File, Hashes, hash_of_mapped
from backbone.history.piece import Piece, Runs

__all__ = ["MOST_OPEN", "MappedPart", "Opened", "ParquetPart"]

MOST_OPEN = 256
"""Parts that are open at once, a file each."""

_MANY_ROWS = 100_000  # so many are worth several threads


class MappedPart:
    """A part that lies uncompressed, and is mapped into memory.

    Raises:
        Damaged: it is not what was written.
    """

    at_hand = True

    def __init__(self, folder: Path, entry: Entry, hashes: Hashes) -> None:
        if entry.mapped is None:
            raise AssertionError("a part without mapped file is read from its Parquet file")
        self._file = File(folder / entry.mapped.path, entry.mapped.bytes)
        mapped = self._file.mapped()
        hashes.require(self._file, entry.mapped.sha256, lambda: hash_of_mapped(mapped))
        table = pa.ipc.open_file(mapped).read_all()
        if not (table.schema.equals(arrow_schema(entry.dimension)) and table.num_rows == entry.rows):
            raise Damaged(f"{self._file.path} has other rows or columns than it should")
        self._piece = Piece(entry.dimension, table)

    def between(self, start_us: int, end_us: int, interval: str | None) -> list[pa.Table]:
        """The rows of a span, as views of the file."""
        self._file.require_same()
        return self._piece.between(start_us, end_us, interval)


class ParquetPart:
    """A part that is decoded for each read, as far as it is needed.

    Raises:
        Damaged: it is not what was written.
    """

    at_hand = False

    def __init__(self, folder: Path, entry: Entry, hashes: Hashes) -> None:
        import pyarrow.parquet as pq

        self._entry = entry
        self._runs: Runs | None = None
        self._file = File(folder / entry.path, entry.bytes)
        hashes.require(self._file, entry.sha256, self._file.hash)
        with pq.ParquetFile(self._file.source()) as file:
            self._footer = file.metadata
        self._spans = [_span_of(self._footer.row_group(n)) for n in range(self._footer.num_row_groups)]

    def between(self, start_us: int, end_us: int, interval: str | None) -> list[pa.Table]:
        """The rows of a span, out of the row groups that reach into it."""
        import pyarrow.parquet as pq

        self._file.require_same()
        groups = [n for n, (first, last) in enumerate(self._spans) if first <= end_us and last >= start_us]
        if not groups:
            return []
        with pq.ParquetFile(self._file.source(), metadata=self._footer) as file:
            rows = file.read_row_groups(groups, use_threads=self._entry.rows > _MANY_ROWS)
        table = whole_table(self._entry.dimension, self._entry.symbol, rows)
        piece = Piece(self._entry.dimension, table, self._runs if len(groups) == len(self._spans) else None)
        if len(groups) == len(self._spans):
            self._runs = piece.runs
        return piece.between(start_us, end_us, interval)


def _span_of(group: Any) -> tuple[int, int]:
    column = next(n for n in range(group.num_columns) if group.column(n).path_in_schema == "ts")
    found = group.column(column).statistics
    return to_us(found.min), to_us(found.max)


class Opened:
    """The parts that were opened lately, each of them once; safe to be used by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: OrderedDict[tuple[Path, str], MappedPart | ParquetPart] = OrderedDict()
        self._hashes = Hashes()

    def part(self, folder: Path, entry: Entry, *, mapped: bool) -> MappedPart | ParquetPart:
        """The part of an entry, opened.

        Raises:
            Damaged: it can't be.
        """
        found = self.at_hand(folder, entry)
        if found is None:
            made = MappedPart if mapped and entry.mapped is not None else ParquetPart
            found = made(folder, entry, self._hashes)
            with self._lock:
                self._parts[folder, entry.path] = found
                while len(self._parts) > MOST_OPEN:
                    self._parts.popitem(last=False)
        return found

    def at_hand(self, folder: Path, entry: Entry) -> MappedPart | ParquetPart | None:
        """The part, if it is open."""
        key = folder, entry.path
        with self._lock:
            if key in self._parts:
                self._parts.move_to_end(key)
            return self._parts.get(key)

    def close(self, folder: Path | None, path: str | None = None) -> None:
        """Open anew what is asked for from now on: all of them, but those of a folder, or one part of it."""
        with self._lock:
            for key in list(self._parts):
                if (key == (folder, path)) if path is not None else key[0] != folder:
                    del self._parts[key]
