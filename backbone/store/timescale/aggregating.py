"""Bars made by the server: a day of trades comes as its minutes.

First and last are those by sequence, too, where moments are equal. One statement sees one moment; who asks keeps the
number of bars within a page.
"""

from __future__ import annotations

from backbone.store.bars import BARS, CROSSED, asked_for, counting, sources
from backbone.store.errors import Unsupported
from backbone.store.records import Bucket, Query, ReadResult
from backbone.store.sql import names, quoted
from backbone.store.timescale.columns import packed
from backbone.store.timescale.part import question
from backbone.store.timescale.reading import Reading
from backbone.store.timescale.selecting import Selection, checked
from backbone.store.timescale.session import READ, Session

__all__ = ["Aggregating"]

_BY_HASH = "SET LOCAL enable_hashagg = on; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"


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
        rows = selection.rows()
        known = {**selection.known, "interval": bucket.interval}
        groups = ("ts",) if "symbol" in known else ("symbol", "ts")
        statement = f"""
            SELECT position.*, page.* FROM ({position}) AS position, (
                SELECT coalesce(sum(crossing), 0)::bigint, {packed(BARS, known)}
                FROM (SELECT * FROM ({_made(query, bucket, rows, groups)}) AS made ORDER BY {names(groups)}) AS bars
            ) AS page
        """  # noqa: S608
        async with session.transaction(READ, first=_BY_HASH):
            newest, horizon, crossing, *answer = await session.row(statement, *selection.values)
        if crossing:
            raise Unsupported(CROSSED)
        return await self.result_of(BARS, known, newest, horizon, answer)


def _made(query: Query, bucket: Bucket, rows: str, groups: tuple[str, ...]) -> str:
    """Bars by their start, of several symbols by symbol and start.

    Rows come in the order of their key, by the index, and are grouped by hash, which takes them as they come. Grouping
    by a sort would mix up those within a bucket, and to sort them by bucket and key would take as long as all the rest.
    """
    of = sources(query.dimension)
    key = [quoted(name) for name in query.dimension.key if name != "interval" and (name != "symbol" or name in groups)]
    columns = [quoted(name) for name in dict.fromkeys((*groups, "ts", *of.values()))]
    by = ", ".join("bucket" if name == "ts" else quoted(name) for name in groups)
    return f"""
        SELECT {by.replace("bucket", "bucket AS ts")}, ({_known(of["open"])})[1] AS open, max({of["high"]}) AS high,
            min({of["low"]}) AS low, ({_known(of["close"])})[cardinality({_known(of["close"])})] AS close,
            sum({of["volume"]}) AS volume, {_crossing(bucket)} AS crossing
        FROM (
            SELECT {", ".join(columns)}, {_start(bucket, "ts")} AS bucket FROM ({rows}) AS rows
            WHERE {counting(query.dimension)} ORDER BY {", ".join(key)}
        ) AS ordered GROUP BY {by}
    """  # noqa: S608


def _crossing(bucket: Bucket) -> str:
    """How many rows end in another bucket than they begin in; events can't, and need not be looked at."""
    if bucket.span_us == 1:
        return "0"
    last = f"ts + INTERVAL '{bucket.span_us - 1} microseconds'"
    return f"count(*) FILTER (WHERE {_start(bucket, 'ts')} <> {_start(bucket, last)})"


def _known(column: str) -> str:
    return f"array_agg({column}) FILTER (WHERE {column} IS NOT NULL)"


def _start(bucket: Bucket, moment: str) -> str:
    width = f"INTERVAL '{bucket.width_us} microseconds'"
    origin = f"(TIMESTAMPTZ '0001-01-01 00:00:00+00' + INTERVAL '{_since_year_1(bucket)} microseconds')"
    return f"date_bin({width}, {moment}, {origin})"


def _since_year_1(bucket: Bucket) -> int:
    """Where the first bucket of year 1 begins: an origin before all rows, for those before it round up."""
    return (bucket.offset_us + _YEAR_1_TO_1970_US) % bucket.width_us - bucket.width_us


_YEAR_1_TO_1970_US = 719_162 * 86_400_000_000
