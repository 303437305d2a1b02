"""What stands behind a ref: one child's identity, counters and present life, stable across restarts.

The protocols say what the rest of the kernel may know of a life and of a parent, so that nothing down here needs them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from copy import copy
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import msgspec

from actors._core.kill_scope import KillScope
from actors._core.mailbox import Ask, Envelope, Queue, Tick, payload
from actors._core.runtime import Runtime
from actors._core.states import CHILD, IllegalMove, Phase, State
from actors._core.tasks import OWNER, Owner
from actors._core.tracing import Origin
from actors.description import Happened
from actors.errors import ActorDead, ActorError, InvalidMessage
from actors.events import Event, HealthChanged
from actors.messages import Terminated
from actors.roster import HEALTHY, Health, TaskRun
from actors.specs import ChildSpec, Spec, SupervisorSpec, TaskSpec
from actors.stop_reason import StopReason


class Wait(NamedTuple):
    """One wait: for whom, how ("ask", "tell", "start", "stop", "suspend", "end", "admin"), and the request, if any."""

    target: Cell
    how: str
    ask: Ask | None = None


class Life(Protocol):
    """One life of a child: an incarnation of an actor or of a supervisor."""

    cell: Cell
    number: int
    owner: Owner
    started: asyncio.Future[Any]  # None, IGNORE, INTERRUPTED, or what the start failed with
    claimed: bool  # its supervisor waits for the end itself and needs no notice of it
    waiting: list[Wait]
    current: Any  # the mailbox item in hand
    over: StopReason | None

    def exited(self) -> asyncio.Future[StopReason]:
        """Done when this life is over."""

    def height(self) -> int:
        """Levels below and with this one: how many kill timeouts its end may take."""

    def below(self) -> Mapping[str, Cell]:
        """The children that end with this life, in start order."""

    def request_stop(self, reason: StopReason, drain: bool = False) -> None:
        """Stop in order."""

    def kill(self, reason: StopReason) -> None:
        """Interrupt at the next await, and whatever is below it."""

    def lost(self, error: BaseException | None, /) -> None:
        """The task has ended, and not by its own end: cancelled before its first step, or broken by a fault."""


class ActorLife(Life, Protocol):
    """One life of an actor, as those parts see it that serve it: loop, timers, watches, heartbeat, background."""

    actor: Any
    box: Queue
    phase: Phase
    signal: bool  # something comes before the messages: a stop, a kill, the end of a watched actor
    stopping: StopReason | None
    abort: StopReason | None
    scope: KillScope | None
    since: float  # loop time at which the message in hand was begun

    def wake(self) -> None:
        """Let it look at what comes before all messages."""

    def attend(self) -> StopReason | None:
        """Look at that now."""

    def due(self, item: Any) -> bool:
        """False for a timer or a watch that was given up while its message waited."""

    def reject(self, reject: Any) -> None:
        """Refuse the message in hand."""

    def busy_since(self) -> float | None:
        """Since when it has had a message in hand; None: it is at rest."""

    def background_failed(self, name: str, error: BaseException) -> None:
        """A background task has failed."""


class Parent(Protocol):
    """The supervisor of a child, or the actor that started it."""

    cell: Cell
    children: dict[str, Cell]
    host: Any  # the actor whose own children they are

    @property
    def ended(self) -> bool:
        """Whether it is over."""

    def start_answered(self, cell: Cell) -> None:
        """The start of this child has succeeded: whoever asked for it may go on."""

    def child_ended(self, cell: Cell, number: int, reason: StopReason) -> None:
        """A life of this child is over."""

    def forget_child(self, cell: Cell) -> None:
        """Stop this child for good; nobody waits for it."""

    async def stop_child(self, cell: Cell, drain: bool) -> None:
        """Stop this child for good and wait."""

    async def bounce_child(self, cell: Cell) -> Cell:
        """Stop this child and start it again."""


class Watcher(Protocol):
    """Whoever wants to hear that a child has ended for good."""

    def receive(self, cell: Cell, message: Terminated, /) -> None:
        """It has."""


class _Nothing(dict[type, Any]):
    """The dispatch table of a cell that accepts no message now."""


class _Anything(dict[type, Any]):
    """The table before the first incarnation, where the factory does not tell which actor it makes."""

    def __contains__(self, key: object) -> bool:
        return True


E = TypeVar("E", bound=ActorError)
CLOSED = _Nothing()
_TAKES = (State.STARTING, State.RUNNING, State.SUSPENDED)
_UNSTARTED = datetime.min.replace(tzinfo=UTC)
_NOBODY: dict[str, Any] = {}
_KEPT = 10  # events of one child
_WORDS = 300  # characters of one
_SHOWN = frozenset(("reason", "delay", "attempt", "restarts", "level", "why", "next", "action", "quiet_s", "doing")) | {
    "detail",
    "offender",
    "task",
}  # fields of events that are words and numbers
UNKNOWN = _Anything()


class Cell(msgspec.Struct, eq=False, weakref=True):
    """State of one child. Its supervisor writes it, the roster reads it. `ref` is its handle, made a floor above."""

    runtime: Runtime
    parent: Parent | None
    spec: Spec
    table: dict[type, Any]
    accepts: dict[type, Any] = CLOSED
    id: str = ""
    path: str = ""
    ref: Any = None
    box: Queue | None = None
    run: Life | None = None
    closed: StopReason | None = None
    ended: StopReason | None = None  # for good, or until it is started by hand
    unwanted: bool = False  # it was cancelled, and its end is not waited for: no restart follows
    in_doubt: bool = False  # its supervisor has ended, and may bring it back
    state: State = State.STARTING
    state_since: datetime = _UNSTARTED
    started_at: datetime = _UNSTARTED
    started_time: float = 0.0
    incarnation: int = 0
    restarts: int = 0
    handled: int = 0
    failed: int = 0
    attempts: int = 0
    seen: int = 0  # the newest incarnation whose end has been dealt with
    pending: bool = False  # stopped by a group restart, or failed to come up: waits for its start
    restart_timer: asyncio.TimerHandle | None = None
    restart_due: float | None = None
    error: str | None = None
    error_at: datetime | None = None
    error_chain: tuple[str, ...] = ()  # that error and what caused it
    happened: deque[Happened] | None = None
    health: Health = HEALTHY
    watchers: dict[Watcher, None] | None = None
    kept: dict[str, Cell] = _NOBODY  # a supervisor's static children: their refs outlive its restarts
    runs: deque[TaskRun] | None = None  # of a supervised task: its last runs
    value: Any = None  # of a supervised task: what its last run returned
    origin: Origin | None = None  # of a supervised task, where the system traces: of who started it
    entry: Any = None  # the roster's last picture, kept while nothing changes

    def __post_init__(self) -> None:
        spec = self.spec
        self.id = spec.id
        self.path = f"{self.parent.cell.path}/{spec.id}" if self.parent is not None else f"/{spec.id}"
        self.accepts = self.table
        if isinstance(spec, TaskSpec):
            self.runs = deque(maxlen=spec.history)
        if isinstance(spec, ChildSpec):
            self.box = Queue(spec.mailbox.capacity, spec.mailbox.overflow, self)
        else:
            self.kept = {}

    @property
    def kind(self) -> str:
        """Actor, supervisor or task."""
        return "supervisor" if self.box is None else "actor" if self.runs is None else "task"

    @property
    def alive(self) -> bool:
        """True while an incarnation runs and takes messages."""
        return self.run is not None and self.closed is None and self.state in _TAKES

    def mark(self, state: State) -> None:
        """Enter a state, now."""
        if state is not self.state and state not in CHILD[self.state]:  # reported, not raised: the tree must go on
            self.runtime.fault(IllegalMove(f"{self.path} can't go from {self.state} to {state}"))
        self.state = state
        self.state_since = self.runtime.clock.now()
        self.entry = None
        self.runtime.version += 1

    def activity(self) -> str:
        """What it does now, in words for errors."""
        run = self.run
        current = None if run is None else run.current
        doing = f"{self.state}, handling {type(payload(current)).__name__}" if current is not None else self.state
        return f"{doing}, waiting on {run.waiting[-1].target.path}" if run is not None and run.waiting else doing

    def handles_now(self, item: Any) -> bool:
        """Whether its handler is at work on that item."""
        return self.run is not None and self.run.current is item

    def open(self) -> None:
        """Accept messages (again)."""
        self.closed = self.ended = None
        self.in_doubt = False
        self.accepts = self.table

    def shut(self, reason: StopReason) -> None:
        """Refuse messages from now on; those queued stay for the current incarnation."""
        self.closed = reason
        self.accepts = CLOSED
        self.entry = None

    def problem(self, kind: type[E], text: str, **data: Any) -> E:
        """An error about this child; `text` goes on after its path."""
        return kind(f"{self.path} {text}", path=self.path, ref=self.ref, **data)

    def refusal(self, message: Any) -> ActorError:
        """Why `message` can't be sent now."""
        if self.closed is not None:
            return self.dead(message)
        if isinstance(message, type):
            text = f"can't take {message.__name__}, which is a class; give an instance: {message.__name__}(...)"
            return self.problem(InvalidMessage, text, message=message)
        if self.box is None:
            return self.problem(InvalidMessage, "is a supervisor: it takes no messages", message=message)
        if self.runs is not None:
            return self.problem(InvalidMessage, "is a task: it takes no messages", message=message)
        names = tuple(sorted(kind.__name__ for kind in self.table))
        text = f"does not handle {type(message).__name__}; it handles: {', '.join(names) or 'nothing'}"
        return self.problem(InvalidMessage, text, message=message, accepted=names)

    def dead(self, message: Any = None, reason: StopReason | None = None) -> ActorDead:
        """The error for somebody who reaches for a dead actor."""
        why = reason or self.closed
        error = self.problem(ActorDead, self._obituary(why), message=message, reason=why)
        if why is not None and isinstance(why.error, BaseException):
            error.__cause__ = why.error
        return error

    def _obituary(self, why: StopReason | None) -> str:
        if why is not None and not self.in_doubt:
            return f"is dead ({why})"
        if self.restart_due is not None:
            return (
                f"is down; it is restarted in {max(0.0, self.restart_due - self.runtime.time()):.3g} s: try again then"
            )
        return f"is down ({why or self.state}); its restart is not decided yet: try again later"

    def outgoing(self, message: Any) -> Any:
        """The mailbox item of a tell, where sends are looked at closely."""
        origin = self.runtime.origin(self.path)
        return message if origin is None else Envelope(message, origin)

    def drop(self, item: Any, why: str) -> None:
        """Turn a mailbox item into a dead letter; an asker is told."""
        self.runtime.dead_letter(self.path, payload(item), why)
        if item.__class__ is Ask:
            item.fail(self.problem(ActorDead, why, message=item.message))

    def finish(self, reason: StopReason, state: State = State.STOPPED, *, in_doubt: bool = False) -> None:
        """Dead for good, or until started by hand: left-overs are told, and watchers, unless it is `in_doubt`."""
        if self.ended is not None:  # the first reason stays: a stop of what has ended changes nothing
            reason, state = self.ended, self.state
        self.unwanted = False
        self.shut(reason)
        if state != self.state:
            self.mark(state)
        self.cancel_restart()
        if self.box is not None:
            for item in self.box.close():
                if item.__class__ is Ask:
                    item.fail(self.dead(item.message))
                elif item.__class__ is not Tick or item.live:
                    self.runtime.dead_letter(self.path, payload(item), f"actor ended ({reason})")
        self.in_doubt = in_doubt
        if not in_doubt:
            self.part(reason)

    def part(self, reason: StopReason) -> None:
        """Tell the watchers of it, and of the static children that would have come back with it."""
        self.in_doubt = False
        self.ended = reason
        for child in reversed(self.kept.values()):
            if child.in_doubt:
                child.part(child.closed or reason)
        watchers, self.watchers = self.watchers, None
        for watcher in watchers or ():
            watcher.receive(self, Terminated(self.path, self.incarnation, reason))

    def cancel_restart(self) -> None:
        """Forget a restart that was planned."""
        self.pending = False
        self.restart_due = None
        if self.restart_timer is not None:
            self.restart_timer.cancel()
            self.restart_timer = None

    def publish(self, kind: type[Event], **fields: Any) -> None:
        """Publish an event about this child, and keep it for who asks later what has happened."""
        self.runtime.publish(kind, self.path, **fields)
        self.note(kind, fields)

    def note(self, kind: type[Event], fields: Mapping[str, Any]) -> None:
        """Keep an event in words: what it carries may be large, and hold the actor."""
        shown = (f"{name}={value}" for name, value in fields.items() if name in _SHOWN and value not in ("", None))
        if self.happened is None:
            self.happened = deque(maxlen=_KEPT)
        self.happened.append(
            Happened(self.runtime.clock.now(), self.incarnation, kind.__name__, ", ".join(shown)[:_WORDS])
        )

    def report_health(self, level: str, why: str = "", next: str = "", action: str = "") -> None:  # noqa: A002
        """See Context.report_health."""
        before = self.health
        since = before.since if before.level == level else self.runtime.clock.now()
        self.health = Health(level, why, since, next, action)
        self.entry = None
        if (before.level, before.why) != (level, why):
            self.runtime.version += 1
            self.publish(HealthChanged, level=level, why=why, next=next, action=action)

    def bury(self) -> None:
        """Stay in the roster for a while after the spec has gone, without what is large: a result, a parent's state."""
        dead = self
        if self.runs is not None or (self.parent is not None and self.parent.host is not None):
            dead = copy(self)
            dead.box = copy(self.box)
            dead.value = dead.parent = dead.ref = None  # the ref leads to this cell, and so does the mailbox
            if dead.box is not None:
                dead.box.cell = dead
        self.runtime.bury(dead)


def new_cell(runtime: Runtime, parent: Parent | None, spec: Spec) -> Cell:
    """The state and the ref of a new child."""
    table = {} if isinstance(spec, SupervisorSpec | TaskSpec) else getattr(spec.factory, "__table__", None)
    cell = Cell(runtime, parent, spec, UNKNOWN if table is None else table)
    cell.ref = runtime.refs(cell)
    return cell


def life_of(owner: Owner | None) -> ActorLife | None:
    """The life that owns a task."""
    return None if owner is None else cast("ActorLife | None", owner.run)  # below here an owner's run is just a Run


def blocked_run() -> ActorLife | None:
    """The life whose handler or hook is running here, if one is."""
    owner = OWNER.get()
    return life_of(owner) if owner is not None and owner.blocking else None
