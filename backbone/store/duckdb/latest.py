"""The newest moment of each symbol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.selecting import where
from backbone.store.duckdb.sql import Connection, rows_table
from backbone.store.records import Latest, Query
from backbone.store.sql import quoted

__all__ = ["Furthest"]


class Furthest(Part):
    """How far the rows of symbols go."""

    @question("survey")
    def latest(
        self,
        connection: Connection,
        dimension: Dimension,
        symbols: Sequence[str] = (),
        as_of: datetime | None = None,
    ) -> list[Latest]:
        """The newest moment of each symbol and interval; it looks at these columns alone, by parts."""
        condition, given = where(Query(dimension, tuple(symbols), end=as_of))
        interval = '"interval"' if dimension.has_interval else "NULL"
        found = connection.execute(
            f"""
            SELECT {quoted(dimension.partition_column)}, {interval}, epoch_us(max(ts))
            FROM {rows_table(dimension)} WHERE {condition} GROUP BY 1, 2 ORDER BY 1, 2
            """,  # noqa: S608
            given,
        ).fetchall()
        return [Latest(dimension, symbol, interval, from_us(newest)) for symbol, interval, newest in found]
