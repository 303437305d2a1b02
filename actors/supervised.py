"""A plain `async def` as a supervised child: one incarnation is one run of it, and its record."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, NoReturn

from actors.actor import Actor, Context
from actors.cell import TaskRun
from actors.crash import describe
from actors.errors import ActorError, SpecError
from actors.incarnation import Incarnation
from actors.specs import StopReason, TaskSpec
from actors.tasks import OWNER
from actors.turn import pause

if TYPE_CHECKING:
    from actors.messages import Message
    from actors.ref import ActorRef

_RETURNED = StopReason("normal", "returned")


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


class _Body(Actor):
    """The actor in whose place the function runs."""

    def __init__(self, run: TaskLife, spec: TaskSpec) -> None:
        self._run = run
        self._spec = spec

    async def after_start(self) -> None:
        run, spec = self._run, self._spec
        await pause()  # so that its supervisor is no longer seen to wait for its start: it may want to start others
        run.began = run.cell.system.time()
        late = None
        if spec.deadline is not None:
            reason = StopReason("timeout", f"took longer than its deadline of {spec.deadline:g} s")
            late = run.cell.system.loop.call_later(spec.deadline, run.kill, reason)
        try:
            work = spec.factory(*spec.args, **spec.kwargs)
            if not isawaitable(work):
                text = f"{spec.id}: factory: got a {type(work).__name__} from it; allowed: an `async def`"
                raise SpecError(text)
            value = await work
            if run.over is None:  # not of a zombie, whose successor has the word
                run.cell.value = value
        finally:
            if late is not None:
                late.cancel()


class TaskLife(Incarnation, eq=False):
    """One run of a supervised task."""

    began: float = 0.0

    def request_stop(self, reason: StopReason, drain: bool = False) -> None:  # noqa: ARG002 - no mailbox to drain
        """Cancel it as asyncio does, once: what it awaits while it cleans up is not interrupted; a kill does that."""
        if self.stopping is None:
            self.stopping = reason
        if self.abort is None:
            self.abort = self.stopping
            if self.leash is not None:
                self.task.cancel(f"{self.cell.path} stops: {reason}")

    def busy_since(self) -> float | None:
        """A task is never at rest."""
        return self.began

    def _make(self) -> Actor:
        spec = self.cell.spec
        if not isinstance(spec, TaskSpec):
            raise SpecError(f"{self.cell.path}: not a TaskSpec")
        body = _Body(self, spec)
        body.context = TaskContext(self)
        return body

    async def _begin(self) -> StopReason | None:
        return await Incarnation._begin(self) or self.abort or _RETURNED  # who was interrupted has not finished

    def _tell_end(self, reason: StopReason) -> None:
        cell, system = self.cell, self.cell.system
        if cell.runs is not None and self.ready:
            outcome = "failed" if reason.abnormal else "finished" if reason.kind == "normal" else "stopped"
            error = None
            if reason.abnormal:
                error = describe(reason.error) if isinstance(reason.error, Exception) else str(reason)
            seconds = system.time() - self.began
            record = TaskRun(self.number, outcome, cell.started_at, system.clock.now(), seconds, error)
            cell.runs.append(record)
        Incarnation._tell_end(self, reason)


def current_context() -> Context | None:
    """The context of the actor or supervised task in which this runs, or of the actor of a helper task; None: in none.

    So a plain `async def` gets at `beat()`, `log`, `report_health` and the rest without being handed them.
    """
    owner = OWNER.get()
    run = None if owner is None else owner.run
    return getattr(run.actor, "context", None) if isinstance(run, Incarnation) else None  # None: it is being made
