"""The children of one supervisor: brought up in order, stopped in reverse, restarted by strategy and budget.

The semantics are OTP's `supervisor`, with Pekko's backoff; where OTP brings every child of a group back, a child that
was stopped by hand stays stopped here.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors.actor import IGNORE
from actors.admin import ChildCount, ChildInfo
from actors.cell import HEALTHY, Cell
from actors.crash import describe, words
from actors.deadlock import Edges
from actors.events import ActorRestarted, ActorRestarting, HealthChanged, IntensityExceeded
from actors.incarnation import Incarnation
from actors.specs import AutoShutdown, ChildSpec, Restart, Shutdown, StopReason, Strategy, SupervisorSpec
from actors.tasks import absorb_cancellation

if TYPE_CHECKING:
    from actors.cell import Run, Wait

INTERRUPTED = object()  # outcome of a start that its caller gave up, or that a stop overtook


class Family(ABC):
    """The children of one life of a supervisor, or of an actor (`host`) that has children."""

    def __init__(self, cell: Cell, spec: SupervisorSpec, host: Incarnation | None = None) -> None:
        self.cell = cell
        self.spec = spec
        self.host = host
        self.system = cell.system
        self.number = cell.incarnation
        self.children: dict[str, Cell] = {}
        self.started: asyncio.Future[Any] = self.system.future()
        self.claimed = True
        self.waiting: list[Wait] = []
        self.current = None  # it handles no messages
        self.budget = f"{spec.intensity.restarts} in {spec.intensity.within:g} s"
        self.window: deque[tuple[float, Cell]] = deque()
        self.ended = False
        self.stopping: StopReason | None = None
        self._brutal = False
        self._exited: asyncio.Future[StopReason] = self.system.future()
        self._inbox: deque[tuple[str, tuple[Any, ...], asyncio.Future[Any] | None]] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._host_waits: list[Wait] = []

    @abstractmethod
    def cancelled(self) -> None:
        """Somebody outside the runtime has cancelled the task."""

    @abstractmethod
    def _new_run(self, cell: Cell) -> Run:
        """Begin a life of a child."""

    def post(self, verb: str, *args: Any) -> None:
        """Queue an event: the end of a child, a restart that is due."""
        if not self.ended:
            self._inbox.append((verb, args, None))
            self._wake()

    def _wake(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def _awaiting(self, child: Cell, how: str) -> Edges:
        """Show that this supervisor waits for a child, and so does its host while that waits for the supervisor."""
        if self.host is not None and self._host_waits:
            return Edges((self.waiting, self.host.waiting), (child, how, None))
        return Edges((self.waiting,), (child, how, None))

    async def _bring_up(self, cell: Cell) -> Any:
        """Start an incarnation and wait: None, IGNORE, INTERRUPTED or the exception that its start failed with."""
        cell.incarnation += 1
        cell.cancel_restart()
        cell.open()
        if cell.health.level != HEALTHY.level:
            self.system.publish(HealthChanged, cell.path, level=HEALTHY.level, why="", next="", action="")
        cell.health = HEALTHY  # what the former life said of itself is over
        cell.mark("starting")
        cell.started_at = cell.state_since
        cell.run = run = self._new_run(cell)
        timeout = cell.spec.start_timeout
        self.system.deadlines.add(run.started, timeout, lambda: TimeoutError(f"on_start took longer than {timeout} s"))
        outcome: Any
        with self._awaiting(cell, "start"):
            outcome = await self._outcome(run.started)
        if outcome is None:
            cell.started_time = self.system.time()
            cell.started_at = cell.state_since
            if cell.spec.restart is Restart.TEMPORARY and isinstance(cell.spec, ChildSpec):
                cell.spec = replace(cell.spec, args=(), kwargs={})  # never started again: let its arguments go
            return None
        if isinstance(outcome, BaseException):
            cell.error, cell.error_at = describe(outcome), self.system.clock.now()
        run.claimed = True
        cell.seen = cell.incarnation
        if outcome is INTERRUPTED and cell.box is None:
            await self._halt(cell, StopReason("shutdown", "its start was given up"))
        elif outcome is INTERRUPTED:
            run.kill(StopReason("killed", "its start was given up"))
        elif isinstance(outcome, TimeoutError):
            run.kill(StopReason("timeout", words(outcome)))
        await self._ended(run)
        return outcome

    async def _outcome(self, started: asyncio.Future[Any]) -> Any:
        try:
            return await started
        except TimeoutError as error:
            return error
        except asyncio.CancelledError:
            absorb_cancellation()
            self.cancelled()
            return INTERRUPTED if started.cancelled() else started.exception() or started.result()

    async def _ended(self, run: Run, limit: float | None = None) -> bool:
        """Wait for the end of a life, whoever cancels this task; False: it took longer than `limit` seconds."""
        return await self.system.deadlines.outlasted(run.exited(), limit, self.cancelled)

    async def _halt(self, cell: Cell, reason: StopReason, drain: bool | None = None) -> None:
        """Stop a child within its shutdown time; after that it is killed, and a zombie is let go.

        It drains its mailbox where told to, or (None) where its spec says so.
        """
        cell.cancel_restart()
        cell.seen = cell.incarnation
        run = cell.run
        if run is None:
            return
        with self._awaiting(cell, "stop"):
            limit = self._ask_to_end(cell, run, reason, drain)
            if not await self._ended(run, limit):
                run.kill(StopReason("killed", f"did not stop within {limit:g} s"))
                await self._ended(run)

    def _news(self, cell: Cell) -> StopReason | None:
        """The end of its present life, where the news of it is still in the inbox."""
        exits = (args for verb, args, _ in self._inbox if verb == "exit")
        return next((reason for each, number, reason in exits if each is cell and number > cell.seen), None)

    def _own_end(self, cell: Cell, run: Run | None, news: StopReason | None) -> StopReason | None:
        """A task that returned before its stop reached it has finished, and keeps its result."""
        if news is None and isinstance(run, Incarnation):
            news = run.over
        return news if cell.runs is not None and news is not None and news.kind == "normal" else None

    async def _halt_group(self, cells: list[Cell], offender: Cell) -> None:
        """Stop those that restart with another one, in reverse; what is queued waits for their next lives."""
        for cell in reversed(cells):
            reason = StopReason("shutdown", f"restart of {offender.id}")
            if cell.spec.restart is Restart.TEMPORARY:
                await self._halt(cell, reason)
                self._settle(cell, reason)
            else:
                await self._halt(cell, reason, drain=False)
                if cell.unwanted:
                    self._settle(cell, StopReason("shutdown", "cancelled"))
                    continue
                cell.pending = True
                cell.open()  # it may have told itself to stop

    def _ask_to_end(self, cell: Cell, run: Run, reason: StopReason, drain: bool | None = None) -> float | None:
        """Send the stop, or the kill where it is brutal; returns the seconds that it may take, None: no limit."""
        run.claimed = True
        shutdown = cell.spec.shutdown
        if self._brutal or shutdown is Shutdown.BRUTAL:
            run.kill(StopReason("killed", "brutal shutdown"))
            return None
        if isinstance(run, Incarnation):
            run.request_stop(reason, cell.spec.drain_on_stop if drain is None else drain)  # type: ignore[union-attr]
        else:
            run.request_stop(reason)
        return float(shutdown) if isinstance(shutdown, int | float) else None

    def _settle(self, cell: Cell, reason: StopReason, state: str = "stopped") -> None:
        """A child has ended and nobody will restart it: listed without a ref, or gone if temporary."""
        cell.finish(reason, state)
        if cell.spec.restart is Restart.TEMPORARY and self.children.get(cell.id) is cell:
            del self.children[cell.id]
            self.system.bury(cell)

    def _dismiss(self, cell: Cell, reason: StopReason, state: str = "stopped") -> None:
        """A child ends with its supervisor; a static one may come back with it, so whoever watches it waits."""
        cell.finish(reason, state, in_doubt=self.cell.kept.get(cell.id) is cell)

    async def _event_exit(self, cell: Cell, number: int, reason: StopReason) -> None:
        if number <= cell.seen or self.children.get(cell.id) is not cell:
            return
        cell.seen = number
        if cell.unwanted:
            end = reason if reason.kind == "normal" else StopReason("shutdown", "cancelled")
            self._settle(cell, end)
            return
        kind = cell.spec.restart
        if kind is Restart.PERMANENT or (kind is Restart.TRANSIENT and reason.abnormal):
            await self._restart(cell, reason)
            return
        self._settle(cell, reason, "failed" if reason.abnormal else "stopped")
        self._auto_shutdown(cell)

    def _auto_shutdown(self, cell: Cell) -> None:
        if not cell.spec.significant:
            return
        alive = any(each.spec.significant and (each.run or each.pending) for each in self.children.values())
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not alive:
            self.stopping = StopReason("shutdown", f"auto-shutdown: significant child {cell.id} ended")

    async def _restart(self, cell: Cell, reason: StopReason) -> None:
        """Decide and carry out what the end of `cell` leads to: give up, a group restart, now or later."""
        delay = self._planned(cell, reason)
        if delay is None:
            return
        cell.pending = True
        cell.open()  # it comes back, though it may have told itself to stop before it crashed
        await self._halt_group(self._group(cell), cell)
        await self._revive_later(cell, delay)

    async def _revive_later(self, cell: Cell, delay: float) -> None:
        number = cell.incarnation
        self.system.publish(ActorRestarting, cell.path, incarnation=number, delay=delay, attempt=cell.attempts)
        if delay <= 0:
            await self._event_restart(cell)
            return
        cell.restart_due = self.system.time() + delay
        cell.restart_timer = self.system.loop.call_later(delay, self.post, "restart", cell)
        cell.mark("backoff")

    def _group(self, cell: Cell) -> list[Cell]:
        """The others that restart with `cell`, in start order; those stopped by hand or ended well stay so."""
        if self.spec.strategy is Strategy.ONE_FOR_ONE:
            return []
        cells = list(self.children.values())
        if self.spec.strategy is Strategy.REST_FOR_ONE:
            cells = cells[cells.index(cell) + 1 :]
        just_died = {each for each in cells if each.incarnation > each.seen}  # the news is in the inbox
        return [each for each in cells if each is not cell and (each.run or each.pending or each in just_died)]

    async def _event_restart(self, cell: Cell | None) -> None:
        """Start what waits for it: one child, or the rest of a group in list order."""
        if cell is not None and (not cell.pending or self.children.get(cell.id) is not cell):
            return
        if cell is not None:
            cell.restart_due = None
        if self.spec.strategy is Strategy.ONE_FOR_ONE:
            waiting: Iterable[Cell] = [] if cell is None else [cell]
        else:
            waiting = [each for each in self.children.values() if each.pending]
            rest = self.spec.strategy is Strategy.REST_FOR_ONE
            if rest and waiting and waiting[0] is not cell and waiting[0].restart_due:
                return  # it depends on one that waits, and comes up with that
        up: list[Cell] = []
        for each in waiting:
            if self.stopping is not None:
                return
            outcome = await self._bring_up(each)
            if outcome is None:
                up.append(each)
                each.restarts += 1
                number, restarts = each.incarnation, each.restarts
                self.system.publish(ActorRestarted, each.path, incarnation=number, restarts=restarts)
            elif outcome is IGNORE:
                self._settle(each, StopReason("normal", "declined to start"))
            elif outcome is not INTERRUPTED:
                await self._retry(each, up, outcome)
                return

    async def _retry(self, cell: Cell, up: list[Cell], error: BaseException) -> None:
        """A restart failed: count it and queue the next try, so that commands get in between."""
        cell.pending = True
        reason = StopReason("crash", describe(error), error)
        delay = self._planned(cell, reason)
        if delay is None:
            return
        if self.spec.strategy is Strategy.ONE_FOR_ALL:
            await self._halt_group(up, cell)
        if delay > 0:
            await self._revive_later(cell, delay)
        else:
            cell.mark("backoff")
            self.post("restart", cell)

    def _revive_rest(self) -> None:
        """The child for which a group waited won't come up: start the others, unless another one's delay is running."""
        waiting = [each for each in self.children.values() if each.pending]
        if waiting and not any(each.restart_due for each in waiting):
            self.post("restart", None)

    def _planned(self, cell: Cell, reason: StopReason) -> float | None:
        """Seconds until the restart; None where there is none: this child, or this supervisor, gives up."""
        delay = self._next_delay(cell)
        if delay is not None:
            return delay if self._within_budget(cell, reason) else None
        self._settle(cell, reason, "failed")
        self._auto_shutdown(cell)
        self._revive_rest()
        return None

    def _next_delay(self, cell: Cell) -> float | None:
        """Seconds until the restart; None where the backoff's max_restarts are used up."""
        backoff = cell.spec.backoff
        if backoff is None:
            return 0.0
        if cell.started_time and self.system.time() - cell.started_time >= backoff.reset_seconds and not cell.pending:
            cell.attempts = 0
        if backoff.max_restarts is not None and cell.attempts >= backoff.max_restarts:
            return None
        delay = backoff.delay(cell.attempts, self.system.random.random())
        cell.attempts += 1
        return delay

    def _within_budget(self, cell: Cell, reason: StopReason) -> bool:
        """Count one restart; over the intensity, the supervisor ends."""
        now, limit, window = self.system.time(), self.spec.intensity, self.window
        window.append((now, cell))
        self.cell.entry = None
        while window and window[0][0] < now - limit.within:
            window.popleft()
        if len(window) <= limit.restarts:
            return True
        budget = f"more than {limit.restarts} restarts within {limit.within:g} s"
        text = f"max restart intensity: {budget}, last of {cell.id}: {reason}"
        facts: dict[str, Any] = {"restarts": len(window), "within": limit.within, "reason": reason}
        self.system.publish(IntensityExceeded, self.cell.path, offender=cell.path, **facts)
        self._dismiss(cell, reason, "failed")
        self.stopping = StopReason("shutdown" if self.host is None else "intensity", text, reason.error)
        return False

    async def _stop_all(self, reason: StopReason) -> None:
        """All children, in reverse and one at a time; at once where the spec says so."""
        cells = list(reversed(self.children.values()))
        news = {cell: self._news(cell) for cell in cells}
        timers = []
        for cell in cells if self.spec.parallel_shutdown else ():
            if cell.run is not None:
                limit = self._ask_to_end(cell, cell.run, reason)
                if limit is not None:
                    late = StopReason("killed", f"did not stop within {limit:g} s")
                    timers.append(self.system.loop.call_later(limit, cell.run.kill, late))
        for cell in cells:
            failed, run = cell.state == "failed", cell.run
            await self._halt(cell, reason)
            if failed:
                self._dismiss(cell, news[cell] or cell.closed or reason, "failed")
            else:
                self._dismiss(cell, news[cell] or self._own_end(cell, run, None) or reason)
        for timer in timers:
            timer.cancel()

    def which(self) -> tuple[ChildInfo, ...]:
        """All children, in start order."""
        return tuple(
            ChildInfo(cell.id, cell.ref if cell.alive else None, cell.kind, self._word(cell), cell.spec.restart)
            for cell in self.children.values()
        )

    def _word(self, cell: Cell) -> str:
        return "restarting" if cell.pending and cell.state in ("backoff", "starting", "failed") else cell.state

    def count(self) -> ChildCount:
        """Specs, those alive, and how many specs are supervisors and workers."""
        cells = self.children.values()
        supervisors = sum(1 for cell in cells if cell.box is None)
        active = sum(1 for cell in cells if cell.alive)
        return ChildCount(len(cells), active, supervisors, len(cells) - supervisors)
