"""What an actor, or a supervised task, can do to the world: its context."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, NoReturn, TypeVar, cast, overload

from actors._core.background import TaskHandle
from actors._core.cell import life_of
from actors._core.incarnation import Incarnation
from actors._core.mailbox import Reply
from actors._core.supervisor import nursery
from actors._core.task_incarnation import TaskIncarnation
from actors._core.tasks import OWNER
from actors._core.tracing import SENDER
from actors.clock import Clock
from actors.errors import ActorDead, ActorError, SpecError
from actors.logs import Log
from actors.messages import Message
from actors.ref import ActorRef
from actors.roster import Health
from actors.specs import ChildSpec, Restart, Spec, SupervisorSpec, TaskSpec
from actors.stop_reason import StopReason
from actors.supervisor_ref import SupervisorRef
from actors.system import ActorSystem
from actors.task_ref import TaskRef

T = TypeVar("T")
Level = Literal["ok", "degraded", "failed"]


class Context:
    """An incarnation's view of its surroundings; invalid once the incarnation has ended."""

    __slots__ = ("_log", "_run")

    def __init__(self, run: Incarnation) -> None:
        self._run = run
        self._log: Log | None = None

    @property
    def ref(self) -> ActorRef:
        """This actor's own handle."""
        ref: ActorRef = self._run.cell.ref
        return ref

    @property
    def parent(self) -> ActorRef:
        """The handle of the supervisor, or of the actor that started this one."""
        parent = self._run.cell.parent
        if parent is None:
            raise RuntimeError("the root has no parent")
        ref: ActorRef = parent.cell.ref
        return ref

    @property
    def system(self) -> ActorSystem:
        """The actor system."""
        return cast("ActorSystem", self._run.cell.runtime.system)

    @property
    def clock(self) -> Clock:
        """Time: `time()` for deadlines, `now()` for stamps."""
        return self._run.cell.runtime.clock

    @property
    def log(self) -> Any:
        """A structlog logger bound to this actor's path and incarnation, and to the `sender` where there is one."""
        if self._log is None:
            self._log = Log(path=self._run.cell.path, incarnation=self._run.number)
        sender = self.sender
        return self._log if sender is None else self._log.bind(sender=sender)

    @property
    def sender(self) -> str | None:
        """The path of the actor that sent the message in hand; None: no actor did, or no message is in hand.

        It is recorded where the system was made with `trace=True` or with `propagate`, else it is always None. A task
        that is begun while a message is handled goes on with that message's sender; a timer's sender is the actor.
        """
        return None if self._run.cell.runtime.tracing is None else SENDER.get()

    @overload
    async def start_child(self, spec: TaskSpec) -> TaskRef[Any]: ...
    @overload
    async def start_child(self, spec: ChildSpec) -> ActorRef: ...
    @overload
    async def start_child(self, spec: SupervisorSpec) -> SupervisorRef: ...
    async def start_child(self, spec: Spec) -> ActorRef:
        """Start a child of this actor; it ends with this incarnation. The policy is the class attribute `children`."""
        cell = await nursery(self._run.live()).start_child(spec)
        ref: ActorRef = cell.ref
        return ref

    def watch(self, ref: ActorRef) -> None:
        """Receive Terminated once `ref` has ended for good; at once, if it has."""
        self._run.live().watches.add(ref._cell)

    def unwatch(self, ref: ActorRef) -> None:
        """Stop watching; a Terminated that is already queued is removed."""
        self._run.watches.remove(ref._cell)

    def register(self, name: str) -> None:
        """Take a name in `system.registry`; it stays through restarts, until this actor has ended for good.

        Raises:
            NameTaken: another one has it.
        """
        self._run.live()
        self.system.registry.register(name, self.ref)

    def join(self, group: str) -> None:
        """Become a member of a group in `system.registry`; for as long as a name."""
        self._run.live()
        self.system.registry.join(group, self.ref)

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
        return run.start_background(work, name, reply)

    def defer_reply(self) -> Reply[Any]:
        """Take the current request's reply along: the return value is ignored, `reply(value)` answers later.

        For handlers; a task of `run_task` is given the reply, since another request may be in hand by the time it runs.
        """
        return self._run.defer()

    def stop_self(self, reason: str = "stop_self()") -> None:
        """End normally after the current handler; the restart type decides what follows. `reason`: why, in words.

        A permanent actor comes back and finds in its mailbox what is sent meanwhile; others refuse it from now on.
        """
        if not isinstance(reason, str):
            raise SpecError(f"stop_self: got {reason!r}; allowed: a text that says why")
        end = StopReason("normal", reason)
        if self._run.cell.spec.restart is not Restart.PERMANENT:
            self._run.cell.shut(end)
        if self._run.stopping is None:
            self._run.stopping = end
        self._run.wake()

    @property
    def health(self) -> Health:
        """What report_health said last."""
        return self._run.cell.health

    def report_health(self, level: Level, why: str = "", next: str = "", action: str = "") -> None:  # noqa: A002
        """Say how this actor is: `why`, what happens `next` by itself, which `action` the operator can take."""
        if level not in ("ok", "degraded", "failed"):
            raise SpecError(f"health level: got {level!r}; allowed: 'ok', 'degraded', 'failed'")
        self._run.cell.report_health(level, why, next, action)


class TaskContext(Context):
    """What a supervised task can do to the world: as an actor, but for what needs a mailbox."""

    __slots__ = ()

    def _refuse(self, verb: str, instead: str) -> NoReturn:
        raise ActorError(f"{self.ref.path} is a task and has no mailbox, so it can't {verb}; {instead}")

    def watch(self, ref: ActorRef) -> None:
        """Refused: there is no mailbox for a Terminated."""
        self._refuse("watch", f"use `await ref.stopped()` on {ref.path}")

    def send_after(self, delay: float, message: Message, *, key: str | None = None) -> str:  # noqa: ARG002
        """Refused: there is no mailbox."""
        self._refuse("send_after", "await a sleep")

    def send_every(self, interval: float, message: Message, *, key: str | None = None) -> str:  # noqa: ARG002
        """Refused: there is no mailbox."""
        self._refuse("send_every", "await a sleep in a loop")


def current_context() -> Context | None:
    """The context of the actor or supervised task in which this runs, or of a background task's actor; None: in none.

    So a plain `async def` gets at `beat()`, `log`, `report_health` and the rest without being handed them.
    """
    run = life_of(OWNER.get())
    if isinstance(run, TaskIncarnation):
        return TaskContext(run)
    return getattr(run.actor, "context", None) if isinstance(run, Incarnation) else None  # None: it is being made
