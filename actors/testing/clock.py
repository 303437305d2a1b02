"""A virtual clock: an event loop whose timers fire at once, in order, while its own time jumps ahead."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple, Unpack

from anyio.to_thread import current_default_thread_limiter

__all__ = ["VirtualClock", "VirtualLoop", "virtual_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_PATIENCE = 30.0  # real seconds without any event, timer or thread before a test is called stuck


class _Selector(selectors.DefaultSelector):
    """Selects without sleeping: where only a timer could wake the loop, time jumps to it."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.busy():
            return super().select(0.05 if timeout is None else min(timeout, 0.05))
        if timeout is not None and timeout > 0:
            self.loop.jump(timeout)
            return ready
        ready = super().select(_PATIENCE)
        if not ready:
            raise RuntimeError(
                f"virtual clock: nothing can wake this loop (waited {_PATIENCE:g} real seconds): a deadlock"
            )
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time. Time stands still while threads work, so their results are not overtaken."""

    is_virtual = True

    def __init__(self) -> None:
        self._now = 1000.0
        self._threads = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def busy(self) -> bool:
        """True while a worker thread is out."""
        if self._threads:
            return True
        try:
            return current_default_thread_limiter().borrowed_tokens > 0
        except (RuntimeError, LookupError):
            return False

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As asyncio's; time stands still until it is done."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: object) -> None:
        self._threads -= 1


class VirtualClock:
    """Stamps on virtual time: 2026-01-01T00:00Z plus what has passed in the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = loop.time
        self._start = loop.time()

    def now(self) -> datetime:
        """The virtual wall clock, UTC."""
        return _EPOCH + timedelta(seconds=self.time() - self._start)


def virtual_loop() -> VirtualLoop:
    """The loop factory, for `asyncio.Runner`, `actors.run` and `pytest_asyncio_loop_factories`."""
    return VirtualLoop()
