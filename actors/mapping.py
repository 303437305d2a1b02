"""`system.map`: one supervised task that calls a function for each item, a few at a time, into a bounded buffer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from anyio import CancelScope, Event, Lock

from actors._core.background import TaskHandle
from actors._core.cell import life_of
from actors._core.error_text import describe
from actors._core.incarnation import Incarnation
from actors._core.tasks import OWNER, pause
from actors.errors import ActorError, SpecError
from actors.stop_reason import StopReason
from actors.task_ref import TaskRef

if TYPE_CHECKING:
    from typing import Self

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")
_ERRORS = 100  # kept for the report at the end; the others are counted
_GIVE_WAY = 64  # items between two turns of the loop, at the most
_SHOWN = 200  # characters of an item in a note


class Work(Generic[I, R]):
    """What the workers and the reader share. The workers hold it, not the iterator, so that a dropped one is seen."""

    def __init__(
        self,
        function: Callable[[I], Coroutine[Any, Any, R]],
        items: Iterable[I] | AsyncIterable[I],
        limit: int,
        ordered: bool,
        stop_on_error: bool,
    ) -> None:
        self.function = function
        self.limit = limit
        self.ordered = ordered
        self.stop_on_error = stop_on_error
        self.items: Iterator[I] | None = None if isinstance(items, AsyncIterable) else iter(items)
        self.stream: AsyncIterator[I] | None = aiter(items) if isinstance(items, AsyncIterable) else None
        self.turn = Lock()  # an async iterator is asked by one at a time
        self.taken = self.failed = 0
        self.settled = 0  # items that take up no room any more: read, or failed
        self.passed = 0  # ordered: items whose outcome has been passed on; the number of the next one
        self.done: dict[int, R] = {}  # ordered: outcomes that wait for earlier ones
        self.lost: set[int] = set()  # ordered: failed items, which the reader skips
        self.ready: deque[R] = deque()
        self.errors: list[Exception] = []
        self.exhausted = False
        self.life: Incarnation | None = None
        self.workers: deque[TaskHandle[None]] = deque()
        self.hired = 0
        self.broken: BaseException | None = None  # what ends it all: of the items, or of a call where that is asked
        self.over: StopReason | None = None
        self.news = Event()
        self.room = Event()

    async def run(self) -> None:
        """The supervised task's own function."""
        life = life_of(OWNER.get())
        self.life = life if isinstance(life, Incarnation) else None
        self._hire()
        while self.workers:
            await self.workers.popleft().result()

    def _hire(self) -> None:
        """Another worker, while there are items and fewer than may be."""
        if self.life is not None and self.hired < self.limit and not self.exhausted:
            self.workers.append(self.life.live().start_background(self._worker(), f"worker-{self.hired}", None))
            self.hired += 1

    async def _worker(self) -> None:
        while (numbered := await self._take()) is not None:
            number, item = numbered
            self._hire()
            try:
                value = await self.function(item)
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                raise
            except Exception as error:  # noqa: BLE001 - of the item, and told to the reader
                self._fail(number, item, error)
            except BaseException as error:  # as a supervisor: one odd item must not take the others' results along
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise  # this worker is to end; else the item awaited something that was cancelled
                self._fail(number, item, _renamed(error))
            else:
                if self.ordered:
                    self.done[number] = value
                else:
                    self.ready.append(value)
            self._forward()
            if not self.taken % _GIVE_WAY:
                await pause()  # calls that never wait must not hold up the loop

    async def _take(self) -> tuple[int, I] | None:
        """The next item and its number; waits while twice as many as may run are begun and not read."""
        if self.stream is not None:
            async with self.turn:
                return await self._next()
        return await self._next()

    async def _next(self) -> tuple[int, I] | None:
        while self.taken - self.settled >= 2 * self.limit and self.broken is None:
            if self.room.is_set():
                self.room = Event()
            await self.room.wait()
        if self.exhausted or self.broken is not None:
            return None
        ends = StopAsyncIteration if self.items is None else StopIteration
        try:
            item = next(self.items) if self.items is not None else await anext(self.stream)  # type: ignore[arg-type]
        except ends:
            self.exhausted = True
            return None
        except Exception as error:  # noqa: BLE001 - of whoever makes the items, and raised to the reader
            self.broken = error
            return None
        self.taken += 1
        return self.taken - 1, item

    def _fail(self, number: int, item: I, error: Exception) -> None:
        self.failed += 1
        self.settled += 1
        if len(self.errors) < _ERRORS:
            with suppress(Exception):  # the item is an author's object, and so is its repr
                error.add_note(f"map: item {number}: {repr(item)[:_SHOWN]}")
            self.errors.append(error)
        if self.stop_on_error and self.broken is None:
            self.broken = error
        if self.ordered:
            self.lost.add(number)

    def _forward(self) -> None:
        """Move what is next in order to the reader."""
        while self.ordered and (self.passed in self.done or self.passed in self.lost):
            if self.passed in self.lost:
                self.lost.remove(self.passed)
            else:
                self.ready.append(self.done.pop(self.passed))
            self.passed += 1
        self.news.set()
        self.room.set()


def _renamed(error: BaseException) -> RuntimeError:
    """An error of a class that would mean something else to the reader: its own cancellation, the end of its loop."""
    other = RuntimeError(f"map: {describe(error)}")
    other.__cause__ = error
    return other


class Start(Protocol):
    """`ActorSystem.start_task`, as far as it is needed here."""

    async def __call__(self, function: Callable[[], Coroutine[Any, Any, None]], /, *, name: str) -> TaskRef[None]:
        """Start a supervised task."""


class TaskMap(Generic[R]):
    """An async iterator over the results; left early, it stops the work that still runs."""

    def __init__(self, start: Start, work: Work[Any, R], name: str) -> None:
        self._start = start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work = work
        self._name = name
        self._ref: TaskRef[None] | None = None
        self._told = self._reading = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        if self._reading:
            raise ActorError("map: another task reads these results; give each reader a map of its own")
        self._reading = True
        try:
            return await self._read()
        finally:
            self._reading = False

    async def _read(self) -> R:
        work = self._work
        while not self._told:
            if work.ready and not (work.stop_on_error and work.broken):
                value = work.ready.popleft()
                work.settled += 1
                work.room.set()
                return value
            if self._ref is None:
                self._loop = asyncio.get_running_loop()
                self._ref = await self._start(work.run, name=self._name)
                if self._told:
                    self._ref.cancel()  # type: ignore[unreachable]  # aclose() was called meanwhile
            elif work.over is None and not (work.stop_on_error and work.broken):
                await self._news()
            else:
                await self._end()
        raise StopAsyncIteration

    async def _news(self) -> None:
        work = self._work
        work.news = news = Event()
        if self._ref is not None:
            forget = self._ref._on_end(self._ended)
            try:
                if work.over is None:
                    await news.wait()
            finally:
                forget()

    def _ended(self, reason: StopReason) -> None:
        self._work.over = reason
        self._work.news.set()

    async def _end(self) -> None:
        """Raise what the reader must know, once."""
        work = self._work
        await self.aclose()
        failed = (
            ExceptionGroup(f"map: {work.failed} of {work.taken} items failed", work.errors) if work.errors else None
        )
        broken = work.broken
        if broken is None and self._ref is not None and (work.over is None or work.over.kind != "normal"):
            try:
                await self._ref.result()
            except Exception as error:  # noqa: BLE001 - stopped or killed from elsewhere: say so
                broken = error
        if isinstance(broken, StopAsyncIteration | StopIteration):  # would end the reader's loop as if all were well
            broken = _renamed(broken)
        if broken is not None and any(broken is error for error in work.errors):
            raise broken
        if broken is not None:
            raise broken from failed
        if failed is not None:
            raise failed

    async def aclose(self) -> None:
        """Stop what still runs, and wait for its end, also where the reader is being cancelled."""
        self._told = True
        if self._ref is not None:
            with CancelScope(shield=True):
                await self._ref.stop()
        if self._work.over is None or self._work.over.kind != "normal":
            self._work.ready.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        ref = self._ref
        if ref is not None and self._loop is not None and not self._told:  # left by `break`: nobody will ask for more
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(ref.cancel)


def mapped(
    start: Start,
    function: Callable[[I], Coroutine[Any, Any, R]],
    items: Iterable[I] | AsyncIterable[I],
    *,
    limit: int,
    ordered: bool,
    stop_on_error: bool,
    name: str,
) -> TaskMap[R]:
    """See ActorSystem.map."""
    if not callable(function):
        raise SpecError(f"map: function: got {function!r}; allowed: an `async def` of one item")
    if not isinstance(items, Iterable | AsyncIterable):
        raise SpecError(f"map: items: got {type(items).__name__}; allowed: an iterable or an async iterable")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise SpecError(f"map: limit: got {limit!r}; allowed: calls at the same time, >= 1")
    return TaskMap(start, Work(function, items, limit, ordered, stop_on_error), name)
