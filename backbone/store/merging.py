"""What a write decides, whoever stores it: what stands already, which rows are new or other, what to say of it all.

The adapters bring the SQL; the words and the decisions are here, so that they are the same in every store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from backbone.domain.arrays import array_of
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.store.errors import VersionStands
from backbone.store.records import Chunk, JournalRow, Outcome, WriteResult

__all__ = [
    "DROPS",
    "Indices",
    "Merged",
    "Quarters",
    "Tallies",
    "Truths",
    "Verdict",
    "chosen",
    "journal_row",
    "read_journal_row",
    "replayed",
    "require_room",
    "result_of",
]

DROPS = "drop"
"""Beside the sources, which bear a kind and a path, the epochs count drops under this name."""

Quarters = dict[tuple[str, str | None], npt.NDArray[np.datetime64]]
"""By symbol and interval, when quarters of an hour begin, ascending, as `datetime64[us]` in UTC."""

Tallies = dict[tuple[str, str | None], tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]]
"""The same with how many rows each quarter has."""

Truths = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger knows of each range of a chunk.

    Attributes:
        stands: the range holds exactly this content.
        fresh: nothing was ever written over the range.
    """

    stands: Truths
    fresh: Truths

    @classmethod
    def of(cls, ranges: int, ingest_id: str, newest: Iterable[Sequence[Any]]) -> Verdict:
        """The verdict on so many ranges.

        Args:
            ranges: how many.
            ingest_id: of the chunk.
            newest: number of a range, and whose content the newest entry over it names.
        """
        fresh, stands = np.ones(ranges, dtype=bool), np.zeros(ranges, dtype=bool)
        for n, known in newest:
            fresh[n] = False
            stands[n] = known == ingest_id
        return cls(stands=stands, fresh=fresh)

    def passes(self, chunk: Chunk) -> WriteResult | None:
        """The result of a chunk of which nothing has to be written, since all of it stands or it has no rows."""
        if not len(self.stands):
            return result_of(chunk)
        return result_of(chunk, known=True) if self.stands.all() else None


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
    def of(cls, frame: Frame, fresh: Truths, missing: Indices, changed: Indices) -> Merged:
        """What is to be done with the rows of a frame.

        Args:
            frame: the rows.
            fresh: one truth per row: nothing was ever stored over its range.
            missing: further rows whose key is not stored.
            changed: rows whose key is stored with other values.
        """
        outcomes = np.where(fresh, Outcome.INSERTED, Outcome.UNCHANGED).astype(np.uint8)
        outcomes[missing] = Outcome.INSERTED
        outcomes[changed] = Outcome.CHANGED
        return cls(chosen(frame, outcomes != Outcome.UNCHANGED), outcomes)

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


def chosen(frame: Frame, keep: Truths) -> Frame:
    """The rows of a frame that are to be kept, in their order."""
    if keep.all():
        return frame
    return Frame.of_known(frame.dimension, frame.to_arrow().take(array_of(np.flatnonzero(keep))))


def require_room(chunk: Chunk, merged: Merged) -> None:
    """Refuse a chunk that yields, of which rows would take the place of others; its transaction is to be left.

    Raises:
        VersionStands: says how many.
    """
    if chunk.yields and merged.changed:
        raise VersionStands(f"other versions of {merged.changed} rows are stored; nothing was written, they stand")


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


def read_journal_row(columns: Sequence[Any], moment: Callable[[Any], Any]) -> JournalRow:
    """A row of the journal from its columns, in the order of `JournalRow`; `moment` reads those that are moments."""
    run_id, ingest_id, dimension, source, status, rows, inserted, changed, unchanged, symbols, *rest = columns
    start, end, duration_s, executed_at, error, metadata = rest
    return JournalRow(
        run_id=run_id,
        ingest_id=ingest_id,
        dimension=Dimension(dimension),
        source=source,
        status=status,
        rows=rows,
        inserted=inserted,
        changed=changed,
        unchanged=unchanged,
        symbols=tuple(symbols),
        start=moment(start),
        end=moment(end),
        duration_s=duration_s,
        executed_at=moment(executed_at),
        error=error,
        metadata=msgspec.json.decode(metadata, type=dict[str, str]),
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
