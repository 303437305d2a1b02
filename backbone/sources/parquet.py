"""Parquet files: columns in, columns out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.clock import MAX_US, MIN_US, parse_interval
from backbone.domain.dimension import Kind
from backbone.domain.schema import arrow_type
from backbone.domain.zones import from_wall_time
from backbone.sources.errors import InputInvalid
from backbone.sources.file import FileSource
from backbone.sources.port import BadRow, Progress, SourceChunk, excerpt
from backbone.sources.text.chunking import Chunker
from backbone.sources.text.layout import match_columns, required_columns
from backbone.sources.text.opening import open_file
from backbone.sources.text.rows import MAX_TEXT

__all__ = ["ParquetSource"]

Mask = NDArray[np.bool_]


class ParquetSource(FileSource):
    """Rows of one Parquet file, whose columns are found by name and alias as in CSV.

    Texts, numbers and timestamps must be stored as such. Rows without a key or price, with infinite numbers, NUL
    characters or times that can't be placed are quarantined by row number, counted from 1; NaN is missing.
    """

    name = "parquet"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        """Read the file; see `backbone.sources.port.Source.chunks`.

        Raises:
            InputMissing: there is no such file.
            InputInvalid: it is no Parquet file, damaged, empty, or its columns do not fit.
        """
        with open_file(self.path) as raw:
            size = self.path.stat().st_size
            chunker = Chunker(self.dimension, self._chunk_rows, self.path.name)
            try:
                file = pq.ParquetFile(raw)
                for table, bad in self._batches(file):
                    yield from chunker.add(table, bad)
                    if progress is not None:
                        share = chunker.rows_read / file.metadata.num_rows
                        progress(Progress(chunker.rows_read, int(size * share), size))
            except (pa.ArrowException, OSError) as error:
                reason = str(error).splitlines()[0]
                raise InputInvalid(f"{self.path} can't be read as Parquet: {reason}") from error
            if not chunker.rows_read:
                raise InputInvalid(f"{self.path} has no rows; rows are needed")
            yield from chunker.rest()

    def _batches(self, file: pq.ParquetFile) -> Iterator[tuple[pa.Table, list[BadRow]]]:
        names = file.schema_arrow.names
        positions, constants = match_columns(
            str(self.path), names, self.dimension, renames=self._columns, constants=self._constants
        )
        stored = {column: names[place] for column, place in positions.items()}
        first_row = 1
        for batch in file.iter_batches(batch_size=min(self._chunk_rows, 100_000), columns=list(stored.values())):
            faults: dict[str, Mask] = {}
            arrays = {column: self._fit(column, batch.column(name), faults) for column, name in stored.items()}
            arrays |= {column: pa.repeat(pa.scalar(value), batch.num_rows) for column, value in constants.items()}
            yield self._sorted_out(batch, arrays, faults, first_row)
            first_row += batch.num_rows

    def _fit(self, column: str, array: pa.Array, faults: dict[str, Mask]) -> pa.Array:
        """A column in its final type; what is wrong with which rows goes into ``faults``."""
        kind = self.dimension.kinds[column]
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if not _allowed(kind, array.type):
            raise InputInvalid(f"{self.path}: column {column} is {array.type}; {kind} is needed: convert it first")
        array = self._moments(array, faults) if kind == "timestamp" else array.cast(arrow_type(kind))
        if kind == "double":
            infinite = pc.is_inf(array).fill_null(False).to_numpy(zero_copy_only=False)
            faults[f"{column} is not a finite number"] = infinite
            array = pc.if_else(pc.is_nan(array), None, array)
        if kind == "string":
            faults[f"{column} holds a NUL character"] = _true(pc.match_substring(array, "\0"))
            faults[f"{column} is too long: over {MAX_TEXT} bytes"] = _true(
                pc.greater(pc.binary_length(array), MAX_TEXT)
            )
        if column in required_columns(self.dimension):
            empty = _true(pc.equal(pc.utf8_trim_whitespace(array), "")) if kind == "string" else False
            faults[f"{column} is empty"] = array.is_null().to_numpy(zero_copy_only=False) | empty
        return array

    def _moments(self, array: pa.Array, faults: dict[str, Mask]) -> pa.Array:
        """Timestamps in UTC; finer ones than a microsecond are refused."""
        aware = pa.types.is_timestamp(array.type) and array.type.tz is not None
        missing = array.is_null().to_numpy(zero_copy_only=False)
        us = array.cast(pa.timestamp("us", tz="UTC" if aware else None)).cast(pa.int64()).fill_null(0).to_numpy()
        if self.dimension is Dimension.DAILY_BARS:
            faults["ts has a time of day; daily bars bear the session's date"] = us % 86_400_000_000 != 0
        elif not aware and self._zone is None:
            raise InputInvalid(f"{self.path}: times have no zone; say which zone they are in (--zone UTC)")
        elif not aware and self._zone is not None:
            utc, ambiguous, nonexistent = from_wall_time(us.astype("datetime64[us]"), self._zone)
            us = utc.astype(np.int64)
            faults["ts comes twice when the clocks are set back"] = ambiguous
            faults["ts does not exist: the clocks skip it"] = nonexistent
        faults["ts lies outside the years 1 to 9999"] = (us < MIN_US) | (us > MAX_US)
        return pa.array(us, mask=missing).cast(pa.timestamp("us", tz="UTC"))

    def _sorted_out(
        self, batch: pa.RecordBatch, arrays: dict[str, pa.Array], faults: dict[str, Mask], first_row: int
    ) -> tuple[pa.Table, list[BadRow]]:
        """The good rows of a batch, and the bad ones with the first thing that is wrong with each."""
        table = pa.table({c: arrays[c] for c in self.dimension.columns if c in arrays})
        if "interval" in arrays:
            table = self._with_interval(table, faults)
        wrong = np.logical_or.reduce([np.zeros(batch.num_rows, dtype=np.bool_), *faults.values()])
        if not wrong.any():
            return table, []
        bad = []
        for row in np.flatnonzero(wrong).tolist():
            reason = next(reason for reason, mask in faults.items() if mask[row])
            text = ",".join(str(value) for value in _plain_values(batch, row))
            bad.append(BadRow(f"{self.path.name}:{first_row + row}", reason, excerpt(text)))
        return table.filter(pa.array(~wrong)), bad

    def _with_interval(self, table: pa.Table, faults: dict[str, Mask]) -> pa.Table:
        coded = table.column("interval").combine_chunks().dictionary_encode()
        coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
        names = pa.array([_interval_or_none(text) for text in coded.dictionary.to_pylist()], pa.string())
        intervals = names.take(coded.indices)
        faults["interval is not known"] = intervals.is_null().to_numpy(zero_copy_only=False)
        return table.set_column(table.column_names.index("interval"), "interval", intervals)


def _interval_or_none(text: str) -> str | None:
    try:
        return parse_interval(text)
    except ValueError:
        return None


def _plain_values(batch: pa.RecordBatch, row: int) -> list[Any]:
    # Moments outside Python's years can't become datetime objects; as text they can.
    texts = [c.slice(row, 1).cast(pa.string()) if pa.types.is_timestamp(c.type) else c.slice(row, 1) for c in batch]
    return [text.to_pylist()[0] for text in texts]


def _allowed(kind: Kind, given: pa.DataType) -> bool:
    types = pa.types
    if kind == "timestamp":
        return bool(types.is_timestamp(given) or types.is_date(given))
    if kind == "string":
        return bool(types.is_string(given) or types.is_large_string(given) or types.is_string_view(given))
    return bool(types.is_integer(given) or types.is_floating(given) or types.is_decimal(given) or types.is_null(given))


def _true(array: pa.Array) -> Mask:
    mask: Mask = array.fill_null(False).to_numpy(zero_copy_only=False)
    return mask
