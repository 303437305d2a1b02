"""A part once more beside its Parquet file, as uncompressed Arrow: mapped into memory it is read without decoding.

It has all columns of the dimension, one batch of them, so that what is read is a slice of the file. Its name begins
with `_`: tools that read a folder of Parquet pass it by.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec
import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.memory import give_back
from backbone.domain.schema import arrow_schema
from backbone.domain.stored import constant, one_chunk
from backbone.export.files import Disk, hash_of
from backbone.export.manifest import Entry, Mapped

__all__ = ["MOST_ROWS", "MappedWriter", "whole_table"]

MOST_ROWS = 2_000_000
"""A part of more rows has no such file: it would be in memory at once."""

_NAME = "_part-0.arrow"


class MappedWriter:
    """Writes such files into the folder of an export.

    Args:
        disk: the steps on the disk.
        folder: of the export.
        wanted: whether there are to be any.
    """

    def __init__(self, disk: Disk, folder: Path, *, wanted: bool) -> None:
        self._disk = disk
        self._folder = folder
        self._wanted = wanted

    def beside(self, entry: Entry, found: Path | None) -> Entry:
        """The entry of a part whose Parquet file is in its place, with that of its mapped file.

        Args:
            entry: of the part.
            found: the Parquet file that it was taken over from; None: it was written.

        Raises:
            OSError: the disk refuses.
        """
        if not self._wanted or entry.symbol is None or not 0 < entry.rows <= MOST_ROWS:
            return msgspec.structs.replace(entry, mapped=None)
        place = str(PurePosixPath(entry.path).with_name(_NAME))
        path = self._folder / place
        if entry.mapped is not None and found is not None:
            old = found.with_name(_NAME)
            if hash_of(old) == entry.mapped.sha256 and (old == path or self._linked(old, path)):
                return entry
        return msgspec.structs.replace(entry, mapped=self._written(entry, place))

    def _linked(self, old: Path, new: Path) -> bool:
        try:
            self._disk.link(old, new)
        except OSError:
            return False
        return True

    def _written(self, entry: Entry, place: str) -> Mapped:
        import pyarrow.parquet as pq

        path = self._folder / place
        with pq.ParquetFile(self._folder / entry.path) as file:
            table = whole_table(entry.dimension, entry.symbol, file.read())
        partial = path.with_name(f".{path.name}.tmp")
        try:
            with (
                self._disk.creating(partial) as sink,
                pa.ipc.new_file(pa.PythonFile(sink, mode="w"), table.schema) as out,
            ):
                out.write_table(table)
        except OSError:
            with suppress(OSError):
                self._disk.remove(partial)
            raise
        mapped = Mapped(path=place, bytes=sink.size, sha256=sink.sha256)
        self._disk.rename(partial, path)
        del table
        give_back()
        return mapped


def whole_table(dimension: Dimension, symbol: str | None, rows: pa.Table) -> pa.Table:
    """Rows of a file with the column that its folder says, as a frame has them: one piece a column."""
    columns = [
        constant(dimension, name, symbol, rows.num_rows)
        if symbol is not None and name == dimension.partition_column
        else one_chunk(rows.column(name))
        for name in dimension.columns
    ]
    return pa.Table.from_arrays(columns, schema=arrow_schema(dimension))
