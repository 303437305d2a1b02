"""One run of all that is planned: the dimensions side by side, each a supervised task, none taking another along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from actors import Clock, TaskRef
from backbone.domain.identifiers import new_run_id
from backbone.domain.status import Status
from backbone.ingest.fetching import Asking, Fetching, Note, merged
from backbone.ingest.market import NOTHING_KEEPS, Planned, planned, reason_against
from backbone.ingest.market_report import DimensionRun, MarketRun, Trigger
from backbone.ingest.plan import IngestPlan
from backbone.ingest.recovery import recoveries
from backbone.quality.instruments import Instruments
from backbone.settings import Settings

__all__ = ["MarketRunning", "Supervise", "Work"]

Work = Callable[[], Awaitable[DimensionRun]]


class Supervise(Protocol):
    """Begins a supervised task."""

    async def __call__(self, name: str, work: Work, run_id: str) -> TaskRef[DimensionRun]:
        """The task; what it gives is what became of a dimension."""
        ...


class MarketRunning:
    """Carries out market runs.

    Args:
        settings: what is wanted.
        instruments: the calendars of symbols.
        ask: asks the ingest actor.
        supervise: begins a task.
        note: journals what ingest does not.
        clock: time.
        log: of who carries out.
    """

    def __init__(
        self,
        settings: Settings,
        instruments: Instruments,
        ask: Asking,
        supervise: Supervise,
        note: Note,
        clock: Clock,
        log: Any,
    ) -> None:
        self.settings = settings
        self._instruments = instruments
        self._ask = ask
        self._supervise = supervise
        self._note = note
        self._clock = clock
        self._log = log

    async def carry_out(self, plan: IngestPlan | None, trigger: Trigger) -> MarketRun:
        """Fetch what a plan says, or, without one, what the settings want; the report says what became of it."""
        started, began, run_id = self._clock.now(), self._clock.time(), new_run_id()
        reason = "" if plan is not None else reason_against(self.settings)
        calendar_of, clock = self._instruments.calendar_at_hand, self._clock
        metadata = {"trigger": trigger}
        run = Fetching(run_id, metadata, self.settings, self._ask, calendar_of, self._note, clock.time, clock.now)
        results: tuple[DimensionRun, ...] = ()
        tried: list[DimensionRun] = []
        if not reason:
            plans = await self._plans(plan)
            results = await self._side_by_side(run, {each.dimension: partial(run.fetch, each) for each in plans})
            results = await self._recovered(run, plans, results, tried)
        return MarketRun(
            run_id=run_id,
            status=_status(results),
            should_run=not reason,
            reason=reason or NOTHING_KEEPS,
            trigger=trigger,
            started_at=started,
            duration_s=clock.time() - began,
            total_rows=sum(each.rows for each in results),
            dimensions=results,
            recovery=tuple(tried),
            task_supervision=tuple(run.steps),
            settings_hash=self.settings.hash,
            span_start=_first([each.span_start for each in results]),
            span_end=_last([each.span_end for each in results]),
        )

    async def _plans(self, plan: IngestPlan | None) -> tuple[Planned, ...]:
        symbols = self.settings.market.symbols if plan is None else plan.symbols
        names = [symbol.upper() for symbol in symbols]
        await self._instruments.load(names, judging=True)
        if plan is not None:
            return tuple(Planned(plan=each) for each in plan.each())
        calendars = [self._instruments.calendar_at_hand(name) for name in names]
        return planned(self.settings.market, self._clock.now(), calendars)

    async def _side_by_side(self, run: Fetching, works: Mapping[Any, Work]) -> tuple[DimensionRun, ...]:
        """All at once, each a task of its own; what is refused is in its result, and holds up nobody."""
        tasks = [await self._supervise(str(name), work, run.run_id) for name, work in works.items()]
        return tuple([await task.result() for task in tasks])

    async def _recovered(
        self, run: Fetching, plans: Sequence[Planned], results: tuple[DimensionRun, ...], tried: list[DimensionRun]
    ) -> tuple[DimensionRun, ...]:
        """Try again what was missed, over a longer window each time, as far as the settings allow."""
        first = {each.dimension: each for each in plans}
        chosen, attempt = self.settings.recovery, 0
        while True:
            attempt += 1
            now, calendar_of = self._clock.now(), self._instruments.calendar_at_hand
            wanted = recoveries(attempt, results, first, chosen, now, calendar_of)
            if not wanted:
                return results
            for each in wanted:
                self._log.info("trying again", dimension=each.planned.dimension.value, why="; ".join(each.reasons))
            works = {f"{each.planned.dimension}-{attempt}": partial(run.recover, each) for each in wanted}
            again = {each.dimension: each for each in await self._side_by_side(run, works)}
            tried += again.values()
            results = tuple(_with(each, again.get(each.dimension)) for each in results)


def _with(first: DimensionRun, again: DimensionRun | None) -> DimensionRun:
    return first if again is None else merged(first, again)


def _status(results: Sequence[DimensionRun]) -> Status:
    """Failed where nothing was carried out; one dimension that failed among others makes it degraded."""
    if not results or all(each.status is Status.FAILED for each in results):
        return Status.FAILED
    return Status.OK if all(each.status is Status.OK for each in results) else Status.DEGRADED


def _first(moments: Sequence[datetime | None]) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def _last(moments: Sequence[datetime | None]) -> datetime | None:
    return max((each for each in moments if each is not None), default=None)
