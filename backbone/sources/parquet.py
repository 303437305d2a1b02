"""Parquet files: columns in, columns out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from io import BufferedReader
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.zones import load_zone
from backbone.sources.casting import Mask
from backbone.sources.corrections import kinds_read, settled
from backbone.sources.dated import needs_time_of_day, refuse_shared_dates
from backbone.sources.errors import InputInvalid
from backbone.sources.file import FileSource
from backbone.sources.fitting import Fitting, coded, is_text, text_bytes
from backbone.sources.pages import MOST_BATCH_BYTES, MOST_FOOTER_BYTES, footer_bytes, refuse_encrypted, stretches
from backbone.sources.port import Account, BadRow, Progress, SourceChunk, excerpt
from backbone.sources.remarks import Remarks
from backbone.sources.repeated import RepeatedHours
from backbone.sources.stamps import shifted
from backbone.sources.stored_times import SAMPLE, dates_alone, recognised_times
from backbone.sources.text.chunking import Chunker
from backbone.sources.text.dialects import Dialect, by_header
from backbone.sources.text.naming import assign, single_places
from backbone.sources.text.opening import open_file
from backbone.sources.text.placing import TimeForm

__all__ = ["ParquetSource"]

_READ_BYTES: Final = 2**20
_MOST_ELEMENTS: Final = 200_000
_ROWS_PER_BYTE: Final = 100
_ROWS_AT_LEAST: Final = 10_000_000


class ParquetSource(FileSource):
    """Rows of one Parquet file, whose columns are found by name and alias as in CSV.

    Texts and numbers must be stored as such; times may be timestamps, dates, numbers since 1970, or texts as in CSV. A
    column of another type is left out where a row means something without it. Rows without a key or price, with
    infinite prices, numbers that do not fit, keys that are too long or hold what no text may, or times that can't be
    placed are quarantined by row number, counted from 1; NaN is missing. What a file unfolds to is known before it
    does, see `backbone.sources.pages`.
    """

    name = "parquet"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        """Read the file; see `backbone.sources.port.Source.chunks`.

        Raises:
            InputMissing: there is no such file.
            InputInvalid: it is no Parquet file, damaged, empty, its columns do not fit, or it unfolds to too much.
        """
        self.account = Account()
        with open_file(self.path) as raw, closing(Chunker(self.dimension, self._chunk_rows, self.path.name)) as chunker:
            try:
                file, size = self._open(raw)
                for table, bad in self._batches(file, raw):
                    yield from chunker.add(shifted(table, self.form.stamps), bad)
                    if progress is not None:
                        share = min(1.0, chunker.rows_read / max(1, file.metadata.num_rows))
                        progress(Progress(chunker.rows_read, int(size * share), size))
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                reason = str(error).split("\n", 1)[0]
                raise InputInvalid(f"{self.path} can't be read as Parquet: {reason}") from error
            if not chunker.rows_read:
                raise InputInvalid(f"{self.path} has no rows; rows are needed")
            yield from chunker.rest()

    def _open(self, raw: BufferedReader) -> tuple[pq.ParquetFile, int]:
        size = raw.seek(0, 2)
        if (footer := footer_bytes(raw.fileno())) > MOST_FOOTER_BYTES:
            raise InputInvalid(
                f"{self.path} can't be read as Parquet: its footer has {footer:,} bytes, at most {MOST_FOOTER_BYTES:,} "
                "are read; write it with fewer columns or larger row groups"
            )
        file = pq.ParquetFile(raw, thrift_container_size_limit=_MOST_ELEMENTS)
        refuse_encrypted(self.path, raw.fileno())
        if file.metadata.num_rows > max(_ROWS_AT_LEAST, _ROWS_PER_BYTE * size):
            raise InputInvalid(
                f"{self.path} unfolds to {file.metadata.num_rows:,} rows from {size:,} bytes, which market data does "
                "not; inspect it first"
            )
        return file, size

    def _batches(self, file: pq.ParquetFile, raw: BufferedReader) -> Iterator[tuple[pa.Table, list[BadRow]]]:
        stored, constants, dialect = self._columns_of(file.schema_arrow)
        kinds, schema = kinds_read(self.dimension), file.schema_arrow
        texts = [name for c, name in stored.items() if kinds[c] == "string" and is_text(schema.field(name).type)]
        places = {file.schema.column(at).path: at for at in range(len(file.schema))}
        columns, as_text = ([places[name] for name in names] for names in (stored.values(), texts))
        readers: dict[frozenset[int], pq.ParquetFile] = {}
        form = self._times(dialect)
        remarks, hours, times, first_row = Remarks(), RepeatedHours(self.dimension, form.zone, stored), None, 1
        for groups, rows, coded_ones in stretches(self.path, raw.fileno(), file.metadata, columns, as_text):
            if coded_ones not in readers:
                readers[coded_ones] = _reader(raw, file, coded_ones)
            read = readers[coded_ones].iter_batches(rows, row_groups=groups, columns=list(stored.values()))
            for batch in (piece for whole in _gathered(read, rows) for piece in _pieces(whole, texts)):
                times = times or self._recognised(batch, stored, constants, form)
                fitting = Fitting(self.path, self.dimension, times)
                yield self._sorted_out(batch, stored, constants, fitting, hours, remarks, first_row)
                first_row += batch.num_rows
        table, bad = hours.rest()
        if table is not None or bad:
            yield Frame.empty(self.dimension).to_arrow() if table is None else table, bad
        self.account.note(*remarks.words())

    def _columns_of(self, schema: pa.Schema) -> tuple[dict[str, str], dict[str, str], Dialect | None]:
        """The file's name of each column, the constants beside them, the dialect; says what is left out, and why."""
        dialect = by_header(schema.names, self.dimension)
        found = assign(
            str(self.path), schema.names, self.dimension,
            renames=self.form.columns, constants=self._constants, dialect=dialect,
        )  # fmt: skip
        stored = {column: schema.names[place] for column, place in single_places(str(self.path), found).items()}
        types = {column: schema.field(name).type for column, name in stored.items()}
        foreign = Fitting(self.path, self.dimension, TimeForm()).foreign(types)
        self.account.dialect = "" if dialect is None else dialect.name
        self.account.columns = {name: column for name, column in found.mapped.items() if column not in foreign}
        self.account.kinds = {field.name: str(field.type) for field in schema}
        self.account.ignored = found.ignored | {stored[column]: reason for column, reason in foreign.items()}
        return {column: name for column, name in stored.items() if column not in foreign}, found.constants, dialect

    def _times(self, dialect: Dialect | None) -> TimeForm:
        """How the times are written, as far as it is told."""
        return TimeForm(
            format=self.form.time_format or (dialect.time_format if dialect else None),
            unit=self.form.time_unit,
            zone=load_zone(dialect.zone) if dialect and dialect.zone else self._zone,
            dates=self.dimension is Dimension.DAILY_BARS,
            day_first=dialect is not None and dialect.day_first,
            earliest=self._years[0],
            latest=self._years[1],
        )

    def _recognised(
        self, batch: pa.RecordBatch, stored: dict[str, str], constants: dict[str, str], form: TimeForm
    ) -> TimeForm:
        """The form of the times, made out by the first ones."""
        first = batch.slice(0, SAMPLE)
        stamps = first.column(stored["ts"])
        try:
            times = recognised_times(stamps, form)
            told = form.format is None and needs_time_of_day(self.dimension, constants.get("interval"))
            if told and (dates := dates_alone(stamps, times)) is not None:
                others = [first.column(stored[c]).to_pylist() for c in ("symbol", "interval") if c in stored]
                rows = zip(dates, *others, strict=True)
                refuse_shared_dates((tuple(map(str, row)) for row in rows if row[0] is not None), self.dimension)
        except ValueError as error:
            raise InputInvalid(f"{self.path} has {error}") from error
        return times

    def _sorted_out(
        self,
        batch: pa.RecordBatch,
        stored: dict[str, str],
        constants: dict[str, str],
        fitting: Fitting,
        hours: RepeatedHours,
        remarks: Remarks,
        first_row: int,
    ) -> tuple[pa.Table, list[BadRow]]:
        """The good rows of a batch, and the bad ones with the first thing that is wrong with each."""
        arrays = {column: fitting.fit(column, batch.column(name)) for column, name in stored.items()}
        arrays |= {column: pa.repeat(scalar_of(value), batch.num_rows) for column, value in constants.items()}
        table = pa.table({c: arrays[c] for c in kinds_read(self.dimension) if c in arrays})
        wrong: Mask = np.logical_or.reduce([np.zeros(batch.num_rows, dtype=np.bool_), *fitting.faults.values()])
        fitting.remark(remarks, ~wrong)

        def as_bad(rows: NDArray[np.intp], reasons: list[str]) -> list[BadRow]:
            shown = zip(rows.tolist(), reasons, _lines(fitting.shown, rows), strict=True)
            return [BadRow(f"{self.path.name}:{first_row + row}", why, excerpt(line)) for row, why, line in shown]

        rows = np.flatnonzero(wrong)
        bad = as_bad(rows, _reasons(fitting.faults, rows)) if rows.size else []
        good = np.flatnonzero(~wrong)
        table = table.filter(array_of(~wrong)) if rows.size else table
        if self.dimension is Dimension.TRADES:
            found = settled(table)
            if found.reasons:
                bad += as_bad(good[list(found.reasons)], list(found.reasons.values()))
            table, good = found.table, good[found.kept]
            remarks.settled(found.cancelled, found.corrected)
        table, unplaced = hours.settle(
            table,
            np.zeros(good.size, dtype=np.bool_) if fitting.repeated is None else fitting.repeated[good],
            lambda places, reason: as_bad(good[places], [reason] * places.size),
        )
        return table, bad + unplaced


def _reader(raw: BufferedReader, file: pq.ParquetFile, coded: Iterable[int]) -> pq.ParquetFile:
    """The file once more, some of whose columns stay dictionaries."""
    names = [file.schema.column(place).path for place in coded]
    return pq.ParquetFile(raw, metadata=file.metadata, read_dictionary=names, buffer_size=_READ_BYTES, pre_buffer=False)


def _gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of up to so many rows out of smaller ones, such as those of small row groups."""
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        if held and (count + len(batch) > rows or size + batch.nbytes > MOST_BATCH_BYTES):
            yield _joined(held)
            held, count, size = [], 0, 0
        held.append(batch)
        count, size = count + len(batch), size + batch.nbytes
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    (batch,) = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()
    return batch


def _pieces(batch: pa.RecordBatch, texts: list[str]) -> Iterator[pa.RecordBatch]:
    """The batch in parts, none of which has more text than is unfolded at once, unless in a single row."""
    columns = [coded(batch.column(name)) for name in texts]
    if batch.num_rows > 1 and sum(int(text_bytes(each).sum()) for each in columns) > MOST_BATCH_BYTES:
        middle = batch.num_rows // 2
        for half in (batch.slice(0, middle), batch.slice(middle)):
            yield from _pieces(half, texts)
        return
    yield batch


def _reasons(faults: dict[str, Mask], rows: NDArray[np.intp]) -> list[str]:
    """The first thing that is wrong with each of these rows."""
    first = np.argmax(np.stack([mask[rows] for mask in faults.values()]), axis=0)
    words = list(faults)
    return [words[place] for place in first.tolist()]


def _lines(shown: dict[str, pa.Array], rows: NDArray[np.intp]) -> list[bytes]:
    """These rows as they are shown."""
    columns = [array.take(array_of(rows)) for array in shown.values()]
    # moments outside Python's years can't become datetime objects; as text they can
    plain = [each.cast(pa.string()) if pa.types.is_temporal(each.type) else each for each in columns]
    return [b",".join(map(_plain, row)) for row in zip(*(each.to_pylist() for each in plain), strict=True)]


def _plain(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
