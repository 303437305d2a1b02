"""A supervisor: starts children in order, restarts them by strategy and budget, stops them in reverse.

No user code runs here. Commands and ends of children go through one inbox, one at a time; a stop passes them all.
The semantics are OTP's `supervisor`, with Pekko's backoff; where OTP brings every child of a group back, a child that
was stopped by hand stays stopped here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors.actor import IGNORE
from actors.cell import Cell
from actors.deadlock import NO_EDGE, Edges, check_ask
from actors.errors import (
    ActorDead,
    ActorError,
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    MaxChildren,
    StartError,
)
from actors.events import ActorRestarted, ActorRestarting, ActorStarted, ActorStopped, IntensityExceeded
from actors.incarnation import Incarnation
from actors.ref import ActorRef, ChildCount, ChildInfo
from actors.specs import (
    AutoShutdown,
    ChildSpec,
    Restart,
    Shutdown,
    Spec,
    StopReason,
    Strategy,
    SupervisorSpec,
    check,
)
from actors.tasks import Owner, blocked_run

if TYPE_CHECKING:
    from actors.cell import Wait

_INTERRUPTED = object()  # outcome of a start that its caller gave up, or that a stop overtook


class Supervisor:
    """One life of a supervisor; also the nursery of an actor that has children (`host`)."""

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
        self._command: asyncio.Future[Any] | None = None
        self._host_waits: list[Wait] = []
        self.owner = Owner(cell.path, self, True, self.system)
        name = cell.path if host is None else f"{cell.path}:children"
        self.task = self.system.tasks.start(self._main(), self.owner, name)

    # what its own supervisor sees of it: the Run protocol

    def exited(self) -> asyncio.Future[StopReason]:
        """Done when this life is over."""
        return self._exited

    def height(self) -> int:
        """Levels below and with this one: how many kill timeouts its end may take."""
        return 1 + max((child.run.height() for child in self.children.values() if child.run is not None), default=0)

    def request_stop(self, reason: StopReason) -> None:
        """Stop the children in reverse, then end; overtakes everything in the inbox."""
        if self.stopping is None:
            self.stopping = reason
        self._interrupt_start()
        self._wake()

    def kill(self, reason: StopReason) -> None:
        """Kill all children at once, then end."""
        self._brutal = True
        self.request_stop(reason)
        for child in self.children.values():
            if child.run is not None:
                child.run.kill(reason)

    # commands

    def check(self, spec: Spec) -> None:
        """Refuse a wrong spec before it is sent."""
        check(spec, self.spec.auto_shutdown)

    async def call(self, verb: str, *args: Any) -> Any:
        """Run a command in the supervisor's own task and wait for its outcome."""
        if self.ended or self.stopping is not None:
            raise self.cell.dead(reason=self.stopping)
        run = blocked_run()
        command = self.system.future()
        self._inbox.append((verb, args, command))
        self._wake()
        try:
            with self._edge(run):
                return await command
        except asyncio.CancelledError:
            if self._command is command:
                self._interrupt_start()
            raise

    async def stop_child(self, cell: Cell, drain: bool) -> None:
        """Stop a child and wait; where this supervisor ends meanwhile, its own way of stopping the child counts."""
        try:
            await self.call("stop", cell, drain)
        except ActorDead:
            if cell.run is not None:
                with self._edge(blocked_run()):
                    await self.system.deadlines.settled(cell.run.exited(), None)

    def _edge(self, run: Any) -> Edges:
        """Show in the wait graph that `run`'s handler waits for this supervisor."""
        if run is None:
            return NO_EDGE
        if run is self.host:
            return Edges((self._host_waits,), (self.cell, "admin", None))
        check_ask(run, self.cell)
        return Edges((run.waiting,), (self.cell, "admin", None))

    def _awaiting(self, child: Cell, how: str) -> Edges:
        """Show that this supervisor waits for a child, and so does its host while that waits for the supervisor."""
        both = self.host is not None and self._host_waits
        return Edges((self.waiting, self.host.waiting) if self.host and both else (self.waiting,), (child, how, None))

    def post(self, verb: str, *args: Any) -> None:
        """Queue an event: the end of a child, a restart that is due."""
        if not self.ended:
            self._inbox.append((verb, args, None))
            self._wake()

    def _wake(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def _interrupt_start(self) -> None:
        for child, how, _ in self.waiting:
            if how == "start" and child.run is not None and not child.run.started.done():
                child.run.started.set_result(_INTERRUPTED)

    async def _main(self) -> None:
        outcome = await self._boot()
        if outcome is None and self.stopping is None:
            self.claimed = False
            if self.host is None:
                self.cell.mark("running")
                self.system.publish(ActorStarted, self.cell.path, incarnation=self.number)
            self.started.set_result(None)
            try:
                await self._serve()
            except Exception as error:  # noqa: BLE001 - a fault of the runtime itself: the supervisor above decides
                self.stopping = StopReason("crash", f"supervisor failed: {type(error).__name__}: {error}", error)
        reason = self.stopping or StopReason("crash", str(outcome), outcome)
        if self.host is None:
            self.cell.mark("stopping")
        await self._stop_all(StopReason("shutdown") if reason.kind != "parent_died" else reason)
        self._over(reason, outcome)

    async def _boot(self) -> BaseException | None:
        """Start the static children one at a time; the first failure is the supervisor's."""
        for spec in self.spec.children:
            if self.stopping is not None:
                return None
            cell = self.cell.kept.get(spec.id) or self.system.new_cell(self, spec)
            self.cell.kept[spec.id] = self.children[spec.id] = cell
            cell.parent, cell.spec = self, spec  # a temporary child's spec has lost its arguments
            outcome = await self._bring_up(cell)
            try:
                self._started(cell, outcome)
            except ActorError as error:
                del self.children[spec.id]
                return error
        return None

    async def _serve(self) -> None:
        while self.stopping is None:
            if not self._inbox:
                self._idle = idle = self.system.future()
                await idle
                continue
            await self._execute(*self._inbox.popleft())

    async def _execute(self, verb: str, args: tuple[Any, ...], command: asyncio.Future[Any] | None) -> None:
        if command is None:
            await getattr(self, f"_event_{verb}")(*args)
            return
        if command.done():
            return
        self._command = command
        try:
            result = await getattr(self, f"_command_{verb}")(*args)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who raises it
            if not command.done():
                command.set_exception(error)
        else:
            if not command.done():
                command.set_result(result)
        finally:
            self._command = None

    async def _command_start(self, spec: Spec) -> Any:
        present = self.children.get(spec.id)
        if present is not None:
            if present.run is not None:
                raise present.problem(AlreadyStarted, "already runs; use its ref")
            raise present.problem(AlreadyPresent, f"is {present.state}; use restart_child or delete_child")
        limit = self.spec.max_children
        if limit is not None and len(self.children) >= limit:
            text = f"holds {limit} children, its max_children; {spec.id} was not started"
            raise self.cell.problem(MaxChildren, text)
        cell = self.children[spec.id] = self.system.new_cell(self, spec)
        outcome = await self._bring_up(cell)
        if outcome is not None and outcome is not IGNORE:
            del self.children[spec.id]
        return self._started(cell, outcome)

    def _started(self, cell: Cell, outcome: Any) -> ActorRef:
        """What a start by hand returns, or raises."""
        if outcome is IGNORE:
            self._settle(cell, StopReason("normal", "declined to start"))
        elif outcome is _INTERRUPTED:
            cell.finish(StopReason("killed", "its start was given up"))
            raise self.cell.dead(reason=self.stopping)
        elif outcome is not None:
            cell.finish(StopReason("crash", str(outcome), outcome), "failed")
            raise self._start_error(cell, outcome)
        return cell.ref

    async def _command_restart(self, id: str) -> Any:  # noqa: A002
        cell = self._find_stopped(id)
        cell.attempts = 0
        return self._started(cell, await self._bring_up(cell))

    async def _command_terminate(self, id: str) -> None:  # noqa: A002
        await self._command_stop(self._find(id), False)

    async def _command_stop(self, cell: Cell, drain: bool) -> None:
        if self.children.get(cell.id) is not cell:
            return
        others = cell.pending
        await self._halt(cell, StopReason("shutdown", "drained" if drain else "terminated"), drain)
        self._settle(cell, StopReason("shutdown", "terminated"))
        if others:
            self._revive_rest()

    async def _command_delete(self, id: str) -> None:  # noqa: A002
        del self.children[self._find_stopped(id).id]
        self.cell.kept.pop(id, None)

    def _find(self, id: str) -> Cell:  # noqa: A002
        cell = self.children.get(id)
        if cell is None:
            raise self.cell.problem(ChildNotFound, f"has no child {id!r}; it has: {', '.join(self.children) or 'none'}")
        return cell

    def _find_stopped(self, id: str) -> Cell:  # noqa: A002
        cell = self._find(id)
        if cell.run is not None:
            raise cell.problem(ChildRunning, "runs; terminate_child first")
        if cell.pending:
            raise cell.problem(ChildRestarting, "waits for its restart; terminate_child gives that up")
        return cell

    def _start_error(self, cell: Cell, cause: Any) -> StartError:
        text = f"{cell.id} did not start: {type(cause).__name__}: {cause}"
        error = StartError(text, path=cell.path, child=cell.id, cause=cause, spec=cell.spec)
        error.__cause__ = cause if isinstance(cause, BaseException) else None
        return error

    def _settle(self, cell: Cell, reason: StopReason, state: str = "stopped") -> None:
        """A child has ended and nobody will restart it: listed without a ref, or gone if temporary."""
        cell.finish(reason, state)
        if cell.spec.restart is Restart.TEMPORARY and self.children.get(cell.id) is cell:
            del self.children[cell.id]
            self.system.bury(cell)

    # one child up, one child down

    async def _bring_up(self, cell: Cell) -> Any:
        """Start an incarnation and wait: None, IGNORE, _INTERRUPTED or the exception that its start failed with."""
        cell.incarnation += 1
        cell.cancel_restart()
        cell.open()
        cell.mark("starting")
        cell.started_at = cell.state_since
        run: Incarnation | Supervisor
        run = Supervisor(cell, cell.spec) if isinstance(cell.spec, SupervisorSpec) else Incarnation(cell)
        cell.run = run
        timeout = cell.spec.start_timeout
        self.system.deadlines.add(run.started, timeout, lambda: TimeoutError(f"on_start took longer than {timeout} s"))
        outcome: Any
        with self._awaiting(cell, "start"):
            try:
                outcome = await run.started
            except TimeoutError as error:
                outcome = error
        if outcome is None:
            cell.started_time = self.system.time()
            cell.started_at = cell.state_since
            if cell.spec.restart is Restart.TEMPORARY and isinstance(cell.spec, ChildSpec):
                cell.spec = replace(cell.spec, args=(), kwargs={})  # never started again: let its arguments go
            return None
        if isinstance(outcome, BaseException):
            cell.error, cell.error_at = f"{type(outcome).__name__}: {outcome}", self.system.clock.now()
        run.claimed = True
        cell.seen = cell.incarnation
        if outcome is _INTERRUPTED and isinstance(run, Supervisor):
            await self._halt(cell, StopReason("shutdown", "its start was given up"))
        elif outcome is _INTERRUPTED:
            run.kill(StopReason("killed", "its start was given up"))
        elif isinstance(outcome, TimeoutError):
            run.kill(StopReason("timeout", str(outcome)))
        await self.system.deadlines.settled(run.exited(), None)
        return outcome

    async def _halt(self, cell: Cell, reason: StopReason, drain: bool = False) -> None:
        """Stop a child within its shutdown time; after that it is killed, and a zombie is let go."""
        cell.cancel_restart()
        cell.seen = cell.incarnation
        run = cell.run
        if run is None:
            return
        with self._awaiting(cell, "stop"):
            limit = self._ask_to_end(cell, run, reason, drain)
            if not await self.system.deadlines.settled(run.exited(), limit):
                run.kill(StopReason("killed", f"did not stop within {limit:g} s"))
                await self.system.deadlines.settled(run.exited(), None)

    def _ask_to_end(self, cell: Cell, run: Incarnation | Supervisor, reason: StopReason, drain: bool) -> float | None:
        """Send the stop, or the kill where it is brutal; returns the seconds that it may take, None: no limit."""
        run.claimed = True
        shutdown = cell.spec.shutdown
        if self._brutal or shutdown is Shutdown.BRUTAL:
            run.kill(StopReason("killed", "brutal shutdown"))
            return None
        if drain and isinstance(run, Incarnation):
            run.draining = True
        run.request_stop(reason)
        return float(shutdown) if isinstance(shutdown, int | float) else None

    # a child ended by itself

    async def _event_exit(self, cell: Cell, number: int, reason: StopReason) -> None:
        if number <= cell.seen or self.children.get(cell.id) is not cell:
            return
        cell.seen = number
        kind = cell.spec.restart
        if kind is Restart.PERMANENT or (kind is Restart.TRANSIENT and reason.abnormal):
            await self._restart(cell, reason)
            return
        self._settle(cell, reason, "failed" if reason.abnormal else "stopped")
        self._auto_shutdown(cell)

    def _auto_shutdown(self, cell: Cell) -> None:
        if not cell.spec.significant:
            return
        alive = any(each.spec.significant and each.run is not None for each in self.children.values())
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not alive:
            self.stopping = StopReason("shutdown", f"auto-shutdown: significant child {cell.id} ended")

    async def _restart(self, cell: Cell, reason: StopReason) -> None:
        """Decide and carry out what the end of `cell` leads to: give up, a group restart, now or later."""
        delay = self._planned(cell, reason)
        if delay is None:
            return
        cell.pending = True
        for other in reversed(self._group(cell)):
            await self._halt(other, StopReason("shutdown", f"restart of {cell.id}"))
            if other.spec.restart is Restart.TEMPORARY:
                self._settle(other, StopReason("shutdown", f"restart of {cell.id}"))
            else:
                other.pending = True
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
                self._started(each, outcome)
            elif outcome is not _INTERRUPTED:
                await self._retry(each, up, outcome)
                return

    async def _retry(self, cell: Cell, up: list[Cell], error: BaseException) -> None:
        """A restart failed: count it and queue the next try, so that commands get in between."""
        cell.pending = True
        reason = StopReason("crash", f"{type(error).__name__}: {error}", error)
        delay = self._planned(cell, reason)
        if delay is None:
            return
        if self.spec.strategy is Strategy.ONE_FOR_ALL:
            for other in reversed(up):
                await self._halt(other, StopReason("shutdown", f"restart of {cell.id}"))
                other.pending = True
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
        cell.finish(reason, "failed")
        self.stopping = StopReason("shutdown" if self.host is None else "intensity", text, reason.error)
        return False

    # the end

    async def _stop_all(self, reason: StopReason) -> None:
        """All children, in reverse and one at a time; at once where the spec says so."""
        cells = list(reversed(self.children.values()))
        timers = []
        for cell in cells if self.spec.parallel_shutdown else ():
            if cell.run is not None:
                limit = self._ask_to_end(cell, cell.run, reason, False)
                if limit is not None:
                    late = StopReason("killed", f"did not stop within {limit:g} s")
                    timers.append(self.system.loop.call_later(limit, cell.run.kill, late))
        for cell in cells:
            failed = cell.state == "failed"
            await self._halt(cell, reason)
            if not failed:
                cell.finish(reason)
        for timer in timers:
            timer.cancel()

    async def finish(self, reason: StopReason) -> None:
        """The host ends: stop all children and wait."""
        if self.host is not None and self.host.abort_kind() == "killed":
            self.kill(reason)
        self.request_stop(reason)
        await self.system.deadlines.settled(self._exited, None)

    def _over(self, reason: StopReason, outcome: Any) -> None:
        self.ended = True
        self.owner.alive = False
        for _, _, command in self._inbox:
            if command is not None and not command.done():
                command.set_exception(self.cell.dead(reason=reason))
        self._inbox.clear()
        if self.host is not None:
            self._exited.set_result(reason)
            if reason.kind == "intensity":
                self.host.kill(reason)
            return
        cell = self.cell
        cell.run = None
        cell.mark("failed" if reason.abnormal else "stopped")
        if self.started.done():
            self.system.publish(ActorStopped, cell.path, incarnation=self.number, reason=reason)
        else:
            self.started.set_result(outcome if outcome is not None else _INTERRUPTED)
        self._exited.set_result(reason)
        if not self.claimed:
            if cell.parent is not None:
                cell.parent.post("exit", cell, self.number, reason)
            else:
                self.system.root_ended(reason)

    # reading

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
