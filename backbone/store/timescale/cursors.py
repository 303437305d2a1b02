"""How far each sink has published the outbox, shard by shard, and who may say so."""

from __future__ import annotations

from backbone.store.errors import FencedOut
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import plain

__all__ = ["PUBLISHED", "Cursors"]

PUBLISHED = "(SELECT coalesce(min(position), 0) FROM telemetry.cursors)"
"""Position up to which every sink has everything."""


class Cursors(Part):
    """A position and an epoch for each sink and shard."""

    @question
    async def cursor(self, session: Session, sink: str, shard: int) -> int:
        """Position up to which a sink has all of a shard."""
        query = "SELECT position FROM telemetry.cursors WHERE sink = $1 AND shard = $2"
        return int(await session.value(query, plain("sink", sink), shard) or 0)

    @question
    async def advance(self, session: Session, sink: str, shard: int, position: int, epoch: int) -> None:
        """Move a cursor forward, never back; one statement, so that nobody comes between look and move."""
        moved = await session.change(
            """
            INSERT INTO telemetry.cursors (sink, shard, position, epoch) VALUES ($1, $2, $3, $4)
            ON CONFLICT (sink, shard) DO UPDATE
            SET position = greatest(cursors.position, excluded.position), epoch = excluded.epoch
            WHERE cursors.epoch <= excluded.epoch
            """,
            *(plain("sink", sink), shard, position, epoch),
        )
        if not moved:
            held = await session.value(
                "SELECT epoch FROM telemetry.cursors WHERE sink = $1 AND shard = $2", sink, shard
            )
            raise FencedOut.of(f"{sink}, shard {shard}", epoch, held)
