"""Which rows a query means, as SQL with parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backbone.domain.dimension import Dimension
from backbone.store.records import Query
from backbone.store.sql import names, quoted
from backbone.store.timescale.columns import packed
from backbone.store.timescale.tables import SQL_TYPES, Tables
from backbone.store.timescale.values import MAX_BIGINT, moment, plain

__all__ = ["Selection", "checked"]


def checked(query: Query) -> Query:
    """The query itself, if it makes sense.

    Raises:
        ValueError: an interval asked of a dimension without.
    """
    if query.interval is not None and not query.dimension.has_interval:
        raise ValueError(f"interval={query.interval!r} given, but {query.dimension} has no interval; leave it out")
    return query


@dataclass(slots=True)
class Selection:
    """The rows of a query.

    Attributes:
        tables: where rows are.
        query: which rows; moments without a zone are refused.
        values: the parameters, in the order of their numbers.
        known: columns of which the query says the one text.
    """

    tables: Tables
    query: Query
    values: list[object] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def page(self, after: Sequence[object] | None, size: int) -> str:
        """The statement that gives the next rows in canonical order, packed.

        Args:
            after: key of the last row of the page before, None for the first page.
            size: rows of a page.
        """
        dimension = self.query.dimension
        self.values = []
        self.known = self._known()
        rows = self._limited()
        where = "true" if after is None else self._beyond(after)
        return f"""
            SELECT {packed(dimension, self.known)} FROM (
                SELECT {names(dimension.columns)} FROM {rows} AS rows WHERE {where}
                ORDER BY {names(dimension.key)} LIMIT {self._given(size)}
            ) AS page
        """  # noqa: S608

    def moments(self) -> str:
        """The statement that gives the distinct moments, packed."""
        self.values = []
        return f"""
            SELECT string_agg(timestamptz_send(ts), '') FROM (
                SELECT DISTINCT ts FROM {self.tables.rows(self.query.dimension)} WHERE {self._where()} ORDER BY ts
            ) AS moments
        """  # noqa: S608

    def _known(self) -> dict[str, str]:
        query = self.query
        known = {} if query.interval is None else {"interval": query.interval}
        if len(query.symbols) == 1:
            known[query.dimension.partition_column] = query.symbols[0]
        return known

    def _given(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def _limited(self) -> str:
        query = self.query
        if query.as_of is not None:
            rows = self._versions()
        elif query.limit is not None and len(set(query.symbols)) > 1:
            rows = self._newest_of_each(query.limit)
        else:
            rows = self._current()
        return rows if query.limit is None else f"(SELECT * FROM {rows} AS found {self._newest(query.limit)})"  # noqa: S608

    def _newest(self, limit: int) -> str:
        newest_first = ", ".join(f"{quoted(name)} DESC" for name in ("ts", *_without_ts(self.query.dimension)))
        return f"ORDER BY {newest_first} LIMIT {self._given(min(limit, MAX_BIGINT))}"

    def _newest_of_each(self, limit: int) -> str:
        """The newest rows of each symbol: each is a short walk back through its index, whatever lies further back."""
        dimension = self.query.dimension
        symbols = self._given([plain("symbol", symbol) for symbol in dict.fromkeys(self.query.symbols)])
        return f"""(
            SELECT newest.* FROM unnest({symbols}::text[]) AS wanted(symbol) CROSS JOIN LATERAL (
                SELECT {names(dimension.columns)} FROM {self.tables.rows(dimension)}
                WHERE {quoted(dimension.partition_column)} = wanted.symbol AND {self._where(symbols=False)}
                {self._newest(limit)}
            ) AS newest
        )"""  # noqa: S608

    def _current(self) -> str:
        dimension = self.query.dimension
        return f"(SELECT {names(dimension.columns)} FROM {self.tables.rows(dimension)} WHERE {self._where()})"  # noqa: S608

    def _versions(self) -> str:
        """Of each key the newest version among those that were stored by `as_of`, replaced since or not."""
        dimension = self.query.dimension
        columns, key = names(dimension.columns), names(dimension.key)
        where = f"{self._where()} AND ingested_at <= {self._given(moment(self.query.as_of))}"
        stored = " UNION ALL ".join(
            f"SELECT {columns}, revision FROM {table} WHERE {where}"  # noqa: S608
            for table in (self.tables.rows(dimension), self.tables.revisions(dimension))
        )
        return f"(SELECT DISTINCT ON ({key}) {columns} FROM ({stored}) AS stored ORDER BY {key}, revision DESC)"  # noqa: S608

    def _where(self, *, symbols: bool = True) -> str:
        query = self.query
        conditions = ["true"]
        if query.symbols and symbols:
            conditions.append(self._of_symbols([plain("symbol", symbol) for symbol in query.symbols]))
        if query.interval is not None:
            conditions.append(f'"interval" = {self._given(plain("interval", query.interval))}')
        if query.start is not None:
            conditions.append(f"ts >= {self._given(moment(query.start))}")
        if query.end is not None:
            conditions.append(f"ts <= {self._given(moment(query.end))}")
        return " AND ".join(conditions)

    def _of_symbols(self, symbols: list[str]) -> str:
        """Of one symbol the index gives rows in order of time; of a list the planner does not see that, even of one."""
        column = quoted(self.query.dimension.partition_column)
        if len(symbols) == 1:
            return f"{column} = {self._given(symbols[0])}"
        return f"{column} = ANY({self._given(symbols)}::text[])"

    def _beyond(self, after: Sequence[object]) -> str:
        dimension = self.query.dimension
        values = ", ".join(
            f"{self._given(value)}::{SQL_TYPES[dimension.kinds[name]]}"
            for name, value in zip(dimension.key, after, strict=True)
        )
        return f"({names(dimension.key)}) > ({values})"


def _without_ts(dimension: Dimension) -> tuple[str, ...]:
    return tuple(name for name in dimension.key if name != "ts")
