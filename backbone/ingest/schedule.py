"""The scheduler: runs of all that the settings want, one at a time, on request and by a schedule to be left alone.

Who asks while a run of the same is under way gets the report of that run. The schedule waits an interval after the end
of each run, whoever began it; it passes over times in which no market is open, pauses while the kill switch exists, and
stops after so many failures in a row, which the roster, telemetry and `backbone status` say, until it is resumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors import Actor, Message, Reject, Reply, Restart, TaskRef, TaskSpec, handles
from backbone.calls import Calls
from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.files import is_there
from backbone.ingest.journal import Diary, row_of_fall, row_of_given, row_of_nothing
from backbone.ingest.market import planned_dimensions
from backbone.ingest.market_report import DimensionRun, MarketRun, Trigger
from backbone.ingest.market_running import MarketRunning, Work
from backbone.ingest.plan import IngestPlan
from backbone.ingest.schedule_book import ScheduleBook
from backbone.ingest.schedule_messages import (
    PauseSchedule,
    ReadSchedule,
    ResumeSchedule,
    RunMarket,
    ScheduleChanged,
)
from backbone.ingest.schedule_state import RESUME, ScheduleState
from backbone.ingest.timing import Due, Timing
from backbone.quality.instruments import Instruments
from backbone.quality.sessions import Calendar
from backbone.settings import Settings
from backbone.store.messages import RecordRun
from backbone.store.run_records import RunRow

__all__ = ["SchedulerActor"]

_RUN_TIMEOUT = 6 * 3600.0  # of one dimension; its source and the store have deadlines of their own
_NOTE_TIMEOUT = 30.0
_LOOK_INTERVAL = 5.0  # seconds between two looks for the kill switch
_LOOK_AGAIN = (
    60.0  # seconds until it is noticed that the machine slept, for which no timer counts, or its clock was set
)
_WAITING = 16  # runs of other plans that wait for their turn
_FELL = "the scheduler fell over it; see its last error in backbone roster"


class _Due(Message, frozen=True):
    """Time for the schedule."""


class _LookForSwitch(Message, frozen=True):
    """Time to look whether the kill switch is there."""


class _Wanted:
    """A run that is to be, or is under way, and who waits for its report."""

    def __init__(self, plan: IngestPlan | None, trigger: Trigger) -> None:
        self.plan = plan
        self.trigger = trigger
        self.replies: list[Reply[MarketRun]] = []
        self.joined = 0


class SchedulerActor(Actor):
    """Carries out market runs.

    Args:
        calls: where ingest and store are.
        settings: what is wanted, and when.
        book: what is known of the schedule; it outlives this actor.
    """

    def __init__(self, calls: Calls, settings: Settings, book: ScheduleBook) -> None:
        self._calls = calls
        self.settings = settings
        self._book = book
        self._timing = Timing(settings.schedule)
        self._instruments = Instruments(settings)
        self._running: MarketRunning
        self._diary = Diary(self._record, book.unwritten, wanted=settings.ingest.record_runs)
        self._wanted: deque[_Wanted] = deque()

    async def on_start(self) -> None:
        """Begin, or go on with, the schedule."""
        now = self.context.clock.now()
        self._running = MarketRunning(
            self.settings,
            self._instruments,
            self._ask,
            self._supervised,
            self._note_given,
            self.context.clock,
            self.context.log,
        )
        if self._book.under_way is not None:
            row = row_of_fall(self._book.began_at or now, self.settings.market, now, _FELL)
            self._book.failed(now, _FELL)
            self.context.run_task(self._note(row), name="note")
        if self.settings.kill_switch is not None:
            self.context.send_every(_LOOK_INTERVAL, _LookForSwitch(), key="switch")
        self._look()
        if self._book.next is None:
            self._plan(self._timing.first(now))
        self._arm()
        self._say()

    def inspect(self) -> dict[str, Any]:
        """How the schedule is, and what waits."""
        state = msgspec.to_builtins(self._book.state)
        return {**state, "waiting": max(len(self._wanted) - 1, 0), "not_journalled": self._diary.waiting}

    # who asks

    @handles
    def run(self, message: RunMarket) -> None:
        """See RunMarket."""
        same = next((each for each in self._wanted if each.plan == message.plan), None)
        if same is None:
            if len(self._wanted) > _WAITING:
                raise Reject("busy", f"{len(self._wanted)} runs are under way or wait; ask again when some have ended")
            same = self._want(message.plan, message.trigger)
        else:
            same.joined += 1
        same.replies.append(self.context.defer_reply())

    @handles
    def read(self, message: ReadSchedule) -> ScheduleState:
        """See ReadSchedule."""
        return self._book.state

    @handles
    def resume(self, message: ResumeSchedule) -> ScheduleState:
        """See ResumeSchedule."""
        if not self.settings.schedule.enabled:
            raise Reject("unsupported", "there is no schedule to resume; set schedule.enabled=true, and start anew")
        self._book.resumed()
        if self._book.under_way is None:
            self._plan(self._timing.first(self.context.clock.now()))
        self._look()
        self._changed()
        return self._book.state

    @handles
    def pause(self, message: PauseSchedule) -> ScheduleState:
        """See PauseSchedule."""
        if not self.settings.schedule.enabled:
            raise Reject("unsupported", "there is no schedule to pause; schedule.enabled is false")
        self._book.by_hand = True
        self._changed()
        return self._book.state

    # the schedule

    @handles
    def look(self, message: _LookForSwitch) -> None:
        """Pause, or go on."""
        self._heed_the_switch()

    def _heed_the_switch(self) -> None:
        before = self._book.killed
        self._look()
        if self._book.killed != before:
            self.context.log.warning("kill switch", path=self.settings.kill_switch, paused=bool(self._book.killed))
            self._changed()

    def _look(self) -> None:
        path = self.settings.kill_switch
        self._book.killed = f"the kill switch {path} is there" if is_there(path) else ""

    @handles
    def due(self, message: _Due) -> None:
        """Run, unless the schedule waits; then the run is due as soon as it goes on."""
        self._heed_the_switch()
        if not self._book.running or self._book.paused or self._wanted:
            return
        if self._left() > 0:
            self._arm()
        else:
            self._want(None, "schedule")

    def _plan(self, due: Due) -> None:
        clock = self.context.clock
        self._book.planned(due, clock.time() + (due.at - clock.now()).total_seconds())

    def _left(self) -> float:
        """Seconds until the next run is due, by the clock that says it first.

        The monotonic one stands still while a machine sleeps, the other may be set back.
        """
        book, clock = self._book, self.context.clock
        if book.next is None:
            return float("inf")
        return max(min((book.next.at - clock.now()).total_seconds(), book.next_time - clock.time()), 0.0)

    def _arm(self) -> None:
        """Set the timer for the next run, where there is one to come."""
        self.context.cancel_timer("due")
        book = self._book
        if book.running and not book.paused and book.next is not None and book.under_way is None:
            self.context.send_after(min(self._left(), _LOOK_AGAIN), _Due(), key="due")

    def _changed(self) -> None:
        self._arm()
        self._say()
        self.context.system.publish(ScheduleChanged, self.context.ref.path, state=self._book.state)

    def _say(self) -> None:
        state = self._book.state
        if state.enabled and not state.running:
            why = f"the schedule has stopped: {state.consecutive_failures} runs in a row failed: {state.last_error}"
            self.context.report_health("failed", why, "nothing is fetched by schedule until it is resumed", RESUME)
        elif state.enabled and state.paused:
            doing = "remove the file to let the schedule go on" if self._book.killed else "backbone resume"
            following = "nothing is fetched by schedule; who asks for a run gets one"
            self.context.report_health("degraded", f"the schedule waits: {state.paused}", following, doing)
        elif state.last_error:
            following = self._following(state)
            self.context.report_health(
                "degraded", f"the last run failed: {state.last_error}", following, "mend the cause"
            )
        elif self._book.trouble:
            self.context.report_health(
                "degraded", self._book.trouble, self._following(state), "backbone runs list tells more"
            )
        else:
            self.context.report_health("ok")

    def _following(self, state: ScheduleState) -> str:
        if state.next_run_at is None:
            return "nothing is fetched until somebody asks for it"
        left = state.max_failures - state.consecutive_failures
        stops = f", and stops after {left} more failures" if state.max_failures and state.consecutive_failures else ""
        return f"tries again at {state.next_run_at:%Y-%m-%d %H:%M} UTC{stops}"

    # the runs

    def _want(self, plan: IngestPlan | None, trigger: Trigger) -> _Wanted:
        wanted = _Wanted(plan, trigger)
        self._wanted.append(wanted)
        if len(self._wanted) == 1:
            self.context.run_task(self._serve(), name="runs")
        return wanted

    async def _serve(self) -> None:
        while self._wanted:
            wanted = self._wanted[0]
            self._book.began(self.context.clock.now(), scheduled=wanted.trigger == "schedule")
            self._arm()
            run = await self._running.carry_out(wanted.plan, wanted.trigger)
            self._wanted.popleft()
            run = msgspec.structs.replace(run, joined=wanted.joined)
            await self._ended(run)
            for reply in wanted.replies:
                reply(run)

    async def _ended(self, run: MarketRun) -> None:
        now = self.context.clock.now()
        if not run.should_run and run.trigger != "schedule":
            self._book.idle()  # nothing is wanted, which its report says to who asked
        elif run.status is Status.FAILED:
            self._book.failed(now, run.trouble)
            await self._note_failure(run)
        else:
            self._book.succeeded(now, run.trouble)
            await self._diary.flush()
        if self._book.running:
            self._plan(self._timing.next(now, self._scheduled_calendars()))
        self._changed()

    def _scheduled_calendars(self) -> Sequence[Calendar]:
        """Of all that the schedule fetches; macro events come at any time, so that none tells when."""
        market = self.settings.market
        if Dimension.MACRO_EVENTS in planned_dimensions(market):
            return ()
        return [self._instruments.calendar_at_hand(symbol.upper()) for symbol in market.symbols]

    async def _supervised(self, name: str, work: Work, run_id: str) -> TaskRef[DimensionRun]:
        """A task of its own, in the roster while it runs and for a minute after."""
        return await self.context.start_child(
            TaskSpec(
                name,
                work,
                restart=Restart.TEMPORARY,
                shutdown=self.settings.supervision.shutdown,
                metadata={"run_id": run_id},
            )
        )

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("ingest", request, _RUN_TIMEOUT)

    async def _record(self, row: RunRow) -> None:
        await self._calls.ask("store", RecordRun(row), _NOTE_TIMEOUT)

    async def _note_given(self, run_id: str, found: DimensionRun, metadata: Mapping[str, Any]) -> None:
        await self._note(row_of_given(run_id, found, self.context.clock.now(), metadata))

    async def _note_failure(self, run: MarketRun) -> None:
        """A run of which nothing was carried out has a row of its own, beside those of its dimensions."""
        await self._note(row_of_nothing(run, self.settings.market, self.context.clock.now()))

    async def _note(self, row: RunRow) -> None:
        why = await self._diary.note(row)
        if why:
            self.context.log.warning("run not journalled yet", run_id=row.run_id, status=row.status, why=why)
