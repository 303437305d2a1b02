"""The journal of runs: one row for each dimension of each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.parts import Parts, large_symbols, number_of, symbols_in
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, moment, parameter
from backbone.store.records import JournalBound
from backbone.store.run_records import RunRow, read_run_row, run_metadata

__all__ = ["RunJournal", "drop_parts", "old"]

PARTS: Final = Parts("telemetry.run_parts")
"""Of long lists of symbols."""

_COLUMNS = """run_id, dimension, status, source, rows, inserted, changed, unchanged, quarantined, symbols,
    epoch_us(start_ts), epoch_us(end_ts), freshness_s, duration_s, epoch_us(executed_at), error, metadata, large"""


class RunJournal(Part):
    """What became of runs."""

    @question("writing")
    def record_run(self, connection: Connection, row: RunRow) -> None:
        """Journal one dimension of a run."""
        large = large_symbols(row.symbols)
        symbols = [] if large else list(row.symbols)
        with transaction(connection):
            if count(
                connection,
                "DELETE FROM telemetry.runs WHERE run_id = ? AND dimension = ?",
                [row.run_id, row.dimension],
            ):
                drop_parts(connection)
            number = number_of(connection) if large else None
            connection.execute(
                """
                INSERT INTO telemetry.runs
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamptz(?), make_timestamptz(?), ?, ?,
                    make_timestamptz(?), ?, ?, ?)
                """,
                [
                    *(row.run_id, row.dimension, row.status, row.source, row.rows, row.inserted, row.changed),
                    *(
                        row.unchanged,
                        row.quarantined,
                        symbols,
                        parameter(row.start),
                        parameter(row.end),
                    ),
                    *(
                        row.freshness_s,
                        row.duration_s,
                        parameter(row.executed_at),
                        row.error,
                        run_metadata(row),
                        number,
                    ),
                ],
            )
            PARTS.keep(connection, [(number, large)] if number is not None else [])

    @question("delivery")
    def runs(
        self, connection: Connection, limit: int = 50, dimension: str | None = None, run_id: str | None = None
    ) -> list[RunRow]:
        """Runs, newest first."""
        return _rows(
            connection,
            f"""
            SELECT {_COLUMNS} FROM telemetry.runs
            WHERE dimension = coalesce(?, dimension) AND run_id = coalesce(?, run_id)
            ORDER BY executed_at DESC, run_id DESC, dimension LIMIT ?
            """,  # noqa: S608
            [dimension, run_id, limit],
        )

    @question("delivery")
    def latest_runs(self, connection: Connection) -> list[RunRow]:
        """The newest run of each dimension."""
        return _rows(
            connection,
            f"""
            SELECT DISTINCT ON (dimension) {_COLUMNS} FROM telemetry.runs
            ORDER BY dimension, executed_at DESC, run_id DESC
            """,  # noqa: S608
        )


def drop_parts(connection: Connection) -> None:
    """Delete the parts of runs that are gone."""
    PARTS.drop_but_of(connection, "large", "telemetry.runs")


def _rows(connection: Connection, query: str, values: Sequence[object] = ()) -> list[RunRow]:
    with transaction(connection):
        found = connection.execute(query, values).fetchall()
        symbols = PARTS.of(connection, [large for *_, large in found if large is not None])
    rows = ((read_run_row(columns, moment), large) for *columns, large in found)
    return [replace(row, symbols=symbols_in(symbols[large])) if large in symbols else row for row, large in rows]


def old(connection: Connection, verb: str, bound: JournalBound | None) -> int:
    """Count or delete what is older, or more, than is kept; the newest of each dimension stays."""
    if bound is None:
        return 0
    return count(
        connection,
        f"""
        {verb} FROM telemetry.runs
        WHERE (
            executed_at < make_timestamptz(?)
            OR executed_at <= (SELECT executed_at FROM telemetry.runs ORDER BY executed_at DESC LIMIT 1 OFFSET ?)
        )
        AND (dimension, executed_at) NOT IN (SELECT dimension, max(executed_at) FROM telemetry.runs GROUP BY dimension)
        """,  # noqa: S608
        [parameter(bound.before), bound.rows],
    )
