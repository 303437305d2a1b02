"""What stands behind a ref: one child's identity, counters and current incarnation, stable across restarts."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

import msgspec

from actors.admin import SupervisorRef
from actors.errors import ActorDead, ActorError, InvalidMessage
from actors.mailbox import Ask, Queue, Tick, payload
from actors.messages import Terminated
from actors.ref import ActorRef
from actors.specs import ChildSpec, Spec, StopReason, TaskSpec
from actors.task_ref import TaskRef

if TYPE_CHECKING:
    from actors.incarnation import Incarnation
    from actors.supervisor import Supervisor
    from actors.system import ActorSystem


class Health(msgspec.Struct, frozen=True):
    """An actor's own word on how it is (ok, degraded, failed), why, since when, what happens next, what you can do."""

    level: str = "ok"
    why: str = ""
    since: datetime | None = None
    next: str = ""
    action: str = ""


HEALTHY = Health()


class TaskRun(msgspec.Struct, frozen=True):
    """One run of a supervised task: "finished", "failed" or "stopped"; times are UTC, `error` says why it failed."""

    incarnation: int
    outcome: str
    started_at: datetime
    ended_at: datetime
    seconds: float
    error: str | None = None


Wait = tuple["Cell", str, Ask | None]
"""Whom somebody waits on, how (ask, tell, start, stop), and the request that is out, if it is one."""


Run: TypeAlias = "Incarnation | Supervisor"
"""One life of a child."""


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
_UNSTARTED = datetime.min.replace(tzinfo=UTC)
_NOBODY: dict[str, Any] = {}
UNKNOWN = _Anything()


class Cell(msgspec.Struct, eq=False, weakref=True):
    """State of one child. Its supervisor writes it, the roster reads it."""

    system: ActorSystem
    parent: Supervisor | None
    spec: Spec
    table: dict[type, Any]
    accepts: dict[type, Any] = CLOSED
    id: str = ""
    path: str = ""
    ref: ActorRef = cast("ActorRef", None)
    box: Queue | None = None
    run: Run | None = None
    closed: StopReason | None = None
    ended: StopReason | None = None  # for good, or until it is started by hand
    unwanted: bool = False  # it was cancelled, and its end is not waited for: no restart follows
    in_doubt: bool = False  # its supervisor has ended, and may bring it back
    state: str = "starting"
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
    health: Health = HEALTHY
    watchers: dict[Watcher, None] | None = None
    kept: dict[str, Cell] = _NOBODY  # a supervisor's static children: their refs outlive its restarts
    runs: deque[TaskRun] | None = None  # of a supervised task: its last runs
    value: Any = None  # of a supervised task: what its last run returned
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
            self.ref = ActorRef(self) if self.runs is None else TaskRef(self)
        else:
            self.kept = {}
            self.ref = SupervisorRef(self)

    @property
    def kind(self) -> str:
        """Actor, supervisor or task."""
        return "supervisor" if self.box is None else "actor" if self.runs is None else "task"

    @property
    def alive(self) -> bool:
        """True while an incarnation runs and takes messages."""
        return self.run is not None and self.closed is None and self.state in ("starting", "running")

    def mark(self, state: str) -> None:
        """Enter a state, now."""
        self.state = state
        self.state_since = self.system.clock.now()
        self.entry = None
        self.system.version += 1

    def activity(self) -> str:
        """What it does now, in words for errors."""
        run = self.run
        current = None if run is None else run.current
        doing = f"{self.state}, handling {type(payload(current)).__name__}" if current is not None else self.state
        return f"{doing}, waiting on {run.waiting[-1][0].path}" if run is not None and run.waiting else doing

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
                f"is down; it is restarted in {max(0.0, self.restart_due - self.system.time()):.3g} s: try again then"
            )
        return f"is down ({why or self.state}); its restart is not decided yet: try again later"

    def drop(self, item: Any, why: str) -> None:
        """Turn a mailbox item into a dead letter; an asker is told."""
        self.system.dead_letter(self.path, payload(item), why)
        if item.__class__ is Ask:
            item.fail(self.problem(ActorDead, why, message=item.message))

    def finish(self, reason: StopReason, state: str = "stopped", *, in_doubt: bool = False) -> None:
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
                    self.system.dead_letter(self.path, payload(item), f"actor ended ({reason})")
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
