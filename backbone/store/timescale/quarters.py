"""In which quarters of an hour there are rows: what coverage by session needs, at a fraction of all the moments."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.store.merging import Quarters
from backbone.store.sql import quoted
from backbone.store.timescale.columns import moments
from backbone.store.timescale.part import Part, long_question
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.values import moment

__all__ = ["Counting"]


class Counting(Part):
    """Sums of what is stored."""

    _tables: Tables

    @long_question
    async def quarters(self, session: Session, dimension: Dimension, start: datetime, end: datetime) -> Quarters:
        """The quarters between two moments that have rows, by symbol and interval."""
        interval = '"interval"' if dimension.has_interval else "NULL::text"
        found = await session.fetch(
            f"""
            SELECT symbol, bars, string_agg(timestamptz_send(quarter), '' ORDER BY quarter) FROM (
                SELECT DISTINCT {quoted(dimension.partition_column)} AS symbol, {interval} AS bars,
                    date_bin('15 minutes', ts, '1970-01-01T00:00:00Z') AS quarter
                FROM {self._tables.rows(dimension)} WHERE ts BETWEEN $1 AND $2
            ) AS filled GROUP BY 1, 2
            """,  # noqa: S608
            moment(start),
            moment(end),
        )
        return {(symbol, bars): moments(packed).view("datetime64[us]") for symbol, bars, packed in found}
