"""Up to which position outbox rows have to go, so that those behind them are no more than so many bytes."""

from __future__ import annotations

from backbone.store.duckdb.sql import Connection, count

__all__ = ["excess"]


def excess(connection: Connection, most_bytes: int | None) -> int:
    """The position of the last one; 0: all may stay."""
    if most_bytes is None:
        return 0
    return count(
        connection,
        """
        SELECT max(position) FROM (
            SELECT position, sum(bytes) OVER (ORDER BY position DESC) AS total FROM telemetry.outbox
        ) WHERE total > ?
        """,
        [most_bytes],
    )
