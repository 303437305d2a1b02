"""In which quarters of an hour there are rows: what coverage by session needs, at a fraction of all the moments."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.sql import Connection, parameter, rows_table, table
from backbone.store.merging import Quarters
from backbone.store.sql import quoted

__all__ = ["Counting"]

_QUARTER_US = 900_000_000


class Counting(Part):
    """Sums of what is stored."""

    @question("survey")
    def quarters(self, connection: Connection, dimension: Dimension, start: datetime, end: datetime) -> Quarters:
        """The quarters between two moments that have rows, by symbol and interval."""
        interval = '"interval"' if dimension.has_interval else "NULL::VARCHAR"
        found = table(
            connection,
            f"""
            SELECT symbol, bars, list(quarter ORDER BY quarter) AS quarters FROM (
                SELECT DISTINCT {quoted(dimension.partition_column)} AS symbol, {interval} AS bars,
                    (epoch_us(ts) // {_QUARTER_US} + CASE WHEN epoch_us(ts) % {_QUARTER_US} < 0 THEN -1 ELSE 0 END)
                    * {_QUARTER_US} AS quarter
                FROM {rows_table(dimension)} WHERE ts BETWEEN make_timestamptz(?) AND make_timestamptz(?)
            ) GROUP BY 1, 2
            """,  # noqa: S608
            [parameter(start), parameter(end)],
        )
        symbols, bars = found.column("symbol").to_pylist(), found.column("bars").to_pylist()
        return {
            (symbol, name): each.values.to_numpy().astype(np.int64).view("datetime64[us]")
            for symbol, name, each in zip(symbols, bars, found.column("quarters"), strict=True)
        }
