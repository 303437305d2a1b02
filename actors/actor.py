"""The class that authors derive from, and what an actor can do to the world: its context."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeVar, cast, overload

from actors.cell import Health
from actors.errors import ActorDead, SpecError
from actors.events import HealthChanged
from actors.helpers import Helpers, TaskHandle
from actors.mailbox import Reply
from actors.messages import Message, Table, build_table
from actors.specs import ChildSpec, Restart, Spec, StopReason, SupervisorSpec, TaskSpec

if TYPE_CHECKING:
    from actors.admin import SupervisorRef
    from actors.clock import Clock
    from actors.incarnation import Incarnation
    from actors.ref import ActorRef
    from actors.system import ActorSystem
    from actors.task_ref import TaskRef


T = TypeVar("T")


class Ignore:
    """The type of IGNORE."""

    def __repr__(self) -> str:
        return "IGNORE"


IGNORE: Final = Ignore()
Level = Literal["ok", "degraded", "failed"]


class _TooEarly:
    """Stands in for the context until an instance has one: a class attribute, so that it costs nothing later."""

    def __get__(self, actor: object, owner: type) -> Any:
        if actor is None:
            return self
        raise AttributeError(f"{owner.__name__}.context is not there in __init__; use it from on_start on")


class Actor:
    """State that one message at a time may touch. Each incarnation is a fresh instance with the spec's arguments."""

    context: Context = cast("Context", _TooEarly())  # from on_start on
    __table__: ClassVar[Table] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__table__ = build_table(cls)

    async def on_start(self) -> Ignore | None:
        """Acquire what is needed; start_child() returns when this has returned. `return IGNORE` declines to start."""
        return None

    async def after_start(self) -> None:
        """Runs after the start was reported; a failure here is a crash."""

    async def on_stop(self, reason: StopReason) -> None:
        """Release what on_start acquired. Not called after a kill, nor where on_start failed."""

    def inspect(self) -> dict[str, Any]:
        """What the roster's detail and crash reports may show. Leave secrets out here."""
        return {}


class Context:
    """An incarnation's view of its surroundings; invalid once the incarnation has ended."""

    __slots__ = ("_log", "_run")

    def __init__(self, run: Incarnation) -> None:
        self._run = run
        self._log: Any = None

    @property
    def ref(self) -> ActorRef:
        """This actor's own handle."""
        return self._run.cell.ref

    @property
    def parent(self) -> ActorRef:
        """The handle of the supervisor, or of the actor that started this one."""
        parent = self._run.cell.parent
        if parent is None:
            raise RuntimeError("the root has no parent")
        return parent.cell.ref

    @property
    def system(self) -> ActorSystem:
        """The actor system."""
        return self._run.cell.system

    @property
    def clock(self) -> Clock:
        """Time: `time()` for deadlines, `now()` for stamps."""
        return self._run.cell.system.clock

    @property
    def log(self) -> Any:
        """A structlog logger bound to this actor's path and incarnation."""
        if self._log is None:
            from actors.logs import logger

            self._log = logger().bind(path=self._run.cell.path, incarnation=self._run.number)
        return self._log

    @overload
    async def start_child(self, spec: TaskSpec) -> TaskRef[Any]: ...
    @overload
    async def start_child(self, spec: ChildSpec) -> ActorRef: ...
    @overload
    async def start_child(self, spec: SupervisorSpec) -> SupervisorRef: ...
    async def start_child(self, spec: Spec) -> ActorRef:
        """Start a child of this actor (one_for_one); it ends with this incarnation."""
        children = self._run.live().nursery()
        children.check(spec)
        ref: ActorRef = await children.call("start", spec)
        return ref

    def watch(self, ref: ActorRef) -> None:
        """Receive Terminated once `ref` has ended for good; at once, if it has."""
        self._run.live().watches.add(ref._cell)

    def unwatch(self, ref: ActorRef) -> None:
        """Stop watching; a Terminated that is already queued is removed."""
        self._run.watches.remove(ref._cell)

    def send_after(self, delay: float, message: Message, *, key: str | None = None) -> str:
        """Send `message` to this actor in `delay` seconds. A timer of the same key is replaced. Returns the key."""
        return self._run.live().timers.add(delay, message, key, repeat=False)

    def send_every(self, interval: float, message: Message, *, key: str | None = None) -> str:
        """Send `message` to this actor every `interval` seconds; a tick that is still queued is not doubled."""
        return self._run.live().timers.add(interval, message, key, repeat=True)

    def cancel_timer(self, key: str) -> bool:
        """Cancel; a message that is already queued is not delivered. False: there was no such timer."""
        return self._run.timers.cancel(key)

    def beat(self) -> None:
        """Say that this work goes on; owed at least every `stall_timeout` seconds, where the spec has one."""
        pulse = self._run.pulse
        if pulse is not None:
            pulse.beat()

    def run_task(
        self, work: Coroutine[Any, Any, T], *, name: str = "task", reply: Reply[Any] | None = None
    ) -> TaskHandle[T]:
        """Run `work` beside the mailbox; it ends with this actor, and its failure crashes it.

        With `reply`, what the work returns is the reply, and a Reject that it raises refuses the request. Work that
        is started in on_stop is cancelled when that has returned.

        Raises:
            TypeError: `work` is no coroutine. ActorDead: this incarnation has ended.
        """
        if not isinstance(work, Coroutine):
            raise TypeError(f"run_task: got {type(work).__name__}; allowed: a coroutine, such as self.work()")
        try:
            run = self._run.live()
        except ActorDead:
            work.close()
            raise
        if run.helpers is None or run.helpers.closed:
            run.helpers = Helpers(run)
        return run.helpers.start(work, name, reply)

    def defer_reply(self) -> Reply[Any]:
        """Take the current request's reply along: the return value is ignored, `reply(value)` answers later.

        For handlers; a task of `run_task` is given the reply, since another request may be in hand by the time it runs.
        """
        return self._run.defer()

    def stop_self(self) -> None:
        """End normally after the current handler; the restart type decides what follows.

        A permanent actor comes back and finds in its mailbox what is sent meanwhile; others refuse it from now on.
        """
        reason = StopReason("normal", "stop_self()")
        if self._run.cell.spec.restart is not Restart.PERMANENT:
            self._run.cell.shut(reason)
        if self._run.stopping is None:
            self._run.stopping = reason
        self._run.wake()

    @property
    def health(self) -> Health:
        """What report_health said last."""
        return self._run.cell.health

    def report_health(self, level: Level, why: str = "", next: str = "", action: str = "") -> None:  # noqa: A002
        """Say how this actor is: `why`, what happens `next` by itself, which `action` the operator can take."""
        if level not in ("ok", "degraded", "failed"):
            raise SpecError(f"health level: got {level!r}; allowed: 'ok', 'degraded', 'failed'")
        cell, before = self._run.cell, self._run.cell.health
        since = before.since if before.level == level else self.clock.now()
        cell.health = Health(level, why, since, next, action)
        cell.entry = None
        if (before.level, before.why) != (level, why):
            cell.system.version += 1
            cell.system.publish(HealthChanged, cell.path, level=level, why=why, next=next, action=action)
