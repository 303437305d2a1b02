"""The commit of a group of live rows: one transaction, and no caller pays for the rows of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from actors import Reject
from backbone.domain.clock import utc_now
from backbone.domain.dimension import Dimension
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.domain.threads import in_thread
from backbone.ingest.live import LiveBatch
from backbone.ingest.run import Writer
from backbone.ingest.salvage import OF_ROWS, Salvaged, write_what_goes_in
from backbone.quality.screening import STRICT, Rejected, Screening
from backbone.store.errors import StoreError
from backbone.store.journalling import LIVE
from backbone.store.records import Chunk, QuarantineRow

__all__ = ["GroupWriter"]

T = TypeVar("T")

_UNEXPLAINED = StoreError.code  # such as a trigger of somebody else, which may mean a row or all of them
_MOST_REFUSALS = 64  # of one commit, before it is not a row that is wrong
_INLINE_ROWS = 1000
"""Fewer rows are done with sooner than a thread is woken."""


class GroupWriter:
    """Writes batches of live rows, and tells their callers.

    Args:
        writer: gives the store.
        committed: told of the rows of each commit.
        refused: told of each refusal, after the callers were.
        inline: never work in a thread.
        screening: what may be stored although it looks impossible.
    """

    def __init__(
        self,
        writer: Callable[[], Writer],
        committed: Callable[[int], None],
        refused: Callable[[Reject], None],
        *,
        inline: bool = False,
        screening: Screening = STRICT,
    ) -> None:
        self._writer = writer
        self._committed = committed
        self._refused = refused
        self._inline = inline
        self._screening = screening

    async def commit(self, batch: LiveBatch) -> None:
        """Keep aside what can't be true, write the others."""
        dimension = batch.callers[0].frame.dimension
        await self._work(batch, lambda: batch.screen(self._screening))
        try:
            await self._keep_aside(batch.bad, dimension)
        except Reject as reject:  # anything else is a bug: it crashes the actor, whose end tells those who wait
            self._refuse(batch, reject)
        else:
            await self._write(batch, [])

    async def _write(self, batch: LiveBatch, refusals: list[Reject]) -> None:
        """Write all of it; where it is refused, each half of the callers by itself, down to whose row it is."""
        alone = len(batch.callers) == 1
        chunk = await self._work(batch, lambda: _chunk(batch))
        try:
            salvaged = await self._written(chunk, alone=alone) if chunk.frame.num_rows else None
        except Reject as reject:
            if alone or not _of_one(reject, refusals):
                self._refuse(batch, reject)
            else:
                refusals.append(reject)
                for half in batch.halves():
                    await self._write(half, refusals)
        else:
            if salvaged is not None:
                self._committed(salvaged.result.rows)
            await batch.answer(salvaged, await self._work(batch, lambda: batch.outcomes(salvaged)))

    async def _written(self, chunk: Chunk, *, alone: bool) -> Salvaged:
        """Rows of one caller go in but for those that are refused; those of several all or none."""
        if not alone:
            return Salvaged(await self._writer().write(chunk))
        salvaged = await write_what_goes_in(self._writer().write, chunk)
        await self._keep_aside(salvaged.refused, chunk.frame.dimension)
        return salvaged

    def _refuse(self, batch: LiveBatch, reject: Reject) -> None:
        batch.refuse(reject)
        self._refused(reject)

    async def _work(self, batch: LiveBatch, function: Callable[[], T]) -> T:
        if self._inline or batch.rows <= _INLINE_ROWS:
            return function()
        return await in_thread(function)

    async def _keep_aside(self, rows: Sequence[Rejected], dimension: Dimension) -> None:
        if not rows:
            return
        run_id, now = new_run_id(), utc_now()
        await self._writer().quarantine(
            [
                QuarantineRow(LIVE, row.location, row.reason, row.excerpt, dimension.value, run_id, now, row.payload)
                for row in rows
            ]
        )


def _of_one(reject: Reject, refusals: list[Reject]) -> bool:
    """Whether one caller may be the reason: of a row, always; of what the store does not explain, up to a number."""
    return reject.code in OF_ROWS or (reject.code == _UNEXPLAINED and len(refusals) < _MOST_REFUSALS)


def _chunk(batch: LiveBatch) -> Chunk:
    frame, nth = batch.frame(), batch.nth()
    return Chunk(ingest_id(LIVE, frame, nth), new_run_id(), LIVE, frame, nth=nth)
