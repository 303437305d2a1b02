"""Bars made by the server: a day of trades comes as its minutes.

Rows reach the aggregates in the order of their key, by the index, so that first and last are those of the sequence
too. One statement sees one moment; who asks keeps the number of bars within a page.
"""

from __future__ import annotations

from backbone.store.bars import BARS, CROSSED, asked_for, sources
from backbone.store.errors import Unsupported
from backbone.store.records import Bucket, Query, ReadResult
from backbone.store.sql import names, quoted
from backbone.store.timescale.columns import packed
from backbone.store.timescale.part import question
from backbone.store.timescale.reading import Reading
from backbone.store.timescale.selecting import Selection, checked
from backbone.store.timescale.session import Session

__all__ = ["Aggregating"]


class Aggregating(Reading):
    """Rows, or bars made of them."""

    async def read(self, query: Query) -> ReadResult:
        """Rows in canonical order and the position they include, both of one moment; bars where asked for."""
        bucket = asked_for(query)
        return await (super().read(query) if bucket is None else self._bars(query, bucket))

    @question
    async def _bars(self, session: Session, query: Query, bucket: Bucket) -> ReadResult:
        selection = Selection(self._tables, checked(query))
        position = selection.position()
        bars = _made(query, bucket, selection.rows())
        statement = f"""
            SELECT position.*, page.* FROM ({position}) AS position, (
                SELECT coalesce(sum(crossing), 0)::bigint, {packed(BARS, {})}
                FROM (SELECT * FROM ({bars}) AS made ORDER BY {names(BARS.key)}) AS bars
            ) AS page
        """  # noqa: S608
        newest, horizon, crossing, *answer = await session.row(statement, *selection.values)
        if crossing:
            raise Unsupported(CROSSED)
        return await self.result_of(BARS, {}, newest, horizon, answer)


def _made(query: Query, bucket: Bucket, rows: str) -> str:
    of, symbol = sources(query.dimension), quoted(query.dimension.partition_column)
    values = [
        f"({_known(of['open'])})[1] AS open",
        f"max({of['high']}) AS high",
        f"min({of['low']}) AS low",
        f"({_known(of['close'])})[cardinality({_known(of['close'])})] AS close",
        f"sum({of['volume']}) AS volume",
    ]
    last = f"ts + INTERVAL '{bucket.span_us - 1} microseconds'"
    return f"""
        SELECT {symbol} AS symbol, '{bucket.interval}' AS "interval", {_start(bucket, "ts")} AS ts, {", ".join(values)},
            count(*) FILTER (WHERE {_start(bucket, "ts")} <> {_start(bucket, last)}) AS crossing
        FROM ({rows}) AS rows GROUP BY {symbol}, {_start(bucket, "ts")}
    """  # noqa: S608


def _known(column: str) -> str:
    return f"array_agg({column}) FILTER (WHERE {column} IS NOT NULL)"


def _start(bucket: Bucket, moment: str) -> str:
    width = f"INTERVAL '{bucket.width_us} microseconds'"
    origin = f"TIMESTAMPTZ '0001-01-01 00:00:00+00' + INTERVAL '{_since_year_1(bucket)} microseconds'"
    return f"date_bin({width}, {moment}, {origin})"


def _since_year_1(bucket: Bucket) -> int:
    """Where the first bucket of year 1 begins: an origin before all rows, for those before it round up."""
    return (bucket.offset_us + _YEAR_1_TO_1970_US) % bucket.width_us - bucket.width_us


_YEAR_1_TO_1970_US = 719_162 * 86_400_000_000
