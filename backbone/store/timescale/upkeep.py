"""Quarantine of bad rows, and deletion of what is no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

from backbone.domain.clock import MAX_US, from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.store.printable import printable
from backbone.store.records import QuarantineRow
from backbone.store.timescale import chunks, ledger, locks, outbox
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.values import MAX_BIGINT, moment

__all__ = ["count_quarantined", "drop", "prune", "quarantine", "quarantined"]

_BATCH: Final = 2000  # outbox rows deleted at a time: up to a gigabyte of payload
_LONG_MS: Final = 600_000  # whole tables are walked through


async def quarantine(session: Session, rows: Sequence[QuarantineRow]) -> int:
    """Keep rows that are not kept yet."""
    texts = [
        [printable(getattr(row, name)) for row in rows]
        for name in ("source", "location", "reason", "excerpt", "dimension", "run_id")
    ]
    sources, locations, reasons, _, dimensions, _ = texts
    identities = [
        blake2b("\0".join(each).encode(), digest_size=16).digest()
        for each in zip(sources, dimensions, locations, reasons, strict=True)
    ]
    return await session.change(
        """
        INSERT INTO telemetry.quarantine (identity, source, location, reason, excerpt, dimension, run_id, recorded_at)
        SELECT * FROM unnest(
            $1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[]
        ) ON CONFLICT (identity) DO NOTHING
        """,
        *(identities, *texts, [moment(row.at) for row in rows]),
    )


async def quarantined(session: Session, limit: int) -> list[QuarantineRow]:
    """Rows, newest first."""
    found = await session.fetch(
        """
        SELECT source, location, reason, excerpt, dimension, run_id, recorded_at FROM telemetry.quarantine
        ORDER BY recorded_at DESC, source, dimension, location, reason LIMIT $1
        """,
        min(limit, MAX_BIGINT),
    )
    return [QuarantineRow(*row) for row in found]


async def count_quarantined(session: Session, source: str | None, run_id: str | None) -> int:
    """Number of rows."""
    return int(
        await session.value(
            """
            SELECT count(*) FROM telemetry.quarantine
            WHERE source = coalesce($1::text, source) AND run_id = coalesce($2::text, run_id)
            """,
            *(None if source is None else printable(source), None if run_id is None else printable(run_id)),
        )
    )


async def prune(
    session: Session, outbox_before: datetime | None, quarantine_before: datetime | None, *, dry_run: bool
) -> dict[str, int]:
    """Delete, or count, published outbox rows and quarantined rows; a moment of None keeps them all."""
    published = await outbox.cursor(session)
    old = moment(outbox_before)
    if dry_run:
        rows = await session.value(
            "SELECT count(*) FROM telemetry.outbox WHERE position <= $1 AND created_at < $2", published, old
        )
        bad = await session.value(
            "SELECT count(*) FROM telemetry.quarantine WHERE recorded_at < $1", moment(quarantine_before)
        )
        return {"outbox": int(rows), "quarantine": int(bad)}
    return {
        "outbox": await _prune_outbox(session, published, old),
        "quarantine": await session.change(
            "DELETE FROM telemetry.quarantine WHERE recorded_at < $1", moment(quarantine_before)
        ),
    }


async def _prune_outbox(session: Session, published: int, old: datetime | None) -> int:
    """Batch by batch, each a transaction: writers and the relay are not held up."""
    total = 0
    while True:
        deleted = await session.change(
            """
            DELETE FROM telemetry.outbox WHERE position = ANY(ARRAY(
                SELECT position FROM telemetry.outbox WHERE position <= $1 AND created_at < $2
                ORDER BY position LIMIT $3
            ))
            """,
            *(published, old, _BATCH),
        )
        total += deleted
        if deleted < _BATCH:
            return total


async def drop(session: Session, tables: Tables, dimension: Dimension, before: datetime, *, dry_run: bool) -> int:
    """Delete, or count, the rows of a dimension from before a moment; whole chunks go as such.

    The newest chunk stays, whatever the moment, unless it ends within it: then rows within go, as asked. So a moment
    by mistake in the future does not empty the dimension.
    """
    rows = tables.rows(dimension)
    async with session.transaction():
        await session.script(f"SET LOCAL statement_timeout = {_LONG_MS}")
        if not dry_run:
            await locks.take_dimension(session, dimension)
        cut = await _bounded(session, tables, dimension, moment(before))
        count = int(await session.value(f"SELECT count(*) FROM {rows} WHERE ts < $1", cut))  # noqa: S608
        if not dry_run:
            await chunks.drop_chunks(session, tables, dimension, cut, await chunks.extension(session))
            await session.change(f"DELETE FROM {rows} WHERE ts < $1", cut)  # noqa: S608
            await session.change(f"DELETE FROM {tables.revisions(dimension)} WHERE ts < $1", cut)  # noqa: S608
            await ledger.void_before(session, dimension, to_us(cut))
    return count


async def _bounded(session: Session, tables: Tables, dimension: Dimension, before: datetime) -> datetime:
    """The moment itself, or the beginning of the newest chunk if no row is as new as the moment."""
    newest = await session.value(f"SELECT max(ts) FROM {tables.rows(dimension)}")  # noqa: S608
    if newest is None or newest >= before:
        return before
    width = int(dimension.chunk.total_seconds()) * 1_000_000
    # TimescaleDB counts its chunks from 1970 as well
    return min(before, from_us(min(MAX_US, to_us(newest) // width * width)))
