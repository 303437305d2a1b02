"""Rows as CSV, as JSON, and as a table for people. Columns stay columns."""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from backbone.cli.show.text import one_line
from backbone.domain.arrays import array_of, combined
from backbone.domain.spreadsheets import MARK, escaped, harmful
from backbone.domain.text import json_text
from backbone.domain.values import numpy_of, python_of

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.domain.frame import Frame

__all__ = ["cell", "columns_of", "csv_of", "draw_table", "json_of", "marked_columns", "safe_texts"]


_SUSPECT = r"^[=+\-@ ]|[^ -~]| $"  # to be looked at more closely


def csv_of(frame: Frame) -> bytes:
    """CSV with a header; times in ISO-8601 UTC; texts that do harm as in `backbone.domain.spreadsheets`."""
    table = frame.to_arrow()
    columns = {}
    for name in table.column_names:
        column, marked = _written(table.column(name))
        columns[f"{name}{MARK}" if marked else name] = column
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    pyarrow.csv.write_csv(pa.table(columns), sink, write_options=options)
    return sink.getvalue()


def marked_columns(csv: bytes) -> list[str]:
    """The columns of such a CSV whose texts are escaped."""
    names = csv.partition(b"\n")[0].decode().split(",")
    return [name.strip('"').removesuffix(MARK) for name in names if name.strip('"').endswith(MARK)]


def _written(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """The column as it is written, and whether its texts are escaped."""
    if pa.types.is_timestamp(column.type):
        return _moments(column), False
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.NA, column), False
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return safe_texts(column)


def safe_texts(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """The column as a spreadsheet may read it, and whether its texts are escaped; what is no text stays as it is."""
    if not pa.types.is_string(column.type):
        return column, False
    suspects = pc.unique(column.filter(pc.match_substring_regex(column, _SUSPECT)))
    if not any(map(harmful, suspects.to_pylist())):
        return column, False
    distinct = pc.unique(column).drop_null()
    safe = array_of(map(escaped, distinct.to_pylist()), pa.string())
    return pa.chunked_array([safe.take(combined(pc.index_in(column, distinct)))]), True


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole seconds where all are, else microseconds."""
    parts = (pc.microsecond(column), pc.millisecond(column))
    exact = column if any(numpy_of(part, 0).any() for part in parts) else column.cast(pa.timestamp("s", "UTC"))
    return pc.strftime(exact, format="%Y-%m-%dT%H:%M:%SZ")


def json_of(frame: Frame) -> bytes:
    """The columns as arrays, missing numbers as null."""
    facts = {"dimension": frame.dimension, "rows": frame.num_rows, "stale": frame.stale, "partial": dict(frame.partial)}
    return json_text(msgspec.json.encode({"schema": 1, **facts, "columns": columns_of(frame)}))


def columns_of(frame: Frame) -> dict[str, list[Any]]:
    """The columns as arrays, for JSON."""
    table = frame.to_arrow()
    return {name: _listed(table.column(name)) for name in table.column_names}


def _listed(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = (_moments(column) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return values


def draw_table(console: Console, frame: Frame) -> None:
    """The rows, without columns in which nothing stands."""
    from rich.table import Table
    from rich.text import Text

    table = frame.to_arrow()
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    shown = []
    for name in table.column_names:
        values = [cell(value) for value in python_of(table.column(name))]
        if any(values):
            drawn.add_column(name, justify="left" if pa.types.is_string(table.schema.field(name).type) else "right")
            shown.append(values)
    for row in zip(*shown, strict=True):
        drawn.add_row(*(Text(text) for text in row))
    if shown:
        console.print(drawn)


def cell(value: object) -> str:
    """A value as people read it, on one line; "" for what is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(sep=" ", timespec="auto").removesuffix("+00:00")
        return text.removesuffix(":00")
    return f"{value:.10g}" if isinstance(value, float) else one_line(value)
