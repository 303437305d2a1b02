"""The actor system: a root supervisor in tasks of its own, opened and closed by `async with`."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope

from actors.admin import Children, SupervisorRef
from actors.cell import UNKNOWN, Cell
from actors.clock import Clock, LoopClock
from actors.deadlines import Deadlines
from actors.deadlock import check_wait
from actors.errors import ActorError, AlreadyStarted, ChildNotFound, SpecError, SystemFailed
from actors.events import DeadLetter, Event, EventStream
from actors.incarnation import Incarnation
from actors.logs import attach
from actors.mapping import TaskMap, mapped
from actors.ref import ActorRef
from actors.roster import LagMeter, RosterEntry, RosterSnapshot, RosterWatch, picture, snapshot
from actors.specs import (
    Backoff,
    Intensity,
    Restart,
    Spec,
    StopReason,
    Strategy,
    SupervisorSpec,
    TaskSpec,
    check,
    number,
)
from actors.supervisor import Supervisor
from actors.task_ref import TaskRef
from actors.tasks import OWNER, TaskRegistry

if TYPE_CHECKING:
    from typing import Self

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
_TASKS = "tasks"
_TASKS_SPEC = SupervisorSpec(
    _TASKS, intensity=Intensity(100, 5.0), parallel_shutdown=True
)  # one must not end the others
_TASK_OPTIONS = {*TaskSpec.__struct_fields__} - {"id", "factory", "args", "significant", "mailbox", "drain_on_stop"}
GRAVE_WINDOW = 60.0  # seconds for which a dead child without a spec stays visible
_GRAVES = 1000  # at most so many of them


class ActorSystem(Children):
    """A tree of actors. `async with ActorSystem("trading") as system:` starts it, and stops it in order.

    Args:
        name: the root's id: paths begin with "/name".
        strategy: the root's strategy.
        intensity: the root's restart budget; over it the body is cancelled and SystemFailed raised.
        seed: of the randomness in backoffs; None: unpredictable.
        clock: time for stamps and deadlines; default: the loop's and the machine's.
        kill_timeout: seconds that a killed actor may take to end before it counts as a zombie.
    """

    def __init__(
        self,
        name: str,
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = Intensity(),  # noqa: B008 - immutable
        seed: int | None = None,
        clock: Clock | None = None,
        kill_timeout: float = 1.0,
    ) -> None:
        self._spec = SupervisorSpec(name, strategy=strategy, intensity=intensity)
        check(self._spec)
        if not number(kill_timeout) or not kill_timeout > 0:
            raise SpecError(f"{name}: kill_timeout: got {kill_timeout!r}; allowed: seconds > 0")
        self.name = name
        self.random = random.Random(seed)  # noqa: S311 - jitter, not secrets
        self.kill_timeout = kill_timeout
        self.version = 0
        self.dead_letters = 0
        self.sends = 0
        self.warm = 0  # actors that keep their scope open while they rest
        self.lively = 0  # actors that keep their loop's frame while they rest
        self.zombies: dict[Incarnation, tuple[float, str | None]] = {}  # since when, in which message
        self.strays: dict[asyncio.Task[Any], str] = {}  # helper tasks that outlive their actor
        self.graves: deque[tuple[float, Cell | RosterEntry]] = deque(maxlen=_GRAVES)
        self.clock: Clock
        self.loop: asyncio.AbstractEventLoop
        self.events: EventStream
        self._given_clock = clock
        self.closed = False
        self._root: Cell | None = None
        self._root_run: Supervisor | None = None
        self._seq = 0
        self._named_tasks = 0
        self._body: asyncio.Task[Any] | None = None
        self._cancelled_body = False
        self._stopped_inside = False
        self._cancelling = 0  # cancellations of the body that were there before
        self._cause: BaseException | None = None
        self._failure: StopReason | None = None

    async def __aenter__(self) -> Self:
        if self._root is not None:
            raise ActorError(f"{self.name}: an ActorSystem is opened once; make a new one")
        self.loop = asyncio.get_running_loop()
        self.debug, self._thread = self.loop.get_debug(), threading.get_ident()
        self.future, self.time = self.loop.create_future, self.loop.time
        kind = type(self.loop)
        if kind.create_future is asyncio.BaseEventLoop.create_future:  # what they do, without their frames
            self.future = partial(asyncio.Future, loop=self.loop)
        if kind.time is asyncio.BaseEventLoop.time:
            self.time = time.monotonic
        self.done = self.loop.create_future()
        self.done.set_result(None)
        self.clock = self._given_clock or LoopClock(self.loop)
        self.events = EventStream(self.loop.create_future)
        self.deadlines = Deadlines(self.loop)
        self.tasks = TaskRegistry(self.loop)
        self.lag = LagMeter(self.loop)
        attach(self.events)
        self._body = body = asyncio.current_task()
        self._cancelling = 0 if body is None else body.cancelling()
        self._root = self.new_cell(None, self._spec)
        self._root.incarnation = 1
        self._root.mark("starting")
        self._root.run = self._root_run = Supervisor(self._root, self._spec)
        started = self._root_run.started
        try:
            await self.deadlines.settled(started, None)
        except asyncio.CancelledError:
            await self._stop_shielded()
            raise
        if started.result() is not None:
            await self._stop_shielded()
            raise self._failed(self._root_run.stopping, started.result())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if asyncio.current_task() is not self._body and not self._cancelled_body:
            self._body = None  # handed on: who entered does other work by now, and is not to be cancelled
        interrupted = await self._stop_shielded()
        body = self._body
        ours = self._cancelled_body and body is not None and body is asyncio.current_task()
        if ours and body is not None:
            if body.cancelling() > self._cancelling:  # also where the body has swallowed it
                body.uncancel()
            theirs = body.cancelling() > self._cancelling and self._cause is None  # the host cancels the body as well
            if theirs and interrupted is not None:
                raise interrupted
            if theirs and isinstance(error, asyncio.CancelledError):
                return None
        elif interrupted is not None:
            raise interrupted
        if self._cause is not None:
            raise self._cause
        if self._failure is not None and (ours or not isinstance(error, GeneratorExit | asyncio.CancelledError)):
            cause = self._failure.error if isinstance(self._failure.error, BaseException) else None
            raise self._failed(self._failure, cause) from cause
        stopped = ours and isinstance(error, asyncio.CancelledError)
        return True if stopped else None  # from inside, by an actor's task: the body is over

    def _failed(self, reason: StopReason | None, cause: BaseException | None) -> SystemFailed:
        return SystemFailed(f"system {self.name} failed: {reason}", path=f"/{self.name}", cause=cause)

    async def _stop_shielded(self) -> asyncio.CancelledError | None:
        """Stop whatever cancels the caller meanwhile; returns that cancellation for later."""
        interrupted: asyncio.CancelledError | None = None
        with CancelScope(shield=True):
            while not self.closed:
                try:
                    await self.stop()
                    self.closed = True
                except asyncio.CancelledError as error:
                    interrupted = error
        self.lag.close()
        self.deadlines.close()
        self.events.close()
        return interrupted

    async def stop(self) -> None:
        """Stop the whole tree in order; closing the `async with` does it, too.

        A task that an actor started by `run_task` may do so: then the body of the `async with` ends as well, without an
        error. In a handler or hook itself it raises DeadlockError, and so it does in a task that those made.
        """
        root = self._supervisor()
        check_wait(root.cell, "stop")
        owner = OWNER.get()
        if owner is not None and owner.system is self:
            self._stopped_inside = True
        root.request_stop(StopReason("shutdown", "system stops"))
        await self.deadlines.settled(root.exited(), None)

    def abort(self, error: BaseException) -> None:
        """KeyboardInterrupt or SystemExit in an actor: stop all in order, then raise it from the `async with`."""
        self._cause = self._cause or error
        self._supervisor().request_stop(StopReason("shutdown", type(error).__name__))
        self._cancel_body()

    def root_ended(self, reason: StopReason) -> None:
        """The root supervisor has ended by itself."""
        if reason.detail.startswith("max restart") or reason.abnormal:
            self._failure = reason
            self._cancel_body()
        elif self._stopped_inside:
            self._cancel_body()

    def _cancel_body(self) -> None:
        body = self._body
        if body is not None and not body.done() and not self._cancelled_body:
            self._cancelled_body = True
            body.cancel(f"actor system {self.name} {'stops' if self._failure is None else 'failed'}")

    def _supervisor(self) -> Supervisor:
        if self._root_run is None:
            raise ActorError(f"{self.name}: the system is not open; use `async with`")
        return self._root_run

    @property
    def ref(self) -> ActorRef:
        """The handle of the root supervisor."""
        return self._supervisor().cell.ref

    async def stopped(self) -> StopReason:
        """Wait until the whole tree has ended, by whomever it was stopped, and say why."""
        root = self._supervisor()
        check_wait(root.cell, "end")
        await self.deadlines.settled(root.exited(), None)
        return root.exited().result()

    async def start_task(
        self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, name: str = "", **options: Any
    ) -> TaskRef[T]:
        """Run `function(*args)` supervised, below "/<system>/tasks"; returns its handle when it runs.

        Not in the `on_start` of a child of the system itself, which the system waits for: use `after_start` there.

        A failure is told by `await ref.result()`, and restarts it only where `options`, fields of TaskSpec, say so.
        They are: kwargs, restart (default TEMPORARY), backoff, deadline, stall_timeout, shutdown, history, metadata.

        Raises:
            SpecError: a wrong function or option. AlreadyStarted: another task runs under this `name`; AlreadyPresent:
            one that may be restarted has ended under it.
        """
        self._named_tasks += 1
        id_ = name or f"{getattr(function, '__name__', 'task').strip('<>')}-{self._named_tasks}"
        unknown = sorted(options.keys() - _TASK_OPTIONS)
        if unknown:
            raise SpecError(f"start_task: got {', '.join(unknown)}; allowed: {', '.join(sorted(_TASK_OPTIONS))}")
        options = {"restart": Restart.TEMPORARY, **options}
        if options["restart"] is not Restart.TEMPORARY and options.get("backoff") is None:
            options["backoff"] = Backoff()  # without, one that fails at once would use up the budget of all
        spec = TaskSpec(id_, function, args, **options)
        check(spec)
        ref: TaskRef[T] = await (await self._tasks_ref()).start_child(spec)
        return ref

    async def _tasks_ref(self) -> SupervisorRef:
        """The supervisor of the tasks that the system itself started; made with the first one."""
        cell = self._supervisor().children.get(_TASKS)
        if cell is None:
            try:
                return await self.start_child(_TASKS_SPEC)
            except AlreadyStarted:  # by somebody else, meanwhile
                return await self._tasks_ref()
        if cell.spec is not _TASKS_SPEC or not isinstance(cell.ref, SupervisorRef):
            raise ActorError(f"{cell.path} is the name of the supervisor of start_task and map; give yours another one")
        if cell.run is None and not cell.pending:  # stopped by hand
            await self.restart_child(_TASKS)
        return cell.ref

    def map(
        self,
        function: Callable[[I], Coroutine[Any, Any, T]],
        items: Iterable[I] | AsyncIterable[I],
        *,
        limit: int = 4,
        ordered: bool = True,
        stop_on_error: bool = False,
        name: str = "",
    ) -> TaskMap[T]:
        """Call `function(item)` for every item, at most `limit` at a time, in a supervised task: an async iterator.

        Results come in the order of the items, or with `ordered=False` as they are there. At most twice `limit` items
        are begun and not yet read. A failure leaves the others alone: what succeeded is given, and at the end an
        ExceptionGroup raised, whose notes name the items; `stop_on_error` cancels the rest and raises the first one.

        Raises:
            SpecError: a wrong function, items or limit.
        """
        return mapped(self, function, items, limit=limit, ordered=ordered, stop_on_error=stop_on_error, name=name)

    def find(self, path: str) -> ActorRef:
        """The handle of the actor at a path, whether it is alive or not: "/trading/store", or "store" below the root.

        Raises:
            ChildNotFound: nothing is listed there.
        """
        cell = self._supervisor().cell
        below_root = path.removeprefix(f"{cell.path}/") if path != cell.path else ""
        if below_root.startswith("/"):
            raise ChildNotFound(f"no actor at {path}: paths of this system begin with {cell.path}", path=path)
        for id_ in below_root.split("/") if below_root else ():
            below = cell.run if cell.box is None else getattr(cell.run, "children", None)
            child = below.children.get(id_) if isinstance(below, Supervisor) else None
            if child is None:
                child = cell.kept.get(id_)
            if child is None:
                raise ChildNotFound(f"no actor at {path}: {cell.path} has no child {id_!r}", path=path)
            cell = child
        return cell.ref

    def new_cell(self, parent: Supervisor | None, spec: Spec) -> Cell:
        """The state and the ref of a new child."""
        table = {} if isinstance(spec, SupervisorSpec | TaskSpec) else getattr(spec.factory, "__table__", None)
        return Cell(self, parent, spec, UNKNOWN if table is None else table)

    def bury(self, cell: Cell) -> None:
        """Keep a dead child without a spec visible for a while."""
        now = self.time()
        while self.graves and self.graves[0][0] <= now:
            self.graves.popleft()
        # of a task the picture alone: its cell holds what it returned, which may be large
        self.graves.append((now + GRAVE_WINDOW, cell if cell.runs is None else picture(cell, now, False)))

    def check_thread(self, path: str) -> None:
        """In the loop's debug mode: refuse a message from another thread, which would not wake the loop."""
        if threading.get_ident() != self._thread:
            text = "sent from another thread; use loop.call_soon_threadsafe(ref.tell_nowait, message)"
            raise ActorError(f"{path}: {text}", path=path)

    def publish(self, kind: type[Event], path: str, **fields: Any) -> None:
        """Build and publish an event, if anybody wants it."""
        if self.events.wanted(kind):
            self.events.publish(kind(path=path, at=self.clock.now(), **fields))

    def dead_letter(self, path: str, message: Any, reason: str) -> None:
        """Count and publish a message that nobody will handle."""
        self.dead_letters += 1
        self.publish(DeadLetter, path, message=message, reason=reason)

    def roster(self, *, detail: bool = False) -> RosterSnapshot:
        """What runs now, read without sending a message to anybody; `detail` adds each actor's inspect()."""
        self._seq += 1
        return snapshot(self, self._supervisor().cell, self._seq, detail)

    def watch_roster(self, min_interval: float = 0.1) -> RosterWatch:
        """An async iterator: the roster now, then whenever it has changed, at most every `min_interval` seconds."""
        return RosterWatch(self, min_interval)


def run(main: Callable[[], Awaitable[T]], *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """Run `main()` to its end. SIGINT and SIGTERM cancel it, so that systems in it stop in order.

    Raises:
        KeyboardInterrupt: after SIGINT. SystemExit(143): after SIGTERM. Also what `main` raises.
    """
    terminated = False

    async def body() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            if task is not None:
                task.cancel("SIGTERM")

        with suppress(NotImplementedError, RuntimeError, ValueError):  # possible in the main thread of Unix only
            loop.add_signal_handler(signal.SIGTERM, terminate)
        return await main()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(body())
    except asyncio.CancelledError:
        if terminated:
            raise SystemExit(143) from None
        raise
