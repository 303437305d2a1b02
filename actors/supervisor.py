"""A supervisor's task: commands and ends of children go through one inbox, one at a time; a stop passes them all.

No user code runs here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from actors.actor import IGNORE
from actors.cell import Cell
from actors.crash import describe, words
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
from actors.events import ActorCrashed, ActorStarted, ActorStopped
from actors.family import INTERRUPTED, Family
from actors.incarnation import CANCELLED, Incarnation, lost
from actors.ref import ActorRef
from actors.specs import Spec, StopReason, SupervisorSpec, TaskSpec, check
from actors.supervised import TaskLife
from actors.tasks import Owner, absorb_cancellation, blocked_run

if TYPE_CHECKING:
    from actors.cell import Run


_GO_ON = ("stop", "terminate")  # commands that are carried out though whoever gave them waits no more


class Supervisor(Family):
    """One life of a supervisor; also the nursery of an actor that has children (`host`)."""

    def __init__(self, cell: Cell, spec: SupervisorSpec, host: Incarnation | None = None) -> None:
        super().__init__(cell, spec, host)
        self._command: asyncio.Future[Any] | None = None
        self._ready = self._cancelled = self._awaited = False
        self.owner = Owner(cell.path, self, True, self.system)
        name = cell.path if host is None else f"{cell.path}:children"
        self.task = self.system.tasks.start(self._main(), self.owner, name)

    def _new_run(self, cell: Cell) -> Run:
        spec = cell.spec
        if isinstance(spec, SupervisorSpec):
            return Supervisor(cell, spec)
        return TaskLife(cell) if isinstance(spec, TaskSpec) else Incarnation(cell)

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

    def check(self, spec: Spec) -> None:
        """Refuse a wrong spec before it is sent."""
        check(spec, self.spec.auto_shutdown)

    async def call(self, verb: str, *args: Any) -> Any:
        """Run a command in the supervisor's own task and wait for its outcome."""
        if self.ended or self.stopping is not None:
            raise self.cell.dead(reason=self.stopping)
        edge = self._edge(blocked_run())  # before anything is queued: what is refused must not be done later
        command = self.system.future()
        self._inbox.append((verb, args, command))
        self._wake()
        try:
            with edge:
                return await command
        except asyncio.CancelledError:
            if self._command is command:
                self._interrupt_start()
            if verb == "start" and command.done() and not command.cancelled() and command.exception() is None:
                self.post("stop", command.result()._cell)  # it is up, and nobody is left who knows of it
            raise

    async def stop_child(self, cell: Cell, drain: bool) -> None:
        """Stop a child and wait; where this supervisor ends meanwhile, its own way of stopping the child counts."""
        self._edge(blocked_run())
        if drain:
            cell.shut(StopReason("shutdown", "drained"))
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

    def _interrupt_start(self) -> None:
        for child, how, _ in self.waiting:
            if how == "start" and child.run is not None and not child.run.started.done():
                child.run.started.set_result(INTERRUPTED)

    async def _main(self) -> None:
        outcome: BaseException | None = None
        try:
            outcome = await self._boot()
            if outcome is None and not self._given_up():
                self._report_start()
                await self._serve()
        except Exception as error:  # noqa: BLE001 - a fault of the runtime itself: the supervisor above decides
            self.stopping = StopReason("crash", f"supervisor failed: {describe(error)}", error)
        reason = self.stopping or StopReason("shutdown", "its start was given up")
        if outcome is not None and self.stopping is None:
            reason = StopReason("crash", words(outcome), outcome)
        if self.host is None:
            self.cell.mark("stopping")
        await self._stop_all(StopReason("shutdown") if reason.kind != "parent_died" else reason)
        self._over(reason, outcome)

    def _given_up(self) -> bool:
        """Whether the start is to end: by a stop, or because who waits for it has already answered in its place."""
        return self.stopping is not None or self.started.done()

    def _report_start(self) -> None:
        self.claimed = False
        self._ready = True
        if self.host is None:
            self.cell.mark("running")
            self.system.publish(ActorStarted, self.cell.path, incarnation=self.number)
        self.started.set_result(None)

    def cancelled(self) -> None:
        """Stop in order, as killed; who cancels a second time wants it now."""
        if self._cancelled:
            self.kill(CANCELLED)
        self._cancelled = True  # the first may come with a stop under way: a host that cancels all tasks at once
        self.request_stop(CANCELLED)

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
        self._over(self.stopping or reason, error)

    async def _boot(self) -> BaseException | None:
        """Start the static children one at a time; the first failure is the supervisor's."""
        for spec in self.spec.children:
            if self._given_up():
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
                try:
                    await idle
                except asyncio.CancelledError:
                    absorb_cancellation()
                    self.cancelled()
                continue
            await self._execute(*self._inbox.popleft())

    async def _execute(self, verb: str, args: tuple[Any, ...], command: asyncio.Future[Any] | None) -> None:
        if command is None:
            await getattr(self, f"_event_{verb}")(*args)
            return
        if command.done() and verb not in _GO_ON:
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

    def started_child(self, cell: Cell) -> None:
        """Answer the command that starts `cell`: its caller wakes in the same turn of the loop, after us."""
        if self._command is not None and not self._command.done():
            self._command.set_result(cell.ref)

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
        end = Cell.finish if self._ready else self._dismiss
        if outcome is IGNORE:
            self._settle(cell, StopReason("normal", "declined to start"))
        elif outcome is INTERRUPTED:
            end(cell, StopReason("killed", "its start was given up"))
            raise self.cell.dead(reason=self.stopping)
        elif outcome is not None:
            end(cell, StopReason("crash", words(outcome), outcome), "failed")
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
        run, news = cell.run, self._news(cell)
        await self._halt(cell, StopReason("shutdown", "drained" if drain else "terminated"), drain or None)
        self._settle(cell, self._own_end(cell, run, news) or StopReason("shutdown", "terminated"))
        if others:
            self._revive_rest()

    async def _event_stop(self, cell: Cell) -> None:
        """A stop for which nobody waits: the end of the child is taken in when it comes."""
        run = cell.run
        if run is None or isinstance(run, Supervisor) or self.children.get(cell.id) is not cell:
            await self._command_stop(cell, False)
            return
        cell.unwanted = True
        limit = self._ask_to_end(cell, run, StopReason("shutdown", "cancelled"))
        run.claimed = False  # so the news of its end does come
        if limit is not None:
            late = StopReason("killed", f"did not stop within {limit:g} s")
            self.system.loop.call_later(limit, run.kill, late)

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
        text = f"{cell.id} did not start: {describe(cause)}"
        error = StartError(text, path=cell.path, child=cell.id, cause=cause, spec=cell.spec)
        error.__cause__ = cause if isinstance(cause, BaseException) else None
        return error

    async def finish(self, reason: StopReason) -> None:
        """The host ends: stop all children and wait."""
        if self.host is not None and self.host.abort_kind() == "killed":
            self.kill(reason)
        self.request_stop(reason)
        self._awaited = True
        await self.system.deadlines.outlasted(self._exited, None, self._host_cancelled)

    def _host_cancelled(self) -> None:
        if self.host is not None:
            if self.host.cancelled:
                self.kill(CANCELLED)
            self.host.cancelled = True

    def _over(self, reason: StopReason, outcome: Any) -> None:
        self.ended = True
        self.owner.alive = False
        for _, _, command in self._inbox:
            if command is not None and not command.done():
                command.set_exception(self.cell.dead(reason=reason))
        self._inbox.clear()
        for child in self.children.values():
            self.system.bury(child)
        if self.cell.parent is None:
            self.cell.part(reason)
        if self.host is not None:
            self._exited.set_result(reason)
            if reason.kind == "intensity":
                self.host.kill(reason)
            elif reason.abnormal and not self._awaited:
                self.host.children_lost(reason)
            return
        cell = self.cell
        cell.run = None
        cell.mark("failed" if reason.abnormal else "stopped")
        if self._ready:
            self._report_end(reason)
        elif not self.started.done():
            self.started.set_result(outcome if outcome is not None else cell.dead(reason=reason))
        self._exited.set_result(reason)
        if not self.claimed:
            if cell.parent is not None:
                cell.parent.post("exit", cell, self.number, reason)
            else:
                self.system.root_ended(reason)

    def _report_end(self, reason: StopReason) -> None:
        cell = self.cell
        if not reason.abnormal:
            self.system.publish(ActorStopped, cell.path, incarnation=self.number, reason=reason)
            return
        cell.failed += 1
        cell.error, cell.error_at = reason.detail or reason.kind, self.system.clock.now()
        facts = {"restart": cell.spec.restart.value, "supervisor": cell.parent.cell.path if cell.parent else ""}
        self.system.publish(ActorCrashed, cell.path, incarnation=self.number, reason=reason, **facts)
