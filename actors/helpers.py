"""TaskHandle[Any] tasks of one actor: they end with it, and their failure is its crash."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from actors.errors import Reject, TaskCancelled
from actors.leash import Leash
from actors.tasks import Owner

if TYPE_CHECKING:
    from actors.incarnation import Incarnation
    from actors.mailbox import Reply
    from actors.system import ActorSystem

T = TypeVar("T")


class TaskHandle(Generic[T]):
    """The handle of a helper task: its name, its state ("running", "finished", "failed", "cancelled"), its result."""

    __slots__ = ("_done", "_error", "_system", "_value", "leash", "name", "path", "since", "state", "task")

    def __init__(self, name: str, path: str, system: ActorSystem) -> None:
        self.name = name
        self.path = path
        self.state = "running"
        self.since = system.time()
        self.leash = Leash()
        self.task: asyncio.Task[Any] | None = None
        self._system = system
        self._done: asyncio.Future[None] | None = None
        self._value: Any = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} {self.state}>"

    def cancel(self) -> None:
        """Interrupt it at its next await; that is no crash of its actor."""
        if self.state == "running":
            self.leash.cancel()

    async def result(self) -> T:
        """Wait for its end and return its value.

        Raises:
            TaskCancelled: it was cancelled, or ended with its actor; else what it raised.
        """
        if self.state == "running":
            if self._done is None:
                self._done = self._system.future()
            await self._system.deadlines.settled(self._done, None)
        if self.state == "cancelled":
            raise TaskCancelled(f"{self.path} was cancelled before it had a result", path=self.path)
        if self._error is not None:
            raise self._error.with_traceback(None)  # or it would grow with every caller
        return cast("T", self._value)

    def settle(self, state: str, value: Any = None, error: BaseException | None = None) -> None:
        """Keep how it ended, the first time, and wake who waits for it."""
        if self.state == "running":
            self.state, self._value, self._error = state, value, error
            if self._done is not None and not self._done.done():
                self._done.set_result(None)


class Helpers:
    """The helper tasks that run now."""

    def __init__(self, run: Incarnation) -> None:
        self.active: dict[TaskHandle[Any], None] = {}
        self._run = run
        self._owner = Owner(run.cell.path, run, False, run.cell.system)
        self.closed = False
        self._empty: asyncio.Future[None] | None = None

    def start(self, work: Coroutine[Any, Any, T], name: str, reply: Reply[Any] | None) -> TaskHandle[T]:
        """Begin `work` as a task of its own."""
        system = self._run.cell.system
        helper: TaskHandle[T] = TaskHandle(name, f"{self._run.cell.path}:{name}", system)
        self.active[helper] = None
        system.version += 1
        helper.task = system.tasks.start(self._work(helper, work, reply), self._owner, helper.path)
        helper.task.add_done_callback(lambda _: self._lost(helper, work))
        return helper

    async def _work(self, helper: TaskHandle[Any], work: Coroutine[Any, Any, Any], reply: Reply[Any] | None) -> None:
        run = self._run
        try:
            with helper.leash:
                result = await work
                helper.settle("finished", result)
                if reply is not None:
                    reply(result)
        except Reject as reject:
            helper.settle("failed", error=reject)
            if reply is None:
                run.helper_ended(helper.name, reject)
            else:
                reply.fail(reject)
        except BaseException as error:  # supervision: it becomes the actor's
            if isinstance(error, GeneratorExit) and not run.cell.system.loop.is_running():
                raise  # as in an actor's own task
            helper.settle("failed", error=error)
            run.helper_ended(helper.name, error)
        finally:
            self._forget(helper, work)

    def _lost(self, helper: TaskHandle[Any], work: Coroutine[Any, Any, Any]) -> None:
        """Cancelled from outside before its first step: it never ran, but its failure counts as any other."""
        if helper in self.active:
            self._forget(helper, work)
            self._run.helper_ended(helper.name, asyncio.CancelledError())

    def _forget(self, helper: TaskHandle[Any], work: Coroutine[Any, Any, Any]) -> None:
        helper.settle("cancelled")
        work.close()
        self.active.pop(helper, None)
        self._run.cell.system.version += 1
        if not self.active and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    async def close(self, timeout: float) -> list[TaskHandle[Any]]:
        """Cancel all and wait; returns those that did not end."""
        self.closed = True
        if self.active:
            self.abandon()
            system = self._run.cell.system
            self._empty = system.future()
            await system.deadlines.outlasted(self._empty, timeout, lambda: None)
        self._owner.alive = False
        return list(self.active)

    def abandon(self) -> list[TaskHandle[Any]]:
        """Cancel all and do not wait; returns those that were active."""
        for helper in self.active:
            helper.leash.cancel()
        self._owner.alive = False
        return list(self.active)
