"""Where each source stands, and who may say so."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.store.errors import FencedOut
from backbone.store.records import Checkpoint, Chunk
from backbone.store.timescale import locks
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import plain

__all__ = ["claim", "fence", "save", "stand"]


async def claim(session: Session, source: str, dimension: Dimension, now: datetime) -> int:
    """Raise the epoch by one, from 0 before the first claim.

    A writer that has passed its fence and not yet committed holds the row: the claim waits for it. So once an epoch
    is claimed, nothing of an earlier one is still under way.
    """
    async with session.transaction(repeatable=True):
        await locks.take_claim(session, source, dimension)
        epoch: int = await session.value(
            """
            INSERT INTO telemetry.checkpoint (source, dimension, token, epoch, updated_at) VALUES ($1, $2, NULL, 1, $3)
            ON CONFLICT (source, dimension)
            DO UPDATE SET epoch = checkpoint.epoch + 1, updated_at = excluded.updated_at
            RETURNING epoch
            """,
            plain("source", source),
            dimension.value,
            now,
        )
    return epoch


async def stand(session: Session, source: str, dimension: Dimension) -> Checkpoint | None:
    """Where a source stands."""
    found = await session.row(
        "SELECT token, epoch, updated_at FROM telemetry.checkpoint WHERE source = $1 AND dimension = $2",
        source,
        dimension.value,
    )
    return None if found is None else Checkpoint(token=found[0], epoch=found[1], at=found[2])


async def fence(session: Session, chunk: Chunk) -> None:
    """Raise `FencedOut` unless the chunk's epoch holds now: an early look, which saves a zombie's work."""
    if chunk.epoch is not None:
        held = await stand(session, chunk.source, chunk.frame.dimension)
        if held is None or held.epoch != chunk.epoch:
            await _fenced_out(session, chunk, chunk.epoch)


async def save(session: Session, chunk: Chunk, now: datetime) -> None:
    """Set the resume token, and hold the fence until the COMMIT: no other epoch can be claimed in between.

    Raises:
        FencedOut: another epoch holds.
    """
    source, dimension = chunk.source, chunk.frame.dimension.value
    if chunk.epoch is None and chunk.checkpoint is not None:
        await session.change(
            """
            INSERT INTO telemetry.checkpoint (source, dimension, token, epoch, updated_at) VALUES ($1, $2, $3, 0, $4)
            ON CONFLICT (source, dimension) DO UPDATE SET token = excluded.token, updated_at = excluded.updated_at
            """,
            *(source, dimension, plain("checkpoint", chunk.checkpoint), now),
        )
    elif chunk.epoch is not None and chunk.checkpoint is not None:
        held = await session.change(
            """
            UPDATE telemetry.checkpoint SET token = $4, updated_at = $5
            WHERE source = $1 AND dimension = $2 AND epoch = $3
            """,
            *(source, dimension, chunk.epoch, plain("checkpoint", chunk.checkpoint), now),
        )
        if not held:
            await _fenced_out(session, chunk, chunk.epoch)
    elif chunk.epoch is not None:
        found = await session.fetch(
            "SELECT 1 FROM telemetry.checkpoint WHERE source = $1 AND dimension = $2 AND epoch = $3 FOR SHARE",
            *(source, dimension, chunk.epoch),
        )
        if not found:
            await _fenced_out(session, chunk, chunk.epoch)


async def _fenced_out(session: Session, chunk: Chunk, epoch: int) -> None:
    held = await stand(session, chunk.source, chunk.frame.dimension)
    raise FencedOut(chunk.source, chunk.frame.dimension.value, epoch, None if held is None else held.epoch)
