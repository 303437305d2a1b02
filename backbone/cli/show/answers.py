"""The answer to a statement as people and programs want it: table, CSV, JSON by line, Parquet, Arrow."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.csv

from backbone.cli.failures import UsageError, note
from backbone.cli.show.output import page, write, write_data
from backbone.cli.show.rows import cell, safe_texts
from backbone.domain.arrays import array_of
from backbone.domain.spreadsheets import MARK, escaped, harmful
from backbone.domain.text import json_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FORMS", "draw"]

_LEAST, _MOST = -(2**63), 2**64 - 1  # beyond these JSON's readers lose digits, and its writer refuses


def draw(table: pa.Table, output: Path | None, *, no_color: bool) -> None:
    """A table for people, with how many rows there are below it."""
    page(lambda console: _draw(console, table), output, no_color=no_color)


def _draw(console: Console, table: pa.Table) -> None:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        drawn.add_column(Text(cell(name)), justify="right" if _is_number(kind) else "left")
    columns = [[cell(_told(value)) for value in column.to_pylist()] for column in _readable(table).columns]
    for row in zip(*columns, strict=True):
        drawn.add_row(*map(Text, row))
    console.print(drawn)
    console.print(f"{table.num_rows:,} row{'' if table.num_rows == 1 else 's'}")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _readable(table: pa.Table) -> pa.Table:
    """The table with moments of nanoseconds as texts: Python knows none."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
    return table


def _csv(table: pa.Table, output: Path | None) -> None:
    """CSV with a header; what a spreadsheet would run is escaped, and said."""
    columns, names, marked = list[pa.ChunkedArray](), list[str](), list[str]()
    for name, column in zip(table.column_names, _readable(table).columns, strict=True):
        shown, is_escaped = safe_texts(_plain(column))
        told = escaped(name) if harmful(name) else name
        marked += [told] if is_escaped else []
        names.append(f"{told}{MARK}" if is_escaped else told)
        columns.append(shown)
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    pyarrow.csv.write_csv(pa.Table.from_arrays(columns, names), sink, write_options=options)
    if marked:
        note(f"texts of {', '.join(marked)} are escaped, for a spreadsheet would run them or they can't be printed")
    write(sink.getvalue(), output)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as CSV has it: what is no number, truth or text is written out."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind):
        return column
    texts = [None if value is None else _text(_told(value)) for value in column.to_pylist()]
    return pa.chunked_array([array_of(texts, pa.string())])


def _text(told: Any) -> str:
    return told if isinstance(told, str) else msgspec.json.encode(told).decode()


def _jsonl(table: pa.Table, output: Path | None) -> None:
    """A line of JSON for each row."""
    encoder, sink = msgspec.json.Encoder(), io.BytesIO()
    for batch in _readable(table).to_batches(max_chunksize=10_000):
        columns = [[_told(value) for value in column.to_pylist()] for column in batch.columns]
        for row in zip(*columns, strict=True):
            sink.write(json_text(encoder.encode(dict(zip(table.column_names, row, strict=True)))))
            sink.write(b"\n")
    write_data(sink.getvalue(), output) if output is not None else write(sink.getvalue() or b"\n", output)


def _told(value: Any) -> Any:
    """A value of Arrow as JSON has it: moments in ISO 8601, bytes in base64.

    Exact numbers are texts, unless they are whole and of 64 bits.
    """
    if isinstance(value, dict):
        return {str(name): _told(each) for name, each in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, pa.MonthDayNano):
        return [_told(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, datetime):
        text = value.isoformat()
        return f"{text.removesuffix('+00:00')}Z" if value.tzinfo is not None else text
    if isinstance(value, Decimal):
        is_whole = value.as_tuple().exponent == 0 and _LEAST <= value <= _MOST
        return int(value) if is_whole else format(value, "f")
    if isinstance(value, pa.MonthDayNano):
        return _duration(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date | time) else value


def _duration(value: Any) -> str:
    """An interval in ISO 8601, each part of it with its sign: P1M2DT3.5S."""
    months, days, nanoseconds = value
    sign = "-" if nanoseconds < 0 else ""
    whole, rest = divmod(abs(nanoseconds), 10**9)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    parts = [f"{months}M" if months else "", f"{days}D" if days else ""]
    parts += [f"T{sign}{whole}{fraction}S"] if nanoseconds else []
    return f"P{''.join(parts) or 'T0S'}"


def _parquet(table: pa.Table, output: Path | None) -> None:
    """A Parquet file.

    Raises:
        UsageError: it has a column that Parquet can't hold.
    """
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    try:
        pq.write_table(table, sink, compression="zstd")
    except pa.ArrowException as error:
        raise UsageError(f"--format parquet: a column can't be held ({error}); cast it to text") from error
    write_data(sink.getvalue(), output)


def _arrow(table: pa.Table, output: Path | None) -> None:
    """An Arrow IPC stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    write_data(sink.getvalue(), output)


FORMS: Final[dict[str, Callable[[pa.Table, Path | None], None]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "arrow": _arrow,
}
"""How an answer is written for programs."""
