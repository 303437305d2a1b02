"""The newest moment of each symbol, without a walk through all rows.

The ledger knows how far each symbol was written. So only the newest rows are looked at, and of symbols that ended long
ago the few around their end; DuckDB passes over the rest by what it knows of each part of a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from backbone.domain.clock import MIN_US, from_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.selecting import where
from backbone.store.duckdb.sql import Connection, rows_table
from backbone.store.records import Latest, Query
from backbone.store.sql import quoted

__all__ = ["Furthest"]

_ONE_BY_ONE = 32  # series that ended long ago, of each of which a question of its own costs less than a walk

Key = tuple[str, str | None]


class Furthest(Part):
    """How far the rows of symbols go."""

    @question("survey")
    def latest(
        self,
        connection: Connection,
        dimension: Dimension,
        symbols: Sequence[str] = (),
        as_of: datetime | None = None,
    ) -> list[Latest]:
        """The newest moment of each symbol and interval."""
        if as_of is not None:
            found = _walk(connection, Query(dimension, tuple(symbols), end=as_of))
        else:
            ends = self._session.known.reach.noted(connection, dimension)
            wanted = frozenset(symbols)
            ends = {key: end for key, end in ends.items() if not wanted or key[0] in wanted}
            found = _around(connection, dimension, tuple(symbols), ends) if ends else {}
        order = sorted(found, key=lambda key: (key[0], key[1] or ""))
        return [Latest(dimension, *key, from_us(found[key])) for key in order]


def _around(
    connection: Connection, dimension: Dimension, symbols: tuple[str, ...], ends: Mapping[Key, int]
) -> dict[Key, int]:
    """The newest moments, given ends that none of them lies behind."""
    recent = _before(max(ends.values()), dimension.chunk)
    found = _walk(connection, Query(dimension, symbols, start=recent))
    old = [key for key in ends if key not in found]
    if len(old) <= _ONE_BY_ONE:
        for symbol, interval in old:
            end = _before(ends[symbol, interval], timedelta(0))
            found |= _walk(connection, Query(dimension, (symbol,), interval, start=end))
    left = tuple(sorted({symbol for symbol, interval in ends if (symbol, interval) not in found}))
    if left:  # many, or some whose last rows are gone: the ledger knows more than there is
        found |= _walk(connection, Query(dimension, left))
    return found


def _before(end: int, width: timedelta) -> datetime:
    return from_us(max(end - width // timedelta(microseconds=1), MIN_US))


def _walk(connection: Connection, query: Query) -> dict[Key, int]:
    condition, given = where(query)
    interval = '"interval"' if query.dimension.has_interval else "NULL"
    rows = connection.execute(
        f"""
        SELECT {quoted(query.dimension.partition_column)}, {interval}, epoch_us(max(ts))
        FROM {rows_table(query.dimension)} WHERE {condition} GROUP BY 1, 2
        """,  # noqa: S608
        given,
    ).fetchall()
    return {(symbol, bars): newest for symbol, bars, newest in rows}
