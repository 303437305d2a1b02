"""Write one chunk: rows, ledger, journal and outbox in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from backbone.domain.clock import to_us
from backbone.store.duckdb import epochs, journal, ledger, outbox
from backbone.store.duckdb.merge import merge
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, given
from backbone.store.merging import journal_row, result_of
from backbone.store.payloads import Origin, payloads_of
from backbone.store.ranges import ranges_of
from backbone.store.records import Chunk, WriteResult

__all__ = ["Writing"]


class Writing(Part):
    """One chunk, one transaction."""

    _timer: Callable[[], float]
    _max_payload_bytes: int

    @question
    def write(self, connection: Connection, chunk: Chunk) -> WriteResult:
        """Write a chunk, or say what became of it when this run wrote it before."""
        began, now = self._timer(), self._clock()
        recorded = journal.find(connection, chunk.run_id, chunk.ingest_id)
        if recorded is not None:
            return recorded
        with transaction(connection):
            if chunk.epoch is not None:
                epochs.fence(connection, chunk.source, chunk.frame.dimension, chunk.epoch)
            applied = _apply(connection, chunk, now, self._max_payload_bytes)
            result = msgspec.structs.replace(applied, duration_s=self._timer() - began)
            row = journal_row(chunk, result, now)
            journal.note(connection, row, position=result.position, outbox_rows=result.outbox_rows)
        return msgspec.structs.replace(result, duration_s=self._timer() - began)


def _apply(connection: Connection, chunk: Chunk, now: datetime, max_payload_bytes: int) -> WriteResult:
    """Merge and publish what the ledger does not know to stand already."""
    frame = chunk.frame
    ranges = ranges_of(frame)
    with given(connection, "ranges", ranges.to_arrow()):
        verdict = ledger.judge(connection, frame.dimension, len(ranges), chunk.ingest_id)
        passed = verdict.passes(chunk)
        if passed is not None:
            return passed
        ledger.enter(connection, frame.dimension, chunk.ingest_id, fresh=bool(verdict.fresh.all()))
    revision = count(connection, "SELECT nextval('telemetry.revision')")
    origin = Origin(source=chunk.source, ingest_id=chunk.ingest_id, revision=revision, ingested_at_us=to_us(now))
    merged = merge(connection, frame, ranges.rows(verdict.fresh), origin)
    payloads = list(payloads_of(merged.written, origin, max_payload_bytes)) if merged.written.num_rows else []
    position = outbox.append(connection, frame.dimension, payloads, origin) if payloads else 0
    return result_of(chunk, merged, position=position, outbox_rows=len(payloads))
