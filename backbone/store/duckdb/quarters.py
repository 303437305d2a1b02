"""In which quarters of an hour there are rows: what coverage by session needs, at a fraction of all the moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.values import numpy_of
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.selecting import where
from backbone.store.duckdb.sql import Connection, rows_table, table
from backbone.store.merging import Quarters, Tallies
from backbone.store.records import Query
from backbone.store.sql import quoted

__all__ = ["Counting"]

_QUARTER_US = 900_000_000


class Counting(Part):
    """Sums of what is stored."""

    @question("survey")
    def quarters(self, connection: Connection, dimension: Dimension, start: datetime, end: datetime) -> Quarters:
        """The quarters between two moments that have rows, by symbol and interval."""
        return {series: quarters for series, (quarters, _) in _filled(connection, dimension, start, end).items()}

    @question("survey")
    def tallies(
        self,
        connection: Connection,
        dimension: Dimension,
        start: datetime,
        end: datetime,
        *,
        symbols: Sequence[str] = (),
    ) -> Tallies:
        """The same with how many rows each has."""
        return _filled(connection, dimension, start, end, symbols)


def _filled(
    connection: Connection, dimension: Dimension, start: datetime, end: datetime, symbols: Sequence[str] = ()
) -> Tallies:
    interval = '"interval"' if dimension.has_interval else "NULL::VARCHAR"
    condition, values = where(Query(dimension, tuple(symbols), start=start, end=end))
    found = table(
        connection,
        f"""
        SELECT symbol, bars, list(quarter ORDER BY quarter) AS quarters, list(held ORDER BY quarter) AS held FROM (
            SELECT {quoted(dimension.partition_column)} AS symbol, {interval} AS bars,
                (epoch_us(ts) // {_QUARTER_US} + CASE WHEN epoch_us(ts) % {_QUARTER_US} < 0 THEN -1 ELSE 0 END)
                * {_QUARTER_US} AS quarter, count(*) AS held
            FROM {rows_table(dimension)} WHERE {condition} GROUP BY ALL
        ) GROUP BY 1, 2 ORDER BY 1, 2
        """,  # noqa: S608
        values,
    )
    columns = (found.column("quarters"), found.column("held"))
    series = zip(found.column("symbol").to_pylist(), found.column("bars").to_pylist(), strict=True)
    return {
        (symbol, bars): (_integers(quarters).view("datetime64[us]"), _integers(held))
        for (symbol, bars), quarters, held in zip(series, *columns, strict=True)
    }


def _integers(values: pa.ListScalar) -> npt.NDArray[np.int64]:
    return numpy_of(values.values).astype(np.int64)
