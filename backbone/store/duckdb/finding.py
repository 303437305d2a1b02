"""The parts of a snapshot, counted in one pass over the table, a slice of it after the other.

What DuckDB has read it keeps, as far as it may, and the system keeps it as well: a whole table at once would fill all
of that, slices do not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from backbone.domain.clock import from_us
from backbone.store.duckdb.selecting import where
from backbone.store.duckdb.sql import Connection, count, rows_table
from backbone.store.snapshots import PartFacts, Parts
from backbone.store.sql import names, quoted

__all__ = ["SLICE_ROWS", "parts_of"]

SLICE_ROWS = 1_000_000
"""Places in the table that are looked at at once; those of rows that are gone count as well."""


class _Found(NamedTuple):
    """What one slice has of a part.

    Attributes:
        newest, revisions, content: the newest and the sum of the revisions, the sum of hashes of the values.
    """

    rows: int
    earliest: int
    latest: int
    newest: int
    revisions: int
    content: int

    def with_(self, other: _Found) -> _Found:
        """Both together."""
        return _Found(
            self.rows + other.rows,
            min(self.earliest, other.earliest),
            max(self.latest, other.latest),
            max(self.newest, other.newest),
            self.revisions + other.revisions,
            self.content + other.content,
        )


def parts_of(connection: Connection, parts: Parts, give_back: Callable[[], object]) -> list[PartFacts]:
    """The parts that have rows, ascending by symbol and time.

    Revisions alone do not tell the rows of a file that was restored from those that were lost by it: both were
    numbered on from the same backup.

    Args:
        connection: in a transaction that stands still.
        parts: which.
        give_back: called behind each slice.
    """
    statement, values = _statement(parts)
    found: dict[tuple[str | None, int | None], _Found] = {}
    last = count(connection, f"SELECT max(rowid) FROM {rows_table(parts.dimension)}")  # noqa: S608
    for first in range(0, last + 1, SLICE_ROWS):
        for symbol, begin, *facts in connection.execute(statement, [*values, first, first + SLICE_ROWS]).fetchall():
            of = _Found(*map(int, facts))
            before = found.get((symbol, begin))
            found[symbol, begin] = of if before is None else before.with_(of)
        give_back()
    return [
        PartFacts(
            parts.part(symbol, _moment(begin)),
            of.rows,
            from_us(of.earliest),
            from_us(of.latest),
            f"{of.rows}-{of.newest}-{of.revisions}-{of.content}",
        )
        for (symbol, begin), of in sorted(found.items(), key=lambda each: _place(*each[0]))
    ]


def _statement(parts: Parts) -> tuple[str, list[object]]:
    symbol = quoted(parts.dimension.partition_column) if parts.by_symbol else "NULL::VARCHAR"
    naive = "make_timestamp(epoch_us(ts))"
    begin = "NULL" if parts.period == "all" else f"epoch_us(date_trunc('{parts.period}', {naive})::TIMESTAMP)"
    columns, (condition, values) = names(parts.dimension.columns), where(parts.query)
    statement = f"""
        SELECT {symbol}, {begin}, count(*), epoch_us(min(ts)), epoch_us(max(ts)),
            max(revision), sum(revision::HUGEINT)::VARCHAR, sum(hash({columns})::HUGEINT)::VARCHAR
        FROM {rows_table(parts.dimension)} WHERE {condition} AND rowid >= ? AND rowid < ? GROUP BY 1, 2
    """  # noqa: S608
    return statement, values


def _moment(begin: int | None) -> datetime | None:
    return None if begin is None else from_us(begin)


def _place(symbol: str | None, begin: int | None) -> tuple[bytes, int]:
    """Where a part stands: texts as the database has them in order, by their bytes."""
    return (symbol or "").encode(), begin or 0
