"""How far each sink has published the outbox, shard by shard, and who may say so."""

from __future__ import annotations

from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, first
from backbone.store.errors import CursorSetBack, FencedOut
from backbone.store.outbox_messages import SHARED_STREAM, STREAM

__all__ = ["Cursors", "cursor_of", "published"]


class Cursors(Part):
    """A position and an epoch for each sink and shard."""

    @question("delivery", looks=True)
    def cursor(self, connection: Connection, sink: str, shard: int) -> int:
        """Position up to which a sink has all of a shard."""
        return cursor_of(connection, sink, shard)

    @question("delivery")
    def advance(
        self,
        connection: Connection,
        sink: str,
        shard: int,
        position: int,
        epoch: int,
        *,
        known: int = 0,
        server: str = "",
    ) -> None:
        """Move a cursor forward, never back."""
        if server:  # a file has none
            raise CursorSetBack.elsewhere(f"{sink}, shard {shard}", server, "a database file")
        with transaction(connection):
            query = "SELECT epoch, position FROM telemetry.cursors WHERE sink = ? AND shard = ?"
            holder, stored = first(connection, query, [sink, shard]) or (0, 0)
            if holder > epoch:
                raise FencedOut.of(f"{sink}, shard {shard}", epoch, holder)
            if stored < known:
                raise CursorSetBack.of(f"{sink}, shard {shard}", known, stored)
            connection.execute(
                """
                INSERT INTO telemetry.cursors VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE
                SET position = greatest(cursors.position, excluded.position), epoch = excluded.epoch
                """,
                [sink, shard, position, epoch],
            )

    async def lease(self, sink: str, shard: int) -> int | None:  # noqa: ARG002  each has one process
        """Nobody else has the file open."""
        return 0

    async def leave(self, sink: str, shard: int) -> None:
        """There is nobody to have it instead."""


def cursor_of(connection: Connection, sink: str, shard: int = 0) -> int:
    """Position up to which a sink has all of a shard."""
    return count(connection, "SELECT position FROM telemetry.cursors WHERE sink = ? AND shard = ?", [sink, shard])


def published(connection: Connection, sink: str = "") -> int:
    """Position up to which a sink has everything; "": every sink, but those of one process beside a shared one."""
    query = "SELECT min(position) FROM telemetry.cursors WHERE"
    if sink:  # asked for every second, and a plainer question is planned in half the time
        return count(connection, f"{query} sink = ?", [sink])
    others = "sink <> ? OR NOT EXISTS (SELECT 1 FROM telemetry.cursors WHERE sink = ?)"
    return count(connection, f"{query} {others}", [STREAM, SHARED_STREAM])
