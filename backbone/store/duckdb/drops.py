"""How often rows were dropped: an epoch of no source, raised with each drop, in its transaction."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.sql import Connection, count, parameter
from backbone.store.merging import DROPS

__all__ = ["Drops", "note"]


class Drops(Part):
    """What whoever keeps windows has to know of drops."""

    @question("delivery", looks=True)
    def drop_count(self, connection: Connection) -> int:
        """The sum over all dimensions."""
        return count(connection, "SELECT sum(epoch) FROM telemetry.epochs WHERE source = ?", [DROPS])


def note(connection: Connection, dimension: Dimension, now: datetime) -> None:
    """Count one more."""
    connection.execute(
        """
        INSERT INTO telemetry.epochs VALUES (?, ?, 1, make_timestamptz(?))
        ON CONFLICT DO UPDATE SET epoch = epochs.epoch + 1, updated_at = excluded.updated_at
        """,
        [DROPS, dimension.value, parameter(now)],
    )
