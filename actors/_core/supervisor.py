"""A supervisor's task: commands and ends of children go through one inbox, one at a time; a stop passes them all.

No user code runs here. What the end of a child leads to is in `restarter`, how children start and stop in `children`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from actors._core.cell import ActorLife, Cell, Life, Wait, blocked_run, new_cell
from actors._core.children import INTERRUPTED, ChildRunner
from actors._core.commands import Commands, own_end
from actors._core.crash_report import report_end
from actors._core.deadlock import NO_EDGE, Edges, check_ask
from actors._core.error_text import describe, words
from actors._core.inbox import Inbox, Item
from actors._core.incarnation import CANCELLED, Incarnation, lost
from actors._core.lifecycle import ActorIncarnation
from actors._core.restarter import Restarter
from actors._core.states import Phase, State, advance
from actors._core.task_incarnation import TaskIncarnation
from actors._core.tasks import Owner, absorb_cancellation
from actors.errors import (
    ActorDead,
    ActorError,
)
from actors.events import ActorStarted
from actors.specs import Intensity, Spec, SupervisorSpec, TaskSpec, check, policy_spec
from actors.stop_reason import StopReason


class Supervisor:
    """One life of a supervisor; also the nursery of an actor that has children (`host`)."""

    def __init__(self, cell: Cell, spec: SupervisorSpec, host: Incarnation | None = None) -> None:
        self.cell = cell
        self.host = host
        self.runtime = cell.runtime
        self.number = cell.incarnation
        self.started: asyncio.Future[Any] = self.runtime.future()
        self.claimed = True
        self.current = None  # it handles no messages
        self.over: StopReason | None = None
        self.phase = Phase.STARTING
        self.runner = ChildRunner(cell, spec, host, self._make, self._foreign_cancel)
        self.restarter = Restarter(self.runner, self._restart_later)
        self._inbox = Inbox(self.runtime)
        self.commands = Commands(self, self.runner, self.restarter, self._inbox.news)
        self.children, self.waiting = self.runner.children, self.runner.waiting
        self._ready = self._cancelled = self._awaited = False
        self._exited: asyncio.Future[StopReason] = self.runtime.future()
        self.owner = Owner(cell.path, self, True, self.runtime)
        name = cell.path if host is None else f"{cell.path}:children"
        self.task = self.runtime.tasks.start(self._main(), self.owner, name)

    def _make(self, cell: Cell) -> Life:
        spec = cell.spec
        if isinstance(spec, SupervisorSpec):
            return Supervisor(cell, spec)
        return TaskIncarnation(cell) if isinstance(spec, TaskSpec) else ActorIncarnation(cell)

    @property
    def spec(self) -> SupervisorSpec:
        """Its policy."""
        return self.runner.spec

    @property
    def stopping(self) -> StopReason | None:
        """Why it is to end."""
        return self.runner.stopping

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.phase is Phase.OVER

    def exited(self) -> asyncio.Future[StopReason]:
        """Done when this life is over."""
        return self._exited

    def height(self) -> int:
        """Levels below and with this one: how many kill timeouts its end may take."""
        return 1 + max((child.run.height() for child in self.children.values() if child.run is not None), default=0)

    def below(self) -> Mapping[str, Cell]:
        """Its children, in start order."""
        return self.children

    def request_stop(self, reason: StopReason, drain: bool = False) -> None:  # noqa: ARG002 - it has no mailbox
        """Stop the children in reverse, then end; overtakes everything in the inbox."""
        if self.runner.stopping is None:  # the first reason stays: it is what the parent decides by
            self.runner.stopping = reason
        self._interrupt_start()
        self._inbox.wake()

    def kill(self, reason: StopReason) -> None:
        """Kill all children at once, then end."""
        self.runner.brutal = True
        self.request_stop(reason)
        for child in self.children.values():
            if child.run is not None:
                child.run.kill(reason)

    def _interrupt_start(self) -> None:
        for child, how, _ in self.waiting:
            if how == "start" and child.run is not None and not child.run.started.done():
                child.run.started.set_result(INTERRUPTED)

    def _foreign_cancel(self) -> None:
        """Somebody outside has cancelled the task: stop in order, as killed; who cancels again wants it now."""
        if self._cancelled:
            self.kill(CANCELLED)
        self._cancelled = True  # the first may come with a stop under way: a host that cancels all tasks at once
        self.request_stop(CANCELLED)

    async def finish(self, reason: StopReason) -> None:
        """The host ends: stop all children and wait."""
        host = self.host
        if host is not None and host.abort is not None and host.abort.kind == "killed":
            self.kill(reason)
        self.request_stop(reason)
        self._awaited = True
        await self.runtime.deadlines.outlasted(self._exited, None, self._host_cancelled)

    def _host_cancelled(self) -> None:
        if self.host is not None:
            if self.host.cancelled:
                self.kill(CANCELLED)
            self.host.cancelled = True

    async def start_child(self, spec: Spec) -> Cell:
        """Start a child; returns when its on_start has returned.

        Raises:
            SpecError, AlreadyStarted, AlreadyPresent, MaxChildren, StartError, ActorDead.
        """
        check(spec, self.spec.auto_shutdown)
        # nobody knows of a child whose starter gave up in the very turn in which it came up: stop it again
        tracing = self.runtime.tracing
        origin = tracing.work() if tracing is not None and isinstance(spec, TaskSpec) else None
        cell: Cell = await self._command_of(partial(self.commands.start, spec, origin), unclaimed=self.forget_child)
        return cell

    async def restart_child(self, id: str) -> Cell:  # noqa: A002 - the field's name
        """Start a stopped child again, by its spec; nothing is counted."""
        cell: Cell = await self._command_of(partial(self.commands.restart, id))
        return cell

    async def bounce_child(self, cell: Cell) -> Cell:
        """Stop a child in order and start it again, alone whatever the strategy; its mailbox is kept, nothing counted.

        Where the start fails, its supervisor goes on trying as after a crash.
        """
        # whoever gives up waiting has not asked for a child that is stopped and does not come back
        found: Cell = await self._command_of(partial(self.commands.bounce, cell), whole=True)
        return found

    async def terminate_child(self, id: str) -> None:  # noqa: A002
        """Stop a child in order; its spec stays (a temporary one's goes)."""
        await self._command_of(partial(self.commands.terminate, id), anyway=True)

    async def delete_child(self, id: str) -> None:  # noqa: A002
        """Forget the spec of a stopped child."""
        await self._command_of(partial(self.commands.delete, id))

    async def stop_child(self, cell: Cell, drain: bool) -> None:
        """Stop a child and wait; where this supervisor ends meanwhile, its own way of stopping the child counts."""
        self._edge(blocked_run())
        if drain:
            cell.shut(StopReason("shutdown", "drained"))
        try:
            await self._command_of(partial(self.commands.stop, cell, drain), anyway=True)
        except ActorDead:
            if cell.run is not None:
                with self._edge(blocked_run()):
                    await self.runtime.deadlines.settled(cell.run.exited(), None)

    def allow(self, intensity: Intensity) -> None:
        """Another restart budget, for the rest of this life."""
        self.restarter.allow(intensity)

    async def _command_of(
        self,
        do: Callable[[], Awaitable[Any]],
        *,
        anyway: bool = False,
        whole: bool = False,
        unclaimed: Callable[[Any], None] | None = None,
    ) -> Any:
        """Have it done in the supervisor's own task and wait for the outcome.

        Where the caller gives up, it is done all the same `anyway`; or, as a `whole`, if it has begun.
        """
        if self.ended or self.stopping is not None:
            # after this life another one may run, or be due: then it is not dead, but down
            back = self.ended and self.host is None and self.cell.ended is None
            raise self.cell.dead(reason=None if back else self.stopping)
        edge = self._edge(blocked_run())  # before anything is queued: what is refused must not be done later
        waiter = self.runtime.future()
        self._post(Item(do, waiter, anyway))
        try:
            with edge:
                return await waiter
        except asyncio.CancelledError:
            if self._inbox.in_hand is waiter and not whole:
                self._interrupt_start()
            done = waiter.done() and not waiter.cancelled() and waiter.exception() is None
            if done and unclaimed is not None:
                unclaimed(waiter.result())
            raise

    def _edge(self, run: ActorLife | None) -> Edges:
        """Show in the wait graph that `run`'s handler waits for this supervisor."""
        if run is None:
            return NO_EDGE
        if run is self.host:
            return Edges((self.runner.host_waits,), Wait(self.cell, "admin"))
        check_ask(run, self.cell)
        return Edges((run.waiting,), Wait(self.cell, "admin"))

    def start_answered(self, cell: Cell) -> None:
        """Answer the command that starts `cell`."""
        self._inbox.answer(cell)

    def child_ended(self, cell: Cell, number: int, reason: StopReason) -> None:
        """A life of this child is over."""
        self._post(Item(partial(self.restarter.ended, cell, number, reason), end=(cell, number, reason)))

    def forget_child(self, cell: Cell) -> None:
        """Stop this child for good; nobody waits for it."""
        self._post(Item(partial(self.commands.forget, cell)))

    def _restart_later(self, cell: Cell | None) -> None:
        self._post(Item(partial(self.restarter.due, cell)))

    def _post(self, item: Item) -> None:
        if not self.ended:  # a timer of a restart may fire after the end
            self._inbox.post(item)

    async def _main(self) -> None:
        outcome: BaseException | None = None
        try:
            outcome = await self._boot()
            if outcome is None and not self._given_up():
                self._report_start()
                await self._serve()
        except Exception as error:  # noqa: BLE001 - a fault of the runtime itself: the supervisor above decides
            self.runner.stopping = StopReason("crash", f"supervisor failed: {describe(error)}", error)
        reason = self.stopping or StopReason("shutdown", "its start was given up")
        if outcome is not None and self.stopping is None:
            reason = StopReason("crash", words(outcome), outcome)
        self.phase = advance(self.phase, Phase.ENDING)
        if self.host is None:
            self.cell.mark(State.STOPPING)
        await self._stop_all(StopReason("shutdown") if reason.kind != "parent_died" else reason)
        self._over(reason, outcome)

    async def _boot(self) -> BaseException | None:
        """Start the static children one at a time; the first failure is the supervisor's."""
        for spec in self.spec.children:
            if self._given_up():
                return None
            cell = self.cell.kept.get(spec.id) or new_cell(self.runtime, self, spec)
            self.cell.kept[spec.id] = self.children[spec.id] = cell
            cell.parent, cell.spec = self, spec  # a temporary child's spec has lost its arguments
            outcome = await self.runner.bring_up(cell)
            try:
                self.commands.started(cell, outcome, booting=True)
            except ActorError as error:
                del self.children[spec.id]
                return error
        return None

    def _given_up(self) -> bool:
        """Whether the start is to end: by a stop, or because who waits for it has already answered in its place."""
        return self.stopping is not None or self.started.done()

    def _report_start(self) -> None:
        self.claimed = False
        self._ready = True
        self.phase = advance(self.phase, Phase.RUNNING)
        if self.host is None:
            self.cell.mark(State.RUNNING)
            self.runtime.publish(ActorStarted, self.cell.path, incarnation=self.number)
        self.started.set_result(None)

    async def _serve(self) -> None:
        while self.stopping is None:
            item = self._inbox.take()
            if item is not None:
                await self._inbox.carry_out(item)
                continue
            try:
                await self._inbox.arrival()
            except asyncio.CancelledError:
                absorb_cancellation()
                self._foreign_cancel()

    async def _stop_all(self, reason: StopReason) -> None:
        """All children, in reverse and one at a time; at once where the spec says so."""
        cells = list(reversed(self.children.values()))
        # of those that have ended by themselves: the stop overtook the inbox, but not what their watchers are to hear
        news = {cell: self._inbox.news(cell) for cell in cells}
        timers = []
        for cell in cells if self.spec.parallel_shutdown else ():
            if cell.run is not None:
                limit = self.runner.ask_to_end(cell, cell.run, reason)
                if limit is not None:
                    late = StopReason("killed", f"did not stop within {limit:g} s")
                    timers.append(self.runtime.loop.call_later(limit, cell.run.kill, late))
        for cell in cells:
            failed, run = cell.state is State.FAILED, cell.run
            await self.runner.halt(cell, reason)
            if failed:
                self.runner.dismiss(cell, news[cell] or cell.closed or reason, State.FAILED)
            else:
                self.runner.dismiss(cell, news[cell] or own_end(cell, run, None) or reason)
        for timer in timers:
            timer.cancel()

    def lost(self, error: BaseException | None) -> None:
        """The task has ended, and not by its own end: cancelled before its first step, or broken by a fault."""
        if self.ended:
            return
        reason = lost(error)
        self.kill(reason)
        for child in self.children.values():
            if child.run is not None:
                child.run.exited().add_done_callback(lambda _: self.lost(error))
                return
        for child in reversed(tuple(self.children.values())):  # in the place of _stop_all, which nobody can run now
            self.runner.dismiss(child, child.closed or reason)
        self._over(self.stopping or reason, error)

    def _over(self, reason: StopReason, outcome: Any) -> None:
        self.phase = advance(self.phase, Phase.OVER)
        self.over = reason
        self.owner.alive = False
        self._inbox.refuse_all(lambda: self.cell.dead(reason=reason))
        # static children come back under the same cells, dynamic ones do not: both are to be seen for a while
        for child in self.children.values():
            child.bury()
        if self.cell.parent is None:
            self.cell.part(reason)
        if self.host is not None:
            self._tell_host(self.host, reason)
            return
        cell = self.cell
        cell.run = None
        cell.mark(State.FAILED if reason.abnormal else State.STOPPED)
        if self._ready:
            report_end(cell, self.number, reason)
        elif not self.started.done():
            self.started.set_result(outcome if outcome is not None else cell.dead(reason=reason))
        self._exited.set_result(reason)
        if not self.claimed:
            if cell.parent is None:
                self.runtime.body.root_ended(reason)
            else:
                cell.parent.child_ended(cell, self.number, reason)

    def _tell_host(self, host: Incarnation, reason: StopReason) -> None:
        self._exited.set_result(reason)
        if reason.kind == "intensity":
            host.kill(reason)
        elif reason.abnormal and not self._awaited:
            host.children_lost(reason)


def nursery(host: Incarnation) -> Supervisor:
    """The supervisor of an actor's own children, made at the first one."""
    if not isinstance(host.children, Supervisor):
        policy = type(host.actor).children  # of the class: an instance may well keep its refs under that name
        host.children = Supervisor(host.cell, policy_spec(host.cell.id, policy), host=host)
    return host.children
