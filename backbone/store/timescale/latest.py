"""The newest moment of each symbol, by the index: some steps for each symbol, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.store.records import Latest
from backbone.store.sql import quoted
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import moment, plain

__all__ = ["Furthest"]


class Furthest(Part):
    """How far the rows of symbols go."""

    @question
    async def latest(
        self, session: Session, dimension: Dimension, symbols: Sequence[str] = (), as_of: datetime | None = None
    ) -> list[Latest]:
        """The newest moment of each symbol and interval."""
        given: list[object] = [dimension.value]
        bound, chosen = "true", "true"
        if as_of is not None:
            given.append(moment(as_of))
            bound = f"ts <= ${len(given)}"
        if symbols:
            given.append([plain("symbol", symbol) for symbol in symbols])
            chosen = f"symbol = ANY(${len(given)}::text[])"
        statement = _by_interval if dimension.has_interval else _by_symbol
        found = await session.fetch(
            statement(self._tables.rows(dimension), quoted(dimension.partition_column), bound, chosen), *given
        )
        return [Latest(dimension, symbol, interval, newest) for symbol, interval, newest in found]


def _by_symbol(rows: str, column: str, bound: str, chosen: str) -> str:
    """Every symbol that rows were ever published of, and its newest row.

    Of macro events the index begins with calendar and event, so that all of a calendar are looked at: they are few.
    """
    return f"""
        SELECT known.symbol, NULL::text, newest.ts
        FROM telemetry.positions AS known, LATERAL (
            SELECT ts FROM {rows} WHERE {column} = known.symbol AND {bound} ORDER BY ts DESC LIMIT 1
        ) AS newest
        WHERE known.dimension = $1 AND {chosen} ORDER BY 1
    """  # noqa: S608


def _by_interval(rows: str, column: str, bound: str, chosen: str) -> str:
    """The same of every interval that a symbol has: the next one is found by the index, too."""
    following = f'SELECT min("interval") FROM {rows} WHERE {column} = held.symbol'  # noqa: S608
    return f"""
        WITH RECURSIVE held(symbol, "interval") AS (
            SELECT symbol, (SELECT min("interval") FROM {rows} WHERE {column} = known.symbol)
            FROM telemetry.positions AS known WHERE known.dimension = $1 AND {chosen}
            UNION ALL
            SELECT held.symbol, ({following} AND "interval" > held."interval")
            FROM held WHERE held."interval" IS NOT NULL
        )
        SELECT held.symbol, held."interval", newest.ts
        FROM held, LATERAL (
            SELECT ts FROM {rows} AS of_one
            WHERE of_one.{column} = held.symbol AND of_one."interval" = held."interval" AND {bound}
            ORDER BY ts DESC LIMIT 1
        ) AS newest
        ORDER BY 1, 2
    """  # noqa: S608
