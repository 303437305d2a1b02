"""Who may write of each source."""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.sql import Connection, count, first, parameter
from backbone.store.errors import FencedOut

__all__ = ["Epochs", "fence"]


class Epochs(Part):
    """Claims."""

    @question("writing")
    def claim_epoch(self, connection: Connection, source: str, dimension: Dimension) -> int:
        """Raise the epoch by one, from 0 before the first claim."""
        return count(
            connection,
            """
            INSERT INTO telemetry.epochs VALUES (?, ?, 1, make_timestamptz(?))
            ON CONFLICT DO UPDATE SET epoch = epochs.epoch + 1, updated_at = excluded.updated_at
            RETURNING epoch
            """,
            [source, dimension.value, parameter(self._clock())],
        )


def fence(connection: Connection, source: str, dimension: Dimension, epoch: int) -> None:
    """Raise `FencedOut` unless the epoch holds."""
    found = first(
        connection,
        "SELECT epoch FROM telemetry.epochs WHERE source = ? AND dimension = ?",
        [source, dimension.value],
    )
    if found is None or found[0] != epoch:
        raise FencedOut.of(f"{source}/{dimension}", epoch, None if found is None else found[0])
