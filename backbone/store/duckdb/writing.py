"""Write one chunk: rows, ledger, journal and outbox in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
from msgspec.structs import replace

from backbone.domain.clock import to_us
from backbone.domain.events import unnumbered
from backbone.domain.frame import Frame
from backbone.store.duckdb import epochs, journal, ledger, outbox, repairs
from backbone.store.duckdb.known import Known
from backbone.store.duckdb.merge import held_at, merge
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection
from backbone.store.merging import Merged, Truths, journal_row, require_room, result_of
from backbone.store.numbering import moments_of, number
from backbone.store.payloads import Origin, payloads_of
from backbone.store.ranges import ranges_of
from backbone.store.records import Chunk, OutboxRow, WriteResult

__all__ = ["Writing"]

_HANDED_ON_BYTES, _HANDED_ON_ROWS = 2**20, 256
"""As a piece of a file beside live rows has: to read it anew would hold them up."""


class Writing(Part):
    """One chunk, one transaction."""

    _timer: Callable[[], float]
    _max_payload_bytes: int

    @question("writing")
    def write(self, connection: Connection, chunk: Chunk) -> WriteResult:
        """Write a chunk, or say what became of it when this run wrote it before."""
        began, now, known = self._timer(), self._clock(), self._session.known
        if not known.runs.is_new(connection, chunk.run_id, chunk.ingest_id):
            recorded = journal.find(connection, chunk.run_id, chunk.ingest_id)
            if recorded is not None:
                return recorded
        known.numbers.reserve(connection)
        after = known.newest(connection)
        with known.remembered.doubted(chunk.frame.dimension, chunk.frame.symbols):
            with transaction(connection):
                if chunk.epoch is not None:
                    epochs.fence(connection, chunk.source, chunk.frame.dimension, chunk.epoch)
                applied, positions = _apply(connection, known, chunk, now, self._max_payload_bytes)
                result = replace(applied, duration_s=self._timer() - began)
                row = journal_row(chunk, result, now)
                journal.note(connection, known.numbers, row, position=result.position, outbox_rows=result.outbox_rows)
                if chunk.repairs:
                    repairs.note(connection, chunk, now)
            known.committed(chunk.frame.dimension, positions)
        return replace(result, duration_s=self._timer() - began, after=after)


def _apply(
    connection: Connection, known: Known, chunk: Chunk, now: datetime, max_payload_bytes: int
) -> tuple[WriteResult, dict[str, int]]:
    """Merge and publish what the ledger does not know to stand already; the newest position by symbol beside it."""
    frame = chunk.frame
    dimension, ranges = frame.dimension, ranges_of(frame)
    verdict, stored = ledger.judge(connection, known, dimension, ranges, chunk.ingest_id)
    passed = verdict.passes(chunk)
    if passed is not None:
        return passed, {}
    ledger.enter(connection, known, dimension, ranges, chunk.ingest_id, verdict.fresh)
    [revision] = known.numbers.take(connection, "revision")
    known_at = None if chunk.known_at is None else to_us(chunk.known_at)
    origin = Origin(chunk.source, chunk.ingest_id, revision, to_us(now), known_at)
    merged = _merged(connection, chunk, ranges.rows(verdict.fresh), origin, stored)
    require_room(chunk, merged)
    payloads = list(payloads_of(merged.written, origin, max_payload_bytes)) if merged.written.num_rows else []
    rows = outbox.append(connection, known.numbers, dimension, payloads, origin) if payloads else []
    result = result_of(chunk, merged, position=rows[-1].position if rows else 0, outbox_rows=len(rows))
    return replace(result, outbox=_handed_on(rows)), {row.symbol: row.position for row in rows}


def _merged(connection: Connection, chunk: Chunk, fresh: Truths, origin: Origin, stored: int) -> Merged:
    """Merge the rows, those that are events without a number as what they turn out to be."""
    frame = chunk.frame
    if unnumbered(frame.to_arrow()) is None:
        return merge(connection, frame, fresh, origin, stored)
    asked = moments_of(frame, ~fresh)
    held = held_at(connection, frame.dimension, asked) if asked.num_rows else Frame.empty(frame.dimension)
    numbered = number(frame, held, np.frombuffer(chunk.nth, np.int64) if chunk.nth else None)
    return numbered.told(merge(connection, numbered.frame, numbered.moved(fresh), origin, stored))


def _handed_on(rows: list[OutboxRow]) -> tuple[OutboxRow, ...]:
    """What was put into the outbox, where it is little."""
    if len(rows) > _HANDED_ON_ROWS or sum(len(row.payload) for row in rows) > _HANDED_ON_BYTES:
        return ()
    return tuple(rows)
