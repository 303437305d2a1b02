"""Fetching one dimension of a run: what becomes of it, whatever that is, and what that means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from actors import Reject
from backbone.domain.frame import Frame
from backbone.domain.identifiers import new_run_id
from backbone.domain.status import Status
from backbone.domain.threads import in_thread
from backbone.ingest.given_events import frame_of_events, given_events
from backbone.ingest.market import Planned
from backbone.ingest.market_report import DimensionRun, Step
from backbone.ingest.messages import RecordResult, RecordRows, RunIngest
from backbone.ingest.plan import IngestRun
from backbone.ingest.recovery import Recovery, missing_of
from backbone.quality.sessions import Calendar
from backbone.settings import Settings
from backbone.sources.errors import SourceError

__all__ = ["Asking", "Fetching", "Note", "merged"]

Note = Callable[[str, DimensionRun, Mapping[str, Any]], Awaitable[None]]
"""Journals what became of a dimension of a run."""

_QUIET = "nothing came, and no market was open in the window"
_NONE_GIVEN = "no events are given, and no window to ask for: nothing was done"
_NOT_OK = "no rows of {}, whose market was open"


class Asking(Protocol):
    """Asks the ingest actor."""

    async def __call__(self, request: Any) -> Any:
        """The answer.

        Raises:
            Reject: it is refused.
        """
        ...


class Fetching:
    """Fetches the dimensions of one run.

    Args:
        run_id: of all its dimensions.
        metadata: journalled with each.
        settings: how events are read.
        ask: asks ingest.
        calendar_of: the calendar of a symbol.
        note: journals what became of a dimension that ingest does not journal: of events that were given.
        time: monotonic seconds.
        now: the wall clock.

    Attributes:
        steps: those that have ended, in order.
    """

    def __init__(
        self,
        run_id: str,
        metadata: Mapping[str, Any],
        settings: Settings,
        ask: Asking,
        calendar_of: Callable[[str], Calendar],
        note: Note,
        time: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self.run_id = run_id
        self.settings = settings
        self.steps: list[Step] = []
        self._metadata = metadata
        self._ask = ask
        self._calendar_of = calendar_of
        self._note = note
        self._time = time
        self._now = now

    async def fetch(self, planned: Planned, attempt: int = 0) -> DimensionRun:
        """One dimension: what became of it, also where it was refused."""
        began, now = self._time(), self._now()
        plan = planned.plan.at(now)
        found = DimensionRun(
            dimension=planned.dimension,
            status=Status.OK,
            source=plan.source,
            requested=tuple(plan.symbols),
            start=plan.start,
            end=plan.end,
            attempt=attempt,
        )
        try:
            found = await self._fetched(planned, found)
        except (Reject, SourceError) as error:
            why, code = (error.text, error.code) if isinstance(error, Reject) else (str(error), error.code)
            found = msgspec.structs.replace(found, status=Status.FAILED, why=why, code=code)
        found = msgspec.structs.replace(found, duration_s=self._time() - began)
        self._ended(found)
        if planned.events is not None:
            await self._note(self.run_id, found, self._metadata)
        return found

    def _ended(self, found: DimensionRun) -> None:
        failed = found.status is Status.FAILED
        name = f"ingest.{found.dimension}" if not found.attempt else f"recovery.{found.dimension}.{found.attempt}"
        self.steps.append(
            Step(
                name=name,
                state="failed" if failed else "finished",
                captured_at=self._now(),
                duration_s=found.duration_s,
                error=found.why if failed else "",
            )
        )

    async def _fetched(self, planned: Planned, found: DimensionRun) -> DimensionRun:
        if planned.events is not None:
            return await self._given(planned, found)
        run_id, metadata = self.run_id, {**self._metadata, **planned.metadata}
        if found.attempt:  # a run of its own, or the journal would forget the first one
            run_id, metadata = new_run_id(), {**metadata, "attempt": found.attempt, "recovery_of": self.run_id}
        run: IngestRun = await self._ask(RunIngest(planned.plan, run_id, metadata))
        return self._judged(_of_run(found, run, self._now()), run.symbols)

    def _judged(self, found: DimensionRun, came: Sequence[str]) -> DimensionRun:
        window = (found.start, found.end or self._now())
        missing = missing_of(found.dimension, found.requested, came, window, self._calendar_of)
        if missing:
            why = _NOT_OK.format(", ".join(missing))
            return msgspec.structs.replace(found, status=Status.DEGRADED, missing=missing, why=why)
        return found if found.rows else msgspec.structs.replace(found, why=_QUIET)

    async def _given(self, planned: Planned, found: DimensionRun) -> DimensionRun:
        """Events that were given go in as live rows do."""
        frame = await self._off_loop(lambda: self._frame(planned))
        if not frame.num_rows:
            return msgspec.structs.replace(found, why=_NONE_GIVEN)
        result: RecordResult = await self._ask(RecordRows(frame))
        return msgspec.structs.replace(
            found,
            rows=frame.num_rows,
            inserted=result.inserted,
            changed=result.changed,
            unchanged=result.unchanged,
            quarantined=result.quarantined,
            symbols=frame.symbols,
            position=result.position,
            span_start=frame.start,
            span_end=frame.end,
            freshness_s=_age(frame.end, self._now()),
            why="; ".join(result.reasons),
        )

    def _frame(self, planned: Planned) -> Frame:
        return frame_of_events(given_events(planned), planned.plan.symbols, self.settings.market.macro_limit)

    async def _off_loop(self, work: Callable[[], Frame]) -> Frame:
        return work() if self.settings.store.inline else await in_thread(work)

    async def recover(self, recovery: Recovery) -> DimensionRun:
        """Try one dimension again; the reasons are said with what comes of it."""
        found = await self.fetch(recovery.planned, recovery.attempt)
        why = f"tried again, for {'; '.join(recovery.reasons)}{f': {found.why}' if found.why else ''}"
        return msgspec.structs.replace(found, why=why)


def _of_run(found: DimensionRun, run: IngestRun, now: datetime) -> DimensionRun:
    return msgspec.structs.replace(
        found,
        source=run.source,
        rows=run.rows_read,
        inserted=run.inserted,
        changed=run.changed,
        unchanged=run.unchanged,
        quarantined=run.quarantined,
        symbols=run.symbols,
        position=run.position,
        span_start=run.span_start,
        span_end=run.span_end,
        freshness_s=_age(run.span_end, now),
        run=run,
    )


def _age(newest: datetime | None, now: datetime) -> float | None:
    return None if newest is None else max((now - newest).total_seconds(), 0.0)


_SUMMED = ("rows", "inserted", "changed", "unchanged", "quarantined", "duration_s")


def merged(first: DimensionRun, again: DimensionRun) -> DimensionRun:
    """The last word on a dimension that was tried again: all that came of it, and how it is now."""
    starts = [each for each in (first.span_start, again.span_start) if each is not None]
    ends = [each for each in (first.span_end, again.span_end) if each is not None]
    worse = again.status is Status.FAILED and first.status is not Status.FAILED
    return msgspec.structs.replace(
        again,
        requested=first.requested,
        symbols=tuple(sorted({*first.symbols, *again.symbols})),
        position=max(first.position, again.position),
        status=first.status if worse else again.status,
        missing=first.missing if worse else again.missing,
        why=first.why if worse else "" if again.status is Status.OK else again.why,
        span_start=min(starts, default=None),
        span_end=max(ends, default=None),
        **{name: getattr(first, name) + getattr(again, name) for name in _SUMMED},
    )
