"""Up to which position outbox rows have to go, so that those behind them are no more than so many bytes."""

from __future__ import annotations

from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT

__all__ = ["excess"]


async def excess(session: Session, most_bytes: int | None) -> int:
    """The position of the last one; 0: all may stay."""
    if most_bytes is None:
        return 0
    found = await session.value(
        """
        SELECT max(position) FROM (
            SELECT position, sum(bytes) OVER (ORDER BY position DESC) AS total FROM telemetry.outbox
        ) AS each WHERE total > $1
        """,
        min(most_bytes, MAX_BIGINT),
    )
    return int(found or 0)
