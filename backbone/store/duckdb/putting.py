"""Rows into a table: a few as plain parameters; more as an Arrow table, which takes longer to register than a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from backbone.store.duckdb.sql import Connection, given
from backbone.store.sql import names

__all__ = ["FEW", "MOMENT", "Columns", "put"]

FEW = 8

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
        return
    one = ", ".join("make_timestamptz(?)" if pa.types.is_timestamp(kind) else "?" for kind, _ in columns.values())
    values = zip(*(values for _, values in columns.values()), strict=True)
    connection.execute(f"{into} VALUES {', '.join([f'({one})'] * rows)}", [value for row in values for value in row])
