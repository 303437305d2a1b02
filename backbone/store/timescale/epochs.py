"""Who may write of each source."""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.store.errors import FencedOut
from backbone.store.records import Chunk
from backbone.store.timescale import locks
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import moment, plain

__all__ = ["Epochs", "fence", "hold"]

_HELD = "SELECT epoch FROM telemetry.epochs WHERE source = $1 AND dimension = $2"


class Epochs(Part):
    """Claims."""

    @question
    async def claim_epoch(self, session: Session, source: str, dimension: Dimension) -> int:
        """Raise the epoch by one, from 0 before the first claim.

        A writer that holds its epoch and has not yet committed keeps the row locked: the claim waits for it. So once
        an epoch is claimed, nothing of an earlier one is still under way.
        """
        async with session.transaction(repeatable=True):
            await locks.take_claim(session, source, dimension)
            epoch: int = await session.value(
                """
                INSERT INTO telemetry.epochs (source, dimension, epoch, updated_at) VALUES ($1, $2, 1, $3)
                ON CONFLICT (source, dimension)
                DO UPDATE SET epoch = epochs.epoch + 1, updated_at = excluded.updated_at
                RETURNING epoch
                """,
                *(plain("source", source), dimension.value, moment(self._clock())),
            )
        return epoch


async def fence(session: Session, chunk: Chunk) -> None:
    """Raise `FencedOut` unless the chunk's epoch holds now: an early look, which saves a zombie's work."""
    if chunk.epoch is not None:
        await _require(session, chunk, chunk.epoch, _HELD)


async def hold(session: Session, chunk: Chunk) -> None:
    """Hold the fence until the COMMIT: no other epoch can be claimed in between.

    Raises:
        FencedOut: another epoch holds.
    """
    if chunk.epoch is not None:
        await _require(session, chunk, chunk.epoch, f"{_HELD} FOR SHARE")


async def _require(session: Session, chunk: Chunk, epoch: int, query: str) -> None:
    dimension = chunk.frame.dimension.value
    held = await session.value(query, chunk.source, dimension)
    if held != epoch:
        raise FencedOut.of(f"{chunk.source}/{dimension}", epoch, held)
