"""One life of an actor: its state, and what others may ask of it while it lasts. `lifecycle` is its course.

Two things decide what happens next. `phase` says how far it has come and only ever rises (see `states`). The orders say
what was asked of it: `stopping` (finish the message in hand, with `draining` the queue as well), `abort` (interrupt at
the next await). An order raises `signal` and wakes the loop, which looks at it before any message.

For example `await ref.stop()` while a handler runs: `stopping` is set in phase RUNNING, the handler finishes, the loop
finds the order, the life goes through ENDING (children, background, on_stop) and CLOSING, and `over` holds the reason.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import msgspec

from actors._core.background import BackgroundTasks, TaskHandle
from actors._core.cell import Cell, Wait
from actors._core.error_text import describe, ending, words
from actors._core.heartbeat import Heartbeat
from actors._core.kill_scope import KillScope
from actors._core.mailbox import Ask, Queue, Reply, Tick, payload, rejection
from actors._core.states import Phase, State, advance
from actors._core.tasks import Owner
from actors._core.timers import Timers
from actors._core.watches import Watches
from actors.errors import ActorDead, ActorError, Reject
from actors.events import ActorResumed, ActorSuspended
from actors.messages import Terminated
from actors.stop_reason import StopReason

_NOBODY: Mapping[str, Cell] = {}
_MADE: Any = None  # set when it is made
CANCELLED = StopReason("killed", "its task was cancelled from outside")


class Nursery(Protocol):
    """The supervisor of an actor's own children."""

    children: dict[str, Cell]

    @property
    def ended(self) -> bool:
        """Whether it is over."""

    def exited(self) -> asyncio.Future[StopReason]:
        """Done when it is over."""

    def height(self) -> int:
        """Levels below it."""

    def kill(self, reason: StopReason) -> None:
        """Kill all children."""

    async def finish(self, reason: StopReason) -> None:
        """Stop all children and wait."""


def lost(error: BaseException | None) -> StopReason:
    """The reason of a life whose task has ended without an end of its own; None: it was cancelled."""
    return CANCELLED if error is None else StopReason("crash", f"{type(error).__name__} ended its task", error)


def _forget(deferred: dict[Ask, None], ask: Ask, _: asyncio.Future[Any]) -> None:
    deferred.pop(ask, None)


class Incarnation(msgspec.Struct, eq=False):
    """What one actor instance and its task are doing."""

    cell: Cell
    box: Queue = _MADE
    number: int = 0
    owner: Owner = _MADE
    started: asyncio.Future[Any] = _MADE
    actor: Any = _MADE
    task: asyncio.Task[None] = _MADE
    phase: Phase = Phase.STARTING
    ready: bool = False  # it has been RUNNING: it gets its stop hook, and its end is reported
    claimed: bool = True  # the supervisor waits for the end itself and needs no notice of it
    # orders
    signal: bool = False
    stopping: StopReason | None = None
    draining: bool = False
    abort: StopReason | None = None
    suspended: bool = False
    cancelled: bool = False  # from outside, once
    # the message in hand
    current: Any = None
    since: float = 0.0
    scope: KillScope | None = None
    waiting: list[Wait] = []
    deferred: dict[Ask, None] | None = None  # those whose askers still wait, in order
    # how it ended
    over: StopReason | None = None
    report: StopReason | None = None  # what to report, where it is not the reason that decides
    late: StopReason | None = None  # a failure of a background task while all ends
    victim: str | None = None  # the class of the message in hand at the end
    elsewhere: bool = False  # the crash came from a background task or the children, not from the message in hand
    # what belongs to it, made when first wanted: an idle actor stays small
    background: BackgroundTasks | None = None
    children: Nursery | None = None
    pulse: Heartbeat | None = None
    patience: asyncio.TimerHandle | None = None  # since the kill: when it is due, this life is let go
    rested: asyncio.Future[None] | None = None  # done when a suspended one has nothing in hand, or is none any more
    _exited: asyncio.Future[StopReason] | None = None
    _watches: Watches | None = None
    _timers: Timers | None = None

    def rise(self, to: Phase) -> None:
        """Enter a later phase; a zombie that comes to its end after all has no phases any more."""
        if self.over is None:
            self.phase = advance(self.phase, to)

    def exited(self) -> asyncio.Future[StopReason]:
        """Done when this life is over."""
        if self._exited is None:
            self._exited = self.cell.runtime.future()
            if self.over is not None:
                self._exited.set_result(self.over)
        return self._exited

    def height(self) -> int:
        """Levels below and with this one: how many kill timeouts its end may take."""
        return 1 if self.children is None else 1 + self.children.height()

    def below(self) -> Mapping[str, Cell]:
        """Its own children, in start order."""
        return _NOBODY if self.children is None else self.children.children

    @property
    def watches(self) -> Watches:
        """Whom it watches."""
        if self._watches is None:
            self._watches = Watches(self)
        return self._watches

    @property
    def timers(self) -> Timers:
        """Its timers."""
        if self._timers is None:
            self._timers = Timers(self.cell)
            if self.draining:
                self._timers.rest()
        return self._timers

    def start_background(self, work: Any, name: str, reply: Reply[Any] | None) -> TaskHandle[Any]:
        """Run a coroutine beside the mailbox. A stop hook may do so after the first lot was closed."""
        if self.background is None or self.background.closed:
            self.background = BackgroundTasks(self)
        return self.background.start(work, name, reply)

    def live(self) -> Incarnation:
        """This incarnation, or an error where nothing can be started in it any more."""
        if not self.owner.alive or self.phase >= Phase.CLOSING:
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
            self.resume()  # what is queued is to be handled
            self.cell.shut(reason)
            if self._timers is not None:
                self._timers.rest()
        self.wake()

    def suspend(self, why: str) -> asyncio.Future[None]:
        """Take no message from the mailbox until resume(); done when nothing is in hand, or it is resumed or over."""
        if not self.suspended:
            self.suspended = True
            self.cell.mark(State.SUSPENDED)
            self.cell.publish(ActorSuspended, incarnation=self.number, why=why)
        if self.rested is None or self.rested.done():
            self.rested = self.cell.runtime.future()
        self.wake()
        return self.rested

    def resume(self) -> None:
        """Go on; nothing where it ends already."""
        if self.suspended and self.phase < Phase.ENDING:
            self.suspended = False
            self._rest()
            self.cell.mark(State.RUNNING)
            self.cell.publish(ActorResumed, incarnation=self.number)
            self.wake()

    def _rest(self) -> None:
        """Wake who waits for the suspension: it holds, or is over."""
        if self.rested is not None and not self.rested.done():
            self.rested.set_result(None)

    @abstractmethod
    def kill(self, reason: StopReason) -> None:
        """Interrupt at the next await, and let go of it where it does not end: see `lifecycle`."""

    @abstractmethod
    def lost(self, error: BaseException | None) -> None:
        """The task has ended, and not by its own end: see `lifecycle`."""

    def interrupt(self, reason: StopReason) -> None:
        """Abort at the next await. A kill outranks what came before it: it skips the stop hook."""
        if self.abort is None or (reason.kind == "killed" and self.abort.kind != "killed"):
            self.abort = reason
        self.wake()  # it may rest, outside of any scope
        if self.scope is not None:
            self.scope.cancel()

    def wake(self) -> None:
        """Let it look at what comes before all messages."""
        self.signal = True
        self.box.wake()

    def attend(self) -> StopReason | None:
        """What comes before every message: kill, stop, the end of a watched actor. Nothing is in hand now.

        A suspended one is left with its `signal` up, so that it looks here again before it takes a message.
        """
        self.signal = False
        if self.abort is not None:
            return self.abort
        if self.stopping is not None and not self.draining:
            return self.stopping
        if self.suspended:
            self.signal = True
            self._rest()
            return None
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
            self.cell.runtime.dead_letter(self.cell.path, payload(item), f"rejected: {words(reject)}")

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
        if not ask.future.done():  # else nobody waits any more
            if self.deferred is None:
                self.deferred = {}
            self.deferred[ask] = None
            ask.future.add_done_callback(partial(_forget, self.deferred, ask))
        return Reply(ask)

    def busy_since(self) -> float | None:
        """Since when (loop time) it has had the message in hand; None: it is at rest, and owes no heartbeat."""
        return None if self.current is None else self.since

    def background_failed(self, name: str, error: BaseException) -> None:
        """A background task's failure is the actor's crash, unless it ends the program."""
        ends = ending(error)
        if ends is not None:
            self.cell.runtime.abort(ends)
            return
        reason = StopReason("crash", f"task {name}: {describe(error)}", error)
        if self.phase >= Phase.ENDING:
            if not isinstance(error, ActorDead):  # that it can't use the actor any more is no failure
                self.late = self.late or reason
            return
        self.elsewhere = self.elsewhere or self.abort is None
        self.interrupt(reason)

    def children_lost(self, reason: StopReason) -> None:
        """It can't go on without the supervisor of its children."""
        self.elsewhere = self.elsewhere or self.abort is None
        self.interrupt(StopReason("crash", f"the supervisor of its children ended: {reason}", reason.error))

    def let_go(self, reason: StopReason) -> None:
        """End its timers, its heartbeat, its promised replies and its watches."""
        if self._timers is not None:
            self._timers.close()
        if self.pulse is not None:
            self.pulse.close()
        for ask in self.deferred or ():
            ask.fail(self.cell.dead(ask.message, reason))
        self.deferred = None
        if self._watches is not None:
            self._watches.close()
        self._rest()
