"""Threads for files that may lie on a disk that does not answer: who waits for one goes on without it.

A step on a network disk whose server is gone comes back when that does, or never, and nothing can interrupt it. Its
thread is left behind; it keeps nobody else from a thread, for these are used for nothing else, nor the program from
ending. Slow is not hung: the deadline begins anew with each step that is done. Where nobody waits any more, the step
that is done is the last; a program that ends waits for that: Arrow aborts it where its threads find no interpreter.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from weakref import WeakSet

import anyio

__all__ = ["MOST", "Hung", "Threads", "beat_of", "hanging", "leave_disk"]

MOST = 8
"""Threads at once, those that hang included."""

_IDLE_SECONDS = 10.0
_TIDY_SECONDS = 1.0
_EXIT_SECONDS = 5.0  # for the step that is under way while the program ends

T = TypeVar("T")

_here = threading.local()


class Hung(Exception):
    """The disk does not answer."""


def beat_of() -> Callable[[], None]:
    """To be called, by whichever thread, when a step of the work at hand is done."""
    job: _Job | None = getattr(_here, "job", None)
    return _nothing if job is None else job.beat


def leave_disk() -> None:
    """What is left of the work at hand needs no disk: a processor that is long at work is no disk that hangs."""
    beat_of()()
    job: _Job | None = getattr(_here, "job", None)
    if job is not None:
        job.at = float("inf")


def _nothing() -> None:
    """Nobody waits with a deadline."""


def _seen(future: asyncio.Future[Any]) -> None:
    """Nobody waits for it."""
    if not future.cancelled():
        future.exception()


class _NobodyWaits(Exception):
    """The work at hand is given up: it ends here."""


class _Job:
    """A function on its way through a thread.

    Attributes:
        future: of the caller's loop.
        returned: done when its thread is done with it, whether somebody waits or not.
        at: when its last step was done, on the clock that only rises; infinite: it needs the disk no more.
        given_up: nobody waits any more; one that has not begun is left out, one that has ends with its next step.
        back: its thread is done with it.
        tidies: it tidies up behind work that was given up.
    """

    def __init__(self, function: Callable[[], Any], *, tidies: bool = False) -> None:
        self._function = function
        self.tidies = tidies
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()
        self.returned: asyncio.Future[None] = self._loop.create_future()
        self.given_up = False
        self.back = threading.Event()
        self.at = time.monotonic()

    def beat(self) -> None:
        """A step is done."""
        self.at = time.monotonic()
        if self.given_up:
            raise _NobodyWaits

    def do(self) -> None:
        """Call the function, in a thread."""
        _here.job = self
        try:
            outcome, error = self._function(), None
        except BaseException as raised:  # noqa: BLE001 - it is raised again where it is waited for
            outcome, error = None, raised
        finally:
            _here.job = None
            self.back.set()
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._tell, outcome, error)

    def _tell(self, outcome: Any, error: BaseException | None) -> None:
        if not self.returned.done():
            self.returned.set_result(None)
        if self.given_up:
            return
        if error is None:
            self.future.set_result(outcome)
        else:
            self.future.set_exception(error)


class Threads:
    """So many threads at most, started as they are needed; who finds none free waits for his turn.

    Args:
        seconds: that a step may take.
        what: lies on the disk, for messages.
        steps: what is done there, for messages.
        name: of the threads.
        most: of them at once, those that hang included.
        grace: seconds that a caller who is cancelled waits yet for the step that is under way.
        inline: there are none, and all is done where it is called: for deterministic tests only.
    """

    def __init__(
        self,
        seconds: float,
        what: str,
        steps: str = "reads",
        *,
        name: str = "history",
        most: int = MOST,
        grace: float = 0.0,
        inline: bool = False,
    ) -> None:
        self._seconds = seconds
        self._what = what
        self._steps = steps
        self._name = name
        self._most = most
        self._grace = grace
        self._inline = inline
        self._last: deque[_Job] = deque()  # where there are any, something is at work
        self._forgotten = False
        self._lock = threading.Lock()
        self._at_work: set[_Job] = set()
        self._lost: set[_Job] = set()
        self._waiting: deque[_Job] = deque()
        self._handed: SimpleQueue[_Job | None] = SimpleQueue()  # None: one that is idle ends
        self._idle = 0
        self._resting = False
        self._threads: set[threading.Thread] = set()
        with _making:
            _all.add(self)

    @property
    def hung(self) -> str:
        """What does not answer, in words; "" where nothing hangs."""
        with self._lock:
            many = len(self._overdue() - self._lost)
        return f"{self._what} has not answered for {self._seconds:g} s: {many} {self._steps} hang" if many else ""

    @property
    def left_behind(self) -> bool:
        """Whether something is at work that nobody waits for any more, or is yet to tidy up behind that."""
        with self._lock:
            return self._something_is_left()

    def _something_is_left(self) -> bool:
        given_up = (job.tidies or (job.given_up and not job.back.is_set()) for job in self._at_work)
        return bool(self._last) or any(given_up)

    def blocks(self, name: str, what: str | None) -> bool:
        """Whether these are of that name and for that (None: whatever it is), and something is left behind."""
        asked = self._name == name and what in (None, self._what) and not self._forgotten
        return asked and self.left_behind

    def forget(self) -> None:
        """What is left behind says nothing of the disk any more: that answers."""
        self._forgotten = True

    async def tidy(self, function: Callable[[], object]) -> None:
        """Call what tidies up behind work that was given up: now, or where a step of that hangs, when it is back.

        One after the other, in the order in which they were given.
        """
        job = _Job(function, tidies=True)
        job.future.add_done_callback(_seen)
        with self._lock:
            if self._something_is_left():
                self._last.append(job)
                return
        with anyio.move_on_after(_TIDY_SECONDS, shield=True), suppress(Hung):
            await self.run(function)

    @property
    def lost(self) -> int:
        """Threads that hang although the disk answers."""
        with self._lock:
            return len(self._lost)

    def write_off(self) -> None:
        """The disk answers: what hangs now says nothing of it any more, and only keeps its thread."""
        with self._lock:
            self._lost |= self._overdue()

    def _overdue(self) -> set[_Job]:
        since = time.monotonic() - self._seconds
        return {job for job in self._at_work if job.at <= since}

    async def run(self, function: Callable[..., T], *values: Any) -> T:
        """Call a function in a thread; a caller who is cancelled does not wait for a disk that hangs either.

        Raises:
            Hung: no step of it was done in time, or no thread was free, or none could be started.
        """
        if self._inline:
            return function(*values)
        job = _Job(lambda: function(*values))
        self._take(job)
        try:
            while not job.future.done():
                left = job.at + self._seconds - time.monotonic()
                if left <= 0:
                    raise Hung(self.hung or f"{self._what}: no thread was free for {self._seconds:g} s")
                await asyncio.wait((job.future,), timeout=min(left, self._seconds))
            return job.future.result()  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            job.given_up = True
            await self._wait_a_little(job)
            raise
        finally:
            job.given_up = True

    async def _wait_a_little(self, job: _Job) -> None:
        """A disk that answers is done with a step at once: who comes behind finds nobody at work there."""
        until = time.monotonic() + self._grace
        with anyio.CancelScope(shield=True):
            while job in self._at_work and not job.returned.done() and (left := until - time.monotonic()) > 0:
                with suppress(asyncio.CancelledError):  # one has been told already
                    await asyncio.wait((job.returned,), timeout=left)

    def rest(self) -> None:
        """Let those that are idle end, and the others behind their work; who has work after that gets others."""
        with self._lock:
            self._resting = True
            idle, self._idle = self._idle, 0
            for _ in range(idle):
                self._handed.put(None)

    def end(self) -> None:
        """Give up what is at work, and wait for it; not for what hangs.

        None is to live while the interpreter ends: DuckDB's would write to stderr all that the thread still holds.
        """
        self.rest()
        with self._lock:
            jobs, threads = [*self._at_work], [*self._threads]
        for job in jobs:
            job.given_up = True
        for job in jobs:
            now = time.monotonic()
            job.back.wait(max(0.0, min(job.at, now) + min(self._seconds, _EXIT_SECONDS) - now))
        until = time.monotonic() + _EXIT_SECONDS
        if all(job.back.is_set() for job in jobs):
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))

    def _take(self, job: _Job) -> None:
        with self._lock:
            self._resting = False
            if len(self._at_work) == self._most:
                self._waiting.append(job)
                return
            self._at_work.add(job)
            if self._idle:
                self._idle -= 1  # one of them, whichever takes it
                self._handed.put(job)
                return
        thread = threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True)
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the machine gives no more of them
            with self._lock:
                self._at_work.discard(job)
                self._threads.discard(thread)
            raise Hung(f"{self._what} was not asked: {error}") from error

    def _work(self, first: _Job) -> None:
        job: _Job | None = first
        while job is not None:
            job.at = time.monotonic()
            job.do()
            job = self._behind(job)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _behind(self, done: _Job) -> _Job | None:
        """The next one that is still waited for; None: there came none for a while, and this thread ends."""
        with self._lock:
            self._at_work.discard(done)
            self._lost.discard(done)
            if (job := self._following()) is not None:
                self._at_work.add(job)
                return job
            if self._resting:
                return None
            self._idle += 1
        with suppress(Empty):
            return self._handed.get(timeout=_IDLE_SECONDS)
        with self._lock:
            with suppress(Empty):
                return self._handed.get_nowait()
            self._idle -= 1
        return None

    def _following(self) -> _Job | None:
        """What tidies up, as soon as nothing else is at work; else the next one that waits for a thread."""
        if self._last and not self._at_work:
            return self._last.popleft()
        while self._waiting:
            job = self._waiting.popleft()
            if not job.given_up:
                return job
        return None


_all: WeakSet[Threads] = WeakSet()
_making = threading.Lock()


def hanging(name: str, what: str | None = None) -> list[Threads]:
    """Those of that name in this process that have left something behind, whoever had them.

    Args:
        name: of the threads.
        what: lies on the disk; None: whatever.
    """
    with _making:
        found = list(_all)
    return [each for each in found if each.blocks(name, what)]


@atexit.register
def _end() -> None:
    with _making:
        found = list(_all)
    for threads in found:
        threads.end()
