"""How files are written and read back: Parquet, CSV, and JSON line by line. All of them page by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of, table_of
from backbone.domain.dimension import Dimension
from backbone.domain.schema import arrow_schema
from backbone.domain.values import numpy_of
from backbone.export.files import Sink
from backbone.store.snapshots import PART_ROWS, Part

__all__ = ["Writer", "columns_of", "pages_of", "schema_of", "writer"]


class Writer(Protocol):
    """Takes pages of rows into a file."""

    def add(self, table: pa.Table) -> None:
        """The next page."""
        ...

    def close(self) -> None:
        """The last bytes."""
        ...


def schema_of(dimension: Dimension, columns: tuple[str, ...]) -> pa.Schema:
    """The schema of a file: key columns are never null."""
    canonical = arrow_schema(dimension)
    fields = [canonical.field(name).with_nullable(name not in dimension.key) for name in columns]
    return pa.schema(fields, {"backbone.dimension": dimension.value})


def columns_of(part: Part) -> dict[str, str]:
    """The columns of a file of a part, with their types."""
    return {field.name: str(field.type) for field in schema_of(part.dimension, part.columns)}


def writer(form: str, sink: Sink, dimension: Dimension, columns: tuple[str, ...]) -> Writer:
    """What writes files of that form."""
    kinds: dict[str, type[_Parquet | _Csv | _Jsonl]] = {"parquet": _Parquet, "csv": _Csv, "jsonl": _Jsonl}
    return kinds[form](sink, dimension, columns)


def pages_of(form: str, path: Path, dimension: Dimension, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    """The rows of a file as they went in, page by page.

    Raises:
        ValueError, OSError: it is none that was written here.
    """
    read = {"parquet": _parquet_pages, "csv": _csv_pages, "jsonl": _jsonl_pages}[form]
    return read(path, schema_of(dimension, columns))


class _Parquet:
    def __init__(self, sink: Sink, dimension: Dimension, columns: tuple[str, ...]) -> None:
        import pyarrow.parquet as pq

        self._schema = schema_of(dimension, columns)
        key = [pq.SortingColumn(columns.index(name)) for name in dimension.key if name in columns]
        self._writer = pq.ParquetWriter(
            sink,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in columns if dimension.kinds[name] in {"string", "double"}],
            write_statistics=True,
            write_page_index=True,
            sorting_columns=key,
        )

    def add(self, table: pa.Table) -> None:
        """A row group of its own."""
        self._writer.write_table(table.cast(self._schema), row_group_size=PART_ROWS)

    def close(self) -> None:
        """The footer."""
        self._writer.close()


def _parquet_pages(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(schema):
                raise ValueError(f"{path.name} has other columns than it was written with")
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)
    except pa.ArrowException as error:  # a byte that was spoilt may ask for what is not built, as well
        raise ValueError(str(error)) from error


class _Csv:
    def __init__(self, sink: Sink, dimension: Dimension, columns: tuple[str, ...]) -> None:
        from pyarrow import csv

        schema = _spelled_schema(schema_of(dimension, columns))
        self._writer = csv.CSVWriter(pa.PythonFile(sink, mode="w"), schema)

    def add(self, table: pa.Table) -> None:
        """Lines; what is null is empty, an empty text stands in quotes."""
        self._writer.write_table(_spelled(table))

    def close(self) -> None:
        """Nothing is left."""
        self._writer.close()


def _csv_pages(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    from pyarrow import csv

    spelled = _spelled_schema(schema)
    convert = csv.ConvertOptions(
        column_types=spelled, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    held: list[pa.RecordBatch] = []
    rows = 0
    with csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=convert) as file:
        for batch in file:
            held, rows = [*held, batch], rows + batch.num_rows
            if rows >= PART_ROWS:
                table = pa.Table.from_batches(held)
                while table.num_rows >= PART_ROWS:
                    yield _moments(table.slice(0, PART_ROWS), schema)
                    table = table.slice(PART_ROWS)
                held, rows = table.combine_chunks().to_batches(), table.num_rows
    if rows:
        yield _moments(pa.Table.from_batches(held), schema)


class _Jsonl:
    def __init__(self, sink: Sink, _dimension: Dimension, _columns: tuple[str, ...]) -> None:
        self._sink = sink
        self._encoder = msgspec.json.Encoder()

    def add(self, table: pa.Table) -> None:
        """An object for each row."""
        self._sink.write(self._encoder.encode_lines(_spelled(table).to_pylist()))

    def close(self) -> None:
        """Nothing is left."""


def _jsonl_pages(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    spelled, decoder = _spelled_schema(schema), msgspec.json.Decoder(dict[str, Any])
    with path.open("rb") as file:
        while lines := list(islice(file, PART_ROWS)):
            try:
                table = table_of([decoder.decode(line) for line in lines], spelled)
            except (msgspec.DecodeError, TypeError, OverflowError) as error:
                raise ValueError(f"a line is none of ours: {error}") from error
            yield _moments(table, schema)


def _spelled_schema(schema: pa.Schema) -> pa.Schema:
    place = schema.get_field_index("ts")
    return schema.set(place, pa.field("ts", pa.string(), nullable=False)).remove_metadata()


def _spelled(table: pa.Table) -> pa.Table:
    """Moments as texts: ISO 8601, in UTC, to the microsecond."""
    place = table.schema.get_field_index("ts")
    moments = numpy_of(table.column(place).cast(pa.int64())).view("datetime64[us]")
    texts = np.char.add(np.datetime_as_string(moments), "Z")
    schema = _spelled_schema(table.schema)
    columns = [*table.columns[:place], array_of(texts.tolist(), pa.string()), *table.columns[place + 1 :]]
    return pa.Table.from_arrays(columns, schema=schema)


def _moments(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Texts as moments again."""
    place = schema.get_field_index("ts")
    if table.column(place).null_count:
        raise ValueError("a row has no ts")
    texts = np.array([text[:-1] for text in table.column(place).to_pylist()], "datetime64[us]")
    columns = list(table.combine_chunks().columns)
    columns[place] = array_of(texts.view(np.int64)).cast(schema.field(place).type)
    return pa.Table.from_arrays(columns, schema=schema)
