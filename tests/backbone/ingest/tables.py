"""A store that is a Frame, for runs of many small files; and what holds of the counts of every run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backbone import Dimension, Frame, IngestPlan
from backbone.ingest.plan import IngestRun
from backbone.ingest.run import Run
from backbone.settings import load_settings
from backbone.store.merging import Merged, result_of
from backbone.store.numbering import number
from backbone.store.records import Chunk, Coverage, JournalRow, QuarantineRow, Query, WriteResult

INLINE = load_settings(profile="embedded", overrides={"store.inline": True})


def accounted(run: IngestRun) -> None:
    """Each row that was read became something, and each that was not taken has its reason."""
    assert run.rows_read == run.taken + run.quarantined + run.filtered + run.duplicates
    assert sum(run.left_out.values()) == run.quarantined + run.filtered + run.duplicates


class Table:
    """A store that is a Frame: events are numbered as every store does it."""

    def __init__(self) -> None:
        self.held = Frame.empty(Dimension.TRADES)
        self.aside: list[QuarantineRow] = []

    async def claim(self, source: str, dimension: Dimension) -> int:
        return 1

    async def write(self, chunk: Chunk) -> WriteResult:
        numbered = number(chunk.frame, self.held, np.frombuffer(chunk.nth, np.int64) if chunk.nth else None)
        self.held = Frame.concat([self.held, numbered.frame])
        return result_of(chunk, Merged.all_new(chunk.frame))

    async def stored(self, dimension: Dimension, symbols: Sequence[str]) -> list[Coverage]:
        return []

    async def read(self, query: Query) -> Frame:
        return self.held

    async def journal_of(self, source: str, dimension: Dimension) -> list[JournalRow]:
        return []

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> int:
        self.aside.extend(rows)
        return len(rows)


async def ran(plan: IngestPlan, table: Table) -> IngestRun:
    """A run into such a table, with its counts looked at."""
    run = await Run(plan, "run", table, INLINE, lambda *_: None, lambda: 0.0).execute()
    accounted(run)
    return run
