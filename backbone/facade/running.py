"""What a Backbone does with all that its settings want fetched: runs of it, their journal, and the schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from actors import Request
from backbone.domain.status import Status
from backbone.ingest.market_report import MarketRun, Trigger
from backbone.ingest.plan import IngestPlan
from backbone.ingest.run_report import RunsReport, status_of, trends
from backbone.ingest.schedule_messages import PauseSchedule, ReadSchedule, ResumeSchedule, RunMarket
from backbone.ingest.schedule_state import ScheduleState
from backbone.ingest.wanted import MarketReport, market_report
from backbone.settings import Settings
from backbone.settings.redaction import redact_mapping
from backbone.store.messages import ReadLatestRuns, ReadRuns, ReadSymbols
from backbone.store.run_records import WHOLE

if TYPE_CHECKING:
    from backbone.facade.writing import Writer

__all__ = ["Running", "run_answers"]

R = TypeVar("R")

_RUN_TIMEOUT = 24 * 3600.0
_SCHEDULER = "scheduler"


class Running:
    """Runs of the market."""

    if TYPE_CHECKING:
        settings: Settings
        _writer: Writer

        async def _ask(self, name: str, request: Request[R], timeout: float = 60.0) -> R: ...

    async def market(self) -> MarketReport:
        """What the settings want fetched, whether it runs, why not, and what belongs to it; no key is in it."""
        stored = {
            dimension: tuple(await self._ask("store", ReadSymbols(dimension)))
            for dimension in market_report(self.settings).dimensions
        }
        return market_report(self.settings, stored)

    async def run_market(self, plan: IngestPlan | None = None, *, trigger: Trigger = "call") -> MarketRun:
        """Fetch all that the settings want, or what a plan of one or several dimensions says, and wait for it.

        The dimensions are fetched side by side, and one that fails takes no other along: the report says of each what
        became of it. Who calls while the same is under way gets the report of that run.

        Args:
            plan: of a provider; None: what section `market` of the settings says.
            trigger: who begins it, for the journal.

        Raises:
            TypeError: no plan was given.
            StoreBusy: too many runs of other plans wait already.
            BackboneClosed: it was left.
        """
        run = await self._ask(_SCHEDULER, RunMarket(plan, trigger), _RUN_TIMEOUT)
        for each in run.dimensions:
            if each.run is not None:
                await self._writer.ingested(each.run)
            self._writer.recorded(each.dimension, each.symbols, each.position)
        return run

    async def runs(self, limit: int = 50, *, dimension: str | None = None, run_id: str | None = None) -> RunsReport:
        """The journal: what became of the newest runs, also of those that failed, and which way they go.

        Args:
            limit: so many rows at most, one for each dimension of each run; 1 to 10,000.
            dimension: only of this one, or one of its aliases.
            run_id: only of this run.

        Raises:
            TypeError, ValueError: an argument is wrong.
            StoreUnavailable: the store is down.
        """
        rows = await self._ask("store", ReadRuns(limit, dimension, run_id))
        latest = await self._ask("store", ReadLatestRuns())
        newest = max((row.run_id for row in latest), default="")  # ids are in order of time
        counts = [row for row in latest if row.dimension != WHOLE or row.run_id == newest]
        return RunsReport(
            status=Status.worst([status_of(row.status) for row in counts]),
            runs=tuple(rows),
            latest=tuple(latest),
            trends=trends(rows),
            settings_hash=self.settings.hash,
            span_start=min((row.executed_at for row in rows), default=None),
            span_end=max((row.executed_at for row in rows), default=None),
        )

    async def schedule(self) -> ScheduleState:
        """How the schedule is: whether it runs, when next, how many runs in a row failed."""
        return await self._ask(_SCHEDULER, ReadSchedule())

    async def resume_schedule(self) -> ScheduleState:
        """Let a schedule that has stopped, or was paused, go on; its next run is due at once.

        Raises:
            Unsupported: there is none.
        """
        return await self._ask(_SCHEDULER, ResumeSchedule())

    async def pause_schedule(self) -> ScheduleState:
        """Let the schedule wait until it is resumed; a run that is under way goes on, and who asks for one gets it.

        Raises:
            Unsupported: there is none.
        """
        return await self._ask(_SCHEDULER, PauseSchedule())


class _Runs(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    dimension: str | None = None
    run_id: str | None = None


def run_answers(backbone: Running) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
    """What the control socket answers of runs and the schedule, by command."""

    async def runs(arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Runs)
        return _redacted(await backbone.runs(wanted.limit, dimension=wanted.dimension, run_id=wanted.run_id))

    async def schedule(_: Mapping[str, Any]) -> bytes:
        return _redacted(await backbone.schedule())

    async def resume(_: Mapping[str, Any]) -> bytes:
        return _redacted(await backbone.resume_schedule())

    async def pause(_: Mapping[str, Any]) -> bytes:
        return _redacted(await backbone.pause_schedule())

    return {"pause": pause, "resume": resume, "runs": runs, "schedule": schedule}


def _redacted(answer: msgspec.Struct) -> bytes:
    """Errors of sources may quote anything, and whoever asks by the socket is another program."""
    return msgspec.json.encode(redact_mapping(msgspec.to_builtins(answer, enc_hook=str)))
