"""Background tasks of one actor: they run beside its mailbox and end with it, and their failure is its crash."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Generic, TypeVar, cast

from actors._core.cell import ActorLife
from actors._core.kill_scope import KillScope
from actors._core.mailbox import Reply
from actors._core.runtime import Runtime
from actors._core.tasks import Owner
from actors.errors import Reject, TaskCancelled
from actors.events import OrphanDetected

T = TypeVar("T")


class TaskHandle(Generic[T]):
    """The handle of a background task: name, state ("running", "finished", "failed", "cancelled") and result."""

    __slots__ = ("_done", "_error", "_runtime", "_scope", "_task", "_value", "name", "path", "since", "state")

    def __init__(self, name: str, path: str, runtime: Runtime) -> None:
        self.name = name
        self.path = path
        self.state = "running"
        self.since = runtime.time()
        self._scope = KillScope()
        self._task: asyncio.Task[Any] | None = None
        self._runtime = runtime
        self._done: asyncio.Future[None] | None = None
        self._value: Any = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} {self.state}>"

    def cancel(self) -> None:
        """Interrupt it at its next await; that is no crash of its actor."""
        if self.state == "running":
            self._scope.cancel()

    async def result(self) -> T:
        """Wait for its end and return its value.

        Raises:
            TaskCancelled: it was cancelled, or ended with its actor; else what it raised.
        """
        if self.state == "running":
            if self._done is None:
                self._done = self._runtime.future()
            await self._runtime.deadlines.settled(self._done, None)
        if self.state == "cancelled":
            raise TaskCancelled(f"{self.path} was cancelled before it had a result", path=self.path)
        if self._error is not None:
            raise self._error.with_traceback(None)  # or it would grow with every caller
        return cast("T", self._value)

    def _settle(self, state: str, value: Any = None, error: BaseException | None = None) -> None:
        """Keep how it ended, the first time, and wake who waits for it."""
        if self.state == "running":
            self.state, self._value, self._error = state, value, error
            if self._done is not None and not self._done.done():
                self._done.set_result(None)


class BackgroundTasks:
    """Those of one actor that run now."""

    def __init__(self, run: ActorLife) -> None:
        self.active: dict[TaskHandle[Any], None] = {}
        self.closed = False
        self._run = run
        self._runtime = run.cell.runtime
        self._owner = Owner(run.cell.path, run, False, self._runtime)
        self._empty: asyncio.Future[None] | None = None

    def start(self, work: Coroutine[Any, Any, T], name: str, reply: Reply[Any] | None) -> TaskHandle[T]:
        """Begin `work` as a task of its own."""
        runtime = self._runtime
        handle: TaskHandle[T] = TaskHandle(name, f"{self._run.cell.path}:{name}", runtime)
        self.active[handle] = None
        runtime.version += 1
        tracing = runtime.tracing
        context = None if tracing is None else tracing.context(tracing.work())
        handle._task = task = runtime.tasks.start(self._work(handle, work, reply), self._owner, handle.path, context)
        task.add_done_callback(lambda _: self._lost(handle, work))
        return handle

    async def _work(self, handle: TaskHandle[Any], work: Coroutine[Any, Any, Any], reply: Reply[Any] | None) -> None:
        run = self._run
        try:
            with handle._scope:
                result = await work
                handle._settle("finished", result)
                if reply is not None:
                    reply(result)
        except Reject as reject:
            handle._settle("failed", error=reject)
            if reply is None:
                run.background_failed(handle.name, reject)
            else:
                reply.fail(reject)
        except BaseException as error:  # supervision: it becomes the actor's
            if isinstance(error, GeneratorExit) and not self._runtime.loop.is_running():
                raise  # as in an actor's own task
            handle._settle("failed", error=error)
            run.background_failed(handle.name, error)
        finally:
            self._forget(handle, work)

    def _lost(self, handle: TaskHandle[Any], work: Coroutine[Any, Any, Any]) -> None:
        """Cancelled from outside before its first step: it never ran, but its failure counts as any other."""
        if handle in self.active:
            self._forget(handle, work)
            self._run.background_failed(handle.name, asyncio.CancelledError())

    def _forget(self, handle: TaskHandle[Any], work: Coroutine[Any, Any, Any]) -> None:
        handle._settle("cancelled")  # the KillScope has swallowed the cancellation, or the first step never came
        work.close()
        self.active.pop(handle, None)
        self._runtime.version += 1
        if not self.active and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def tasks(self) -> Iterator[tuple[TaskHandle[Any], asyncio.Task[Any]]]:
        """Those that run, with their tasks."""
        for handle in self.active:
            if handle._task is not None:
                yield handle, handle._task

    async def close(self, timeout: float) -> None:
        """Cancel all and wait; those that do not end within `timeout` seconds are orphans."""
        self.closed = True
        if self.active:
            self._cancel()
            self._empty = self._runtime.future()
            await self._runtime.deadlines.outlasted(self._empty, timeout, lambda: None)
        self._disown()

    def abandon(self) -> None:
        """Cancel all and do not wait."""
        self._cancel()
        self._disown()

    def _cancel(self) -> None:
        for handle in self.active:
            handle._scope.cancel()
        self._owner.alive = False

    def _disown(self) -> None:
        self._owner.alive = False
        strays = self._runtime.strays
        for handle in self.active:
            if handle._task is not None:
                strays[handle._task] = handle.path
                handle._task.add_done_callback(lambda task: strays.pop(task, None))
            self._run.cell.publish(OrphanDetected, task=handle.name)
