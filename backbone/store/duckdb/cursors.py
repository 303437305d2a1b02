"""How far each sink has published the outbox, shard by shard, and who may say so."""

from __future__ import annotations

from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, first
from backbone.store.errors import FencedOut

__all__ = ["Cursors", "published"]


class Cursors(Part):
    """A position and an epoch for each sink and shard."""

    @question("delivery")
    def cursor(self, connection: Connection, sink: str, shard: int) -> int:
        """Position up to which a sink has all of a shard."""
        return count(connection, "SELECT position FROM telemetry.cursors WHERE sink = ? AND shard = ?", [sink, shard])

    @question("delivery")
    def advance(self, connection: Connection, sink: str, shard: int, position: int, epoch: int) -> None:
        """Move a cursor forward, never back."""
        with transaction(connection):
            held = first(connection, "SELECT epoch FROM telemetry.cursors WHERE sink = ? AND shard = ?", [sink, shard])
            if held is not None and held[0] > epoch:
                raise FencedOut.of(f"{sink}, shard {shard}", epoch, held[0])
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
