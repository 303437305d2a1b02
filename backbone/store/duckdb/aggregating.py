"""Bars made by DuckDB: a day of trades comes as its minutes."""

from __future__ import annotations

from backbone.domain.stored import frame_of
from backbone.store.bars import BARS, CROSSED, asked_for, counting, sources
from backbone.store.duckdb import outbox
from backbone.store.duckdb.part import question
from backbone.store.duckdb.reading import Reading
from backbone.store.duckdb.selecting import where
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, first, rows_table, table
from backbone.store.errors import Unsupported
from backbone.store.records import Bucket, Query, ReadResult
from backbone.store.sql import names, quoted

__all__ = ["Aggregating"]


class Aggregating(Reading):
    """Rows, or bars made of them."""

    async def read(self, query: Query) -> ReadResult:
        """Rows in canonical order and the position they include, both of one moment; bars where asked for."""
        bucket = asked_for(query)
        return await (super().read(query) if bucket is None else self._bars(query, bucket))

    @question("rows")
    def _bars(self, connection: Connection, query: Query, bucket: Bucket) -> ReadResult:
        condition, parameters = where(query)
        rows = f"FROM {rows_table(query.dimension)} WHERE {condition} AND {counting(query.dimension)}"
        last = f"epoch_us(ts) + {bucket.span_us - 1}"
        crossing = f"SELECT 1 {rows} AND {_start(bucket, 'epoch_us(ts)')} <> {_start(bucket, last)} LIMIT 1"
        with transaction(connection):
            if bucket.span_us > 1 and first(connection, crossing, parameters) is not None:
                raise Unsupported(CROSSED)
            bars = table(connection, _made(query, bucket, rows), parameters)
            position = outbox.position_of(connection, query.dimension, query.symbols)
        return ReadResult(frame_of(BARS, bars, {}), position)


def _made(query: Query, bucket: Bucket, rows: str) -> str:
    of, symbol = sources(query.dimension), quoted(query.dimension.partition_column)
    order = "ts" if query.dimension is BARS else "(ts, sequence)"
    values = [
        f"arg_min({of['open']}, {order}) AS open",
        f"max({of['high']}) AS high",
        f"min({of['low']}) AS low",
        f"arg_max({of['close']}, {order}) AS close",
        f"sum({of['volume']}) AS volume",
    ]
    return f"""
        SELECT {symbol} AS symbol, '{bucket.interval}' AS "interval",
            make_timestamptz({_start(bucket, "epoch_us(ts)")}) AS ts, {", ".join(values)}
        {rows} GROUP BY ALL ORDER BY {names(BARS.key)}
    """


def _start(bucket: Bucket, us: str) -> str:
    """Where the bucket of a moment begins; the remainder of a negative number is negative."""
    into = f"((({us} - {bucket.offset_us}) % {bucket.width_us} + {bucket.width_us}) % {bucket.width_us})"
    return f"({us} - {into})"
