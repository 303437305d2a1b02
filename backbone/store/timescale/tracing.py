"""How a row came to be as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.store.records import JournalRow, QuarantineRow
from backbone.store.sql import names, quoted
from backbone.store.timescale import journal, quarantine
from backbone.store.timescale.outbox import first_position
from backbone.store.timescale.part import Part, long_question
from backbone.store.timescale.session import READ, Session
from backbone.store.timescale.values import moment, plain
from backbone.store.tracing import MOST_BAD, MOST_VERSIONS, Published, Trace, Version, dates_of, version_of

__all__ = ["Tracing"]


class Tracing(Part):
    """What is told of single rows."""

    @long_question
    async def trace(self, session: Session, dimension: Dimension, symbol: str, ts: datetime) -> Trace:
        """All that is known of the rows of a symbol at a moment, of one moment of the store."""
        name = plain("symbol", symbol)
        async with session.transaction(READ):
            versions = await self._versions(session, dimension, name, ts)
            written = await _journal(session, dimension, versions)
            position = await session.value(
                "SELECT position FROM telemetry.positions WHERE dimension = $1 AND symbol = $2", dimension.value, name
            )
            return Trace(
                versions=versions,
                journal=written,
                published=await _published(session, dimension, name, versions),
                position=position or 0,
                aside=await _aside(session, dimension, name, ts, [row.run_id for row in written]),
            )

    async def _versions(self, session: Session, dimension: Dimension, symbol: str, ts: datetime) -> tuple[Version, ...]:
        columns = f"{names(dimension.columns)}, source, ingest_id, revision, ingested_at"
        at = f"{quoted(dimension.partition_column)} = $1 AND ts = $2"
        found = await session.fetch(
            f"""
            SELECT {columns}, NULL::timestamptz AS replaced FROM {self._tables.rows(dimension)} WHERE {at}
            UNION ALL SELECT {columns}, replaced_at FROM {self._tables.revisions(dimension)} WHERE {at}
            ORDER BY replaced DESC NULLS FIRST, revision DESC LIMIT {MOST_VERSIONS}
            """,  # noqa: S608
            *(symbol, moment(ts)),
        )
        return tuple(version_of(dimension, tuple(each), moment) for each in found)


async def _journal(session: Session, dimension: Dimension, versions: Sequence[Version]) -> tuple[JournalRow, ...]:
    """The entries of the chunks, each of the very moment at which its rows were stored."""
    chunks = sorted({(each.ingest_id, each.ingested_at) for each in versions}, reverse=True)
    found = [await journal.written(session, dimension, *each) for each in chunks]
    return tuple(row for rows in found for row in rows)


async def _published(
    session: Session, dimension: Dimension, symbol: str, versions: Sequence[Version]
) -> tuple[Published, ...]:
    """The changes, found by their positions, which are made of the revision."""
    revisions = sorted({each.revision for each in versions})
    found = await session.fetch(
        """
        SELECT position, event_id, ingest_id, revision, rows, created_at
        FROM unnest($3::bigint[], $4::bigint[]) AS of(first, next)
        JOIN telemetry.outbox ON position >= of.first AND position < of.next
        WHERE dimension = $1 AND symbol = $2 ORDER BY position DESC
        """,
        *(dimension.value, symbol),
        *([first_position(each) for each in revisions], [first_position(each + 1) for each in revisions]),
    )
    columns = ("position", "event_id", "ingest_id", "revision", "rows", "created_at")
    return tuple(Published(**dict(zip(columns, each, strict=True))) for each in found)


async def _aside(
    session: Session, dimension: Dimension, symbol: str, ts: datetime, runs: Sequence[str]
) -> tuple[QuarantineRow, ...]:
    return await quarantine.chosen(
        session,
        """
        dimension = $1 AND location || ' ' || excerpt ~ $2
        AND (strpos(location || ' ' || excerpt, $3) > 0 OR run_id = ANY($4::text[])) LIMIT $5
        """,
        *(dimension.value, dates_of(ts), symbol, list(runs), MOST_BAD),
    )
