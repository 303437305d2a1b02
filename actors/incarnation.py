"""One life of an actor: start, the loop over its mailbox, and an orderly end whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.actor import IGNORE, Actor, Context
from actors.crash import describe, ending, forget_notes, places, release, trace, words
from actors.deadlock import release_below
from actors.errors import ActorDead, ActorError, Reject, SpecError
from actors.events import ActorCrashed, ActorStarted, ActorStopped, OrphanDetected, ZombieDetected, complain
from actors.heartbeat import Heartbeat
from actors.helpers import Helpers, TaskHandle
from actors.leash import Leash
from actors.loop import WARM, Killed, serve, serve_scoped
from actors.mailbox import Ask, Queue, Reply, Tick, payload, rejection
from actors.messages import Terminated
from actors.specs import ChildSpec, Restart, Shutdown, StopReason, SupervisorSpec
from actors.tasks import Owner, absorb_cancellation
from actors.timers import Timers
from actors.watches import Watches

if TYPE_CHECKING:
    from actors.cell import Cell, Wait
    from actors.supervisor import Supervisor

_MADE: Any = None  # set when it is made
CANCELLED = StopReason("killed", "its task was cancelled from outside")


def lost(error: BaseException | None) -> StopReason:
    """The reason of a life whose task has ended without an end of its own; None: it was cancelled."""
    return CANCELLED if error is None else StopReason("crash", f"{type(error).__name__} ended its task", error)


def _forget(deferred: set[Ask], ask: Ask, _: asyncio.Future[Any]) -> None:
    deferred.discard(ask)


class Incarnation(msgspec.Struct, eq=False):
    """Runs one actor instance in one task."""

    cell: Cell
    box: Queue = _MADE
    number: int = 0
    owner: Owner = _MADE
    started: asyncio.Future[Any] = _MADE
    actor: Actor = _MADE
    task: asyncio.Task[None] = _MADE
    claimed: bool = True  # the supervisor waits for the end itself and needs no notice of it
    ready: bool = False
    signal: bool = False
    draining: bool = False
    cancelled: bool = False  # from outside, once
    ending: bool = False  # on its way out, whatever fails now
    elsewhere: bool = False  # the crash came from a helper or the children, not from the message in hand
    late: StopReason | None = None  # a failure of a helper while all ends
    closing: bool = False  # past its last hook: nothing can be started any more
    over: StopReason | None = None
    report: StopReason | None = None  # what to report, where it is not the reason that decides
    stopping: StopReason | None = None
    abort: StopReason | None = None
    leash: Leash | None = None
    current: Any = None
    victim: str | None = None  # the class of the message in hand at the end
    since: float = 0.0
    waiting: list[Wait] = []
    helpers: Helpers | None = None
    deferred: set[Ask] | None = None  # those whose askers still wait
    children: Supervisor | None = None
    _exited: asyncio.Future[StopReason] | None = None
    _watches: Watches | None = None
    _timers: Timers | None = None
    pulse: Heartbeat | None = None

    def __post_init__(self) -> None:
        cell = self.cell
        self.box = cell.box  # type: ignore[assignment]  # an actor's cell has one
        self.number = cell.incarnation
        self.owner = Owner(cell.path, self, True, cell.system)
        self.started = cell.system.future()
        self.task = cell.system.tasks.start(self._main(), self.owner, cell.path)

    def exited(self) -> asyncio.Future[StopReason]:
        """Done when this life is over."""
        if self._exited is None:
            self._exited = self.cell.system.future()
            if self.over is not None:
                self._exited.set_result(self.over)
        return self._exited

    def height(self) -> int:
        """Levels below and with this one: how many kill timeouts its end may take."""
        return 1 if self.children is None else 1 + self.children.height()

    @property
    def watches(self) -> Watches:
        """Whom it watches."""
        if self._watches is None:
            self._watches = Watches(self)
        return self._watches

    @property
    def timers(self) -> Timers:
        """Its timers, made when first wanted: an idle actor stays small."""
        if self._timers is None:
            self._timers = Timers(self.cell)
            if self.draining:
                self._timers.rest()
        return self._timers

    def live(self) -> Incarnation:
        """This incarnation, or an error where it is over."""
        if not self.owner.alive or self.closing:
            raise self.cell.dead(reason=self.abort or self.stopping or self.cell.closed)
        return self

    def request_stop(self, reason: StopReason, drain: bool = False) -> None:
        """Stop in order: the current handler finishes; what is queued, too, where it is to `drain`.

        A drain takes in nothing more, be it from senders or from timers: so it ends.
        """
        if self.stopping is None:
            self.stopping = reason
        if drain and not self.draining:
            self.draining = True
            self.cell.shut(reason)
            if self._timers is not None:
                self._timers.rest()
        self.wake()

    def kill(self, reason: StopReason) -> None:
        """Interrupt at the next await; the stop hook is skipped or cut short. Whoever does not end then is let go."""
        if self.over is not None:
            return
        self._interrupt(reason)
        system = self.cell.system
        system.loop.call_later(system.kill_timeout * self.height(), self._detach)
        if self.children is not None:
            self.children.kill(reason)

    def _interrupt(self, reason: StopReason) -> None:
        if self.abort is None or (reason.kind == "killed" and self.abort.kind != "killed"):
            self.abort = reason
        self.wake()
        if self.leash is not None:
            self.leash.cancel()

    def wake(self) -> None:
        """Let it look at what comes before all messages."""
        self.signal = True
        self.box.wake()

    async def _main(self) -> None:
        box, reason, system = self.box, None, self.cell.system
        stay = system.lively < WARM
        system.lively += stay
        try:
            reason = await self._begin()
            while reason is None:
                work = await serve(self, None, stay)
                if work is None:
                    box.idle = idle = system.future()
                    await idle
                elif isinstance(work, StopReason):
                    reason = work
                else:
                    reason = await serve_scoped(self, work)
        except BaseException as error:  # noqa: BLE001 - supervision: every failure becomes a reason
            reason = self._verdict(error)
        system.lively -= stay
        if self.over is None:
            self.cell.mark("stopping")
        await self._end(reason)

    def _verdict(self, error: BaseException) -> StopReason:
        """Turn what was raised into a reason; only the supervisor acts upon it."""
        if isinstance(error, Killed):
            return self.abort or StopReason("killed")
        if isinstance(error, asyncio.CancelledError):
            absorb_cancellation()
            self.cancelled = True
            return self.abort or StopReason(CANCELLED.kind, CANCELLED.detail, error)
        if isinstance(error, GeneratorExit) and not self.cell.system.loop.is_running():
            raise error  # the loop is gone and the interpreter closes what it left: nothing can be awaited here
        ends = ending(error)
        if ends is None:
            return StopReason("crash", describe(error), error)
        self._fail_current(ends)
        self.cell.system.abort(ends)
        return StopReason("shutdown", f"{type(ends).__name__} ends the system")

    def lost(self, error: BaseException | None) -> None:
        """The task has ended, and not by its own end: cancelled before its first step, or broken by a fault."""
        if self.over is not None:
            self.cell.system.zombies.pop(self, None)
            return
        reason = lost(error)
        if self.children is not None and not self.children.ended:
            self.children.kill(reason)
            self.children.exited().add_done_callback(lambda _: self.lost(error))
            return
        self._fail_current(error, reason)
        if self.helpers is not None:
            self._disown(self.helpers.abandon())
        self._let_go(reason)
        self._over(reason)

    async def _begin(self) -> StopReason | None:
        self.actor = actor = self._make()
        if type(actor).on_start is not Actor.on_start and await self._guard(actor.on_start) is IGNORE:
            self.report_start(IGNORE)
            return StopReason("normal", "declined to start")
        if self.abort is not None:
            return self.abort
        if self.started.done():
            return StopReason("killed", "its start was given up")
        self.ready = True
        self.cell.mark("running")
        spec = self.cell.spec
        if isinstance(spec, ChildSpec) and spec.stall_timeout is not None:
            self.pulse = Heartbeat(self, spec.stall_timeout)
        self.report_start(None)
        if type(actor).after_start is not Actor.after_start:
            await self._guard(actor.after_start)
        return None

    def _make(self) -> Actor:
        spec = self.cell.spec
        if not isinstance(spec, ChildSpec):
            raise SpecError(f"{self.cell.path}: a supervisor is not made by a factory")
        actor = spec.factory(*spec.args, **spec.kwargs)
        if not isinstance(actor, Actor):
            raise SpecError(f"{spec.id}: factory: got {type(actor).__name__}; allowed: a callable that makes an Actor")
        actor.context = Context(self)
        self.cell.table = type(actor).__table__  # type: ignore[assignment]
        if self.cell.closed is None:
            self.cell.accepts = self.cell.table
        return actor

    def report_start(self, outcome: Any) -> None:
        """Tell the starter, once; from a success on the supervisor wants to hear of the end."""
        if not self.started.done():
            if outcome is None:
                self.claimed = False
                self.cell.system.publish(ActorStarted, self.cell.path, incarnation=self.number)
            self.started.set_result(outcome)
            self.started = self.cell.system.done
            if outcome is None and self.cell.parent is not None:
                self.cell.parent.started_child(self.cell)

    async def _guard(self, hook: Callable[..., Any], *args: Any) -> Any:
        """Run a hook where a kill can interrupt it."""
        if self.abort is not None and hook != self.actor.on_stop:
            raise Killed
        try:
            self.leash = Leash()
            with self.leash:
                result = hook(*args)
                return await result if hasattr(result, "__await__") else result
        finally:
            self.leash = None
        raise Killed

    def attend(self) -> StopReason | None:
        """What comes before every message: kill, stop, the end of a watched actor."""
        self.signal = False
        if self.abort is not None:
            return self.abort
        if self.stopping is not None and not self.draining:
            return self.stopping
        box = self.box
        if box.system:
            if Terminated not in self.cell.table:
                message = box.system[0]
                error = ActorDead(f"{message.path} ended and {self.cell.path} handles no Terminated", path=message.path)
                return StopReason("crash", str(error), error)
            box.push_front(box.system)
            box.system.clear()
        return None

    def due(self, item: Any) -> bool:
        """False for a timer or a watch that was given up while its message waited."""
        if item.__class__ is Tick:
            return item.live and self.timers.delivered(item)
        return self._watches is not None and self._watches.due(item)

    def reject(self, reject: Reject) -> None:
        """Refuse the message in hand; the actor goes on."""
        item, self.current = self.current, None
        self.cell.handled += 1
        if item.__class__ is Ask:
            item.fail(rejection(item, reject))
        else:
            self.cell.system.dead_letter(self.cell.path, payload(item), f"rejected: {words(reject)}")

    async def _end(self, reason: StopReason) -> None:
        """Children, helpers, hook, open replies: in this order, each bounded; then tell the supervisor."""
        spec = self.cell.spec
        self.ending = True
        self._fail_current(reason.error, reason)
        await self._end_below(reason)
        hook = self.ready and self.abort_kind() != "killed" and spec.shutdown is not Shutdown.BRUTAL
        if hook and type(self.actor).on_stop is not Actor.on_stop:
            reason = await self._stop_hook(reason)
        self.closing = True
        await self._end_below(reason)  # what the hook, or a helper at its end, has started
        if self.late is not None and not reason.abnormal:
            self.report = self.report or self.late
        self._let_go(reason)
        self._over(reason)

    async def _end_below(self, reason: StopReason) -> None:
        """End children, timers and helpers; the stop hook may start new ones."""
        children, helpers = self.children, self.helpers
        if children is not None:
            release_below(self.cell, children)
            await children.finish(StopReason("parent_died", str(reason)) if reason.abnormal else reason)
            self.children = None
        if self._timers is not None:
            self._timers.close()
        if helpers is not None:
            self._disown(await helpers.close(self.cell.system.kill_timeout / 2))
            if self.helpers is helpers:
                self.helpers = None

    def abort_kind(self) -> str:
        """The kind of the reason for which it was interrupted."""
        return self.abort.kind if self.abort is not None else ""

    async def _stop_hook(self, reason: StopReason) -> StopReason:
        spec, system = self.cell.spec, self.cell.system
        timer = None
        if isinstance(spec.shutdown, int | float):
            late = StopReason("killed", f"on_stop took longer than {spec.shutdown:g} s")
            timer = system.loop.call_later(spec.shutdown, self._interrupt, late)

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
        if self.over is not None:  # let go as a zombie before
            self.cell.system.zombies.pop(self, None)
            return
        self.over = reason
        self.owner.alive = False
        cell = self.cell
        cell.run = None
        cell.mark("failed" if reason.abnormal else "stopped")
        left = cell.closed is not None and cell.closed.kind == "normal"
        if reason.abnormal and left and not self.claimed and cell.spec.restart is not Restart.TEMPORARY:
            cell.open()  # it had told itself to stop, but its crash brings it back
        try:
            if reason.abnormal or self.report is not None:
                self._report_crash(self.report or reason)
            elif self.ready:
                cell.system.publish(ActorStopped, cell.path, incarnation=self.number, reason=reason)
        except BaseException as fault:  # noqa: BLE001 - whoever waits for the end is told of it all the same
            complain(fault)
        self._tell_end(reason)

    def _tell_end(self, reason: StopReason) -> None:
        cell = self.cell
        if not self.started.done():
            failed = reason.kind == "crash" and reason.error is not None
            self.started.set_result(reason.error if failed else cell.dead(reason=reason))
        if self._exited is not None and not self._exited.done():
            self._exited.set_result(reason)
        if not self.claimed and cell.parent is not None:
            cell.parent.post("exit", cell, self.number, reason)

    def _report_crash(self, reason: StopReason) -> None:
        cell = self.cell
        cell.failed += 1
        cell.error = reason.detail or reason.kind
        cell.error_at = cell.system.clock.now()
        origin, wanted = "", self.ready and cell.system.events.wanted(ActorCrashed)
        if isinstance(reason.error, BaseException):
            forget_notes(reason.error)
            origin = trace(reason.error) if wanted else places(reason.error)
            doing = f", handling {self.victim}" if self.victim is not None and not self.elsewhere else ""
            release(reason.error, origin, f"{cell.path} #{self.number}{doing}")
        if not wanted:
            return  # a failed start is told to the starter
        try:
            detail = self.actor.inspect()
        except BaseException as error:  # noqa: BLE001 - a report must not fail over the actor's own view of itself
            detail = {"inspect": f"failed: {type(error).__name__}"}
        supervisor = cell.parent.cell.path if cell.parent else ""
        facts: dict[str, Any] = {"restart": cell.spec.restart.value, "supervisor": supervisor, "detail": detail}
        facts |= {"message_type": None if self.elsewhere else self.victim, "traceback": origin}
        cell.system.publish(ActorCrashed, cell.path, incarnation=self.number, reason=reason, **facts)

    def _fail_current(self, error: Any, reason: StopReason | None = None) -> None:
        """The message in hand when the actor ended: its asker gets the cause, a tell becomes a dead letter."""
        item, self.current = self.current, None
        if item is None:
            return
        self.victim = type(payload(item)).__name__
        why = reason or StopReason("crash", describe(error), error)
        if item.__class__ is Ask:
            if not item.deferred:
                item.fail(self.cell.dead(item.message, why))
        else:
            self.cell.system.dead_letter(self.cell.path, payload(item), f"the handler did not finish ({why})")

    def _detach(self) -> None:
        """Let go of a life that won't end: nobody waits for it any more, and its cancellation stops spinning."""
        if self.over is not None:
            return
        cell, system = self.cell, self.cell.system
        text, why = "does not end after the kill: zombie", self.abort
        self.over = reason = StopReason("killed", text)
        if why is not None and why.kind in ("timeout", "stalled"):
            self.over = reason = StopReason(why.kind, f"{why.detail}; {text}")
        self.owner.alive = False
        if self.leash is not None:
            self.leash.release()
        if self.helpers is not None:
            self._disown(self.helpers.abandon())
        doing = None if self.current is None else type(payload(self.current)).__name__
        system.zombies[self] = (self.since, doing)
        system.publish(ZombieDetected, cell.path, incarnation=self.number, detail=cell.activity())
        self._fail_current(None, reason)
        self._let_go(reason)
        cell.run = None
        try:
            self._report_crash(reason)
        except BaseException as fault:  # noqa: BLE001 - as in _over
            complain(fault)
        cell.mark("zombie")
        self._tell_end(reason)

    def _disown(self, left: list[TaskHandle[Any]]) -> None:
        """Helpers that do not end are orphans from now on."""
        system = self.cell.system
        for helper in left:
            if helper.task is not None:
                system.strays[helper.task] = f"{self.cell.path}:{helper.name}"
                helper.task.add_done_callback(lambda task: system.strays.pop(task, None))
            system.publish(OrphanDetected, self.cell.path, task=helper.name)

    def _let_go(self, reason: StopReason) -> None:
        """End its timers, its promised replies and its watches."""
        if self._timers is not None:
            self._timers.close()
        if self.pulse is not None:
            self.pulse.close()
        for ask in self.deferred or ():
            ask.fail(self.cell.dead(ask.message, reason))
        self.deferred = None
        if self._watches is not None:
            self._watches.close()

    def helper_ended(self, name: str, error: BaseException) -> None:
        """A helper's failure is the actor's crash, unless it ends the program."""
        ends = ending(error)
        if ends is not None:
            self.cell.system.abort(ends)
            return
        reason = StopReason("crash", f"task {name}: {describe(error)}", error)
        if self.ending:
            if not isinstance(error, ActorDead):  # that it can't use the actor any more is no failure
                self.late = self.late or reason
            return
        self.elsewhere = self.elsewhere or self.abort is None
        self._interrupt(reason)

    def children_lost(self, reason: StopReason) -> None:
        """It can't go on without the supervisor of its children."""
        self.elsewhere = self.elsewhere or self.abort is None
        self._interrupt(StopReason("crash", f"the supervisor of its children ended: {reason}", reason.error))

    def defer(self) -> Reply[Any]:
        """Take the reply to the request in hand along; the asker's patience ends it, too.

        Raises:
            ActorError: nobody asks, or another task than the actor's own wants the reply to whatever is in hand now.
        """
        ask = self.current
        if not isinstance(ask, Ask):
            text = "can't defer: defer_reply() is for handlers of a Request that was asked"
            raise self.cell.problem(ActorError, text)
        if asyncio.current_task() is not self.task:
            text = "can't defer in a task beside the mailbox: call defer_reply() in the handler and hand the reply on"
            raise self.cell.problem(ActorError, text)
        ask.deferred = True
        if self.deferred is None:
            self.deferred = set()
        self.deferred.add(ask)
        ask.future.add_done_callback(partial(_forget, self.deferred, ask))
        return Reply(ask)

    def busy_since(self) -> float | None:
        """Since when (loop time) it has had the message in hand; None: it is at rest, and owes no heartbeat."""
        return None if self.current is None else self.since

    def nursery(self) -> Supervisor:
        """The supervisor of this actor's own children, made at the first one."""
        if self.children is None:
            from actors.supervisor import Supervisor

            self.children = Supervisor(self.cell, SupervisorSpec(self.cell.id), host=self)
        return self.children
