"""Deadlines of asks: one loop timer for each distinct timeout instead of one for each ask."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from actors._core.tasks import absorb_cancellation

_SWEEP = 64  # refused and cancelled asks keep what they carry until then; a sweep costs less than those asks did
_LANES = 64  # callers who compute their timeouts would make a lane for each call


class Expiring(Protocol):
    """A future that is to fail at `due` (loop time) with what `expired()` makes, unless it is done by then."""

    future: asyncio.Future[Any]
    due: float

    def expired(self) -> BaseException:
        """The error for whoever waits."""


class _Wait(msgspec.Struct, eq=False):
    """The plain Expiring."""

    future: asyncio.Future[Any]
    due: float
    expired: Callable[[], BaseException]


class _Lane(msgspec.Struct, eq=False):
    """Futures with one common timeout: they expire in the order in which they came."""

    waits: deque[Expiring]
    timer: asyncio.TimerHandle | None = None
    limit: int = _SWEEP


class Deadlines:
    """Fails futures that are not done in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future = loop.create_future
        self._lanes: dict[float, _Lane] = {}

    def add(self, future: asyncio.Future[Any], timeout: float | None, error: Callable[[], BaseException]) -> None:
        """Fail `future` with what `error()` makes, unless it is done after `timeout` seconds (None: never)."""
        if timeout is not None:
            self.watch(_Wait(future, self.loop.time() + timeout, error), timeout)

    def watch(self, wait: Expiring, timeout: float) -> None:
        """Have it expire when it is due, which is `timeout` seconds from now."""
        lane = self._lanes.get(timeout)
        if lane is None:
            if len(self._lanes) >= _LANES:
                timer = self.loop.call_at(wait.due, _expire_one, wait)
                wait.future.add_done_callback(lambda _: timer.cancel())
                return
            lane = self._lanes[timeout] = _Lane(deque())
        waits = lane.waits
        while waits and waits[0].future.done():
            waits.popleft()
        if (
            len(waits) >= lane.limit
        ):  # one slow ask at the head keeps the answered ones behind it: sweep, ever more rarely
            lane.waits = waits = deque(each for each in waits if not each.future.done())
            lane.limit = max(_SWEEP, 2 * len(waits))
        waits.append(wait)
        if lane.timer is None:
            lane.timer = self.loop.call_at(wait.due, self._expire, timeout)

    def _expire(self, timeout: float) -> None:
        lane = self._lanes[timeout]
        waits = lane.waits
        now = self.loop.time() + 1e-6  # a loop's timer may fire early by its clock's resolution
        while waits and (waits[0].future.done() or waits[0].due <= now):
            _expire_one(waits.popleft())
        if waits:
            lane.timer = self.loop.call_at(waits[0].due, self._expire, timeout)
        else:
            del self._lanes[timeout]

    async def settled(self, future: asyncio.Future[Any], timeout: float | None) -> bool:
        """Wait until `future` is done, at most `timeout` seconds; its result stays in it."""
        if future.done():
            return True
        # a future of this wait's own: awaiting `future` itself would cancel it for all others, with this task
        waiter: asyncio.Future[None] = self.loop.create_future()

        def wake(_: object = None) -> None:
            if not waiter.done():
                waiter.set_result(None)

        future.add_done_callback(wake)
        timer = None if timeout is None else self.loop.call_later(timeout, wake)
        try:
            await waiter
        finally:
            future.remove_done_callback(wake)
            if timer is not None:
                timer.cancel()
        return future.done()

    async def outlasted(
        self, future: asyncio.Future[Any], timeout: float | None, cancelled: Callable[[], None]
    ) -> bool:
        """As `settled`, but a cancellation of the waiting task is told to `cancelled` and does not end the wait."""
        due = None if timeout is None else self.loop.time() + timeout
        while True:
            try:
                return await self.settled(future, None if due is None else max(0.0, due - self.loop.time()))
            except asyncio.CancelledError:
                absorb_cancellation()  # a supervisor that gave up here would leave its children to nobody
                cancelled()

    def close(self) -> None:
        """Cancel all timers."""
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()
        self._lanes.clear()


def _expire_one(wait: Expiring) -> None:
    if not wait.future.done():
        wait.future.set_exception(wait.expired())
