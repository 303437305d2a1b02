"""Deletion of what is no longer needed, and voiding what the ledger can no longer vouch for."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backbone.domain.clock import MAX_US, from_us, to_us
from backbone.domain.dimension import Dimension
from backbone.store.records import JournalBound
from backbone.store.timescale import chunks, drops, ledger, locks, run_journal
from backbone.store.timescale import journal as journals
from backbone.store.timescale.cursors import PUBLISHED
from backbone.store.timescale.excess import excess
from backbone.store.timescale.part import Part, long_question, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.since import note_cut
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.values import moment, plain

__all__ = ["Upkeep"]

_BATCH: Final = 2000  # outbox rows deleted at a time: up to a gigabyte of payload
_LONG_MS: Final = 600_000  # whole tables are walked through


class Upkeep(Part):
    """What has grown old, or is gone."""

    @long_question
    async def prune(
        self,
        session: Session,
        *,
        outbox_before: datetime | None = None,
        outbox_bytes: int | None = None,
        quarantine_before: datetime | None = None,
        journal: JournalBound | None = None,
        dry_run: bool = True,
    ) -> dict[str, int]:
        """Delete, or count, what is older or too much; None keeps it all."""
        published = await session.value(f"SELECT {PUBLISHED}")
        work = _count if dry_run else _delete
        before, quarantine = moment(outbox_before), moment(quarantine_before)
        outbox = (before, await excess(session, outbox_bytes), published)
        is_due = "(created_at < $1 OR position <= $2) AND position <= $3"
        if not dry_run:
            await _note_pruned(session, is_due, *outbox)
        return {
            "outbox": await work(session, "outbox", "position", is_due, *outbox),
            "seen": await work(session, "seen", "seen_at", "seen_at < $1", before),
            "quarantine": await work(session, "quarantine", "recorded_at", "recorded_at < $1", quarantine),
            "dead_letters": await work(session, "dead_letters", "recorded_at", "recorded_at < $1", quarantine),
            "journal": await journals.old(session, work, journal, self._clock())
            + await run_journal.old(session, work, journal),
        }

    @question
    async def void(
        self,
        session: Session,
        dimension: Dimension,
        symbol: str,
        interval: str | None,
        start: datetime,
        end: datetime,
    ) -> int:
        """Have the ledger know of no content over a range; who writes the symbol is waited for."""
        name = plain("symbol", symbol)
        async with session.transaction(repeatable=True):
            await locks.take_symbol(session, dimension, name)
            return await ledger.void(session, dimension, name, interval, to_us(start), to_us(end))

    @long_question
    async def drop(self, session: Session, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        """Delete, or count, the rows of a dimension from before a moment; whole chunks go as such.

        The newest chunk stays, whatever the moment, unless it ends within it: then rows within go, as asked. So a
        moment by mistake in the future does not empty the dimension.
        """
        tables = self._tables
        rows = tables.rows(dimension)
        async with session.transaction():
            await session.script(f"SET LOCAL statement_timeout = {_LONG_MS}")
            if not dry_run:
                await locks.take_dimension(session, dimension)
            cut = await _bounded(session, tables, dimension, moment(before))
            count = int(await session.value(f"SELECT count(*) FROM {rows} WHERE ts < $1", cut))  # noqa: S608
            if not dry_run:
                await chunks.drop_chunks(session, tables, dimension, cut, await chunks.extension(session))
                await session.change(f"DELETE FROM {rows} WHERE ts < $1", cut)  # noqa: S608
                await session.change(f"DELETE FROM {tables.revisions(dimension)} WHERE ts < $1", cut)  # noqa: S608
                mended = "DELETE FROM telemetry.repairs WHERE dimension = $1 AND ts < $2"
                await session.change(mended, dimension.value, cut)
                await ledger.void_before(session, dimension, to_us(cut))
                now = self._clock()
                await drops.note(session, dimension, now)
                await note_cut(session, dimension, to_us(cut), now)
        return count


async def _note_pruned(session: Session, condition: str, *values: object) -> None:
    """Keep up to where the outbox is about to be pruned, for who reads on from before that."""
    await session.change(
        f"""
        UPDATE telemetry.pruned SET position = due.position
        FROM (SELECT max(position) AS position FROM telemetry.outbox WHERE {condition}) AS due
        WHERE due.position > pruned.position
        """,  # noqa: S608
        *values,
    )


async def _count(session: Session, table: str, order: str, condition: str, *values: object) -> int:  # noqa: ARG001
    return int(await session.value(f"SELECT count(*) FROM telemetry.{table} WHERE {condition}", *values))  # noqa: S608


async def _delete(session: Session, table: str, order: str, condition: str, *values: object) -> int:
    """Batch by batch, oldest first, each a transaction: writers and the relay are not held up."""
    statement = f"""
        DELETE FROM telemetry.{table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM telemetry.{table} WHERE {condition} ORDER BY {order} LIMIT {_BATCH}
        ))
    """  # noqa: S608
    total = 0
    while True:
        deleted = await session.change(statement, *values)
        total += deleted
        if deleted < _BATCH:
            return total


async def _bounded(session: Session, tables: Tables, dimension: Dimension, before: datetime) -> datetime:
    """The moment itself, or the beginning of the newest chunk if no row is as new as the moment."""
    newest = await session.value(f"SELECT max(ts) FROM {tables.rows(dimension)}")  # noqa: S608
    if newest is None or newest >= before:
        return before
    width = int(dimension.chunk.total_seconds()) * 1_000_000
    # TimescaleDB counts its chunks from 1970 as well
    return min(before, from_us(min(MAX_US, to_us(newest) // width * width)))
