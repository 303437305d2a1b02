"""How far each sink has published the outbox, shard by shard, and who may say so."""

from __future__ import annotations

from backbone.store.errors import CursorSetBack, FencedOut
from backbone.store.outbox_messages import SHARED_STREAM, STREAM
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.server import NOT_TOLD, SERVER, server_of
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import plain

__all__ = ["PUBLISHED", "Cursors"]

PUBLISHED = f"""(
    SELECT coalesce(min(position), 0) FROM telemetry.cursors
    WHERE sink <> '{STREAM}' OR NOT EXISTS (SELECT FROM telemetry.cursors WHERE sink = '{SHARED_STREAM}')
)"""  # noqa: S608
"""Position up to which every sink has everything. Streams of one process are owed nothing where there is a shared one:
they end with their process, and nobody may be left to move their cursor."""

_MOVE = """
INSERT INTO telemetry.cursors (sink, shard, position, epoch)
SELECT $1::text, $2::integer, $3::bigint, $4::bigint
WHERE ($5::bigint = 0 OR EXISTS (SELECT FROM telemetry.cursors WHERE sink = $1 AND shard = $2)){there}
ON CONFLICT (sink, shard) DO UPDATE
SET position = greatest(cursors.position, excluded.position), epoch = excluded.epoch
WHERE cursors.epoch <= excluded.epoch AND cursors.position >= $5
"""

# two texts, for a hosted server that does not tell which it is refuses a query that would ask, whatever the condition
_ADVANCE = _MOVE.format(there="")
_ADVANCE_THERE = _MOVE.format(there=f" AND ({SERVER}) = $6")


class Cursors(Part):
    """A position and an epoch for each sink and shard."""

    @question
    async def cursor(self, session: Session, sink: str, shard: int) -> int:
        """Position up to which a sink has all of a shard."""
        query = "SELECT position FROM telemetry.cursors WHERE sink = $1 AND shard = $2"
        return int(await session.value(query, plain("sink", sink), shard) or 0)

    @question
    async def advance(
        self,
        session: Session,
        sink: str,
        shard: int,
        position: int,
        epoch: int,
        *,
        known: int = 0,
        server: str = "",
    ) -> None:
        """Move a cursor forward, never back; one statement, so that nobody comes between look and move."""
        values = (plain("sink", sink), shard, position, epoch, known)
        if server:
            moved = await _moved_there(session, *values, plain("server", server))
        else:
            moved = await session.change(_ADVANCE, *values)
        if not moved:
            query = "SELECT epoch, position FROM telemetry.cursors WHERE sink = $1 AND shard = $2"
            holder, stored = await session.row(query, sink, shard) or (0, 0)
            if holder > epoch:
                raise FencedOut.of(f"{sink}, shard {shard}", epoch, holder)
            if server and (now := await server_of(session)) != server:
                raise CursorSetBack.elsewhere(f"{sink}, shard {shard}", server, now)
            raise CursorSetBack.of(f"{sink}, shard {shard}", known, stored)


async def _moved_there(session: Session, *values: object) -> int:
    """How many cursors were moved, where that server answers; one that tells no more which it is counts as another."""
    try:
        return await session.change(_ADVANCE_THERE, *values)
    except NOT_TOLD:
        if await server_of(session):  # it was something else that was refused
            raise
        return 0
