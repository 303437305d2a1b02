"""How a row came to be as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backbone.domain.clock import from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb import journal, quarantine
from backbone.store.duckdb.outbox import position_of
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, moment, rows_table
from backbone.store.records import JournalRow, QuarantineRow
from backbone.store.sql import quoted
from backbone.store.tracing import MOST_BAD, MOST_VERSIONS, Published, Trace, Version, dates_of, version_of

__all__ = ["Tracing"]


class Tracing(Part):
    """What is told of single rows."""

    @question("survey")
    def trace(self, connection: Connection, dimension: Dimension, symbol: str, ts: datetime) -> Trace:
        """All that is known of the rows of a symbol at a moment, of one moment of the store."""
        with transaction(connection):
            versions = _versions(connection, dimension, symbol, ts)
            written = _journal(connection, dimension, versions)
            return Trace(
                versions=versions,
                journal=written,
                published=_published(connection, dimension, symbol, versions),
                position=position_of(connection, dimension, (symbol,)),
                aside=_aside(connection, dimension, symbol, ts, [row.run_id for row in written]),
            )


def _versions(connection: Connection, dimension: Dimension, symbol: str, ts: datetime) -> tuple[Version, ...]:
    columns = ", ".join("epoch_us(ts)" if name == "ts" else quoted(name) for name in dimension.columns)
    columns += ", source, ingest_id, revision, epoch_us(ingested_at)"
    at = f"{quoted(dimension.partition_column)} = ? AND ts = make_timestamptz(?)"
    rows = rows_table(dimension)
    found = connection.execute(
        f"""
        SELECT {columns}, NULL AS replaced FROM {rows} WHERE {at}
        UNION ALL SELECT {columns}, epoch_us(replaced_at) FROM {rows}_revisions WHERE {at}
        ORDER BY replaced DESC NULLS FIRST, revision DESC LIMIT {MOST_VERSIONS}
        """,  # noqa: S608
        [symbol, to_us(ts)] * 2,
    ).fetchall()
    return tuple(version_of(dimension, each, moment) for each in found)


def _journal(connection: Connection, dimension: Dimension, versions: Sequence[Version]) -> tuple[JournalRow, ...]:
    """The entries of the chunks, each of the very moment at which its rows were stored."""
    chunks = {(each.ingest_id, each.ingested_at) for each in versions}
    return tuple(row for each in sorted(chunks, reverse=True) for row in journal.written(connection, dimension, *each))


def _published(
    connection: Connection, dimension: Dimension, symbol: str, versions: Sequence[Version]
) -> tuple[Published, ...]:
    found = connection.execute(
        """
        SELECT position, event_id, ingest_id, revision, rows, epoch_us(created_at) FROM telemetry.outbox
        WHERE dimension = ? AND symbol = ? AND list_contains(?::BIGINT[], revision) ORDER BY position DESC
        """,
        [dimension.value, symbol, sorted({each.revision for each in versions})],
    ).fetchall()
    return tuple(_change(*each) for each in found)


def _change(position: int, event_id: str, ingest_id: str, revision: int, rows: int, at: int) -> Published:
    return Published(
        position=position, event_id=event_id, ingest_id=ingest_id, revision=revision, rows=rows, created_at=from_us(at)
    )


def _aside(
    connection: Connection, dimension: Dimension, symbol: str, ts: datetime, runs: Sequence[str]
) -> tuple[QuarantineRow, ...]:
    given: list[Any] = [dimension.value, dates_of(ts), symbol, list(runs), MOST_BAD]
    return quarantine.chosen(
        connection,
        """
        dimension = ? AND regexp_matches(location || ' ' || excerpt, ?)
        AND (contains(location || ' ' || excerpt, ?) OR list_contains(?::VARCHAR[], run_id)) LIMIT ?
        """,
        given,
    )
