"""The journal: one row per chunk, with what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.numbers import Numbers
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.parts import Parts, large_symbols, symbols_in
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, first, moment, parameter
from backbone.store.journalling import LIVE, Needed
from backbone.store.merging import read_journal_row, replayed
from backbone.store.records import JournalBound, JournalRow, WriteResult

__all__ = ["PARTS", "Journal", "find", "note", "old", "written"]

PARTS: Final = Parts("telemetry.ingest_run_parts")
"""Of long lists of symbols."""

_COLUMNS = """CASE WHEN symbols IS NULL THEN id END, run_id, ingest_id, dimension, source, status, rows, inserted,
    changed, unchanged, coalesce(symbols, []), epoch_us(start_ts), epoch_us(end_ts), duration_s, epoch_us(executed_at),
    error, metadata"""


class Journal(Part):
    """What became of chunks and runs."""

    @question("delivery")
    def lookup(self, connection: Connection, run_id: str, ingest_id: str) -> WriteResult | None:
        """What became of a chunk."""
        with transaction(connection):
            return find(connection, run_id, ingest_id)

    @question("writing")
    def record_journal(self, connection: Connection, row: JournalRow) -> None:
        """Journal what was not written."""
        numbers = self._session.known.numbers
        numbers.reserve(connection)
        with transaction(connection):
            note(connection, numbers, row)

    @question("delivery")
    def journal(
        self,
        connection: Connection,
        limit: int = 50,
        dimension: Dimension | None = None,
        *,
        source: str | None = None,
    ) -> list[JournalRow]:
        """Journal rows, newest first."""
        with transaction(connection):
            return _rows(
                connection,
                f"SELECT {_COLUMNS} FROM telemetry.ingest_runs WHERE dimension = coalesce(?, dimension) "  # noqa: S608
                "AND source = coalesce(?, source) ORDER BY id DESC LIMIT ?",
                [None if dimension is None else dimension.value, source, limit],
            )


def note(connection: Connection, numbers: Numbers, row: JournalRow, *, position: int = 0, outbox_rows: int = 0) -> None:
    """Add a row to the journal."""
    [number] = numbers.take(connection, "journal_id")
    large = large_symbols(row.symbols)
    PARTS.keep(connection, [(number, large)] if large else [])
    connection.execute(
        """
        INSERT INTO telemetry.ingest_runs
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamptz(?), make_timestamptz(?), ?, make_timestamptz(?),
            ?, ?)
        """,
        [
            *(number, row.run_id, row.ingest_id, row.dimension.value, row.source, row.status),
            *(row.rows, row.inserted, row.changed, row.unchanged, position, outbox_rows),
            *(None if large else list(row.symbols), parameter(row.start), parameter(row.end), row.duration_s),
            *(parameter(row.executed_at), row.error, msgspec.json.encode(row.metadata).decode()),
        ],
    )


def find(connection: Connection, run_id: str, ingest_id: str) -> WriteResult | None:
    """What a run's chunk came to, as it was told the first time."""
    found = first(
        connection,
        f"""
        SELECT {_COLUMNS}, position, outbox_rows FROM telemetry.ingest_runs
        WHERE run_id = ? AND ingest_id = ? AND status IN ('ok', 'skipped') ORDER BY id LIMIT 1
        """,  # noqa: S608
        [run_id, ingest_id],
    )
    if found is None:
        return None
    *columns, position, outbox_rows = found
    [row] = _read(connection, [columns])
    return replayed(row, position=position, outbox_rows=outbox_rows)


def written(connection: Connection, dimension: Dimension, ingest_id: str, at: datetime) -> list[JournalRow]:
    """What a chunk came to that was committed at this moment."""
    return _rows(
        connection,
        f"SELECT {_COLUMNS} FROM telemetry.ingest_runs "  # noqa: S608
        "WHERE dimension = ? AND ingest_id = ? AND executed_at = make_timestamptz(?) ORDER BY id DESC",
        [dimension.value, ingest_id, parameter(at)],
    )


def _rows(connection: Connection, query: str, values: list[object]) -> list[JournalRow]:
    return _read(connection, connection.execute(query, values).fetchall())


def _read(connection: Connection, found: Sequence[Sequence[Any]]) -> list[JournalRow]:
    """Rows from their columns, and symbols that do not lie there from their parts."""
    large = PARTS.of(connection, [number for number, *_ in found if number is not None])
    rows = ((number, read_journal_row(columns, moment)) for number, *columns in found)
    return [replace(row, symbols=symbols_in(large[number])) if number in large else row for number, row in rows]


def old(connection: Connection, verb: str, bound: JournalBound | None, now: datetime) -> int:
    """Count or delete what is older, or more, than is kept; None keeps it all."""
    if bound is None:
        return 0
    needed = Needed.at(now)
    return count(
        connection,
        f"""
        {verb} FROM telemetry.ingest_runs
        WHERE (
            executed_at < make_timestamptz(?)
            OR id <= (SELECT id FROM telemetry.ingest_runs ORDER BY id DESC LIMIT 1 OFFSET ?)
        )
        AND executed_at < make_timestamptz(CASE source WHEN '{LIVE}' THEN ? ELSE ? END)
        AND id NOT IN (SELECT max(id) FROM telemetry.ingest_runs GROUP BY source, dimension)
        """,  # noqa: S608
        [parameter(bound.before), bound.rows, parameter(needed.live), parameter(needed.runs)],
    )
