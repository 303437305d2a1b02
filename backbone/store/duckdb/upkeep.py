"""Quarantine of bad rows, and deletion of what is no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from backbone.domain.clock import from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb import ledger, outbox
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, given, parameter, rows_table
from backbone.store.printable import printable
from backbone.store.records import QuarantineRow

__all__ = ["count_quarantined", "drop", "prune", "quarantine", "quarantined"]


def quarantine(connection: Connection, rows: Sequence[QuarantineRow]) -> int:
    """Keep rows that are not kept yet."""
    columns = {
        name: pa.array([printable(getattr(row, name)) for row in rows], pa.string())
        for name in ("source", "location", "reason", "excerpt", "dimension", "run_id")
    }
    at = pa.array([to_us(row.at) for row in rows], pa.int64())
    with given(connection, "bad", pa.table({**columns, "recorded_at": at.cast(pa.timestamp("us", tz="UTC"))})):
        return count(
            connection,
            """
            INSERT INTO telemetry.quarantine
            SELECT DISTINCT ON (source, dimension, location, reason) * FROM bad
            WHERE NOT EXISTS (
                SELECT 1 FROM telemetry.quarantine q
                WHERE q.source = bad.source AND q.dimension = bad.dimension
                  AND q.location = bad.location AND q.reason = bad.reason
            )
            """,
        )


def quarantined(connection: Connection, limit: int) -> list[QuarantineRow]:
    """Rows, newest first."""
    found = connection.execute(
        """
        SELECT source, location, reason, excerpt, dimension, run_id, epoch_us(recorded_at) FROM telemetry.quarantine
        ORDER BY recorded_at DESC, source, dimension, location, reason LIMIT ?
        """,
        [limit],
    ).fetchall()
    return [
        QuarantineRow(source, location, reason, excerpt, dimension, run_id, from_us(at))
        for source, location, reason, excerpt, dimension, run_id, at in found
    ]


def count_quarantined(connection: Connection, source: str | None, run_id: str | None) -> int:
    """Number of rows."""
    return count(
        connection,
        "SELECT count(*) FROM telemetry.quarantine WHERE source = coalesce(?, source) AND run_id = coalesce(?, run_id)",
        [source, run_id],
    )


def prune(
    connection: Connection, outbox_before: datetime | None, quarantine_before: datetime | None, *, dry_run: bool
) -> dict[str, int]:
    """Delete, or count, published outbox rows and quarantined rows; a moment of None keeps them all."""
    verb = "SELECT count(*)" if dry_run else "DELETE"
    with transaction(connection):
        published = outbox.cursor(connection)
        return {
            "outbox": count(
                connection,
                f"{verb} FROM telemetry.outbox WHERE position <= ? AND created_at < make_timestamptz(?)",
                [published, parameter(outbox_before)],
            ),
            "quarantine": count(
                connection,
                f"{verb} FROM telemetry.quarantine WHERE recorded_at < make_timestamptz(?)",
                [parameter(quarantine_before)],
            ),
        }


def drop(connection: Connection, dimension: Dimension, before: datetime, *, dry_run: bool) -> int:
    """Delete, or count, the rows of a dimension from before a moment."""
    rows, at = rows_table(dimension), parameter(before)
    if dry_run:
        return count(connection, f"SELECT count(*) FROM {rows} WHERE ts < make_timestamptz(?)", [at])  # noqa: S608
    with transaction(connection):
        connection.execute(f"DELETE FROM {rows}_revisions WHERE ts < make_timestamptz(?)", [at])  # noqa: S608
        dropped = count(connection, f"DELETE FROM {rows} WHERE ts < make_timestamptz(?)", [at])  # noqa: S608
        ledger.void_before(connection, dimension, to_us(before))
    return dropped
