"""Mended rows: kept with the chunk that they came in, once for the same values."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.clock import from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.sql import Connection, given, parameter
from backbone.store.records import Chunk
from backbone.store.repairs import COLUMNS, RepairRow, read_repair, texts_of

__all__ = ["Repairs", "note"]

_AT = pa.timestamp("us", tz="UTC")
_TEXTS = ", ".join(f'"{name}"' for name in COLUMNS)
_SAME = " AND ".join(f"r.{name} = new.{name}" for name in ("dimension", "ts", "source", *(f'"{n}"' for n in COLUMNS)))


class Repairs(Part):
    """What was mended."""

    @question("delivery")
    def repairs(
        self,
        connection: Connection,
        dimension: Dimension,
        symbol: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[RepairRow]:
        """Mended rows, the newest repair first."""
        found = connection.execute(
            f"""
            SELECT {_TEXTS}, epoch_us(ts), epoch_us(recorded_at), source, run_id, ingest_id FROM telemetry.repairs
            WHERE dimension = ? AND symbol = coalesce(?, symbol)
                AND ts >= coalesce(make_timestamptz(?), ts) AND ts <= coalesce(make_timestamptz(?), ts)
            ORDER BY recorded_at DESC, symbol, "interval", ts LIMIT ?
            """,  # noqa: S608
            [dimension.value, symbol, parameter(start), parameter(end), limit],
        ).fetchall()
        return [
            read_repair(texts, dimension, from_us(ts), from_us(at), (source, run_id, ingest_id))
            for *texts, ts, at, source, run_id, ingest_id in found
        ]


def note(connection: Connection, chunk: Chunk, now: datetime) -> None:
    """Keep the mended rows of a chunk that are not kept yet, within its transaction."""
    count = len(chunk.repairs)
    alike = {
        "dimension": chunk.frame.dimension.value,
        "source": chunk.source,
        "run_id": chunk.run_id,
        "ingest_id": chunk.ingest_id,
    }
    columns = {name: pa.repeat(scalar_of(text, pa.string()), count) for name, text in alike.items()}
    columns |= {name: array_of(texts, pa.string()) for name, texts in texts_of(chunk.repairs).items()}
    columns["ts"] = array_of([to_us(row.ts) for row in chunk.repairs], pa.int64()).cast(_AT)
    columns["recorded_at"] = pa.repeat(scalar_of(to_us(now), pa.int64()), count).cast(_AT)
    with given(connection, "new", pa.table(columns)):
        connection.execute(
            f"""
            INSERT INTO telemetry.repairs BY NAME SELECT * FROM new
            WHERE NOT EXISTS (SELECT 1 FROM telemetry.repairs r WHERE {_SAME})
            """  # noqa: S608
        )
