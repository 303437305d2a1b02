"""The statements that read rows: as they are, or as they were known at a moment."""

from __future__ import annotations

from backbone.store.duckdb.sql import among, parameter, rows_table
from backbone.store.records import Query
from backbone.store.sql import names, quoted

__all__ = ["Selection", "where"]

_ANY_TIME = "ts >= make_timestamptz(-62135596800000000)"  # the year 1
_MOST_SORTED = 20_000
"""Rows that are put in order as columns faster than DuckDB plans to sort them."""


class Selection:
    """The statements of a query, each with the values for its marks.

    Attributes:
        known: columns of which the query says the one text: they are not asked for.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._where, self._values = where(query)
        if self._where == "true" and query.limit is not None:
            # Without a condition DuckDB 2.0 chooses blocks by their greatest value, also that of rows that are deleted,
            # and gives nothing, or the wrong rows. One that all rows meet is enough; to sort by an expression instead
            # makes it sort whole rows, which takes more memory than there is.
            self._where = _ANY_TIME
        if query.as_of is not None:
            self._where += " AND ingested_at <= make_timestamptz(?)"
            self._values.append(parameter(query.as_of))
        self.known = _known(query)
        # of one symbol rows lie in order, but for late ones; and a few are sorted at once
        self._sorted = len(query.symbols) != 1 if query.limit is None else query.limit > _MOST_SORTED

    def standing(self) -> tuple[str, list[object]]:
        """The rows that stand, of those that were stored by then where there is an `as_of`."""
        dimension = self._query.dimension
        columns = self._unknown(dimension.columns)
        statement, values = self._newest(f"SELECT {columns} FROM {rows_table(dimension)} WHERE {self._where}")  # noqa: S608
        if self._sorted:
            statement = f"SELECT * FROM ({statement}) ORDER BY {self._unknown(dimension.key)}"  # noqa: S608
        return statement, values

    def former(self) -> tuple[str, list[object]]:
        """Of each key the newest version of those that were stored by `as_of` and replaced later.

        One of them may have a successor from before that moment after all, where a clock was set back: that one stands.
        """
        dimension, at = self._query.dimension, parameter(self._query.as_of)
        columns, key = self._unknown(dimension.columns), names(dimension.key)
        return self._newest(
            f"""
            SELECT {columns} FROM (
                SELECT DISTINCT ON ({key}) {columns} FROM {rows_table(dimension)}_revisions
                WHERE {self._where} AND replaced_at > make_timestamptz(?) ORDER BY {key}, revision DESC
            )
            """,  # noqa: S608
            at,
        )

    def _unknown(self, columns: tuple[str, ...]) -> str:
        return names(tuple(name for name in columns if name not in self.known))

    def _newest(self, statement: str, *more: object) -> tuple[str, list[object]]:
        """The newest of the rows, where there is a limit."""
        if self._query.limit is None:
            return statement, [*self._values, *more]
        limited = f"{statement} ORDER BY {_newest_first(self._query)} LIMIT ?"
        return limited, [*self._values, *more, self._query.limit]


def _known(query: Query) -> dict[str, str]:
    known = {} if query.interval is None else {"interval": query.interval}
    if len(query.symbols) == 1:
        known[query.dimension.partition_column] = query.symbols[0]
    return known


def where(query: Query) -> tuple[str, list[object]]:
    """The condition that the rows of a query meet, and the values for its marks."""
    conditions, values = ["true"], list[object]()
    column = quoted(query.dimension.partition_column)
    if len(query.symbols) == 1:
        conditions.append(f"{column} = ?")  # parts of the table are passed over by it; by a list they are not
        values.append(query.symbols[0])
    elif query.symbols:
        condition, given = among(column, query.symbols)
        conditions.append(condition)
        values += given
    if query.interval is not None:
        conditions.append('"interval" = ?')
        values.append(query.interval)
    for bound, condition in ((query.start, "ts >= make_timestamptz(?)"), (query.end, "ts <= make_timestamptz(?)")):
        if bound is not None:
            conditions.append(condition)
            values.append(parameter(bound))
    return " AND ".join(conditions), values


def _newest_first(query: Query) -> str:
    """By time, then by the rest of the key; what is the same in all rows tells nothing."""
    same = {"ts", *_known(query)}
    order = ("ts", *(name for name in query.dimension.key if name not in same))
    return ", ".join(f"{quoted(name)} DESC" for name in order)
