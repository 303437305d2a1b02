"""The bare client beside the store: the same rows into the same kind of table, without any promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.store.timescale.copying import Field, Rows, constant

_ORIGIN = {"source": "bench", "ingest_id": "bench", "revision": 1}
_STAMP_US = 1_700_000_000_000_000
INTERVALS = {Dimension.TRADES: "1 day", Dimension.INTRADAY_BARS: "30 days"}


async def make_table(connection: Any, name: str, dimension: Dimension) -> None:
    """A hypertable of the same columns, keys and chunks as the store's."""
    await connection.execute(f"DROP TABLE IF EXISTS public.{name}")
    await connection.execute(f"CREATE TABLE public.{name} (LIKE market_data.{dimension.value} INCLUDING ALL)")
    interval = INTERVALS[dimension]
    await connection.execute(
        f"SELECT public.create_hypertable('public.{name}', public.by_range('ts', INTERVAL '{interval}'))"
    )


def rows_of(frame: Frame) -> Rows:
    """The rows with constants for where they come from, ready to be encoded."""
    table = frame.to_arrow().combine_chunks()
    fields = [Field(name, _array(table[name])) for name in table.column_names]
    fields += [Field(name, constant(value)) for name, value in _ORIGIN.items()]  # type: ignore[arg-type]
    stamps = pa.array([_STAMP_US], pa.timestamp("us", tz="UTC")).take(pa.array([0] * table.num_rows))
    return Rows((*fields, Field("ingested_at", stamps)), table.num_rows)


def _array(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array


async def _pieces(rows: Rows) -> AsyncIterator[bytes]:
    for piece in rows.pieces():
        yield piece


async def copy(connection: Any, name: str, frames: Sequence[Frame]) -> None:
    """Binary COPY, a transaction for each chunk."""
    for frame in frames:
        rows = rows_of(frame)
        await connection.copy_to_table(
            name, schema_name="public", columns=rows.columns, source=_pieces(rows), format="binary"
        )


async def stage_and_upsert(connection: Any, name: str, frames: Sequence[Frame]) -> None:
    """COPY into a temporary table, then INSERT … ON CONFLICT DO UPDATE of all of it."""
    dimension = frames[0].dimension
    keys = ", ".join(f'"{key}"' for key in dimension.key)
    await connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS stage (LIKE public.{name}) ON COMMIT DELETE ROWS")
    for frame in frames:
        rows = rows_of(frame)
        every = ", ".join(f'"{column}"' for column in rows.columns)
        values = ", ".join(f'"{c}" = excluded."{c}"' for c in rows.columns if c not in dimension.key)
        async with connection.transaction():
            await connection.copy_to_table("stage", columns=rows.columns, source=_pieces(rows), format="binary")
            await connection.execute(
                f"""INSERT INTO public.{name} ({every}) SELECT {every} FROM stage
                ON CONFLICT ({keys}) DO UPDATE SET {values}"""  # noqa: S608
            )


async def executemany(connection: Any, name: str, frame: Frame) -> None:
    """A row-by-row upsert, in one transaction."""
    dimension = frame.dimension
    table = frame.to_arrow()
    columns = table.column_names
    every = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    keys = ", ".join(f'"{key}"' for key in dimension.key)
    values = ", ".join(f'"{c}" = excluded."{c}"' for c in columns if c not in dimension.key)
    async with connection.transaction():
        await connection.executemany(
            f"""INSERT INTO public.{name} ({every}, source, ingest_id, revision, ingested_at)
            VALUES ({marks}, 'bench', 'bench', 1, now()) ON CONFLICT ({keys}) DO UPDATE SET {values}""",  # noqa: S608
            list(zip(*(table[column].to_pylist() for column in columns), strict=True)),
        )
