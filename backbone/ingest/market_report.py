"""What a run of several dimensions has done: one report for all of them, whatever became of each."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status
from backbone.ingest.plan import IngestRun

__all__ = ["DimensionRun", "MarketRun", "Step", "Trigger"]

Trigger = Literal["call", "bootstrap", "schedule"]
"""Who began a run: somebody who called, `backbone run` at its start, or the schedule."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised step that has ended: finished, or failed with its error."""

    name: str
    state: Literal["finished", "failed"]
    captured_at: datetime
    duration_s: float
    error: str = ""


class DimensionRun(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one dimension of a run.

    Attributes:
        dimension: which.
        status: ok; degraded where symbols are missing that should be there; failed where it was not carried out.
        source: what was asked.
        requested: symbols that were asked for.
        missing: those of which no row came, though their market was open in the window; without symbols none.
        rows, inserted, changed, unchanged, quarantined: what the source gave, and what became of it.
        symbols: of which rows went in.
        position: newest outbox position; 0: nothing changed.
        start, end: the window that was asked for.
        span_start, span_end: moments of the first and the last row that went in.
        freshness_s: seconds from the last row to the end of the run.
        duration_s: seconds, also of one that failed.
        why: why it is not ok, or what else there is to say, such as that no market was open.
        code: kind of the refusal.
        attempt: 0, or which attempt to recover what was missed.
        run: the whole report; None of one that failed, and of events that were given.
    """

    dimension: Dimension
    status: Status
    source: str
    requested: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    rows: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    symbols: tuple[str, ...] = ()
    position: int = 0
    start: datetime | None = None
    end: datetime | None = None
    span_start: datetime | None = None
    span_end: datetime | None = None
    freshness_s: float | None = None
    duration_s: float = 0.0
    why: str = ""
    code: str = ""
    attempt: int = 0
    run: IngestRun | None = None


class MarketRun(Report, frozen=True, kw_only=True):
    """A run of all dimensions that were planned, side by side: one that fails takes no other along.

    Attributes:
        run_id: all dimensions of the run have it in the journal; attempts to recover have ids of their own.
        status: ok; degraded where a dimension failed or missed something; failed where none was carried out.
        should_run: whether anything was planned that can be carried out; without it nothing was done.
        reason: why not, or that nothing kept it from running.
        trigger: who began it.
        joined: triggers that came while it ran, and were answered by this report.
        started_at: when it began.
        duration_s: seconds.
        total_rows: rows that the sources gave.
        dimensions: what became of each; the last word, after recovery.
        recovery: attempts to recover what was missed, in order; the reasons are in `why`.
        task_supervision: the steps that were supervised, in the order in which they ended.
    """

    title: ClassVar[str] = "Market run"

    run_id: str
    status: Status
    should_run: bool
    reason: str
    trigger: Trigger
    joined: int = 0
    started_at: datetime
    duration_s: float
    total_rows: int = 0
    dimensions: tuple[DimensionRun, ...] = ()
    recovery: tuple[DimensionRun, ...] = ()
    task_supervision: tuple[Step, ...] = ()

    def of(self, dimension: Dimension | str) -> DimensionRun:
        """What became of a dimension.

        Raises:
            ValueError: it was not planned.
        """
        wanted = Dimension.parse(dimension)
        for each in self.dimensions:
            if each.dimension is wanted:
                return each
        there = ", ".join(each.dimension for each in self.dimensions) or "none"
        raise ValueError(f"dimension={wanted} given, which was not planned; planned: {there}")

    @property
    def trouble(self) -> str:
        """Why it is not ok, in a line."""
        if not self.should_run:
            return self.reason
        return "; ".join(f"{each.dimension}: {each.why}" for each in self.dimensions if each.status != Status.OK)

    def to_markdown(self) -> str:
        """The conclusion, the dimensions as a table, and the steps."""
        facts = (
            *(("run_id", self.run_id), ("status", self.status), ("trigger", self.trigger), ("reason", self.reason)),
            *(("total_rows", self.total_rows), ("duration_s", self.duration_s), ("joined", self.joined)),
        )
        names = (
            *("dimension", "status", "source", "rows", "inserted", "changed", "unchanged", "quarantined"),
            *("freshness_s", "duration_s", "missing", "why"),
        )
        text = f"{self.heading()}\n{markdown_table(('what', 'observed'), facts)}\n"
        text += markdown_table(names, [[getattr(each, name) for name in names] for each in self.dimensions])
        if self.recovery:
            again = ("attempt", *names)
            rows = [[getattr(each, name) for name in again] for each in self.recovery]
            text += f"\nTried again:\n\n{markdown_table(again, rows)}"
        steps = "".join(
            f"- {cell(each.name)}: {each.state} {cell(each.error)}".rstrip() + "\n" for each in self.task_supervision
        )
        return f"{text}\n{steps}" if steps else text
