"""What is stored of the moments of events that come without a number."""

from __future__ import annotations

import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.values import python_of
from backbone.store.sql import names
from backbone.store.timescale.columns import packed, table_of
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.workers import Workers

__all__ = ["held_at"]

_AT_ONCE = 5_000
"""Moments of one question: taken in and encoded on the loop, in a few milliseconds."""


async def held_at(session: Session, tables: Tables, dimension: Dimension, moments: pa.Table, workers: Workers) -> Frame:
    """The events that are stored of these symbols and moments, given as columns `symbol` and `ts`."""
    found = []
    for start in range(0, moments.num_rows, _AT_ONCE):
        symbols, stamps = (python_of(column) for column in moments.slice(start, _AT_ONCE).columns)
        answer = await session.row(_statement(tables, dimension), symbols, stamps, min(stamps), max(stamps))
        found.append(await workers.run(answer[0], table_of, dimension, {}, tuple(answer)))
    if not found:
        return Frame.empty(dimension)
    rows = pa.concat_tables(found)
    return await workers.run(rows.num_rows, Frame.from_arrow, dimension, rows)


def _statement(tables: Tables, dimension: Dimension) -> str:
    return f"""
        SELECT {packed(dimension, {})} FROM (
            SELECT {names(dimension.columns)} FROM {tables.rows(dimension)}
            JOIN unnest($1::text[], $2::timestamptz[]) AS asked(symbol, ts) USING (symbol, ts)
            WHERE ts BETWEEN $3 AND $4
        ) AS held
    """  # noqa: S608
