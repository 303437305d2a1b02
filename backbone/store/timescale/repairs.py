"""Mended rows: kept with the chunk that they came in, once for the same values."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final

from backbone.domain.dimension import Dimension
from backbone.domain.text import storable
from backbone.store.records import Chunk
from backbone.store.repairs import COLUMNS, RepairRow, read_repair, texts_of
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT, moment

__all__ = ["Repairs", "note"]

_TEXTS: Final = ", ".join(f'"{name}"' for name in COLUMNS)


class Repairs(Part):
    """What was mended."""

    @question
    async def repairs(
        self,
        session: Session,
        dimension: Dimension,
        symbol: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[RepairRow]:
        """Mended rows, the newest repair first."""
        found = await session.fetch(
            f"""
            SELECT {_TEXTS}, ts, recorded_at, source, run_id, ingest_id FROM telemetry.repairs
            WHERE dimension = $1 AND ($2::text IS NULL OR symbol = $2)
                AND ($3::timestamptz IS NULL OR ts >= $3) AND ($4::timestamptz IS NULL OR ts <= $4)
            ORDER BY recorded_at DESC, symbol, "interval", ts LIMIT $5
            """,  # noqa: S608
            *(dimension.value, symbol, moment(start), moment(end), min(limit, MAX_BIGINT)),
        )
        return [
            read_repair(texts, dimension, ts, at, (source, run_id, ingest_id))
            for *texts, ts, at, source, run_id, ingest_id in found
        ]


async def note(session: Session, chunk: Chunk, now: datetime) -> None:
    """Keep the mended rows of a chunk that are not kept yet, within its transaction."""
    dimension, source = chunk.frame.dimension.value, storable(chunk.source)
    texts, stamps = texts_of(chunk.repairs), [moment(row.ts) for row in chunk.repairs]
    identities = [
        blake2b("\0".join((dimension, source, at.isoformat(), *each)).encode(), digest_size=16).digest()
        for at, *each in zip(stamps, *texts.values(), strict=True)
    ]
    await session.change(
        f"""
        INSERT INTO telemetry.repairs
            (identity, ts, {_TEXTS}, dimension, source, run_id, ingest_id, recorded_at)
        SELECT DISTINCT ON (new.identity) new.*, $9, $10, $11, $12, $13 FROM unnest(
            $1::bytea[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]
        ) AS new (identity, ts, {_TEXTS}) ON CONFLICT (identity) DO NOTHING
        """,  # noqa: S608
        *(identities, stamps, *texts.values(), dimension, source, chunk.run_id, chunk.ingest_id, moment(now)),
    )
