"""The journal of runs: one row for each dimension of each run."""

from __future__ import annotations

from typing import Final

from backbone.domain.text import storable
from backbone.store.records import JournalBound
from backbone.store.run_records import RunRow, read_run_row, run_metadata
from backbone.store.timescale.journal import Work
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT, moment, plain

__all__ = ["RunJournal", "old"]

_COLUMNS: Final = """run_id, dimension, status, source, rows, inserted, changed, unchanged, quarantined, symbols,
    start_ts, end_ts, freshness_s, duration_s, executed_at, error, metadata"""


class RunJournal(Part):
    """What became of runs."""

    @question
    async def record_run(self, session: Session, row: RunRow) -> None:
        """Journal one dimension of a run."""
        await session.change(
            _NOTE,
            *(plain("run_id", row.run_id), row.dimension, row.status, storable(row.source)),
            *(row.rows, row.inserted, row.changed, row.unchanged, row.quarantined),
            *([storable(symbol) for symbol in row.symbols], moment(row.start), moment(row.end)),
            *(row.freshness_s, row.duration_s, moment(row.executed_at)),
            *(None if row.error is None else storable(row.error), _storable_json(run_metadata(row))),
        )

    @question
    async def runs(
        self, session: Session, limit: int = 50, dimension: str | None = None, run_id: str | None = None
    ) -> list[RunRow]:
        """Runs, newest first."""
        rows = await session.fetch(
            f"""
            SELECT {_COLUMNS} FROM telemetry.runs
            WHERE dimension = coalesce($1::text, dimension) AND run_id = coalesce($2::text, run_id)
            ORDER BY executed_at DESC, run_id DESC, dimension LIMIT $3
            """,  # noqa: S608
            *(dimension, run_id, min(limit, MAX_BIGINT)),
        )
        return [read_run_row(row, moment) for row in rows]

    @question
    async def latest_runs(self, session: Session) -> list[RunRow]:
        """The newest run of each dimension."""
        rows = await session.fetch(
            f"""
            SELECT DISTINCT ON (dimension) {_COLUMNS} FROM telemetry.runs
            ORDER BY dimension, executed_at DESC, run_id DESC
            """  # noqa: S608
        )
        return [read_run_row(row, moment) for row in rows]


_NOTE: Final = f"""
    INSERT INTO telemetry.runs ({_COLUMNS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT (run_id, dimension) DO UPDATE SET
        status = excluded.status, source = excluded.source, rows = excluded.rows, inserted = excluded.inserted,
        changed = excluded.changed, unchanged = excluded.unchanged, quarantined = excluded.quarantined,
        symbols = excluded.symbols, start_ts = excluded.start_ts, end_ts = excluded.end_ts,
        freshness_s = excluded.freshness_s, duration_s = excluded.duration_s, executed_at = excluded.executed_at,
        error = excluded.error, metadata = excluded.metadata
"""  # noqa: S608


def _storable_json(text: str) -> str:
    """JSON without the escape of NUL, which no jsonb holds."""
    return storable(text).replace("\\u0000", "\\ufffd")


async def old(session: Session, work: Work, bound: JournalBound | None) -> int:
    """Count or delete what is older, or more, than is kept; the newest of each dimension stays."""
    if bound is None:
        return 0
    last = await session.value(_LAST, bound.rows)
    return await work(session, "runs", "executed_at", _OLD, moment(bound.before), moment(last))


_LAST: Final = "SELECT executed_at FROM telemetry.runs ORDER BY executed_at DESC LIMIT 1 OFFSET $1"

_OLD: Final = """
    (executed_at < $1 OR executed_at <= $2::timestamptz)
    AND EXISTS (
        SELECT FROM telemetry.runs AS later
        WHERE later.dimension = runs.dimension AND later.executed_at > runs.executed_at
    )
"""
