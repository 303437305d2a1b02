"""The pieces of SQL that depend on a dimension. Every identifier comes from `Dimension`, every value is a parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from backbone.domain.clock import from_us, to_us
from backbone.domain.dimension import Dimension

__all__ = [
    "FEW_TEXTS",
    "Connection",
    "among",
    "close_behind",
    "count",
    "first",
    "given",
    "moment",
    "parameter",
    "rows_table",
    "table",
]

Connection = duckdb.DuckDBPyConnection

FEW_TEXTS = 50
"""So many are listed one by one; to plan a longer list costs more than it saves."""


def rows_table(dimension: Dimension) -> str:
    """The table of a dimension; that of its former versions has `_revisions` behind."""
    return f"market_data.{dimension.value}"


def table(connection: Connection, query: str, parameters: list[object] | None = None) -> pa.Table:
    """The answer as an Arrow table."""
    return connection.sql(query, params=parameters or []).to_arrow_table()


def first(connection: Connection, query: str, parameters: list[object] | None = None) -> Any:
    """The first row of the answer as a tuple, or None; the rest is fetched too, for DuckDB refuses to go on without."""
    rows = connection.execute(query, parameters or []).fetchall()
    return rows[0] if rows else None


@contextmanager
def given(connection: Connection, name: str, rows: pa.Table) -> Iterator[None]:
    """Let statements within see an Arrow table under that name; nothing is copied."""
    connection.register(name, rows)
    try:
        yield
    finally:
        # in a transaction that was aborted this is refused as well; the error that led here is the one to see, and the
        # next table of that name takes its place
        with suppress(duckdb.Error):
            connection.unregister(name)


def close_behind(connection: Connection) -> None:
    """Close it; where a cursor of it is at work, which DuckDB refuses, it closes by itself with the last of them."""
    with suppress(duckdb.ResourceInUseException):
        connection.close()


def count(connection: Connection, query: str, parameters: list[object] | None = None) -> int:
    """The one number that is the answer; for INSERT, UPDATE and DELETE the number of rows touched."""
    row = first(connection, query, parameters)
    return int(row[0]) if row is not None and row[0] is not None else 0


def among(column: str, texts: Sequence[str]) -> tuple[str, list[object]]:
    """The condition that a column has one of some texts, and the values for its marks.

    A list of texts alone would be compared with the text of each row; within a function it is compared with each entry
    of the column's dictionary, in a third of the time.
    """
    if len(texts) > FEW_TEXTS:
        return f"list_contains(?, {column})", [list(texts)]
    return f"coalesce({column} IN ({', '.join('?' * len(texts))}), false)", list(texts)


def parameter(at: datetime | None) -> int | None:
    """A moment as the parameter of `make_timestamptz(?)`: an aware datetime would need a module that is not shipped."""
    return None if at is None else to_us(at)


def moment(us: int | None) -> datetime | None:
    """A moment from `epoch_us(column)`, likewise."""
    return None if us is None else from_us(us)
