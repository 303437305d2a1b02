"""Up to when outbox rows have to go, so that those behind them are no more than so many bytes."""

from __future__ import annotations

from datetime import datetime, timedelta

from backbone.store.duckdb.sql import Connection, first, moment

__all__ = ["pruned_before"]


def pruned_before(connection: Connection, before: datetime | None, most_bytes: int | None) -> datetime | None:
    """The later one of a moment and that; None: all may stay."""
    if most_bytes is None:
        return before
    (newest,) = first(
        connection,
        """
        SELECT epoch_us(max(created_at)) FROM (
            SELECT created_at, sum(bytes) OVER (ORDER BY position DESC) AS total FROM telemetry.outbox
        ) WHERE total > ?
        """,
        [most_bytes],
    )
    at = moment(newest)
    if at is None:
        return before
    beyond = at + timedelta(microseconds=1)
    return beyond if before is None else max(before, beyond)
