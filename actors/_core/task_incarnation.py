"""A plain `async def` as a supervised child: one incarnation is one run of it, and its record."""

from __future__ import annotations

from inspect import isawaitable

from actors._core.error_text import describe
from actors._core.lifecycle import ActorIncarnation
from actors._core.tasks import pause
from actors.errors import SpecError
from actors.hooks import Hooks
from actors.roster import TaskRun
from actors.specs import TaskSpec
from actors.stop_reason import StopReason

_RETURNED = StopReason("normal", "returned")


class _Body(Hooks):
    """The actor in whose place the function runs."""

    def __init__(self, run: TaskIncarnation, spec: TaskSpec) -> None:
        self._run = run
        self._spec = spec

    async def after_start(self) -> None:
        run, spec = self._run, self._spec
        await pause()  # so that its supervisor is no longer seen to wait for its start: it may want to start others
        run.began = run.cell.runtime.time()
        late = None
        if spec.deadline is not None:
            reason = StopReason("timeout", f"took longer than its deadline of {spec.deadline:g} s")
            late = run.cell.runtime.loop.call_later(spec.deadline, run.kill, reason)
        try:
            work: object = spec.factory(*spec.args, **spec.kwargs)
            if not isawaitable(work):
                text = f"{spec.id}: factory: got a {type(work).__name__} from it; allowed: an `async def`"
                raise SpecError(text)
            value = await work
            if run.over is None:  # not of a zombie, whose successor has the word
                run.cell.value = value
        finally:
            if late is not None:
                late.cancel()


class TaskIncarnation(ActorIncarnation, eq=False):
    """One run of a supervised task."""

    began: float = 0.0

    def request_stop(self, reason: StopReason, drain: bool = False) -> None:  # noqa: ARG002 - no mailbox to drain
        """Cancel it as asyncio does, once: what it awaits while it cleans up is not interrupted; a kill does that."""
        if self.stopping is None:
            self.stopping = reason
        if self.abort is None:
            self.abort = self.stopping
            if self.scope is not None:
                self.task.cancel(f"{self.cell.path} stops: {reason}")

    def busy_since(self) -> float | None:
        """A task is never at rest."""
        return self.began

    def _make(self) -> Hooks:
        spec = self.cell.spec
        if not isinstance(spec, TaskSpec):
            raise SpecError(f"{self.cell.path}: not a TaskSpec")
        return _Body(self, spec)

    async def _begin(self) -> StopReason | None:
        return await ActorIncarnation._begin(self) or self.abort or _RETURNED  # who was interrupted has not finished

    def _tell_end(self, reason: StopReason) -> None:
        cell, runtime = self.cell, self.cell.runtime
        if cell.runs is not None and self.ready:
            outcome = "failed" if reason.abnormal else "finished" if reason.kind == "normal" else "stopped"
            error = None
            if reason.abnormal:
                error = describe(reason.error) if isinstance(reason.error, Exception) else str(reason)
            seconds = runtime.time() - self.began
            record = TaskRun(self.number, outcome, cell.started_at, runtime.clock.now(), seconds, error)
            cell.runs.append(record)
        ActorIncarnation._tell_end(self, reason)
