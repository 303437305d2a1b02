"""Up to when outbox rows have to go, so that those behind them are no more than so many bytes."""

from __future__ import annotations

from datetime import datetime, timedelta

from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT

__all__ = ["pruned_before"]


async def pruned_before(session: Session, before: datetime | None, most_bytes: int | None) -> datetime | None:
    """The later one of a moment and that; None: all may stay."""
    if most_bytes is None:
        return before
    at: datetime | None = await session.value(
        """
        SELECT max(created_at) FROM (
            SELECT created_at, sum(bytes) OVER (ORDER BY position DESC) AS total FROM telemetry.outbox
        ) AS each WHERE total > $1
        """,
        min(most_bytes, MAX_BIGINT),
    )
    if at is None:
        return before
    beyond = at + timedelta(microseconds=1)
    return beyond if before is None else max(before, beyond)
