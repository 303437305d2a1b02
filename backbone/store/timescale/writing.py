"""Write one chunk: rows, ledger, journal and outbox in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import anyio
import msgspec
import numpy as np

from backbone.domain.clock import to_us
from backbone.domain.events import unnumbered
from backbone.domain.frame import Frame
from backbone.store.errors import StoreUnavailable, UnknownOutcome
from backbone.store.merging import Merged, Truths, journal_row, require_room, result_of
from backbone.store.numbering import Numbered, moments_of, number
from backbone.store.payloads import Origin, payloads_of
from backbone.store.ranges import Ranges, ranges_of
from backbone.store.records import Chunk, WriteResult
from backbone.store.timescale import counting, epochs, journal, ledger, locks, outbox, repairs
from backbone.store.timescale.combined import Combined
from backbone.store.timescale.events import held_at
from backbone.store.timescale.failures import KeysStand, SetBack
from backbone.store.timescale.few import FEW_ROWS
from backbone.store.timescale.journal import Journal
from backbone.store.timescale.merge import Merger
from backbone.store.timescale.session import Session
from backbone.store.timescale.standing import Standing, look, require
from backbone.store.timescale.tables import Tables
from backbone.store.timescale.values import moment, plain
from backbone.store.timescale.workers import Workers

__all__ = ["Writer", "Writing"]

# to plan the statements of a live commit takes the server a fifth of all its time; a plan made for the chunks at hand
# pays where there are many rows
_KNOWN_PLANS = "SET LOCAL plan_cache_mode = auto"

_RESTORED_WAYS = 2


@dataclass(slots=True)
class Writer:
    """Writes one chunk, or says what became of it when this run wrote it before.

    Attributes:
        chunk: the chunk.
        tables: where its rows go.
        workers: where columns are encoded.
        timer: monotonic seconds.
        clock: wall clock.
        max_payload_bytes: bound of one outbox payload.
        trusting: what the ledger knows nothing of is not stored; False: it is compared.
        now: the chunk's one stamp, taken once its locks are held: who commits later has the later one.
        moving: symbols whose position is to be moved on.
        result: what is being committed, for when the answer to the COMMIT is lost.
    """

    chunk: Chunk
    tables: Tables
    workers: Workers
    timer: Callable[[], float]
    clock: Callable[[], datetime]
    max_payload_bytes: int
    trusting: bool = True
    now: datetime = field(init=False)
    moving: int = 0
    result: WriteResult | None = None

    async def write(self, session: Session) -> WriteResult:
        """Write the chunk in a transaction: for few rows four messages to the server, five where some are compared."""
        began = self.timer()
        chunk = self.chunk
        self.moving, self.result = 0, None  # an earlier try may have got far
        for what in ("run_id", "ingest_id", "source"):
            plain(what, getattr(chunk, what))
        ranges = await self.workers.run(chunk.frame.num_rows, ranges_of, chunk.frame)
        locked = locks.writing(chunk.frame.dimension, chunk.frame.symbols, (chunk.run_id, chunk.ingest_id))
        first = f"{_KNOWN_PLANS}; {locked}" if chunk.frame.num_rows <= FEW_ROWS else locked
        async with session.transaction(first=first):
            standing = await look(session, chunk, ranges)
            if standing.recorded:
                recorded = await journal.find(session, chunk.run_id, chunk.ingest_id)
                if recorded is not None:
                    return recorded
            standing.fence(chunk)
            self.now = moment(self.clock())
            ending = Combined()
            applied = await self._apply(session, ending, ranges, standing)
            self.result = msgspec.structs.replace(applied, duration_s=self.timer() - began)
            if chunk.repairs:
                await repairs.note(session, chunk, self.now)
            await self._end(session, ending, self.result)
        return msgspec.structs.replace(self.result, duration_s=self.timer() - began)

    async def _end(self, session: Session, ending: Combined, result: WriteResult) -> None:
        """All that is left to be changed, in one statement; what the fence holds for is the COMMIT after it."""
        chunk = self.chunk
        row = journal_row(chunk, result, self.now)
        ending.add("noted", journal.NOTE, *journal.noted(row, position=result.position, outbox_rows=result.outbox_rows))
        answer = "(SELECT count(*) FROM moved)" if result.outbox_rows else "0"
        holding = "NULL"
        if chunk.epoch is not None:
            ending.add("held", epochs.HOLD, chunk.source, chunk.frame.dimension.value)
            holding = "(SELECT epoch FROM held)"
        moved, held = await ending.carry_out(session, f"{answer}, {holding}")
        require(chunk, held)
        if moved != self.moving:
            raise SetBack(f"revision of {chunk.ingest_id}")

    async def _apply(self, session: Session, ending: Combined, ranges: Ranges, standing: Standing) -> WriteResult:
        """Merge and publish what the ledger does not know to stand already."""
        chunk, dimension, verdict = self.chunk, self.chunk.frame.dimension, standing.verdict
        passed = verdict.passes(chunk)
        if passed is not None:
            return passed
        fresh = bool(verdict.fresh.all())
        ledger.enter(ending, dimension, ranges, chunk.ingest_id, standing.revision, fresh=fresh)
        origin = Origin(
            source=chunk.source,
            ingest_id=chunk.ingest_id,
            revision=standing.revision,
            ingested_at_us=to_us(self.now),
            known_at_us=None if chunk.known_at is None else to_us(chunk.known_at),
        )
        fresh_rows = ranges.rows(verdict.fresh & self.trusting)
        return await self._merge_and_publish(session, ending, origin, fresh_rows)

    async def _merge_and_publish(
        self, session: Session, ending: Combined, origin: Origin, fresh: Truths
    ) -> WriteResult:
        chunk, frame = self.chunk, self.chunk.frame
        merger = Merger(session, self.tables, origin, self.workers)
        batches: list[outbox.Batch] = []
        numbered = await self._numbered(session, fresh)
        if numbered is not None:
            frame, fresh = numbered.frame, numbered.moved(fresh)
        if frame.num_rows <= FEW_ROWS:
            merged = await merger.merge_few(ending, frame, fresh)
        else:
            merged = await self._merged(merger, frame, fresh, batches)
        require_room(chunk, merged)
        if merged.written.num_rows and not batches:
            await self._lay_out(merged.written, origin, batches)
        position = outbox_rows = 0
        for batch in batches:
            await self._publish(session, ending, batch)
            position, outbox_rows = batch.last, batch.count
        told = merged if numbered is None else numbered.told(merged)
        return result_of(chunk, told, position=position, outbox_rows=outbox_rows)

    async def _merged(self, merger: Merger, frame: Frame, fresh: Truths, batches: list[outbox.Batch]) -> Merged:
        """Merge many rows: those that seem to be new are taken for new, until the server knows better.

        That none is stored is what the COPY finds out anyway, for it enters each key into the index; to compare first
        would walk over all that is stored in the time of the rows.
        """
        if fresh.all():
            return await self._insert_and_lay_out(merger, frame, batches)
        if await merger.seem_new(frame, fresh):
            try:
                async with merger.session.attempt():
                    return await self._insert_and_lay_out(merger, frame, batches)
            except KeysStand:
                batches.clear()
        return await merger.merge(frame, fresh)

    async def _numbered(self, session: Session, fresh: Truths) -> Numbered | None:
        """The rows with a number for each event; None: they all have theirs."""
        chunk, frame, dimension = self.chunk, self.chunk.frame, self.chunk.frame.dimension
        if unnumbered(frame.to_arrow()) is None:
            return None
        asked = await self.workers.run(frame.num_rows, moments_of, frame, ~fresh)
        held = await held_at(session, self.tables, dimension, asked, self.workers)
        nth = np.frombuffer(chunk.nth, np.int64) if chunk.nth else None
        return await self.workers.run(frame.num_rows, number, frame, held, nth)

    async def _publish(self, session: Session, ending: Combined, batch: outbox.Batch) -> None:
        if batch.few:
            batch.send(ending)
        else:
            await batch.copy(session, self.workers)
        outbox.move(ending, self.chunk.frame.dimension, batch)
        self.moving = len(batch.newest)

    async def _insert_and_lay_out(self, merger: Merger, frame: Frame, batches: list[outbox.Batch]) -> Merged:
        """All rows are new, so what will be published is known: it is laid out while the server works."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._lay_out, frame, merger.origin, batches, name="lay-out")
                merged = await merger.insert(frame)
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from None
            raise
        return merged

    async def _lay_out(self, written: Frame, origin: Origin, batches: list[outbox.Batch]) -> None:
        batches.append(await self.workers.run(written.num_rows, self._batch, written, origin))

    def _batch(self, written: Frame, origin: Origin) -> outbox.Batch:
        payloads = list(payloads_of(written, origin, self.max_payload_bytes))
        return outbox.batch_of(written.dimension, payloads, origin)


class Writing(Journal):
    """One chunk, one transaction."""

    _timer: Callable[[], float]
    _max_payload_bytes: int

    async def write(self, chunk: Chunk) -> WriteResult:
        """Write a chunk in one transaction; if the answer to its COMMIT is lost, find out what came of it.

        Raises:
            UnknownOutcome: that could not be found out either.
        """
        writer = Writer(chunk, self._tables, self._workers, self._timer, self._clock, self._max_payload_bytes)
        try:
            return await self._written(writer)
        except UnknownOutcome as unknown:
            return await self._settled(writer, unknown)

    async def _written(self, writer: Writer) -> WriteResult:
        """Write, and again where a restore shows: rows without their ledger, numbers that were set back, or both."""
        for _ in range(_RESTORED_WAYS):
            try:
                return await self._database.run(writer.write)
            except SetBack:
                await self._database.run(counting.catch_up)
            except KeysStand:
                writer.trusting = False
        return await self._database.run(writer.write)

    async def _settled(self, writer: Writer, unknown: UnknownOutcome) -> WriteResult:
        chunk = writer.chunk
        try:
            found = await self.lookup(chunk.run_id, chunk.ingest_id)
        except StoreUnavailable as error:
            raise unknown from error
        if found is None:
            raise StoreUnavailable(f"{self._database.place}: the COMMIT did not take place; try again") from unknown
        return found if writer.result is None else writer.result
