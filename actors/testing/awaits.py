"""Errors out of the awaits of actors, as if what they waited for had failed: for simulations with seeded crashes."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import anyio
import msgspec

from actors._core.tasks import Owner, TaskRegistry

__all__ = ["AtAwait", "Await", "watch"]

_RUNTIME = str(Path(__file__).parents[1])
_ANYIO = str(Path(anyio.__file__).parent)
_HARMLESS = frozenset({"sleep", "sleep_forever", "sleep_until", "checkpoint", "wait"})
_DEPTH = 100  # awaits in one another that are looked at


class Await(msgspec.Struct, frozen=True):
    """An await in an actor's own code that is about to come back.

    Attributes:
        path: of the task: the actor's; of a task beside its mailbox, its name behind a colon.
        where: the innermost line of its own code, as "file.py:function:line".
    """

    path: str
    where: str

    @property
    def actor(self) -> str:
        """The actor's path."""
        return self.path.partition(":")[0]


AtAwait = Callable[[Await], BaseException | None]
"""What it returns is raised out of the await; None: nothing."""


def watch(tasks: TaskRegistry, at_await: AtAwait) -> None:
    """Have all tasks that a system starts from now on pass through `at_await`."""
    start = tasks.start

    def started(
        work: Coroutine[Any, Any, Any], owner: Owner, name: str, context: contextvars.Context | None = None
    ) -> Any:
        return start(_Watched(work, name, at_await), owner, name, context)

    tasks.start = started  # type: ignore[method-assign]  # of this system alone


class _Watched(Coroutine[Any, Any, Any]):
    """A task's coroutine; at each of its awaits somebody may have an error."""

    def __init__(self, work: Coroutine[Any, Any, Any], path: str, at_await: AtAwait) -> None:
        self._work = work
        self._path = path
        self._at_await = at_await

    def send(self, value: Any) -> Any:
        where = _own_line(self._work)
        error = None if where is None else self._at_await(Await(self._path, where))
        return self._work.send(value) if error is None else self._work.throw(error)

    def throw(self, *error: Any) -> Any:
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Any:
        return (yield from self._work.__await__())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)  # cr_frame and others: who looks where a task waits


def _own_line(work: Any) -> str | None:
    """The innermost line of the actor's own code that waits; None where there is none, or an error would break anyio.

    Locks, task groups and streams of anyio know of cancellation only: an error out of them would leave them locked.
    """
    own: FrameType | None = None
    for frame in _waiting(work):
        code: CodeType = frame.f_code
        if code.co_filename.startswith(_ANYIO):
            if code.co_name not in _HARMLESS:
                return None
        elif not code.co_filename.startswith(_RUNTIME) and "asyncio" not in code.co_filename:
            own = frame
    return None if own is None else f"{Path(own.f_code.co_filename).name}:{own.f_code.co_name}:{own.f_lineno}"


def _waiting(work: Any) -> Iterator[FrameType]:
    """The frames of coroutines that wait for one another, from the outside in."""
    for _ in range(_DEPTH):
        if inspect.iscoroutine(work):
            frame, work = work.cr_frame, work.cr_await
        elif inspect.isgenerator(work):
            frame, work = work.gi_frame, work.gi_yieldfrom
        else:
            return
        if frame is None or work is None:  # not begun, or ended
            return
        yield frame
