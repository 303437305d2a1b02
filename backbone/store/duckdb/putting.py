"""Rows into a table: a few as parameters, value by value or list by list; more as an Arrow table.

To plan a statement takes longer the more parameters it has, and to register a table as long as some hundred values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from backbone.store.duckdb.sql import Connection, given
from backbone.store.sql import names, quoted

__all__ = ["FEW", "MOMENT", "Columns", "put", "rows_of"]

FEW = 200

_VERY_FEW = 4

MOMENT = pa.timestamp("us", tz="UTC")

Columns = Mapping[str, tuple[pa.DataType, Sequence[Any]]]
"""By name the type and the values; moments are microseconds since 1970."""


def put(connection: Connection, table: str, columns: Columns) -> None:
    """Insert rows, given column by column."""
    rows = len(next(iter(columns.values()))[1])
    into = f"INSERT INTO {table} ({names(tuple(columns))})"
    if rows > FEW:
        arrays = {name: pa.array(values, kind) for name, (kind, values) in columns.items()}
        with given(connection, "incoming", pa.table(arrays)):
            connection.execute(f"{into} SELECT * FROM incoming")  # noqa: S608
    elif rows > _VERY_FEW:
        listed = {name: (kind, list(values)) for name, (kind, values) in columns.items()}
        connection.execute(f"{into} {rows_of(listed)}", [values for _, values in listed.values()])
    else:
        one = ", ".join("make_timestamptz(?)" if pa.types.is_timestamp(kind) else "?" for kind, _ in columns.values())
        by_row = zip(*(values for _, values in columns.values()), strict=True)
        connection.execute(f"{into} VALUES {', '.join([f'({one})'] * rows)}", [each for row in by_row for each in row])


def rows_of(columns: Columns) -> str:
    """A SELECT of rows whose columns come as one list each."""
    lists = ", ".join(f"unnest(?::{_TYPES[kind]}[]) AS {quoted(name)}" for name, (kind, _) in columns.items())
    picked = ", ".join(
        f"make_timestamptz({quoted(name)}) AS {quoted(name)}" if pa.types.is_timestamp(kind) else quoted(name)
        for name, (kind, _) in columns.items()
    )
    return f"SELECT {picked} FROM (SELECT {lists})"  # noqa: S608


_TYPES = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE",
    MOMENT: "BIGINT",
}
