"""In which quarters of an hour there are rows: what coverage by session needs, at a fraction of all the moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from backbone.domain.dimension import Dimension
from backbone.store.merging import Quarters, Tallies
from backbone.store.sql import quoted
from backbone.store.timescale.columns import moments
from backbone.store.timescale.part import Part, long_question
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.values import moment, plain

__all__ = ["Counting"]


class Counting(Part):
    """Sums of what is stored."""

    _tables: Tables

    @long_question
    async def quarters(self, session: Session, dimension: Dimension, start: datetime, end: datetime) -> Quarters:
        """The quarters between two moments that have rows, by symbol and interval."""
        found = await self._filled(session, dimension, start, end)
        return {series: quarters for series, (quarters, _) in found.items()}

    @long_question
    async def tallies(
        self, session: Session, dimension: Dimension, start: datetime, end: datetime, *, symbols: Sequence[str] = ()
    ) -> Tallies:
        """The same with how many rows each has."""
        return await self._filled(session, dimension, start, end, symbols)

    async def _filled(
        self, session: Session, dimension: Dimension, start: datetime, end: datetime, symbols: Sequence[str] = ()
    ) -> Tallies:
        interval = '"interval"' if dimension.has_interval else "NULL::text"
        symbol = quoted(dimension.partition_column)
        named = f"AND {symbol} = ANY($3::text[])" if symbols else ""
        found = await session.fetch(
            f"""
            SELECT symbol, bars, string_agg(timestamptz_send(quarter), '' ORDER BY quarter),
                string_agg(int8send(held), '' ORDER BY quarter)
            FROM (
                SELECT {symbol} AS symbol, {interval} AS bars, count(*) AS held,
                    date_bin('15 minutes', ts, '1970-01-01T00:00:00Z') AS quarter
                FROM {self._tables.rows(dimension)} WHERE ts BETWEEN $1 AND $2 {named} GROUP BY 1, 2, 4
            ) AS filled GROUP BY 1, 2 ORDER BY 1, 2
            """,  # noqa: S608
            *(moment(start), moment(end)),
            *([[plain("symbol", each) for each in symbols]] if symbols else []),
        )
        return {
            (symbol, bars): (moments(quarters).view("datetime64[us]"), np.frombuffer(held, ">i8").astype(np.int64))
            for symbol, bars, quarters, held in found
        }
