"""How far each sink has published the outbox, shard by shard, and who may say so."""

from __future__ import annotations

from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, first
from backbone.store.errors import CursorSetBack, FencedOut

__all__ = ["Cursors", "published"]


class Cursors(Part):
    """A position and an epoch for each sink and shard."""

    @question("delivery")
    def cursor(self, connection: Connection, sink: str, shard: int) -> int:
        """Position up to which a sink has all of a shard."""
        return count(connection, "SELECT position FROM telemetry.cursors WHERE sink = ? AND shard = ?", [sink, shard])

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


def published(connection: Connection) -> int:
    """Position up to which every sink has everything."""
    return count(connection, "SELECT min(position) FROM telemetry.cursors")
