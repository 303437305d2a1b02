"""Read rows, and say what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.stored import frame_of
from backbone.store.duckdb import outbox
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.selecting import Selection, where
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, rows_table, table
from backbone.store.records import Coverage, Query, ReadResult
from backbone.store.sql import quoted

__all__ = ["Reading", "rows_of"]


class Reading(Part):
    """Rows, and what is stored of them."""

    @question("rows")
    def read(self, connection: Connection, query: Query) -> ReadResult:
        """Rows in canonical order, of one moment, and a position that they include."""
        _refuse(query)
        positions = self._session.known.positions
        position = positions.of(query.dimension, query.symbols)  # before the rows: those may be newer, never older
        if query.as_of is None and position is not None:
            return ReadResult(rows_of(connection, query), position)
        with transaction(connection):
            rows = rows_of(connection, query)
            position = outbox.position_of(connection, query.dimension, query.symbols)
        positions.note_found(query.dimension, query.symbols, position)
        return ReadResult(rows, position)

    @question("survey")
    def coverage(
        self,
        connection: Connection,
        dimension: Dimension,
        as_of: datetime | None = None,
        *,
        symbols: Sequence[str] = (),
    ) -> list[Coverage]:
        """Rows, earliest and latest moment per symbol and interval."""
        condition, given = where(Query(dimension, tuple(symbols), end=as_of))
        interval = '"interval"' if dimension.has_interval else "NULL"
        found = connection.execute(
            f"""
            SELECT {quoted(dimension.partition_column)}, {interval}, count(*), epoch_us(min(ts)), epoch_us(max(ts))
            FROM {rows_table(dimension)} WHERE {condition} GROUP BY 1, 2 ORDER BY 1, 2
            """,  # noqa: S608
            given,
        ).fetchall()
        return [
            Coverage(dimension, symbol, interval, rows, earliest=from_us(earliest), latest=from_us(latest))
            for symbol, interval, rows, earliest, latest in found
        ]


def rows_of(connection: Connection, query: Query) -> Frame:
    """The rows; as they were known at a moment, they are what stands of then, and what was replaced since."""
    selection = Selection(query)
    rows = table(connection, *selection.standing())
    former = table(connection, *selection.former()) if query.as_of is not None else None
    if former is not None and former.num_rows:
        frame = frame_of(query.dimension, pa.concat_tables([former, rows]), selection.known)  # of two the later stays
        return frame if query.limit is None else frame.newest(query.limit)
    return frame_of(query.dimension, rows, selection.known)


def _refuse(query: Query) -> None:
    if query.interval is not None and not query.dimension.has_interval:
        raise ValueError(f"interval={query.interval!r} given, but {query.dimension} has no interval; leave it out")
