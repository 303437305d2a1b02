"""Where each source stands, and who may say so."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb.sql import Connection, count, first, parameter
from backbone.store.errors import FencedOut
from backbone.store.records import Checkpoint

__all__ = ["claim", "fence", "save", "stand"]


def claim(connection: Connection, source: str, dimension: Dimension, now: datetime) -> int:
    """Raise the epoch by one, from 0 before the first claim."""
    return count(
        connection,
        """
        INSERT INTO telemetry.checkpoint VALUES (?, ?, NULL, 1, make_timestamptz(?))
        ON CONFLICT DO UPDATE SET epoch = checkpoint.epoch + 1, updated_at = excluded.updated_at
        RETURNING epoch
        """,
        [source, dimension.value, parameter(now)],
    )


def stand(connection: Connection, source: str, dimension: Dimension) -> Checkpoint | None:
    """Where a source stands."""
    found = first(
        connection,
        "SELECT token, epoch, epoch_us(updated_at) FROM telemetry.checkpoint WHERE source = ? AND dimension = ?",
        [source, dimension.value],
    )
    if found is None:
        return None
    token, epoch, at = found
    return Checkpoint(token=token, epoch=epoch, at=from_us(at))


def fence(connection: Connection, source: str, dimension: Dimension, epoch: int) -> None:
    """Raise `FencedOut` unless the epoch holds."""
    held = stand(connection, source, dimension)
    if held is None or held.epoch != epoch:
        raise FencedOut(source, dimension.value, epoch, None if held is None else held.epoch)


def save(connection: Connection, source: str, dimension: Dimension, token: str, now: datetime) -> None:
    """Set the resume token."""
    connection.execute(
        """
        INSERT INTO telemetry.checkpoint VALUES (?, ?, ?, 0, make_timestamptz(?))
        ON CONFLICT DO UPDATE SET token = excluded.token, updated_at = excluded.updated_at
        """,
        [source, dimension.value, token, parameter(now)],
    )
