"""Bad rows: kept aside, listed, found by their ids, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.clock import from_us, to_us
from backbone.domain.text import excerpt
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.sql import Connection, count, given
from backbone.store.records import QuarantineRow

__all__ = ["Quarantine", "chosen"]

_COLUMNS = "source, location, reason, excerpt, dimension, run_id, epoch_us(recorded_at), payload"
_SAME = """q.source = bad.source AND q.dimension = bad.dimension
    AND q.location = bad.location AND q.reason = bad.reason"""
_AT_ONCE = 10_000  # rows in memory while ids are looked for


class Quarantine(Part):
    """What was not let in."""

    @question("writing")
    def quarantine(self, connection: Connection, rows: Sequence[QuarantineRow]) -> int:
        """Keep rows that are not kept yet."""
        with given(connection, "bad", _table(rows)):
            return count(
                connection,
                f"""
                INSERT INTO telemetry.quarantine
                SELECT DISTINCT ON (source, dimension, location, reason) * FROM bad
                WHERE NOT EXISTS (SELECT 1 FROM telemetry.quarantine q WHERE {_SAME})
                """,  # noqa: S608
            )

    @question("delivery")
    def quarantined(self, connection: Connection, limit: int = 100, skip: int = 0) -> list[QuarantineRow]:
        """Rows, newest first.

        Of a column itself DuckDB 2.0 would choose blocks by their greatest value, also that of rows that were deleted:
        without a condition and with LIMIT 1 it then gives nothing, or the wrong row.
        """
        found = connection.execute(
            f"""
            SELECT {_COLUMNS} FROM telemetry.quarantine
            ORDER BY epoch_us(recorded_at) DESC, source, dimension, location, reason LIMIT ? OFFSET ?
            """,  # noqa: S608
            [limit, skip],
        ).fetchall()
        return [_row(*each) for each in found]

    @question("survey")
    def quarantined_at(self, connection: Connection, ids: Sequence[str]) -> list[QuarantineRow]:
        """Those with these ids; they are no column, so all rows are looked at."""
        wanted, found = set(ids), dict[str, QuarantineRow]()
        connection.execute(f"SELECT {_COLUMNS} FROM telemetry.quarantine")  # noqa: S608
        while rows := connection.fetchmany(_AT_ONCE):
            named = ((row.id, row) for row in (_row(*each) for each in rows))
            found.update((name, row) for name, row in named if name in wanted)
        return [found[each] for each in ids if each in found]

    @question("writing")
    def delete_quarantined(self, connection: Connection, rows: Sequence[QuarantineRow]) -> int:
        """Forget rows."""
        with given(connection, "bad", _table(rows)):
            return count(
                connection,
                f"DELETE FROM telemetry.quarantine q WHERE EXISTS (SELECT 1 FROM bad WHERE {_SAME})",  # noqa: S608
            )

    @question("writing")
    def clear_quarantine(self, connection: Connection, until: datetime, most: int) -> int:
        """Forget all up to a moment, some at a time."""
        return count(
            connection,
            """
            DELETE FROM telemetry.quarantine WHERE rowid IN (
                SELECT rowid FROM telemetry.quarantine WHERE recorded_at <= make_timestamptz(?) LIMIT ?
            )
            """,
            [to_us(until), most],
        )


def chosen(connection: Connection, condition: str, values: list[object]) -> tuple[QuarantineRow, ...]:
    """Rows that meet a condition."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM telemetry.quarantine WHERE {condition}", values)  # noqa: S608
    return tuple(_row(*each) for each in found.fetchall())


def _table(rows: Sequence[QuarantineRow]) -> pa.Table:
    """The rows as columns, in the order of the table's."""
    columns = {
        name: array_of([excerpt(getattr(row, name)) for row in rows], pa.string())
        for name in ("source", "location", "reason", "excerpt", "dimension", "run_id")
    }
    at = array_of([to_us(row.at) for row in rows], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    payloads = array_of([row.payload or None for row in rows], pa.binary())
    return pa.table({**columns, "recorded_at": at, "payload": payloads})


def _row(
    source: str, location: str, reason: str, excerpt: str, dimension: str, run_id: str, at: int, payload: bytes | None
) -> QuarantineRow:
    return QuarantineRow(source, location, reason, excerpt, dimension, run_id, from_us(at), payload or b"")
