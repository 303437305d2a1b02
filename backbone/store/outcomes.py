"""What became of a chunk, said in the same words by every adapter: as a result, as a journal row, as a replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from backbone.domain.frame import Frame
from backbone.store.records import Chunk, JournalRow, Outcome, WriteResult

__all__ = ["Merged", "journal_row", "replayed", "result_of"]


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did with the rows of a frame.

    Attributes:
        written: the rows that were new or other, in key order.
        outcomes: an `Outcome` for each row of the frame.
    """

    written: Frame
    outcomes: npt.NDArray[np.uint8]

    @classmethod
    def all_new(cls, frame: Frame) -> Merged:
        """Every row was inserted."""
        return cls(frame, np.full(frame.num_rows, Outcome.INSERTED, np.uint8))

    @property
    def inserted(self) -> int:
        """Rows whose key was new."""
        return int((self.outcomes == Outcome.INSERTED).sum())

    @property
    def changed(self) -> int:
        """Rows whose key was known with other values."""
        return int((self.outcomes == Outcome.CHANGED).sum())


def result_of(
    chunk: Chunk, merged: Merged | None = None, *, known: bool = False, position: int = 0, outbox_rows: int = 0
) -> WriteResult:
    """The result of a chunk, of which nothing had to be merged where `merged` is None; how long it took comes later."""
    frame = chunk.frame
    inserted, changed = (0, 0) if merged is None else (merged.inserted, merged.changed)
    return WriteResult(
        ingest_id=chunk.ingest_id,
        run_id=chunk.run_id,
        dimension=frame.dimension,
        rows=frame.num_rows,
        inserted=inserted,
        changed=changed,
        unchanged=frame.num_rows - inserted - changed,
        position=position,
        outbox_rows=outbox_rows,
        known=known,
        symbols=frame.symbols,
        start=frame.start,
        end=frame.end,
        duration_s=0.0,
        outcomes=b"" if merged is None else merged.outcomes.tobytes(),
    )


def journal_row(chunk: Chunk, result: WriteResult, now: datetime) -> JournalRow:
    """The journal row of a chunk that is about to be committed."""
    return JournalRow(
        run_id=result.run_id,
        ingest_id=result.ingest_id,
        dimension=result.dimension,
        source=chunk.source,
        status="skipped" if result.known else "ok",
        rows=result.rows,
        inserted=result.inserted,
        changed=result.changed,
        unchanged=result.unchanged,
        symbols=result.symbols,
        start=result.start,
        end=result.end,
        duration_s=result.duration_s,
        executed_at=now,
        metadata=chunk.metadata,
    )


def replayed(row: JournalRow, *, position: int, outbox_rows: int) -> WriteResult:
    """The result of a chunk that this run had committed before, as it was told the first time."""
    return WriteResult(
        ingest_id=row.ingest_id,
        run_id=row.run_id,
        dimension=row.dimension,
        rows=row.rows,
        inserted=row.inserted,
        changed=row.changed,
        unchanged=row.unchanged,
        position=position,
        outbox_rows=outbox_rows,
        known=True,
        symbols=row.symbols,
        start=row.start,
        end=row.end,
        duration_s=row.duration_s,
    )
