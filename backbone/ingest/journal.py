"""What became of runs, journalled: what the store does not take now is kept until it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from actors import Reject
from backbone.domain.dimension import Dimension
from backbone.domain.identifiers import new_run_id
from backbone.domain.status import Status
from backbone.ingest.market_report import DimensionRun, MarketRun
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.quality.report import QualityReport
from backbone.settings.sections.market import MarketSettings
from backbone.store.run_records import WHOLE, RunRow

__all__ = [
    "Diary",
    "asked_of",
    "row_of_failure",
    "row_of_fall",
    "row_of_given",
    "row_of_nothing",
    "row_of_run",
    "unwritten",
]

_WAITING = 256  # rows that the store has not taken yet; then the oldest are lost
_SYMBOLS, _MESSAGES = 64, 3


def unwritten() -> deque[RunRow]:
    """Room for rows that the store has not taken yet; kept by who outlives the actor that journals."""
    return deque(maxlen=_WAITING)


class Diary:
    """Journals runs, in order. That it can't, fails nobody's run: the rows wait for the next one.

    Args:
        write: gives a row to the store.
        waiting: rows that the store has not taken yet, of an earlier incarnation too.
        wanted: False: nothing is journalled.
    """

    def __init__(
        self, write: Callable[[RunRow], Awaitable[None]], waiting: deque[RunRow], *, wanted: bool = True
    ) -> None:
        self._write = write
        self._wanted = wanted
        self._waiting = waiting

    @property
    def waiting(self) -> int:
        """Rows that the store has not taken yet."""
        return len(self._waiting)

    async def note(self, row: RunRow) -> str:
        """Journal a row, behind those that wait; answers why they still wait, "" where none does."""
        if self._wanted:
            self._waiting.append(row)
        return await self.flush()

    async def flush(self) -> str:
        """Journal what waits; answers why it still does, "" where nothing does."""
        while self._waiting:
            first = self._waiting[0]
            try:
                await self._write(first)
            except Reject as reject:
                return reject.text
            if self._waiting and self._waiting[0] is first:  # who notes beside this one may have been at it as well
                self._waiting.popleft()
        return ""


def asked_of(plan: IngestPlan) -> dict[str, Any]:
    """A plan, as the journal has it: of bounded size, and without what is not said."""
    said = {
        "dimensions": [str(each) for each in plan.dimensions],
        "symbols": list(plan.symbols[:_SYMBOLS]),
        "interval": plan.interval,
        "source": plan.source,
        "start": plan.start,
        "end": plan.end,
        "path": None if plan.path is None else str(plan.path),
    }
    return {name: value for name, value in said.items() if value not in (None, [])}


def row_of_run(
    run: IngestRun, plan: IngestPlan, now: datetime, duration_s: float, metadata: Mapping[str, Any]
) -> RunRow:
    """The row of a run that was carried out.

    Args:
        run: its report.
        plan: what it was asked for.
        now: when it ended.
        duration_s: from its beginning to its end, waiting for its turn included.
        metadata: what else there is to say of it.
    """
    return RunRow(
        run_id=run.run_id,
        dimension=run.dimension.value,
        status="ok" if run.rows_read else "skipped",
        source=run.source,
        rows=run.rows_read,
        inserted=run.inserted,
        changed=run.changed,
        unchanged=run.unchanged,
        quarantined=run.quarantined,
        symbols=run.symbols,
        start=run.span_start,
        end=run.span_end,
        freshness_s=None if run.span_end is None else max((now - run.span_end).total_seconds(), 0.0),
        duration_s=duration_s,
        executed_at=now,
        metadata={
            "plan": asked_of(plan),
            "requested_symbols": list(plan.symbols[:_SYMBOLS]),
            "fetched_rows": run.rows_read,
            "rows_written": run.inserted + run.changed,
            "ingested_symbols": len(run.symbols),
            "attempts": run.attempts,
            "reasons": list(run.reasons),
            "settings": run.settings_hash,
            "quality": None if run.quality is None else _judgement(run.quality),
            **_of_events(run, plan),
            **metadata,
        },
    )


def _of_events(run: IngestRun, plan: IngestPlan) -> dict[str, Any]:
    """What is said of macro events alone, which may be given instead of fetched."""
    if run.dimension is not Dimension.MACRO_EVENTS:
        return {}
    by_window = plan.start is not None or plan.end is not None
    return {"fetched_events": run.rows_read, "frame_rows": run.taken, "fetched_via_window": by_window}


def _judgement(quality: QualityReport) -> dict[str, Any]:
    """What a judgement came to, as far as it is of bounded size."""
    return {"status": quality.status.value, "score": quality.score, "messages": list(quality.messages[:_MESSAGES])}


def row_of_failure(
    run_id: str, plan: IngestPlan, error: str, now: datetime, duration_s: float, metadata: Mapping[str, Any]
) -> RunRow:
    """The row of a run that was not carried out; the arguments are those of `row_of_run`."""
    return RunRow(
        run_id=run_id,
        dimension=plan.dimension.value,
        status="failed",
        source=plan.source if plan.path is None else f"{plan.source}:{plan.path}",
        duration_s=duration_s,
        executed_at=now,
        error=error,
        metadata={
            "plan": asked_of(plan),
            "requested_symbols": list(plan.symbols[:_SYMBOLS]),
            "error": error,
            **metadata,
        },
    )


def row_of_given(run_id: str, found: DimensionRun, now: datetime, metadata: Mapping[str, Any]) -> RunRow:
    """The row of events that were given, which no source was asked for."""
    failed = found.status is Status.FAILED
    return RunRow(
        run_id=run_id,
        dimension=found.dimension.value,
        status="failed" if failed else "ok" if found.rows else "skipped",
        source=found.source,
        rows=found.rows,
        inserted=found.inserted,
        changed=found.changed,
        unchanged=found.unchanged,
        quarantined=found.quarantined,
        symbols=found.symbols,
        start=found.span_start,
        end=found.span_end,
        freshness_s=found.freshness_s,
        duration_s=found.duration_s,
        executed_at=now,
        error=found.why if failed else None,
        metadata={
            "requested_symbols": list(found.requested[:_SYMBOLS]),
            "provided_events": found.rows,
            "frame_rows": found.rows,
            "fetched_via_window": False,
            "rows_written": found.inserted + found.changed,
            "ingested_symbols": len(found.symbols),
            "why": found.why,
            **metadata,
        },
    )


def row_of_nothing(run: MarketRun, market: MarketSettings, now: datetime) -> RunRow:
    """The row of a run of which nothing was carried out, beside those of its dimensions."""
    requested = sorted({symbol for each in run.dimensions for symbol in each.requested})
    return RunRow(
        run_id=run.run_id,
        dimension=WHOLE,
        status="failed",
        source=", ".join(dict.fromkeys(each.source for each in run.dimensions)) or market.source,
        duration_s=run.duration_s,
        executed_at=now,
        error=run.trouble,
        metadata={
            "error": run.trouble,
            "requested_symbols": (requested or list(market.symbols))[:_SYMBOLS],
            "dimensions": [each.dimension.value for each in run.dimensions],
            "trigger": run.trigger,
            "settings": run.settings_hash,
        },
    )


def row_of_fall(began: datetime, market: MarketSettings, now: datetime, error: str) -> RunRow:
    """The row of a run that brought its actor down, beside those of the dimensions that it still came to."""
    return RunRow(
        run_id=new_run_id(),
        dimension=WHOLE,
        status="failed",
        source=market.source,
        duration_s=max((now - began).total_seconds(), 0.0),
        executed_at=now,
        error=error,
        metadata={"error": error, "requested_symbols": list(market.symbols[:_SYMBOLS]), "began_at": began.isoformat()},
    )
