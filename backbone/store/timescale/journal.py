"""The journal: one row per chunk, with what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.text import storable
from backbone.store.journalling import LIVE, Needed
from backbone.store.merging import read_journal_row, replayed
from backbone.store.records import JournalBound, JournalRow, WriteResult
from backbone.store.timescale import locks
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT, moment, plain

__all__ = ["NOTE", "Journal", "find", "noted", "old", "written"]

_COLUMNS = """run_id, ingest_id, dimension, source, status, rows, inserted, changed, unchanged, symbols,
    start_ts, end_ts, duration_s, executed_at, error, metadata"""


class Journal(Part):
    """What became of chunks and runs."""

    @question
    async def lookup(self, session: Session, run_id: str, ingest_id: str) -> WriteResult | None:
        """What a run's chunk came to, for certain: whoever still writes it is waited for."""
        async with session.transaction(repeatable=True):
            await locks.take_chunk(session, run_id, ingest_id)
            return await find(session, plain("run_id", run_id), plain("ingest_id", ingest_id))

    @question
    async def record_journal(self, session: Session, row: JournalRow) -> None:
        """Journal what was not written."""
        await session.change(NOTE, *noted(row))

    @question
    async def journal(
        self,
        session: Session,
        limit: int = 50,
        dimension: Dimension | None = None,
        *,
        source: str | None = None,
    ) -> list[JournalRow]:
        """Journal rows, newest first."""
        rows = await session.fetch(
            f"SELECT {_COLUMNS} FROM telemetry.ingest_runs "  # noqa: S608
            "WHERE dimension = coalesce($1::text, dimension) AND source = coalesce($3::text, source) "
            "ORDER BY id DESC LIMIT $2",
            None if dimension is None else dimension.value,
            min(limit, MAX_BIGINT),
            None if source is None else storable(source),
        )
        return [read_journal_row(row, moment) for row in rows]


NOTE: Final = f"""
    INSERT INTO telemetry.ingest_runs ({_COLUMNS}, position, outbox_rows)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""  # noqa: S608
"""Adds a row to the journal; its values are those of `noted`."""


def noted(row: JournalRow, *, position: int = 0, outbox_rows: int = 0) -> tuple[object, ...]:
    """A row of the journal as values."""
    metadata = {storable(name): storable(value) for name, value in row.metadata.items()}
    return (
        *(plain("run_id", row.run_id), plain("ingest_id", row.ingest_id), row.dimension.value),
        *(storable(row.source), row.status, row.rows, row.inserted, row.changed, row.unchanged),
        *([storable(symbol) for symbol in row.symbols], moment(row.start), moment(row.end)),
        *(row.duration_s, moment(row.executed_at), None if row.error is None else storable(row.error)),
        *(msgspec.json.encode(metadata).decode(), position, outbox_rows),
    )


async def find(session: Session, run_id: str, ingest_id: str) -> WriteResult | None:
    """What a run's chunk came to, as it was told the first time."""
    found = await session.row(
        f"""
        SELECT {_COLUMNS}, position, outbox_rows FROM telemetry.ingest_runs
        WHERE run_id = $1 AND ingest_id = $2 AND status <> 'failed'
        """,  # noqa: S608
        run_id,
        ingest_id,
    )
    if found is None:
        return None
    *columns, position, outbox_rows = found
    return replayed(read_journal_row(columns, moment), position=position, outbox_rows=outbox_rows)


async def written(session: Session, dimension: Dimension, ingest_id: str, at: datetime) -> list[JournalRow]:
    """What a chunk came to that was committed at this moment."""
    found = await session.fetch(
        f"SELECT {_COLUMNS} FROM telemetry.ingest_runs "  # noqa: S608
        "WHERE dimension = $1 AND ingest_id = $2 AND executed_at = $3 ORDER BY id DESC",
        *(dimension.value, plain("ingest_id", ingest_id), moment(at)),
    )
    return [read_journal_row(row, moment) for row in found]


async def old(session: Session, work: Work, bound: JournalBound | None, now: datetime) -> int:
    """Count or delete what is older, or more, than is kept.

    Args:
        session: in which.
        work: counts or deletes rows of a table that meet a condition.
        bound: what is kept; None: all.
        now: the moment.
    """
    if bound is None:
        return 0
    needed = Needed.at(now)
    last = await session.value(_LAST, bound.rows)
    newest = await session.value(_NEWEST)
    return await work(
        *(session, "ingest_runs", "id", _OLD, moment(bound.before), last or 0, newest or []),
        *(moment(needed.live), moment(needed.runs)),
    )


Work = Callable[..., Awaitable[int]]

_LAST: Final = "SELECT id FROM telemetry.ingest_runs ORDER BY id DESC LIMIT 1 OFFSET $1"

_NEWEST: Final = """
    SELECT array_agg(newest.id) FROM (
        SELECT max(id) AS id FROM telemetry.ingest_runs GROUP BY source, dimension
    ) AS newest
"""

_OLD: Final = f"""
    (executed_at < $1 OR id <= $2)
    AND NOT EXISTS (SELECT FROM unnest($3::bigint[]) AS newest (id) WHERE newest.id = ingest_runs.id)
    AND executed_at < CASE source WHEN '{LIVE}' THEN $4::timestamptz ELSE $5::timestamptz END
"""
