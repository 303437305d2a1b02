"""Read rows, and say what is stored."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.store.duckdb import outbox
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, parameter, rows_table, table
from backbone.store.errors import Unsupported
from backbone.store.records import Coverage, Query, ReadResult
from backbone.store.sql import names, quoted

__all__ = ["Reading"]


class Reading(Part):
    """Rows, and what is stored of them."""

    @question("rows")
    def read(self, connection: Connection, query: Query) -> ReadResult:
        """Rows in canonical order and the position they include, both of one moment."""
        _refuse(query)
        dimension = query.dimension
        where, parameters = _where(query)
        selected = f"SELECT {names(dimension.columns)} FROM {rows_table(dimension)} WHERE {where}"  # noqa: S608
        if query.limit is not None:
            newest_first = ", ".join(f"{quoted(name)} DESC" for name in ("ts", *_without_ts(dimension)))
            selected = f"SELECT * FROM ({selected} ORDER BY {newest_first} LIMIT ?)"  # noqa: S608
            parameters = [*parameters, query.limit]
        with transaction(connection):
            rows = table(connection, f"{selected} ORDER BY {names(dimension.key)}", parameters)
            position = outbox.position_of(connection, dimension, query.symbols)
        return ReadResult(Frame.from_arrow(dimension, rows, presorted=True), position)

    @question("survey")
    def coverage(self, connection: Connection, dimension: Dimension, as_of: datetime | None = None) -> list[Coverage]:
        """Rows, earliest and latest moment per symbol and interval."""
        interval = '"interval"' if dimension.has_interval else "NULL"
        found = connection.execute(
            f"""
            SELECT {quoted(dimension.partition_column)}, {interval}, count(*), epoch_us(min(ts)), epoch_us(max(ts))
            FROM {rows_table(dimension)} WHERE ts <= coalesce(make_timestamptz(?), ts) GROUP BY 1, 2 ORDER BY 1, 2
            """,  # noqa: S608
            [parameter(as_of)],
        ).fetchall()
        return [
            Coverage(dimension, symbol, interval, rows, earliest=from_us(earliest), latest=from_us(latest))
            for symbol, interval, rows, earliest, latest in found
        ]

    @question("survey")
    def stamps(
        self,
        connection: Connection,
        dimension: Dimension,
        symbol: str,
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> npt.NDArray[np.datetime64]:
        """Distinct moments, ascending."""
        query = Query(dimension, (symbol,), interval, start, end)
        _refuse(query)
        where, parameters = _where(query)
        found = table(
            connection,
            f"SELECT DISTINCT epoch_us(ts) AS ts FROM {rows_table(dimension)} WHERE {where} ORDER BY 1",  # noqa: S608
            parameters,
        )
        moments: npt.NDArray[np.datetime64] = found.column("ts").to_numpy().astype(np.int64).view("datetime64[us]")
        return moments


def _refuse(query: Query) -> None:
    if query.as_of is not None:
        raise Unsupported("as_of given, but the DuckDB store reads rows as they are now; leave as_of out")
    if query.interval is not None and not query.dimension.has_interval:
        raise ValueError(f"interval={query.interval!r} given, but {query.dimension} has no interval; leave it out")


def _where(query: Query) -> tuple[str, list[object]]:
    conditions, parameters = ["true"], list[object]()
    if query.symbols:
        conditions.append(f"list_contains(?, {quoted(query.dimension.partition_column)})")
        parameters.append(list(query.symbols))
    if query.interval is not None:
        conditions.append('"interval" = ?')
        parameters.append(query.interval)
    for bound, condition in ((query.start, "ts >= make_timestamptz(?)"), (query.end, "ts <= make_timestamptz(?)")):
        if bound is not None:
            conditions.append(condition)
            parameters.append(parameter(bound))
    return " AND ".join(conditions), parameters


def _without_ts(dimension: Dimension) -> tuple[str, ...]:
    return tuple(name for name in dimension.key if name != "ts")
