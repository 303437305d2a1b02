"""The one place that makes asyncio tasks, and the attribution of every task in the loop to its owner."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import types
import weakref
from collections.abc import Coroutine, Generator
from typing import Any, Protocol

import msgspec


class System(Protocol):
    """What a task's owner lives in."""

    @property
    def closed(self) -> bool:
        """Whether it has been left."""


class Run(Protocol):
    """Whoever must hear of it where the task in which it runs has ended without an end of its own."""

    def lost(self, error: BaseException | None, /) -> None:
        """The task was cancelled (None) or broken by `error`."""


class Owner(msgspec.Struct, eq=False):
    """On whose behalf a task runs. Tasks inherit it by their context, those of client libraries too."""

    path: str
    run: Run | None
    blocking: bool  # False in background tasks: what they wait for does not block the mailbox
    system: System
    alive: bool = True


OWNER: contextvars.ContextVar[Owner | None] = contextvars.ContextVar("actors_owner", default=None)


GIVE_WAY = 64  # sends in one system and one turn of the loop: as many as a receiver takes, so that none outruns it


@types.coroutine
def pause() -> Generator[None, None, None]:
    """Give the loop one turn: the bare yield, without what a checkpoint costs."""
    yield


def absorb_cancellation() -> None:
    """Take the current task's cancellation as dealt with: timeouts and groups in what it still runs must not see it."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


class TaskRegistry:
    """Owns the runtime's tasks and finds out to whom the others belong."""

    def __init__(self, loop: asyncio.AbstractEventLoop, base: contextvars.Context) -> None:
        self.tasks: dict[asyncio.Task[Any], Owner] = {}
        self._loop = loop
        self._forget = self._ended  # bound once, not for each task
        self._base = base
        self._known: weakref.WeakKeyDictionary[asyncio.Task[Any], Owner | None] = weakref.WeakKeyDictionary()

    def start(
        self, work: Coroutine[Any, Any, Any], owner: Owner, name: str, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        """Run `work` as a task of `owner`, in its own context or a copy of the one that the system was opened in."""
        if context is None:
            context = self._base.copy()
        context.run(OWNER.set, owner)
        # not loop.create_task: an eager task factory of the host would run it before its supervisor knows of it
        task = asyncio.Task(work, loop=self._loop, name=name, context=context)
        self.tasks[task] = owner
        task.add_done_callback(self._forget)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        owner = self.tasks.pop(task)
        error = None if task.cancelled() else task.exception()  # reading it marks it as seen
        if owner.blocking and owner.run is not None:
            owner.run.lost(error)

    def foreign(self) -> list[tuple[asyncio.Task[Any], Owner | None]]:
        """All other unfinished tasks of the loop with their owners; None: the embedding process's own."""
        found = []
        known = self._known
        for task in asyncio.all_tasks(self._loop) - self.tasks.keys():
            if task not in known:
                known[task] = owner_of(task)
            found.append((task, known[task]))
        return found


def owner_of(task: asyncio.Task[Any]) -> Owner | None:
    """The owner in a task's context. Before Python 3.12 the garbage collector is asked for that context."""
    # a task that a client library started has the context in which it was started, and so its actor's owner
    context: contextvars.Context | None
    if sys.version_info >= (3, 12):
        context = task.get_context()
    else:
        context = next((each for each in gc.get_referents(task) if isinstance(each, contextvars.Context)), None)
    return None if context is None else context.get(OWNER)
