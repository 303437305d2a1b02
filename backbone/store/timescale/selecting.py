"""Which rows a query means, as SQL with parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backbone.domain.clock import INTERVALS
from backbone.domain.dimension import Dimension
from backbone.store.records import Query
from backbone.store.sql import names, quoted, same_key
from backbone.store.timescale.columns import packed, summed
from backbone.store.timescale.copied import copied
from backbone.store.timescale.outbox import HORIZON
from backbone.store.timescale.tables import SQL_TYPES, Tables
from backbone.store.timescale.values import MAX_BIGINT, literal, moment, plain

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
        written_out: values stand in the statement itself, and are no parameters.
    """

    tables: Tables
    query: Query
    values: list[object] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    written_out: bool = False

    def page(self, after: Sequence[object] | None, size: int, since: datetime | None = None) -> str:
        """The statement that gives the next rows in canonical order, packed.

        Args:
            after: key of the last row of the page before, None for the first page.
            size: rows of a page.
            since: of the newest rows only those from this moment on; where they are fewer than asked for, there may
                be more before it.
        """
        self.values = []
        return self._page(after, size, since)

    def plain_page(self, after: Sequence[object] | None, size: int) -> str:
        """The same rows as such, for COPY: see `backbone.store.timescale.copied`."""
        self.values = []
        return self._rows_of_page(after, size, None, copied(self.query.dimension, self._known()))

    def page_sums(self, after: Sequence[object] | None, size: int) -> str:
        """The statement that gives how many rows `page` has, and a hash over each of their columns."""
        self.values = []
        return self._page(after, size, None, summed)

    def page_and_position(self, size: int, since: datetime | None = None) -> str:
        """The same of the first page, with what `position` gives in front: one statement sees one moment."""
        position = self.position()
        return f"SELECT position.*, page.* FROM ({position}) AS position, ({self._page(None, size, since)}) AS page"  # noqa: S608

    def position(self) -> str:
        """The statement that gives the newest position seen and the horizon, of one symbol NULL for that."""
        self.values = []
        query = self.query
        condition, horizon = f"dimension = {self._given(query.dimension.value)}", HORIZON
        if query.symbols:
            # what no row can have is refused here as below
            names_asked = [plain("symbol", symbol) for symbol in query.symbols]
            condition += f" AND {self._of_symbols(names_asked, 'symbol')}"
        if len(query.symbols) == 1:
            horizon = "NULL::bigint"
        return f"""
            SELECT coalesce(max(position), 0) AS newest, {horizon} AS horizon FROM telemetry.positions WHERE {condition}
        """  # noqa: S608

    def _page(
        self,
        after: Sequence[object] | None,
        size: int,
        since: datetime | None,
        told: Callable[[Dimension, Mapping[str, str]], str] = packed,
    ) -> str:
        rows = self._rows_of_page(after, size, since)
        return f"SELECT {told(self.query.dimension, self.known)} FROM ({rows}) AS page"  # noqa: S608

    def _rows_of_page(
        self, after: Sequence[object] | None, size: int, since: datetime | None, columns: str = ""
    ) -> str:
        self.known = self._known()
        rows = self._found(since)
        where = "true" if after is None else self._beyond(after)
        return f"""
            SELECT {columns or names(self.query.dimension.columns)} FROM ({rows}) AS rows WHERE {where}
            ORDER BY {names(self._free())} LIMIT {self._given(size)}
        """  # noqa: S608

    def _known(self) -> dict[str, str]:
        query = self.query
        known = {} if query.interval is None else {"interval": query.interval}
        if len(query.symbols) == 1:
            known[query.dimension.partition_column] = query.symbols[0]
        return known

    def _given(self, value: object) -> str:
        if self.written_out:
            return literal(value)
        self.values.append(value)
        return f"${len(self.values)}"

    def rows(self) -> str:
        """The rows themselves, by their key; `values` go on from those of `position`."""
        self.known = self._known()
        return self._found(None)

    def _free(self) -> tuple[str, ...]:
        """The key without what the query says the one value of: the rest orders the rows alike, for less."""
        return tuple(name for name in self.query.dimension.key if name not in self.known)

    def _found(self, since: datetime | None) -> str:
        """The rows of the query; where it has a limit, those."""
        limit = self.query.limit
        if limit is None:
            return self._stored(self._where(), names(self._free()))
        symbols, intervals = self._each_symbol(), self._each_interval()
        if not symbols and not intervals:
            where = self._where(since=since)
            return self._stored(where, self._newest(), self._given(min(limit, MAX_BIGINT)))
        return self._newest_of_each(symbols, intervals, limit, since)

    def _newest(self) -> str:
        names_free = self._free()
        newest_first = ("ts", *(name for name in names_free if name != "ts"))
        return ", ".join(f"{quoted(name)} DESC" for name in newest_first)

    def _each_symbol(self) -> str:
        """The symbols of a query of several, as rows; "" where it is of one, or the index can't go by them alone."""
        query = self.query
        if len(query.symbols) == 1 or query.dimension is Dimension.MACRO_EVENTS:
            return ""
        if query.symbols:
            wanted = [plain("symbol", symbol) for symbol in dict.fromkeys(query.symbols)]
            return f"unnest({self._given(wanted)}::text[]) AS of_symbol(symbol)"
        dimension = self._given(query.dimension.value)
        return f"(SELECT symbol FROM telemetry.positions WHERE dimension = {dimension}) AS of_symbol"  # noqa: S608

    def _each_interval(self) -> str:
        query = self.query
        if not query.dimension.has_interval or query.interval is not None:
            return ""
        return f'unnest({self._given(list(INTERVALS))}::text[]) AS of_interval("interval")'

    def _newest_of_each(self, symbols: str, intervals: str, limit: int, since: datetime | None) -> str:
        """The newest rows of each symbol and interval, and of them the newest.

        Each is a short walk back through an index, whatever lies further back, and whatever else is as new.
        """
        column, most = quoted(self.query.dimension.partition_column), self._given(min(limit, MAX_BIGINT))
        where = self._where(since=since, symbols=not symbols)
        where += f" AND {column} = of_symbol.symbol" if symbols else ""
        where += ' AND "interval" = of_interval."interval"' if intervals else ""
        each = " CROSS JOIN ".join(filter(None, (symbols, intervals)))
        stored = self._stored(where, self._newest(), most)
        return f"""
            SELECT newest.* FROM {each} CROSS JOIN LATERAL ({stored}) AS newest
            ORDER BY {self._newest()} LIMIT {most}
        """  # noqa: S608

    def _stored(self, where: str, order: str, most: str = "") -> str:
        """Rows in an order, at most so many; as of a moment, where the query names one."""
        dimension = self.query.dimension
        columns, rows = names(dimension.columns), self.tables.rows(dimension)
        limit = f"LIMIT {most}" if most else ""
        if self.query.as_of is None:
            return f"SELECT {columns} FROM {rows} WHERE {where} ORDER BY {order} {limit}"  # noqa: S608
        known = f"{where} AND ingested_at <= {self._given(moment(self.query.as_of))}"
        # Each side comes in this order by its index, so that the two are merged and nothing is sorted.
        return f"""
            SELECT {columns} FROM (
                (SELECT {columns} FROM {rows} WHERE {known} ORDER BY {order} {limit})
                UNION ALL
                ({self._former(known, order, limit)})
            ) AS versions ORDER BY {order} {limit}
        """  # noqa: S608

    def _former(self, known: str, order: str, limit: str) -> str:
        """Of each key whose row was stored later than as of then, the newest version of before."""
        dimension = self.query.dimension
        columns, rows, revisions = (
            names(dimension.columns),
            self.tables.rows(dimension),
            self.tables.revisions(dimension),
        )
        return f"""
            SELECT DISTINCT ON ({order.replace(" DESC", "")}) {columns} FROM {revisions} AS former
            WHERE {known} AND NOT EXISTS (
                SELECT FROM {rows} AS stands WHERE {same_key(dimension, "stands", "former")} AND {known}
            )
            ORDER BY {order}, revision DESC {limit}
        """  # noqa: S608

    def condition(self) -> str:
        """The condition that the rows meet, and nothing else; `values` are its parameters."""
        self.values = []
        return self._where()

    def _where(self, *, since: datetime | None = None, symbols: bool = True) -> str:
        query = self.query
        conditions = ["true"]
        if query.symbols and symbols:
            wanted = [plain("symbol", symbol) for symbol in query.symbols]
            conditions.append(self._of_symbols(wanted, query.dimension.partition_column))
        if query.interval is not None:
            conditions.append(f'"interval" = {self._given(plain("interval", query.interval))}')
        if query.start is not None:
            conditions.append(f"ts >= {self._given(moment(query.start))}")
        if query.end is not None:
            conditions.append(f"ts <= {self._given(moment(query.end))}")
        if since is not None:
            conditions.append(f"ts >= {self._given(since)}")
        return " AND ".join(conditions)

    def _of_symbols(self, symbols: list[str], column: str) -> str:
        """Of one symbol the index gives rows in order of time; of a list the planner does not see that, even of one."""
        if len(symbols) == 1:
            return f"{quoted(column)} = {self._given(symbols[0])}"
        return f"{quoted(column)} = ANY({self._given(symbols)}::text[])"

    def _beyond(self, after: Sequence[object]) -> str:
        dimension, free = self.query.dimension, self._free()
        last = dict(zip(dimension.key, after, strict=True))
        values = ", ".join(f"{self._given(last[name])}::{SQL_TYPES[dimension.kinds[name]]}" for name in free)
        beyond = f"({names(free)}) > ({values})"
        # of rows in order of time, chunks that end before need not be looked at
        return f"{beyond} AND ts >= {self._given(last['ts'])}" if free[0] == "ts" else beyond
