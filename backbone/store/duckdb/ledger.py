"""The ledger: which content was last known to stand over a range.

An entry is void as soon as a later one overlaps it, so "the newest entry over the range is this content" means that
the rows stored there are exactly this content.
"""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.sql import Connection
from backbone.store.merging import Verdict

__all__ = ["enter", "judge", "void_before"]


def judge(connection: Connection, dimension: Dimension, count: int, ingest_id: str) -> Verdict:
    """Look up the newest entry over each of so many `ranges`, a table that the connection was given."""
    newest = connection.execute(
        """
        SELECT r.n, arg_max(l.ingest_id, l.id) AS newest
        FROM ranges r JOIN telemetry.ledger l
          ON l.dimension = ? AND l.symbol = r.symbol AND l."interval" = r."interval"
         AND l.start_ts <= r.end_ts AND l.end_ts >= r.start_ts
        GROUP BY r.n
        """,
        [dimension.value],
    ).fetchall()
    return Verdict.of(count, ingest_id, newest)


def enter(connection: Connection, dimension: Dimension, ingest_id: str, *, fresh: bool) -> None:
    """Note that the given `ranges` hold this content now.

    Unless they are all fresh, entries within them are forgotten: they could never be the newest again.
    """
    if not fresh:
        connection.execute(
            """
            DELETE FROM telemetry.ledger USING ranges r
            WHERE ledger.dimension = ? AND ledger.symbol = r.symbol AND ledger."interval" = r."interval"
              AND ledger.start_ts >= r.start_ts AND ledger.end_ts <= r.end_ts
            """,
            [dimension.value],
        )
    connection.execute(
        """
        INSERT INTO telemetry.ledger
        SELECT nextval('telemetry.ledger_id'), ?, ?, symbol, "interval", start_ts, end_ts, rows FROM ranges
        """,
        [ingest_id, dimension.value],
    )


def void_before(connection: Connection, dimension: Dimension, before_us: int) -> None:
    """Take note that rows before a moment are gone: whatever reaches beyond it is no longer complete."""
    connection.execute(
        "DELETE FROM telemetry.ledger WHERE dimension = ? AND end_ts < make_timestamptz(?)",
        [dimension.value, before_us],
    )
    connection.execute(
        """
        UPDATE telemetry.ledger SET ingest_id = '', start_ts = make_timestamptz(?)
        WHERE dimension = ? AND start_ts < make_timestamptz(?)
        """,
        [before_us, dimension.value, before_us],
    )
