"""Deletion of what is no longer needed, and voiding what the ledger can no longer vouch for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension
from backbone.store.duckdb import drops, inbox, ledger, outbox, run_journal
from backbone.store.duckdb import journal as journals
from backbone.store.duckdb.cursors import published
from backbone.store.duckdb.excess import excess
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.since import note_cut
from backbone.store.duckdb.sql import Connection, count, parameter, rows_table
from backbone.store.records import JournalBound

__all__ = ["Upkeep"]


class _Spent(NamedTuple):
    """What is to go, as `prune` is told."""

    outbox_before: datetime | None
    outbox_bytes: int | None
    quarantine_before: datetime | None
    journal: JournalBound | None


class Upkeep(Part):
    """What has grown old, or is gone."""

    async def prune(
        self,
        *,
        outbox_before: datetime | None = None,
        outbox_bytes: int | None = None,
        quarantine_before: datetime | None = None,
        journal: JournalBound | None = None,
        dry_run: bool = True,
    ) -> dict[str, int]:
        """Delete, or count, what is older or too much; None keeps it all."""
        work = self._prunable if dry_run else self._pruned
        return await work(_Spent(outbox_before, outbox_bytes, quarantine_before, journal))

    @question("survey")
    def _prunable(self, connection: Connection, spent: _Spent) -> dict[str, int]:
        with transaction(connection):
            at, last = published(connection), excess(connection, spent.outbox_bytes)
            return _reduce(connection, "SELECT count(*)", spent, last, at, self._clock())

    @question("writing")
    def _pruned(self, connection: Connection, spent: _Spent) -> dict[str, int]:
        ledger.compact(connection)
        with transaction(connection):
            at, last = published(connection), excess(connection, spent.outbox_bytes)
            _note_pruned(connection, spent.outbox_before, last, at)
            gone = _reduce(connection, "DELETE", spent, last, at, self._clock())
            _drop_parts(connection, gone)
            return gone

    @question("writing")
    def void(
        self,
        connection: Connection,
        dimension: Dimension,
        symbol: str,
        interval: str | None,
        start: datetime,
        end: datetime,
    ) -> int:
        """Have the ledger know of no content over a range."""
        return ledger.void(connection, dimension, symbol, interval, to_us(start), to_us(end))

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        """Delete, or count, the rows of a dimension from before a moment."""
        return await (self._droppable if dry_run else self._dropped)(dimension, before)

    @question("survey")
    def _droppable(self, connection: Connection, dimension: Dimension, before: datetime) -> int:
        query = f"SELECT count(*) FROM {rows_table(dimension)} WHERE ts < make_timestamptz(?)"  # noqa: S608
        return count(connection, query, [parameter(before)])

    @question("writing")
    def _dropped(self, connection: Connection, dimension: Dimension, before: datetime) -> int:
        remembered = self._session.known.remembered
        with remembered.doubted(dimension):
            with transaction(connection):
                dropped = _drop(connection, dimension, before)
                now = self._clock()
                drops.note(connection, dimension, now)
                note_cut(connection, dimension, to_us(before), to_us(now))
            remembered.drops += 1
        return dropped


def _drop(connection: Connection, dimension: Dimension, before: datetime) -> int:
    """Delete rows and all that is kept of them; returns how many rows."""
    rows, at = rows_table(dimension), parameter(before)
    connection.execute(f"DELETE FROM {rows}_revisions WHERE ts < make_timestamptz(?)", [at])  # noqa: S608
    dropped = count(connection, f"DELETE FROM {rows} WHERE ts < make_timestamptz(?)", [at])  # noqa: S608
    mended = "DELETE FROM telemetry.repairs WHERE dimension = ? AND ts < make_timestamptz(?)"
    connection.execute(mended, [dimension.value, at])
    ledger.void_before(connection, dimension, to_us(before))
    return dropped


def _reduce(
    connection: Connection, verb: str, spent: _Spent, excess: int, published: int, now: datetime
) -> dict[str, int]:
    """Count or delete what is older or too much; of the outbox what is published alone."""
    outbox: object = parameter(spent.outbox_before)
    quarantine: object = parameter(spent.quarantine_before)
    found = {
        name: count(connection, f"{verb} FROM telemetry.{name} WHERE {condition}", values)
        for name, condition, values in (
            ("outbox", _DUE, [outbox, excess, published]),
            ("seen", "seen_at < make_timestamptz(?)", [outbox]),
            ("quarantine", "recorded_at < make_timestamptz(?)", [quarantine]),
            ("dead_letters", "recorded_at < make_timestamptz(?)", [quarantine]),
        )
    }
    journalled = journals.old(connection, verb, spent.journal, now) + run_journal.old(connection, verb, spent.journal)
    return {**found, "journal": journalled}


def _drop_parts(connection: Connection, gone: Mapping[str, int]) -> None:
    """Delete the parts of what is gone."""
    if gone["outbox"]:
        outbox.PARTS.drop_but_of(connection, "position", "telemetry.outbox")
    if gone["dead_letters"]:
        inbox.drop_parts(connection)
    if gone["journal"]:
        journals.PARTS.drop_but_of(connection, "id", "telemetry.ingest_runs")
        run_journal.drop_parts(connection)


_DUE = "(created_at < make_timestamptz(?) OR position <= ?) AND position <= ?"
"""Outbox rows that are older, or too much, and published; NULL is no moment."""


def _note_pruned(connection: Connection, before: datetime | None, excess: int, published: int) -> None:
    """Keep up to where the outbox is about to be pruned, for who reads on from before that."""
    connection.execute(
        f"""
        UPDATE telemetry.pruned SET position = due.position
        FROM (SELECT max(position) AS position FROM telemetry.outbox WHERE {_DUE}) AS due
        WHERE due.position > pruned.position
        """,  # noqa: S608
        [parameter(before), excess, published],
    )
