"""One open system as its parts see it: time, tasks, deadlines, events, and the counters that the roster shows."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from actors._core.body import Body
from actors._core.deadlines import Deadlines
from actors._core.lag import LagMeter
from actors._core.registrations import Registrations
from actors._core.tasks import TaskRegistry
from actors._core.tracing import Origin, Tracing
from actors.clock import Clock, LoopClock
from actors.errors import ActorError
from actors.events import DeadLetter, Event, EventStream, complain
from actors.stop_reason import StopReason

GRAVE_WINDOW = 60.0  # seconds for which a dead child without a spec stays visible
_GRAVES = 1000  # at most so many of them


class Buried(Protocol):
    """A dead child that stays visible for a while."""

    path: str


class Runtime:
    """Made when a system is opened, in its loop; every cell holds it."""

    def __init__(
        self,
        name: str,
        system: Any,
        refs: Callable[[Any], Any],
        *,
        seed: int | None,
        clock: Clock | None,
        kill_timeout: float,
        tracing: Tracing | None = None,
    ) -> None:
        self.name = name
        self.system = system  # the ActorSystem, which stands above as well
        self.body = Body(name)
        self.refs = refs  # makes the handle of a cell: handles stand above
        self.loop = loop = asyncio.get_running_loop()
        self.debug, self._thread = loop.get_debug(), threading.get_ident()
        self.tracing = tracing
        self.careful = self.debug or tracing is not None  # one question for each send, whose answer is no
        self.future, self.time = loop.create_future, loop.time
        if type(loop).create_future is asyncio.BaseEventLoop.create_future:  # what they do, without their frames
            self.future = partial(asyncio.Future, loop=loop)
        if type(loop).time is asyncio.BaseEventLoop.time:
            self.time = time.monotonic
        self.done: asyncio.Future[Any] = loop.create_future()
        self.done.set_result(None)
        self.clock = clock or LoopClock(loop)
        self.random = random.Random(seed)  # noqa: S311 - jitter, not secrets
        self.kill_timeout = kill_timeout
        self.events = EventStream(loop.create_future)
        self.deadlines = Deadlines(loop)
        self.tasks = TaskRegistry(loop, copy_context() if tracing is None else tracing.open())
        self.lag = LagMeter(loop)
        self.closed = False
        self.stop_all: Callable[[StopReason], None]  # of the root supervisor
        self.version = 0  # rises with every change that the roster shows
        self.dead_letters = 0
        self.sends = 0
        self.warm = 0  # actors that keep their scope open while they rest
        self.lively = 0  # actors that keep their loop's frame while they rest
        self.zombies: dict[Any, tuple[float, str | None]] = {}  # lives: since when, in which message
        self.strays: dict[asyncio.Task[Any], str] = {}  # background tasks that outlive their actor
        self.faults: deque[BaseException] = deque(maxlen=10)
        self.registrations: dict[Any, Registrations] = {}  # by cell, where there are any
        self.graves: deque[tuple[float, Any]] = deque(maxlen=_GRAVES)

    def close(self) -> None:
        """End what is not a task: timers and subscriptions."""
        self.lag.close()
        self.deadlines.close()
        self.events.close()

    def origin(self, path: str) -> Origin | None:
        """Look closely at a message that is sent to `path` here: its origin, where the system traces.

        In the loop's debug mode one from another thread is refused: it would not wake the loop.
        """
        if self.debug and threading.get_ident() != self._thread:
            text = "sent from another thread; use loop.call_soon_threadsafe(ref.tell_nowait, message)"
            raise ActorError(f"{path}: {text}", path=path)
        return None if self.tracing is None else self.tracing.here()

    def publish(self, kind: type[Event], path: str, /, **fields: Any) -> None:
        """Build and publish an event, if anybody wants it."""
        if self.events.wanted(kind):
            self.events.publish(kind(path=path, at=self.clock.now(), **fields))

    def dead_letter(self, path: str, message: Any, reason: str) -> None:
        """Count and publish a message that nobody will handle."""
        self.dead_letters += 1
        self.publish(DeadLetter, path, message=message, reason=reason)

    def abort(self, error: BaseException) -> None:
        """KeyboardInterrupt or SystemExit in an actor: stop all in order, then raise it where the system is left."""
        self.stop_all(StopReason("shutdown", type(error).__name__))
        self.body.aborted(error)

    def fault(self, error: BaseException) -> None:
        """A fault of the runtime itself: told to the loop's exception handler and kept for tests; the tree goes on."""
        self.faults.append(error)
        complain(error, "a fault of the actor runtime")

    def bury(self, dead: Buried) -> None:
        """Keep a dead child without a spec visible for a while."""
        now = self.time()
        while self.graves and self.graves[0][0] <= now:
            self.graves.popleft()
        self.graves.append((now + GRAVE_WINDOW, dead))

    def buried(self, path: str) -> Any:
        """The newest of those that are visible at this path; None: there is none."""
        now = self.time()
        return next((dead for due, dead in reversed(self.graves) if due > now and dead.path == path), None)
