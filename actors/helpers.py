"""Helper tasks of one actor: they end with it, and their failure is its crash."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from actors.errors import Reject
from actors.leash import Leash
from actors.tasks import Owner

if TYPE_CHECKING:
    from actors.incarnation import Incarnation
    from actors.mailbox import Reply


class Helper:
    """One helper task, for the roster and for its cancellation."""

    __slots__ = ("leash", "name", "since", "task")

    def __init__(self, name: str, since: float) -> None:
        self.name = name
        self.since = since
        self.leash = Leash()
        self.task: asyncio.Task[Any] | None = None


class Helpers:
    """The helper tasks that run now."""

    def __init__(self, run: Incarnation) -> None:
        self.active: dict[Helper, None] = {}
        self._run = run
        self._owner = Owner(run.cell.path, run, False, run.cell.system)
        self.closed = False
        self._empty: asyncio.Future[None] | None = None

    def start(self, work: Coroutine[Any, Any, Any], name: str, reply: Reply[Any] | None) -> None:
        """Begin `work` as a task of its own."""
        system = self._run.cell.system
        helper = Helper(name, system.time())
        self.active[helper] = None
        system.version += 1
        path = f"{self._run.cell.path}:{name}"
        helper.task = system.tasks.start(self._work(helper, work, reply), self._owner, path)
        helper.task.add_done_callback(lambda _: self._lost(helper, work))

    async def _work(self, helper: Helper, work: Coroutine[Any, Any, Any], reply: Reply[Any] | None) -> None:
        run = self._run
        try:
            with helper.leash:
                result = await work
                if reply is not None:
                    reply(result)
        except Reject as reject:
            if reply is None:
                run.helper_ended(helper.name, reject)
            else:
                reply.fail(reject)
        except BaseException as error:  # supervision: it becomes the actor's
            if isinstance(error, GeneratorExit) and not run.cell.system.loop.is_running():
                raise  # as in an actor's own task
            run.helper_ended(helper.name, error)
        finally:
            self._forget(helper, work)

    def _lost(self, helper: Helper, work: Coroutine[Any, Any, Any]) -> None:
        """Cancelled from outside before its first step: it never ran, but its failure counts as any other."""
        if helper in self.active:
            self._forget(helper, work)
            self._run.helper_ended(helper.name, asyncio.CancelledError())

    def _forget(self, helper: Helper, work: Coroutine[Any, Any, Any]) -> None:
        work.close()
        self.active.pop(helper, None)
        self._run.cell.system.version += 1
        if not self.active and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    async def close(self, timeout: float) -> list[Helper]:
        """Cancel all and wait; returns those that did not end."""
        self.closed = True
        if self.active:
            self.abandon()
            system = self._run.cell.system
            self._empty = system.future()
            await system.deadlines.outlasted(self._empty, timeout, lambda: None)
        self._owner.alive = False
        return list(self.active)

    def abandon(self) -> list[Helper]:
        """Cancel all and do not wait; returns those that were active."""
        for helper in self.active:
            helper.leash.cancel()
        self._owner.alive = False
        return list(self.active)
