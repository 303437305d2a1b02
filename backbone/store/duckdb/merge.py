"""Merge the rows of a frame into the table of its dimension, by key and without an index."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.store.duckdb.comparing import differing
from backbone.store.duckdb.putting import FEW, MOMENT, Columns, put
from backbone.store.duckdb.sql import Connection, given, rows_table, table
from backbone.store.merging import Merged, Truths
from backbone.store.payloads import Origin
from backbone.store.sql import ORIGIN, names

__all__ = ["held_at", "merge"]


def merge(connection: Connection, frame: Frame, fresh: Truths, origin: Origin, stored: int = 0) -> Merged:
    """Write what is not stored yet.

    Args:
        connection: within a transaction.
        frame: the rows.
        fresh: one truth per row: nothing was ever stored over its range, so it is inserted without a look.
        origin: where the rows come from.
        stored: rows that are stored over the ranges of those that are not fresh, about.
    """
    if fresh.all():
        _insert(connection, frame, origin)
        return Merged.all_new(frame)
    found = differing(connection, frame, np.flatnonzero(~fresh), stored)
    merged = Merged.of(frame, fresh, found.missing, found.changed)
    if len(found.changed):
        _retire(connection, frame.dimension, found.stored, origin.since_us)
    if merged.written.num_rows:
        _insert(connection, merged.written, origin)
    return merged


def held_at(connection: Connection, dimension: Dimension, moments: pa.Table) -> Frame:
    """The events that are stored of these symbols and moments, given as columns `symbol` and `ts`."""
    bounds = pc.min_max(moments.column("ts").cast(pa.int64()))
    query = f"""
        SELECT {names(dimension.columns)} FROM {rows_table(dimension)}
        WHERE ts BETWEEN make_timestamptz(?) AND make_timestamptz(?)
          AND (symbol, ts) IN (SELECT (symbol, ts) FROM asked)
    """  # noqa: S608
    with given(connection, "asked", moments):
        rows = table(connection, query, [bounds["min"].as_py(), bounds["max"].as_py()])
    return Frame.from_arrow(dimension, rows)


def _insert(connection: Connection, frame: Frame, origin: Origin) -> None:
    columns = frame.dimension.columns
    if frame.num_rows <= FEW:
        put(connection, rows_table(frame.dimension), _columns(frame, origin))
        return
    with given(connection, "incoming", frame.to_arrow()):
        connection.execute(
            f"INSERT INTO {rows_table(frame.dimension)} ({names(columns + ORIGIN)}) "  # noqa: S608
            f"SELECT {names(columns)}, ?, ?, ?, make_timestamptz(?) FROM incoming",
            [origin.source, origin.ingest_id, origin.revision, origin.since_us],
        )


def _columns(frame: Frame, origin: Origin) -> Columns:
    """All columns of the table: those of the frame, then where the rows come from."""
    rows, table = frame.num_rows, frame.to_arrow()
    given = {
        name: (table.schema.field(name).type, _values(frame, name, table.column(name))) for name in table.column_names
    }
    return given | {
        "source": (pa.string(), [origin.source] * rows),
        "ingest_id": (pa.string(), [origin.ingest_id] * rows),
        "revision": (pa.int64(), [origin.revision] * rows),
        "ingested_at": (MOMENT, [origin.since_us] * rows),
    }


def _values(frame: Frame, name: str, column: pa.ChunkedArray) -> list[object]:
    if pa.types.is_timestamp(column.type):
        return list(frame.column(name).view(np.int64).tolist())
    return list(column.to_pylist())


def _retire(connection: Connection, dimension: Dimension, stored: pa.Array, at_us: int) -> None:
    """Move rows into the revisions."""
    rows = rows_table(dimension)
    kept = names(dimension.columns + ORIGIN)
    with given(connection, "retired", pa.table({"id": stored})):
        connection.execute(
            f"INSERT INTO {rows}_revisions ({kept}, replaced_at) "  # noqa: S608
            f"SELECT {kept}, make_timestamptz(?) FROM {rows} WHERE rowid IN (SELECT id FROM retired)",
            [at_us],
        )
        connection.execute(f"DELETE FROM {rows} WHERE rowid IN (SELECT id FROM retired)")  # noqa: S608
