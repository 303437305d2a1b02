"""Writing what a store takes of a chunk: a row that it refuses is kept aside and takes nobody with it.

Which row of a chunk is refused the server does not say, or not for certain. So a refused chunk is halved until single
rows are left: a few commits more for a bad row among many good ones. A chunk of which too much is refused is given up
as a whole: then it is not its rows that are wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from actors import Reject
from backbone.domain import Frame
from backbone.domain.events import occurrences, unnumbered
from backbone.domain.identifiers import part
from backbone.domain.values import python_of
from backbone.quality.screening import Rejected, rejected_row
from backbone.store.records import Chunk, Outcome, RepairRow, WriteResult

__all__ = ["MENDED", "OF_ROWS", "REFUSED", "Salvaged", "Write", "joined", "numbered", "some_of", "write_what_goes_in"]

Write = Callable[[Chunk], Awaitable[WriteResult]]

OF_ROWS = frozenset({"invalid", "row"})
"""Codes of refusals that are about a row. Of others (unavailable, fenced, somebody else's trigger) none is guilty."""
REFUSED = "the store refuses it"
"""How the reason of a row begins that could be true, and does not go into the store."""

MENDED = "mended"
"""What the journal calls how many rows of a chunk are not as the source gave them."""

_MOST_REFUSALS = 64


@dataclass
class Salvaged:
    """What became of a chunk.

    Attributes:
        result: of all that went in, and an outcome for each row of the chunk.
        refused: the rows that the store does not take.
    """

    result: WriteResult
    refused: list[Rejected] = field(default_factory=list)


async def write_what_goes_in(write: Write, chunk: Chunk) -> Salvaged:
    """Write a chunk, or all of it but the rows that are refused.

    Raises:
        Reject: the store is unavailable, or it refuses too much for its rows to be the reason.
    """
    try:
        return Salvaged(await write(chunk))
    except Reject as reject:
        if reject.code not in OF_ROWS or not chunk.frame.num_rows:
            raise
        search = _Search(write, chunk)
        results = await search.halves(msgspec.structs.replace(chunk, nth=numbered(chunk)), reject)
        return Salvaged(joined(chunk, results), search.refused)


class _Search:
    """Halves a chunk until the rows that are refused stand alone."""

    def __init__(self, write: Write, chunk: Chunk) -> None:
        self._write = write
        self._chunk = chunk
        self._refusals = 0
        self.refused: list[Rejected] = []

    async def halves(self, chunk: Chunk, reject: Reject) -> list[WriteResult]:
        """The results of the parts of a refused chunk, or part, in its order."""
        self._refusals += 1
        if self._refusals > _MOST_REFUSALS:
            raise reject
        frame = chunk.frame
        if frame.num_rows == 1:
            self.refused.append(rejected_row(frame, 0, f"{REFUSED}: {reject.text}"))
            return [_of_refused(self._chunk, frame)]
        middle = frame.num_rows // 2
        found = await self._part(some_of(chunk, 0, middle, part(chunk.ingest_id, 1)))
        return found + await self._part(some_of(chunk, middle, frame.num_rows, part(chunk.ingest_id, 2)))

    async def _part(self, chunk: Chunk) -> list[WriteResult]:
        try:
            return [await self._write(chunk)]
        except Reject as reject:
            if reject.code not in OF_ROWS:
                raise
            return await self.halves(chunk, reject)


def numbered(chunk: Chunk) -> bytes:
    """Which of several equal events each row is: counted over the whole chunk, before it is cut."""
    if chunk.nth or unnumbered(chunk.frame.to_arrow()) is None:
        return chunk.nth
    return occurrences(chunk.frame.dimension, chunk.frame.to_arrow()).tobytes()


def some_of(chunk: Chunk, start: int, end: int, ingest_id: str) -> Chunk:
    """The rows of a chunk from one on and before another as a chunk of their own, with what is noted of them."""
    frame = chunk.frame.slice(start, end - start)
    repairs = _repairs_of(chunk.repairs, frame)
    metadata = {name: text for name, text in chunk.metadata.items() if name != MENDED}
    metadata |= {MENDED: str(len(repairs))} if repairs else {}
    return msgspec.structs.replace(
        chunk, ingest_id=ingest_id, frame=frame, nth=chunk.nth[8 * start : 8 * end], repairs=repairs, metadata=metadata
    )


def _repairs_of(repairs: tuple[RepairRow, ...], frame: Frame) -> tuple[RepairRow, ...]:
    """Those of the repairs that are of rows of a part."""
    if not repairs:
        return ()
    stamps = python_of(frame.to_arrow().column("ts"))
    there = set(zip(frame.column(frame.dimension.partition_column).tolist(), stamps, strict=True))
    return tuple(repair for repair in repairs if (repair.symbol, repair.ts) in there)


def _of_refused(chunk: Chunk, frame: Frame) -> WriteResult:
    return WriteResult(
        ingest_id=chunk.ingest_id,
        run_id=chunk.run_id,
        dimension=frame.dimension,
        rows=0,
        inserted=0,
        changed=0,
        unchanged=0,
        position=0,
        outbox_rows=0,
        known=False,
        symbols=(),
        start=None,
        end=None,
        duration_s=0.0,
        outcomes=bytes([Outcome.REFUSED]),
    )


def joined(chunk: Chunk, parts: list[WriteResult]) -> WriteResult:
    """The results of parts as that of their chunk."""
    starts = [part.start for part in parts if part.start is not None]
    ends = [part.end for part in parts if part.end is not None]
    return WriteResult(
        ingest_id=chunk.ingest_id,
        run_id=chunk.run_id,
        dimension=chunk.frame.dimension,
        rows=sum(part.rows for part in parts),
        inserted=sum(part.inserted for part in parts),
        changed=sum(part.changed for part in parts),
        unchanged=sum(part.unchanged for part in parts),
        position=max(part.position for part in parts),
        outbox_rows=sum(part.outbox_rows for part in parts),
        known=all(part.known for part in parts),
        symbols=tuple(sorted({symbol for part in parts for symbol in part.symbols})),
        start=min(starts, default=None),
        end=max(ends, default=None),
        duration_s=sum(part.duration_s for part in parts),
        outcomes=b"".join(part.outcomes or _uniform(part) for part in parts),
    )


def _uniform(part: WriteResult) -> bytes:
    """Outcomes of a part of which only sums are known."""
    every = (
        Outcome.UNCHANGED
        if part.unchanged == part.rows
        else Outcome.INSERTED
        if part.inserted == part.rows
        else Outcome.CHANGED
    )
    return bytes([every]) * part.rows
