"""Rows into a table: a few by an appender that is kept, so that nothing is planned for them; more as an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.clock import from_us
from backbone.store.duckdb.sql import Connection, given
from backbone.store.sql import names, quoted

__all__ = ["FEW", "MOMENT", "Columns", "put", "rows_of"]

FEW = 200
"""To register a table takes as long as to append some hundred rows."""

MOMENT = pa.timestamp("us", tz="UTC")

Columns = Mapping[str, tuple[pa.DataType, Sequence[Any]]]
"""By name the type and the values; moments are microseconds since 1970."""

_Appenders = dict[tuple[str, ...], duckdb.Appender]
_KEPT: WeakKeyDictionary[Connection, _Appenders] = WeakKeyDictionary()
"""By connection, and by table with its columns. An appender holds neither its connection nor the file."""


def put(connection: Connection, table: str, columns: Columns) -> None:
    """Insert rows, given column by column, in the transaction that the connection is in."""
    if len(next(iter(columns.values()))[1]) <= FEW:
        _append(connection, table, columns)
        return
    arrays = {name: array_of(values, kind) for name, (kind, values) in columns.items()}
    with given(connection, "incoming", pa.table(arrays)):
        connection.execute(f"INSERT INTO {table} ({names(tuple(columns))}) SELECT * FROM incoming")  # noqa: S608


def _append(connection: Connection, table: str, columns: Columns) -> None:
    kept, key = _KEPT.setdefault(connection, {}), (table, *columns)
    values = [map(from_us, column) if pa.types.is_timestamp(kind) else column for kind, column in columns.values()]
    rows = list(zip(*values, strict=True))
    appender = kept.get(key)
    if appender is None:
        appender = kept[key] = connection.appender(table, columns=list(columns))
    try:
        appender.append_rows(rows)
        appender.flush()
    finally:
        appender.clear()  # it would keep what goes before a bad row, for the next flush


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
