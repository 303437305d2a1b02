"""The course of one life of an actor: start, the loop over its mailbox, and an orderly end whatever happens.

`_main` is the whole story, in the phases of `states`. Whatever is raised in it becomes a StopReason (`_verdict`), the
end runs in a fixed order (`_end`), and its last act is to tell the supervisor (`_over`), which decides what follows. A
life that does not end after a kill is let go (`_detach`): all the same is done in its place, and its task is a zombie.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors._core.crash_report import fail_in_hand, report_crash
from actors._core.deadlock import release_below
from actors._core.error_text import describe, ending
from actors._core.heartbeat import Heartbeat
from actors._core.incarnation import CANCELLED, Incarnation, lost
from actors._core.kill_scope import KillScope
from actors._core.mailbox import payload
from actors._core.mailbox_loop import WARM, Killed, serve, serve_scoped
from actors._core.states import Phase, State
from actors._core.tasks import Owner, absorb_cancellation
from actors.errors import SpecError
from actors.events import ActorStarted, ActorStopped, ZombieDetected
from actors.hooks import IGNORE, Hooks
from actors.specs import ChildSpec, Restart, Shutdown
from actors.stop_reason import StopReason


class ActorIncarnation(Incarnation, eq=False):
    """Runs one actor instance in one task."""

    def __post_init__(self) -> None:
        cell = self.cell
        self.box = cell.box  # type: ignore[assignment]  # an actor's cell has one
        self.number = cell.incarnation
        self.owner = Owner(cell.path, self, True, cell.runtime)
        self.started = cell.runtime.future()
        tracing = cell.runtime.tracing
        context = None if tracing is None or cell.origin is None else tracing.context(cell.origin)
        self.task = cell.runtime.tasks.start(self._main(), self.owner, cell.path, context)

    async def _main(self) -> None:
        box, reason, runtime = self.box, None, self.cell.runtime
        # the frame of serve() weighs more than the rest of an idle actor: only so many keep theirs while they rest
        stay = runtime.lively < WARM
        runtime.lively += stay
        try:
            reason = await self._begin()
            while reason is None:
                work = await serve(self, None, stay)
                if work is None:
                    box.idle = idle = runtime.future()
                    await idle
                elif isinstance(work, StopReason):
                    reason = work
                else:
                    reason = await serve_scoped(self, work)
        except BaseException as error:  # noqa: BLE001 - supervision: every failure becomes a reason
            reason = self._verdict(error)
        runtime.lively -= stay
        if self.over is None:  # else it is a zombie that has come to its end, and its cell may live again
            self.cell.mark(State.STOPPING)
        await self._end(reason)

    def _verdict(self, error: BaseException) -> StopReason:
        """Turn what was raised into a reason; only the supervisor acts upon it."""
        if isinstance(error, Killed):
            return self.abort or StopReason("killed")
        if isinstance(error, asyncio.CancelledError):
            # of a foreign hand: our own kills go by the scope, which swallows its cancellation and raises Killed
            absorb_cancellation()
            self.cancelled = True
            return self.abort or StopReason(CANCELLED.kind, CANCELLED.detail, error)
        if isinstance(error, GeneratorExit) and not self.cell.runtime.loop.is_running():
            raise error  # the loop is gone and the interpreter closes what it left: nothing can be awaited here
        ends = ending(error)
        if ends is None:
            return StopReason("crash", describe(error), error)
        fail_in_hand(self, ends)
        self.cell.runtime.abort(ends)
        return StopReason("shutdown", f"{type(ends).__name__} ends the system")

    async def _begin(self) -> StopReason | None:
        """STARTING to RUNNING; a reason where it comes to nothing."""
        self.actor = actor = self._make()
        if type(actor).on_start is not Hooks.on_start and await self._guard(actor.on_start) is IGNORE:
            self._report_start(IGNORE)
            return StopReason("normal", "declined to start")
        if self.abort is not None:
            return self.abort
        if self.started.done():  # who waited for it has answered in its place: a stop, a timeout, a caller who gave up
            return StopReason("killed", "its start was given up")
        self.rise(Phase.RUNNING)
        self.ready = True
        self.cell.mark(State.RUNNING)
        spec = self.cell.spec
        if isinstance(spec, ChildSpec) and spec.stall_timeout is not None:
            self.pulse = Heartbeat(self, spec.stall_timeout)
        self._report_start(None)
        if type(actor).after_start is not Hooks.after_start:
            await self._guard(actor.after_start)
        return None

    def _make(self) -> Hooks:
        spec = self.cell.spec
        if not isinstance(spec, ChildSpec):
            raise SpecError(f"{self.cell.path}: a supervisor is not made by a factory")
        actor = spec.factory(*spec.args, **spec.kwargs)
        if not isinstance(actor, Hooks):
            raise SpecError(f"{spec.id}: factory: got {type(actor).__name__}; allowed: a callable that makes an Actor")
        actor.__bind__(self)
        self.cell.table = type(actor).__table__  # type: ignore[assignment]
        if self.cell.closed is None:
            self.cell.accepts = self.cell.table
        return actor

    def _report_start(self, outcome: Any) -> None:
        """Tell the starter, once; from a success on the supervisor wants to hear of the end."""
        if not self.started.done():
            if outcome is None:
                self.claimed = False
                self.cell.runtime.publish(ActorStarted, self.cell.path, incarnation=self.number)
            self.started.set_result(outcome)
            self.started = self.cell.runtime.done  # one for all: an idle actor keeps no future of its own
            if outcome is None and self.cell.parent is not None:
                self.cell.parent.start_answered(self.cell)

    async def _guard(self, hook: Callable[..., Any], *args: Any) -> Any:
        """Run a hook where a kill can interrupt it."""
        if self.abort is not None and hook != self.actor.on_stop:
            raise Killed
        try:
            self.scope = KillScope()
            with self.scope:
                result = hook(*args)
                return await result if hasattr(result, "__await__") else result
        finally:
            self.scope = None
        raise Killed  # reached only where the scope has swallowed its own cancellation: the hook was interrupted

    async def _end(self, reason: StopReason) -> None:
        """Children, background tasks, hook, open replies: in this order, each bounded; then tell the supervisor."""
        spec = self.cell.spec
        self.rise(Phase.ENDING)  # from here on a failure beside is reported with the end, and starts no second one
        fail_in_hand(self, reason.error, reason)
        await self._end_below(reason)
        killed = self.abort is not None and self.abort.kind == "killed"
        hook = self.ready and not killed and spec.shutdown is not Shutdown.BRUTAL
        if hook and type(self.actor).on_stop is not Hooks.on_stop:
            reason = await self._stop_hook(reason)
        self.rise(Phase.CLOSING)
        await self._end_below(reason)  # what the hook, or a background task at its end, has started
        if self.late is not None and not reason.abnormal:
            self.report = self.report or self.late
        self.let_go(reason)
        self._over(reason)

    async def _end_below(self, reason: StopReason) -> None:
        """End children, timers and background tasks; the stop hook may start new ones."""
        children, background = self.children, self.background
        if children is not None:
            release_below(self.cell, children.children.values())
            await children.finish(StopReason("parent_died", str(reason)) if reason.abnormal else reason)
            self.children = None
        if self._timers is not None:
            self._timers.close()
        if background is not None:
            await background.close(
                self.cell.runtime.kill_timeout / 2
            )  # half: the kill of this life must not overtake it
            if self.background is background:  # else one of them has started others while it ended
                self.background = None

    async def _stop_hook(self, reason: StopReason) -> StopReason:
        """Run on_stop within its shutdown time; returns the reason that now decides.

        A hook that raises is reported, but what follows is decided by the first reason: it ends all the same.
        """
        spec, runtime = self.cell.spec, self.cell.runtime
        timer = None
        if isinstance(spec.shutdown, int | float):
            late = StopReason("killed", f"on_stop took longer than {spec.shutdown:g} s")
            timer = runtime.loop.call_later(spec.shutdown, self.interrupt, late)

        try:
            await self._guard(self.actor.on_stop, reason)
        except BaseException as error:  # noqa: BLE001 - reported below, after the rest has stopped
            ended = self._verdict(error)
        else:
            return reason
        finally:
            if timer is not None:
                timer.cancel()
        if ended.kind == "shutdown":
            return reason
        if ended.kind == "killed":
            return reason if reason.kind == "crash" else ended
        text = f"{reason.detail}; on_stop raised {ended.detail}" if reason.detail else f"on_stop raised {ended.detail}"
        self.report = StopReason("crash", text, reason.error or ended.error)
        return reason

    def _over(self, reason: StopReason) -> None:
        """The end of it: report, then tell whoever waits and the supervisor."""
        if self.over is not None:  # let go as a zombie before
            self.cell.runtime.zombies.pop(self, None)
            return
        self.rise(Phase.OVER)
        self.over = reason
        self.owner.alive = False
        if self.patience is not None:
            self.patience.cancel()  # it would hold this life, instance and all, until it is due
        cell = self.cell
        cell.run = None  # before the news go out: who hears of the end may start the next life at once
        cell.mark(State.FAILED if reason.abnormal else State.STOPPED)
        left = cell.closed is not None and cell.closed.kind == "normal"
        if reason.abnormal and left and not self.claimed and cell.spec.restart is not Restart.TEMPORARY:
            cell.open()  # it had told itself to stop, but its crash brings it back
        try:
            if reason.abnormal or self.report is not None:
                report_crash(self, self.report or reason)
            elif self.ready:
                cell.publish(ActorStopped, incarnation=self.number, reason=reason)
        except BaseException as fault:  # noqa: BLE001 - whoever waits for the end is told of it all the same
            cell.runtime.fault(fault)
        self._tell_end(reason)

    def _tell_end(self, reason: StopReason) -> None:
        cell = self.cell
        if not self.started.done():
            failed = reason.kind == "crash" and reason.error is not None
            self.started.set_result(reason.error if failed else cell.dead(reason=reason))
        if self._exited is not None and not self._exited.done():
            self._exited.set_result(reason)
        # claimed: the supervisor itself waits for this end, and acts on it there; the news would be dealt with twice
        if not self.claimed and cell.parent is not None:
            cell.parent.child_ended(cell, self.number, reason)

    def kill(self, reason: StopReason) -> None:
        """Interrupt at the next await; the stop hook is skipped or cut short. Whoever does not end then is let go."""
        if self.over is not None:
            return
        self.interrupt(reason)
        runtime = self.cell.runtime
        # each level below may take its own kill_timeout first, or a parent would be let go before its children
        if self.patience is None:
            self.patience = runtime.loop.call_later(runtime.kill_timeout * self.height(), self._detach)
        if self.children is not None:
            self.children.kill(reason)

    def _detach(self) -> None:
        """Let go of a life that won't end: nobody waits for it any more, and its cancellation stops spinning."""
        if self.over is not None:
            return
        cell, runtime = self.cell, self.cell.runtime
        text, why = "does not end after the kill: zombie", self.abort
        reason = StopReason("killed", text)
        if why is not None and why.kind in ("timeout", "stalled"):
            reason = StopReason(why.kind, f"{why.detail}; {text}")
        self.rise(Phase.OVER)
        self.over = reason
        self.owner.alive = False
        if self.scope is not None:
            self.scope.release()
        if self.background is not None:
            self.background.abandon()
        doing = None if self.current is None else type(payload(self.current)).__name__
        runtime.zombies[self] = (self.since, doing)
        cell.publish(ZombieDetected, incarnation=self.number, detail=cell.activity())
        fail_in_hand(self, None, reason)
        self.let_go(reason)
        cell.run = None
        try:
            report_crash(self, reason)
        except BaseException as fault:  # noqa: BLE001 - as in _over
            runtime.fault(fault)
        cell.mark(State.ZOMBIE)
        self._tell_end(reason)

    def lost(self, error: BaseException | None) -> None:
        """The task has ended, and not by its own end: cancelled before its first step, or broken by a fault."""
        if self.over is not None:
            self.cell.runtime.zombies.pop(self, None)
            return
        reason = lost(error)
        if self.children is not None and not self.children.ended:
            # no task is left here to wait in: the end goes on when the last child has ended
            self.children.kill(reason)
            self.children.exited().add_done_callback(lambda _: self.lost(error))
            return
        fail_in_hand(self, error, reason)
        if self.background is not None:
            self.background.abandon()
        self.let_go(reason)
        self._over(reason)
