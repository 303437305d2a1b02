"""The bare clients of the read benchmark; what is not installed says so.

The heavy ones have a lock of their own and are installed beside the environment (`make bench-rivals`), so that nothing
else depends on them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from backbone.domain import Dimension
from tests.benchmarks.reads_data import by_symbol, dimension_of
from tests.benchmarks.reads_questions import Question, bars_sql, rows_sql

_BESIDE = Path(__file__).resolve().parents[2] / ".venv-bench"


class Contestant(Protocol):
    """Who is asked."""

    async def ask(self, question: Question) -> int | None:
        """Fetch into Arrow, or the closest that there is; returns the rows, None where it does not apply."""


def heavy(module: str) -> Any:
    """A module of a client that has a lock of its own; None: it is not installed."""
    if str(_BESIDE) not in sys.path:
        sys.path.append(str(_BESIDE))  # behind everything else: of what both hold, the environment's own is taken
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        return None


def _server_sql(question: Question) -> str | None:
    table = f"market_data.{question.query.dimension.value}"
    if question.query.as_of is not None:
        return None
    if not question.bars:
        return rows_sql(question, table)
    # first and last take one column to go by
    sql = bars_sql(question, table, "public.first", "public.last", "public.time_bucket")
    return sql.replace("(ts, sequence)", "ts")


class Asyncpg:
    """Rows as records, and of many of them columns in Arrow."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        sql = _server_sql(question)
        if sql is None:
            return None
        rows = await self._connection.fetch(sql)
        if question.query.limit is None:
            columns = zip(*rows, strict=True)
            pa.table(dict(zip(rows[0].keys(), (pa.array(list(each)) for each in columns), strict=True)))
        return len(rows)


class Adbc:
    """Arrow from the server's binary COPY."""

    def __init__(self, dbapi: Any, dsn: str) -> None:
        self._connection = dbapi.connect(dsn, autocommit=True)

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        sql = _server_sql(question)
        if sql is None:
            return None
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            rows: int = cursor.fetch_arrow_table().num_rows
        return rows

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


class Connectorx:
    """Arrow by a client that connects anew for each question."""

    def __init__(self, connectorx: Any, dsn: str) -> None:
        self._connectorx, self._dsn = connectorx, dsn

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        sql = _server_sql(question)
        if sql is None:
            return None
        rows: int = self._connectorx.read_sql(self._dsn, sql, return_type="arrow").num_rows
        return rows


class BareDuckdb:
    """A table in a file, written in the order in which the store got its rows."""

    def __init__(self, path: Path, limits: Mapping[str, str]) -> None:
        self._connection = duckdb.connect(str(path), config=dict(limits))
        self._connection.execute("SET TimeZone = 'UTC'")

    def load(self, table: pa.Table) -> None:
        """Add rows."""
        name = dimension_of(table).value
        self._connection.register("more", table)
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS FROM more LIMIT 0")
        self._connection.execute(f"INSERT INTO {name} FROM more")
        self._connection.unregister("more")

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        table = question.query.dimension.value
        if question.query.as_of is not None:
            return None
        if question.bars:
            sql = bars_sql(question, table, "arg_min", "arg_max", "time_bucket")
        else:
            sql = rows_sql(question, table)
        found: pa.Table = self._connection.execute(sql).to_arrow_table()
        return int(found.num_rows)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class Polars:
    """Parquet, a file for each symbol, in order of time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[tuple[Dimension, str], pq.ParquetWriter] = {}

    def load(self, table: pa.Table) -> None:
        """Add rows."""
        dimension = dimension_of(table)
        for symbol, rows in by_symbol(table):
            writer = self._writers.get((dimension, symbol))
            if writer is None:
                writer = pq.ParquetWriter(self._folder / f"{dimension.value}-{symbol}.parquet", table.schema)
                self._writers[(dimension, symbol)] = writer
            writer.write_table(rows, row_group_size=100_000)

    def finish(self) -> None:
        """All rows are there."""
        for writer in self._writers.values():
            writer.close()

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        query = question.query
        if query.as_of is not None:
            return None
        which = query.symbols[0] if query.symbols else "*"
        lazy = pl.scan_parquet(self._folder / f"{query.dimension.value}-{which}.parquet")
        if query.start is not None:
            lazy = lazy.filter(pl.col("ts").is_between(pl.lit(query.start), pl.lit(query.end)))
        if question.bars:
            price = pl.col("price")
            lazy = lazy.group_by_dynamic("ts", every=f"{question.bars}m").agg(
                price.first().alias("open"), price.max().alias("high"), price.min().alias("low"),
                price.last().alias("close"), pl.col("size").sum().alias("volume"),
            )  # fmt: skip
        elif query.limit is not None:
            lazy = lazy.tail(query.limit) if query.symbols else lazy.top_k(query.limit, by="ts")
        return int(lazy.collect().to_arrow().num_rows)


class Arctic:
    """ArcticDB on LMDB, into Arrow; a symbol of its own for each of ours."""

    def __init__(self, arcticdb: Any, folder: Path) -> None:
        self._arcticdb = arcticdb
        self._library = arcticdb.Arctic(f"lmdb://{folder}").get_library("reads", create_if_missing=True)
        self._symbols: dict[Dimension, list[str]] = {}

    def load(self, table: pa.Table) -> None:
        """Add rows."""
        dimension = dimension_of(table)
        for symbol, rows in by_symbol(table):
            frame = rows.drop_columns(["symbol"]).to_pandas()
            frame = frame.set_index(frame.pop("ts").dt.tz_convert(None).astype("datetime64[ns]"))
            texts = frame.select_dtypes("str").columns
            known = self._symbols.setdefault(dimension, [])
            add = self._library.append if symbol in known else self._library.write
            add(f"{dimension.value}-{symbol}", frame.astype(dict.fromkeys(texts, object)))
            known.extend([symbol] if symbol not in known else [])

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        query, given = question.query, {"output_format": self._arcticdb.OutputFormat.PYARROW}
        if query.as_of is not None:
            return None
        names = [f"{query.dimension.value}-{each}" for each in query.symbols or self._symbols[query.dimension]]
        if query.limit is not None:
            found = [self._library.tail(name, query.limit, **given).data for name in names]
            return min(query.limit, sum(int(each.num_rows) for each in found))
        span = tuple(each.replace(tzinfo=None) for each in (query.start, query.end) if each is not None)
        if question.bars:
            spelled = {"open": ("price", "first"), "high": ("price", "max"), "low": ("price", "min")}
            wanted = {**spelled, "close": ("price", "last"), "volume": ("size", "sum")}
            given["query_builder"] = self._arcticdb.QueryBuilder().resample(f"{question.bars}min").agg(wanted)
        rows: int = self._library.read(names[0], date_range=span, **given).data.num_rows
        return rows


async def connect(dsn: str) -> Any:
    """The server's bare client."""
    return await asyncpg.connect(dsn, timeout=10, command_timeout=600)
