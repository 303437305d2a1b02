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

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.domain.frame import Frame

__all__ = ["csv_of", "draw_table", "json_of"]

_FORMULA = r"^[=+\-@\t\r]"


def csv_of(frame: Frame) -> bytes:
    """CSV with a header; times in ISO-8601 UTC; texts that a spreadsheet would run as a formula begin with '."""
    table = frame.to_arrow()
    columns = [_written(column) for column in table.columns]
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    pyarrow.csv.write_csv(pa.table(columns, names=table.column_names), sink, write_options=options)
    return sink.getvalue()


def _written(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return _moments(column)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_string(column.type):
        return column
    harmless = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.match_substring_regex(column, _FORMULA), harmless, column)


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole seconds where all are, else microseconds."""
    whole = pc.all(pc.equal(pc.microsecond(column), 0)).as_py() and pc.all(pc.equal(pc.millisecond(column), 0)).as_py()
    exact = column.cast(pa.timestamp("s", "UTC")) if whole is not False else column
    return pc.strftime(exact, format="%Y-%m-%dT%H:%M:%SZ")


def json_of(frame: Frame) -> bytes:
    """The columns as arrays, missing numbers as null."""
    table = frame.to_arrow()
    columns = {name: _listed(table.column(name)) for name in table.column_names}
    body = {"schema": 1, "dimension": frame.dimension, "rows": frame.num_rows, "stale": frame.stale, "columns": columns}
    return msgspec.json.encode(body)


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
        values = [_cell(value) for value in table.column(name).to_pylist()]
        if any(values):
            drawn.add_column(name, justify="left" if pa.types.is_string(table.schema.field(name).type) else "right")
            shown.append(values)
    for row in zip(*shown, strict=True):
        drawn.add_row(*(Text(text) for text in row))
    if shown:
        console.print(drawn)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(sep=" ", timespec="auto").removesuffix("+00:00")
        return text.removesuffix(":00")
    return f"{value:.10g}" if isinstance(value, float) else one_line(value)
