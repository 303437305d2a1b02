"""The actor system: a root supervisor in tasks of its own, opened and closed by `async with`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope

from actors._core.cell import new_cell
from actors._core.deadlock import check_wait
from actors._core.runtime import Runtime
from actors._core.snapshot import RosterWatch, snapshot
from actors._core.states import State
from actors._core.supervisor import Supervisor
from actors._core.tasks import OWNER
from actors._core.tracing import Tracing
from actors.clock import Clock
from actors.errors import ActorError, AlreadyStarted, SpecError
from actors.events import Event, EventStream
from actors.logs import attach
from actors.mapping import TaskMap, mapped
from actors.operations import Operations
from actors.registry import Registry
from actors.roster import RosterSnapshot
from actors.specs import Backoff, Intensity, Restart, Strategy, SupervisorSpec, TaskSpec, check, number
from actors.stop_reason import StopReason
from actors.supervisor_ref import SupervisorRef, ref_of
from actors.task_ref import TaskRef

if TYPE_CHECKING:
    from typing import Self

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
_TASKS = "tasks"
_TASKS_SPEC = SupervisorSpec(
    _TASKS, intensity=Intensity(100, 5.0), parallel_shutdown=True
)  # one must not end the others
_TASK_OPTIONS = {*TaskSpec.__struct_fields__} - {"id", "factory", "args", "significant", "mailbox", "drain_on_stop"}


class ActorSystem(Operations):
    """A tree of actors. `async with ActorSystem("trading") as system:` starts it, and stops it in order.

    Args:
        name: the root's id: paths begin with "/name".
        strategy: the root's strategy.
        intensity: the root's restart budget; over it the body is cancelled and SystemFailed raised.
        seed: of the randomness in backoffs; None: unpredictable.
        clock: time for stamps and deadlines; default: the loop's and the machine's.
        kill_timeout: seconds that a killed actor may take to end before it counts as a zombie.
        propagate: context variables whose values travel with each message, from its sender to its handler.
        trace: record who sends each message, for `context.sender`; `propagate` does so, too.
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
        propagate: Iterable[ContextVar[Any]] = (),
        trace: bool = False,
    ) -> None:
        self._spec = SupervisorSpec(name, strategy=strategy, intensity=intensity)
        check(self._spec)
        if not number(kill_timeout) or not kill_timeout > 0:
            raise SpecError(f"{name}: kill_timeout: got {kill_timeout!r}; allowed: seconds > 0")
        self.name = name
        self._seed, self._clock, self._kill_timeout = seed, clock, kill_timeout
        tracing = Tracing(name, propagate)
        self._tracing = tracing if trace or tracing.variables else None
        self._runtime: Runtime | None = None
        self._root: Supervisor | None = None
        self._registry: Registry  # from the opening on
        self._seq = 0
        self._named_tasks = 0

    async def __aenter__(self) -> Self:
        if self._runtime is not None:
            raise ActorError(f"{self.name}: an ActorSystem is opened once; make a new one")
        self._runtime = runtime = Runtime(
            self.name, self, ref_of, seed=self._seed, clock=self._clock, kill_timeout=self._kill_timeout,
            tracing=self._tracing,
        )  # fmt: skip
        self._registry = Registry(runtime)
        attach(runtime.events)
        cell = new_cell(runtime, None, self._spec)
        cell.incarnation = 1
        cell.mark(State.STARTING)
        cell.run = self._root = root = Supervisor(cell, self._spec)
        runtime.stop_all = root.request_stop
        try:
            await runtime.deadlines.settled(root.started, None)
        except asyncio.CancelledError:
            await self._stop_shielded()
            raise
        if root.started.result() is not None:
            await self._stop_shielded()
            raise runtime.body.failed(root.stopping, root.started.result())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        body = self._opened().body
        body.leaving()
        return body.left(error, await self._stop_shielded())

    async def _stop_shielded(self) -> asyncio.CancelledError | None:
        """Stop whatever cancels the caller meanwhile; returns that cancellation for later."""
        runtime = self._opened()
        interrupted: asyncio.CancelledError | None = None
        with CancelScope(shield=True):
            while not runtime.closed:
                try:
                    await self.stop()
                    runtime.closed = True
                except asyncio.CancelledError as error:
                    interrupted = error
        runtime.close()
        return interrupted

    async def stop(self) -> None:
        """Stop the whole tree in order; closing the `async with` does it, too.

        A task that an actor started by `run_task` may do so: then the body of the `async with` ends as well, without an
        error. In a handler or hook itself it raises DeadlockError, and so it does in a task that those made. Another
        task of the host may stop the system, too; that leaves the body alone, which can await `stopped()`.
        """
        root, runtime = self._supervisor(), self._opened()
        check_wait(root.cell, "stop")
        owner = OWNER.get()
        if owner is not None and owner.system is runtime:
            runtime.body.stopped_inside = True
        root.request_stop(StopReason("shutdown", "system stops"))
        await runtime.deadlines.settled(root.exited(), None)

    def _opened(self) -> Runtime:
        if self._runtime is None:
            raise ActorError(f"{self.name}: the system is not open; use `async with`")
        return self._runtime

    def _supervisor(self) -> Supervisor:
        if self._root is None:
            raise ActorError(f"{self.name}: the system is not open; use `async with`")
        return self._root

    @property
    def clock(self) -> Clock:
        """Time: `time()` for deadlines, `now()` for stamps."""
        return self._opened().clock

    @property
    def events(self) -> EventStream:
        """What the runtime reports about itself, and the host's own events with it."""
        return self._opened().events

    @property
    def registry(self) -> Registry:
        """Unique names, and groups."""
        self._opened()
        return self._registry

    @property
    def ref(self) -> SupervisorRef:
        """The handle of the root supervisor."""
        ref: SupervisorRef = self._supervisor().cell.ref
        return ref

    async def stopped(self) -> StopReason:
        """Wait until the whole tree has ended, by whomever it was stopped, and say why."""
        root = self._supervisor()
        check_wait(root.cell, "end")
        await self._opened().deadlines.settled(root.exited(), None)
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
        return mapped(
            self.start_task, function, items, limit=limit, ordered=ordered, stop_on_error=stop_on_error, name=name
        )

    def publish(self, kind: type[Event], path: str, /, **fields: Any) -> None:
        """Build and publish an event, if anybody wants it."""
        self._opened().publish(kind, path, **fields)

    def roster(self, *, detail: bool = False) -> RosterSnapshot:
        """What runs now, read without sending a message to anybody; `detail` adds each actor's inspect()."""
        self._seq += 1
        return snapshot(self._opened(), self._supervisor().cell, self._seq, detail)

    def watch_roster(self, min_interval: float = 0.1) -> RosterWatch:
        """An async iterator: the roster now, then whenever it has changed, at most every `min_interval` seconds."""
        return RosterWatch(self._opened(), self.roster, min_interval)


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

        with suppress(RuntimeError, ValueError):  # possible in the main thread of Unix only
            loop.add_signal_handler(signal.SIGTERM, terminate)
        return await main()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(body())
    except asyncio.CancelledError:
        if terminated:
            raise SystemExit(143) from None
        raise
